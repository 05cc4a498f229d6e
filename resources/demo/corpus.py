"""The guide's questions and answers: reads text/*.md, expands phrasings, splits off the held-out ones.

A theme file holds topics. Lines of a topic (`## name`) begin with a mark:

    @ noun | noun        a thing: put into the frames of THING ("what is …", "explain …")
    + verb | verb        something to do: put into the frames of ACTION ("how do I …")
    - pattern            a question; (a|b|) is a choice, {list} a word of a list under `## lists`
    ! question           fresh wording, hand-written, never trained on: the harder half of the evaluation
    > answer             one of at least three answers

A tenth of the expanded phrasings of every topic is held out of training, chosen by a fixed seed.
"""

import random
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

TEXT = Path(__file__).parent / "text"
HELD_OUT_SHARE = 0.1
MAX_PHRASINGS = 400  # a pattern with word lists expands to thousands: a seeded sample of this many is kept

THING = [
    "what is X", "what's X", "what is X exactly", "what exactly is X", "explain X", "please explain X", "tell me about X",
    "can you explain X", "could you explain X to me", "what does X mean", "what do you mean by X", "define X",
    "describe X", "X", "how does X work", "what do I need to know about X", "help me understand X", "X explained",
    "I don't understand X", "I would like to know about X", "what about X", "what can you tell me about X",
    "give me a short explanation of X", "do you know what X is", "I have a question about X", "what is meant by X",
    "information about X", "why is there X", "I want to learn about X", "talk about X", "more about X",
    "what is the meaning of X", "have you heard of X", "what is X good for", "X what is it", "about X",
]
ACTION = [
    "how do I X", "how can I X", "how to X", "can I X", "is it possible to X", "I want to X", "I'd like to X",
    "where do I X", "help me X", "show me how to X", "what do I do to X", "how does one X", "X",
    "please tell me how to X", "I need to X", "is there a way to X", "how would I X", "what is the way to X",
    "can you tell me how to X", "how do you X", "I am trying to X", "where can I X", "what must I do to X",
    "I can't figure out how to X", "could I X", "let me X", "does it let me X", "am I able to X", "explain how to X",
    "which button do I press to X", "what is the best way to X", "would it be possible to X",
]


@dataclass
class Topic:
    """One subject of the guide. All questions are lower case without final punctuation, as written."""

    name: str
    theme: str
    nouns: list[str] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
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
            elif mark in ("-", "!", ">"):
                {"-": topic.patterns, "!": topic.fresh, ">": topic.answers}[mark].append(rest)
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
        # the same words must not ask for two topics: the first one that claims them keeps them
        mine = [k for k in phrasings if k and k not in fresh and owner.setdefault(k, topic.name) == topic.name]
        held = set(rng.sample(mine, max(1, round(HELD_OUT_SHARE * len(mine)))))
        topic.train = [phrasings[k] for k in mine if k not in held]
        topic.held_out = [phrasings[k] for k in mine if k in held]
    return topics


# ---------------------------------------------------------------------------------- how people type

PROPER = {
    "sfumato": "Sfumato", "diffusiongemma": "DiffusionGemma", "gemma": "Gemma", "google": "Google", "i": "I",
    "i'm": "I'm", "i've": "I've", "i'd": "I'd", "gpu": "GPU", "cpu": "CPU", "vram": "VRAM", "ram": "RAM",
    "nvidia": "NVIDIA", "gguf": "GGUF", "linux": "Linux", "windows": "Windows", "amd": "AMD", "gb": "GB",
    "chatgpt": "ChatGPT", "english": "English", "python": "Python", "rtx": "RTX", "api": "API", "kv": "KV",
}
BEFORE = [
    "please", "hey,", "hi,", "hello,", "so,", "ok,", "well,", "and", "but", "now", "quick question:", "question:",
    "can you tell me,", "tell me,", "excuse me,", "i wonder,", "sorry,", "guide,", "also,", "one more thing:",
    "just curious,", "hm,", "hello!", "hi there,", "thanks,", "alright,", "okay so", "i was wondering,", "first,",
    "another question:", "dear guide,", "right,", "um,", "actually,", "by the way,", "good morning,", "oh,",
]
AFTER = [
    "please", "thanks", "exactly", "actually", "then", "in sfumato", "here", "by the way", "in this app", "for me",
    "in general", "really", "again", "now", "to me", "in short", "briefly", "today", "if i may ask", "i wonder",
    "on my machine", "at all", "in simple words", "do you know", "in this program", "thank you", "maybe", "guide",
]
SYNONYMS = {
    "show": ["display", "present"], "explain": ["describe", "clarify"], "make": ["create", "do"], "tell": ["inform", "show"],
    "use": ["run", "employ"], "big": ["large", "huge"], "fast": ["quick", "speedy"], "slow": ["sluggish", "laggy"],
    "answer": ["reply", "response"], "answers": ["replies", "responses"], "chat": ["conversation"], "chats": ["conversations"],
    "model": ["llm", "network"], "word": ["token"], "words": ["tokens"], "program": ["app", "software", "tool"],
    "app": ["program", "application"], "change": ["alter", "modify"], "delete": ["remove", "erase"], "find": ["locate", "see"],
    "need": ["require", "want"], "get": ["obtain", "have"], "difference": ["distinction"], "start": ["begin", "open"],
    "stop": ["halt", "end"], "computer": ["pc", "machine"], "machine": ["pc", "computer"], "save": ["store", "keep"],
    "stored": ["saved", "kept"], "download": ["fetch", "get"], "block": ["canvas", "chunk"], "much": ["many"],
    "works": ["functions"], "work": ["function"], "card": ["gpu"], "settings": ["options"], "why": ["how come", "for what reason"],
    "question": ["prompt", "message"], "text": ["writing"], "memory": ["ram", "vram"], "steps": ["passes", "iterations"],
    "picture": ["image"], "write": ["produce", "type"], "see": ["view", "watch"], "choose": ["pick", "select"],
    "happens": ["occurs", "goes on"], "mean": ["signify", "stand for"], "good": ["decent", "nice"], "best": ["ideal", "optimal"],
}
STOP_WORDS = set(
    "a an the is are am do does did i me my it this that of to in on for with and or you your please can could would "
    "what's whats be been will shall tell give have has there here so just".split()
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def typo(word: str, rng: random.Random) -> str:
    i = rng.randrange(len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1 :]
    if kind == 1:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice(LETTERS) + word[i + 1 :]


def as_typed(question: str, rng: random.Random, filler: list[str]) -> str:
    """A phrasing as somebody might type it: synonyms, key words, extra words, typos, case, punctuation.

    `filler` are words that may turn up anywhere and mean nothing for the topic.
    """
    words = question.split()
    asks = words[0].strip(",") in (
        "what", "what's", "why", "how", "how's", "is", "are", "can", "does", "do", "where", "which", "who", "when",
        "will", "should", "could", "would", "has", "am")
    if rng.random() < 0.25:
        words = [rng.choice(SYNONYMS[w]) if w in SYNONYMS and rng.random() < 0.5 else w for w in words]
    if len(words) > 3 and rng.random() < 0.12:
        content = [w for w in words if w.lower() not in STOP_WORDS]
        if len(content) > 1:
            words = content
            if rng.random() < 0.3:
                rng.shuffle(words)
    elif len(words) > 3 and rng.random() < 0.1:
        del words[rng.randrange(len(words))]
    if rng.random() < 0.22:
        words = rng.choice(BEFORE).split() + words
    if rng.random() < 0.16:
        words = words + rng.choice(AFTER).split()
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 2)):
            words.insert(rng.randrange(len(words) + 1), rng.choice(filler))
    if rng.random() < 0.14:
        long = [i for i, w in enumerate(words) if len(w) > 3 and w.isalpha()]
        for i in rng.sample(long, min(len(long), rng.choice([1, 1, 2]))):
            words[i] = typo(words[i], rng)
    proper = rng.random() < 0.65
    text = " ".join(PROPER.get(w.lower(), w) if proper else w.lower() for w in words)
    style = rng.random()
    if style < 0.6:
        text = text[:1].upper() + text[1:]
    elif style > 0.98:
        text = text.upper()
    end = rng.random()
    if asks:
        return text + ("?" if end < 0.7 else "" if end < 0.93 else " ?" if end < 0.96 else "??")
    return text + ("" if end < 0.55 else "." if end < 0.72 else "?" if end < 0.88 else "!" if end < 0.96 else "...")
