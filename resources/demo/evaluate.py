#!/usr/bin/env python3
"""Judge the shipped guide on phrasings it was never trained on, and print a table.

    python resources/demo/evaluate.py [--engine] [--samples N]

Two sets: `held out` (a tenth of the expanded phrasings, one to three of every topic, typed in clean form) and `fresh`
(hand-written questions in other words, the `!` lines of the text). An answer counts

- on topic when the written answer nearest to it (F1 of word counts) belongs to the topic that was
  asked for; for questions about everything else, to any of the topics `off-…`;
- readable when that F1 is at least 0.8 and every word of it is a word of the corpus.

The two must hold together. Settled: blocks that met the stopping rule before the cap of 48 steps.
Default: the file's weights in PyTorch, float32. `--engine`: the project's own engine, through
`sfumato generate --json`'s session.
"""

import argparse
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import corpus

GUIDE = Path(__file__).parent / "guide.gguf"
READABLE = 0.8


def tokens(text: str) -> list[str]:
    return re.findall(r"[\w'-]+|[^\w\s]", text.lower())


def f1(a: Counter[str], b: Counter[str]) -> float:
    common = sum((a & b).values())
    return 2 * common / max(1, sum(a.values()) + sum(b.values()))


@dataclass
class Judge:
    topics: list[corpus.Topic]

    def __post_init__(self) -> None:
        self.references = [(t, Counter(tokens(a))) for t in self.topics for a in t.answers]
        self.words = {w for _, c in self.references for w in c}

    def judge(self, topic: corpus.Topic, text: str) -> tuple[bool, bool, float, str]:
        """(on topic, readable, F1, name of the nearest topic)."""
        mine = Counter(tokens(text))
        best, score = max(((t, f1(mine, c)) for t, c in self.references), key=lambda x: x[1])
        right = best.name == topic.name or (best.off_topic and topic.off_topic)
        return right, score >= READABLE and all(w in self.words for w in mine), score, best.name


def questions(topics: list[corpus.Topic]) -> dict[str, list[tuple[corpus.Topic, str]]]:
    def clean(q: str) -> str:
        text = " ".join(corpus.PROPER.get(w, w) for w in q.split())
        asks = re.match(r"(what|why|how|is|are|can|does|do|where|which|who|when|will|should|could|has|am)\b", q)
        return text[:1].upper() + text[1:] + ("?" if asks else "")

    return {
        "held out": [(t, clean(q)) for t in topics for q in t.held_out[: 3 if t.off_topic else 2]],
        "fresh": [(t, q) for t in topics for q in t.fresh],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=GUIDE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10**9, help="questions of each set")
    parser.add_argument("--bound", type=float, help="entropy bound instead of the file's")
    parser.add_argument("--set", choices=["held out", "fresh"])
    parser.add_argument("--failures", action="store_true", help="print every answer that fails")
    args = parser.parse_args()

    import fused  # noqa: F401
    import torch
    from model import SAMPLER, read_gguf
    from sampler import answer
    from vocabulary import prompt

    torch.set_num_threads(2)
    topics = corpus.load()
    judge = Judge(topics)
    model, vocab = read_gguf(args.model)
    settings = dict(SAMPLER) | ({"entropy_bound": args.bound} if args.bound else {})
    for name, asked in questions(topics).items():
        if args.set and name != args.set:
            continue
        asked = asked[:: max(1, len(asked) // args.limit)][: args.limit]
        answers = answer(model, [prompt(vocab, [], q) for _, q in asked], args.seed, settings=settings)
        rows = [(t, q, a, vocab.decode(a.ids), *judge.judge(t, vocab.decode(a.ids))) for (t, q), a in zip(asked, answers)]
        steps = [s for a in answers for s in a.steps]
        blocks = [s for a in answers for s in a.settled]
        n = len(rows)
        print(json.dumps({
            "set": name, "answers": n,
            "on topic": round(sum(r[4] for r in rows) / n, 3),
            "readable": round(sum(r[5] for r in rows) / n, 3),
            "on topic and readable": round(sum(r[4] and r[5] for r in rows) / n, 3),
            "word for word": round(sum(r[3] in r[0].answers for r in rows) / n, 3),
            "blocks": len(steps), "steps per block": round(sum(steps) / len(steps), 1),
            "blocks settled": round(sum(blocks) / len(blocks), 3)}), flush=True)
        if args.failures:
            for t, q, a, text, right, readable, score, nearest in rows:
                if not (right and readable):
                    print(f"  {t.name} -> {nearest} {score:.2f} {a.steps} | {q} | {text}")


if __name__ == "__main__":
    main()
