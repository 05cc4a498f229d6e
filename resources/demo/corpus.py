"""The guide's questions and answers: reads text/*.md, expands phrasings, holds some out.

A theme file holds topics. Lines of a topic (`## name`) begin with a mark:

    @ noun | noun        a thing: put into the frames of THING ("what is …", "explain …")
    + verb | verb        something to do: put into the frames of ACTION ("how do I …")
    - pattern            a question; (a|b|) is a choice, {list} a word of a list under `## lists`
    = pattern            a question in other words than the frames and nouns of the topic
    ! question           fresh wording, written by hand, never trained on: for the evaluation
    > answer             one of at least three answers

A tenth of the expanded phrasings of every topic is held out of training, chosen by a fixed seed:
a tenth of those from `=` lines and a tenth of all others, apart, so that writing more `=` lines
does not move what was held out into training.
"""

import random
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from phrasing import ACTION, THING

TEXT = Path(__file__).parent / "text"
HELD_OUT_SHARE = 0.1
LISTS = {"-": "patterns", "=": "other_words", "!": "fresh", ">": "answers"}
MAX_PHRASINGS = (
    400  # a pattern with word lists expands to thousands: a seeded sample of this many is kept
)


@dataclass
class Topic:
    """One subject of the guide. Questions are lower case, without final punctuation."""

    name: str
    theme: str
    nouns: list[str] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    other_words: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    train: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)

    @property
    def off_topic(self) -> bool:
        return self.name.startswith("off-")


def key(question: str) -> str:
    """What makes two phrasings the same: letters and digits, lower case."""
    return " ".join(re.findall(r"[a-z0-9à-ÿ+*/^.-]+", question.lower().replace("'", "")))


def seeded(*parts: object) -> random.Random:
    return random.Random(zlib.crc32("/".join(map(str, parts)).encode()))


def expand(pattern: str, lists: dict[str, list[str]], limit: int, rng: random.Random) -> list[str]:
    """All strings of a pattern, or `limit` random ones if there are more."""
    parts = [
        lists[p[1:-1]] if p.startswith("{") else p[1:-1].split("|") if p.startswith("(") else [p]
        for p in re.findall(r"\{\w+\}|\([^()]*\)|[^(){}]+", pattern)
    ]
    total = 1
    for part in parts:
        total *= len(part)
    picks = range(total) if total <= limit else sorted(rng.sample(range(total), limit))
    out = []
    for pick in picks:
        words = ""
        for part in parts:
            pick, i = divmod(pick, len(part))
            choice = part[i]
            words += re.sub(r"\{(\w+)\}", lambda m: rng.choice(lists[m[1]]), choice)
        out.append(re.sub(r"\s+", " ", words).replace(" ,", ",").strip(" ,"))
    return out


def load(text: Path = TEXT) -> list[Topic]:
    """Every topic with its training and held-out phrasings; same result on every run."""
    topics: list[Topic] = []
    lists: dict[str, list[str]] = {}
    for path in sorted(text.glob("*.md")):
        topic = None
        for line in path.read_text().splitlines():
            mark, _, rest = line.partition(" ")
            if mark == "##":
                topic = Topic(rest, path.stem) if rest != "lists" else None
                if topic:
                    topics.append(topic)
            elif topic is None:
                if ": " in line:
                    name, _, words = line.partition(": ")
                    lists[name] = words.split(" | ")
            elif mark in "@+" and mark:
                (topic.nouns if mark == "@" else topic.verbs).extend(rest.split(" | "))
            elif mark in LISTS:
                getattr(topic, LISTS[mark]).append(rest)
    fresh = {key(q) for t in topics for q in t.fresh}
    owner: dict[str, str] = {}
    for topic in topics:
        phrasings: dict[str, str] = {}
        rng = seeded(topic.name)
        limit = MAX_PHRASINGS if topic.off_topic else 60
        for pattern in topic.patterns:
            for q in expand(pattern, lists, limit, rng):
                phrasings.setdefault(key(q), q)
        for noun in topic.nouns:
            for frame in THING:
                phrasings.setdefault(key(frame.replace("X", noun)), frame.replace("X", noun))
        for verb in topic.verbs:
            for frame in ACTION:
                phrasings.setdefault(key(frame.replace("X", verb)), frame.replace("X", verb))
        divide(topic, phrasings, fresh, owner, rng)
    for topic in topics:
        limit = MAX_PHRASINGS if topic.off_topic else 60
        rng = seeded(topic.name, "other words")
        expanded = [q for p in topic.other_words for q in expand(p, lists, limit, rng)]
        divide(topic, {key(q): q for q in expanded}, fresh, owner, rng)
    return topics


def divide(
    topic: Topic,
    phrasings: dict[str, str],
    fresh: set[str],
    owner: dict[str, str],
    rng: random.Random,
) -> None:
    """Add phrasings (by key) to the topic, nine tenths to train on and one tenth to hold out.

    The same words must not ask twice: the first topic that claims them keeps them, in `owner`.
    """
    mine = [k for k in phrasings if k and k not in fresh and k not in owner]
    owner.update(dict.fromkeys(mine, topic.name))
    held = set(rng.sample(mine, round(HELD_OUT_SHARE * len(mine))))
    topic.train += [phrasings[k] for k in mine if k not in held]
    topic.held_out += [phrasings[k] for k in mine if k in held]
