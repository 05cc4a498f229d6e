#!/usr/bin/env python3
"""Judge the guide on phrasings it was never trained on, and print a table.

    python resources/demo/evaluate.py                # the shipped file in Sfumato's own engine
    python resources/demo/evaluate.py --torch        # the same weights in PyTorch, float32

Two sets: `held out` (one or two of the held-out phrasings of every topic, six of each kind of
off-topic question) and `fresh` (questions written by hand in other words, the `!` lines of the
text, which share no frame with the training phrasings). An answer is

- on topic when the written answer nearest to it (F1 of word counts) belongs to the topic asked
  for; for questions about everything else, to any of the `off-…` topics;
- readable when that F1 is at least 0.8 and each of its words is a word of the written answers.

Settled: blocks that met the stopping rule before the cap of 48 steps.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import corpus
import phrasing

GUIDE = Path(__file__).parent / "guide.gguf"
READABLE = 0.8


@dataclass
class Answered:
    text: str
    steps: list[int] = field(default_factory=list)  # of each block
    settled: list[bool] = field(default_factory=list)


@dataclass
class Verdict:
    on_topic: bool
    readable: bool
    score: float  # F1 with the nearest written answer
    nearest: str  # the topic it belongs to


def words_of(text: str) -> Counter[str]:
    return Counter(re.findall(r"[\w'-]+|[^\w\s]", text.lower()))


class Judge:
    def __init__(self, topics: list[corpus.Topic]) -> None:
        self.references = [(t, words_of(a)) for t in topics for a in t.answers]
        self.known = {w for _, c in self.references for w in c}

    def __call__(self, topic: corpus.Topic, text: str) -> Verdict:
        mine = words_of(text)

        def score(reference: Counter[str]) -> float:
            return 2 * (mine & reference).total() / max(1, mine.total() + reference.total())

        best, f1 = max(((t, score(c)) for t, c in self.references), key=lambda pair: pair[1])
        right = best.name == topic.name or (best.off_topic and topic.off_topic)
        return Verdict(right, f1 >= READABLE and all(w in self.known for w in mine), f1, best.name)


def as_written(question: str) -> str:
    """A held-out phrasing in tidy form: names in their case, a capital, a question mark."""
    text = " ".join(phrasing.PROPER.get(w, w) for w in question.split())
    first = question.split()[0]
    return text[:1].upper() + text[1:] + ("?" if first in phrasing.ASKING else "")


def questions(topics: list[corpus.Topic]) -> dict[str, list[tuple[corpus.Topic, str]]]:
    return {
        "held out": [
            (t, as_written(q))
            for t in topics
            for q in corpus.seeded("judge", t.name).sample(
                t.held_out, min(len(t.held_out), 6 if t.off_topic else 2)
            )
        ],
        "fresh": [(t, q) for t in topics for q in t.fresh],
    }


def with_engine(path: Path, asked: list[str], seed: int, bound: float | None) -> Iterator[Answered]:
    import msgspec
    from sfumato.engine import session
    from sfumato.engine.protocol import Committed, Generate, Load, Message

    opened, loaded = session.load(Load(path=str(path), device="cpu"))
    sampler = msgspec.structs.replace(
        loaded.sampler, entropy_bound=bound or loaded.sampler.entropy_bound
    )
    for turn, question in enumerate(asked):
        out = Answered("")
        request = Generate(
            turn=turn,
            messages=[Message("user", question)],
            seed=seed + turn,
            max_blocks=4,
            sampler=sampler,
        )
        for event in opened.answer(request):
            if isinstance(event, Committed):
                out.text += event.text
                out.steps.append(event.steps)
                out.settled.append(event.settled)
        yield out
    opened.close()


def with_torch(path: Path, asked: list[str], seed: int, bound: float | None) -> Iterator[Answered]:
    import fused  # noqa: F401
    from model import SAMPLER, read_gguf
    from sampler import answer
    from vocabulary import prompt

    model, vocab = read_gguf(path)
    settings = SAMPLER | ({"entropy_bound": bound} if bound else {})
    for a in answer(model, [prompt(vocab, [], q) for q in asked], seed, settings=settings):
        yield Answered(vocab.decode(a.ids), a.steps, a.settled)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=GUIDE)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bound", type=float, help="entropy bound instead of the file's")
    parser.add_argument("--failures", action="store_true", help="print every answer that fails")
    args = parser.parse_args()
    topics = corpus.load()
    judge = Judge(topics)
    for name, asked in questions(topics).items():
        run = with_torch if args.torch else with_engine
        answers = list(run(args.model, [q for _, q in asked], args.seed, args.bound))
        verdicts = [judge(t, a.text) for (t, _), a in zip(asked, answers, strict=True)]
        steps = [s for a in answers for s in a.steps]
        settled = [s for a in answers for s in a.settled]

        def share(hits: list[bool]) -> float:
            return round(sum(hits) / len(hits), 3)

        print(
            json.dumps(
                {
                    "set": name,
                    "answers": len(asked),
                    "on topic": share([v.on_topic for v in verdicts]),
                    "readable": share([v.readable for v in verdicts]),
                    "on topic and readable": share([v.on_topic and v.readable for v in verdicts]),
                    "word for word": share(
                        [a.text in t.answers for (t, _), a in zip(asked, answers, strict=True)]
                    ),
                    "blocks": len(steps),
                    "steps per block": round(sum(steps) / len(steps), 1),
                    "blocks settled": share(settled),
                }
            ),
            flush=True,
        )
        if args.failures:
            for (topic, q), a, v in zip(asked, answers, verdicts, strict=True):
                if not (v.on_topic and v.readable):
                    print(f"  {topic.name} -> {v.nearest} {v.score:.2f} {a.steps} | {q} | {a.text}")


if __name__ == "__main__":
    main()
