"""A scripted engine for tests and pictures: a given text settles as it would from a model.

The drafts are made up, the way they behave is not: positions settle in an order of their own, what
is unsettled changes its mind, entropy falls in waves, the padding is known early.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence

from fakes import FakeEngine
from sfumato.engine.protocol import (
    Committed,
    Denoised,
    Event,
    Finished,
    Prefilled,
    entropy_to_byte,
)

_WORDS = re.compile(r"\n+|\s?[^\W\d_]{1,7}|\s?\d|\s?[^\w\s]|\s|.", re.S)
_HAZE = """
the of light a form slow ing into er blur haze and un set ri del mar vel to 7 , . ( ra ton ment
smoke edge ly is by ph so el ver qu ar est 花 ли tion é ß ¶ = { } _ 19 ct
"""
_NOISE = _HAZE.split()


def tokens_of(text: str) -> list[str]:
    """Pieces of at most seven letters, spaces in front: much like a vocabulary cuts them."""
    return _WORDS.findall(text)


def settling_events(
    text: str,
    *,
    canvas: int = 128,
    steps: int = 20,
    seed: int = 1,
    settled: bool = True,
    thinking: str = "",
    ms: float = 60.0,
) -> list[Event]:
    """Everything an engine says while `text` settles, block by block; turn 0."""
    chance = random.Random(seed)
    tokens = tokens_of(text)
    blocks = [tokens[at : at + canvas] for at in range(0, max(1, len(tokens)), canvas)]
    events: list[Event] = [
        Prefilled(turn=0, tokens=24, reused=0, ms=12.0, seed=seed, context_left=8000)
    ]
    total = 0
    for block, kept in enumerate(blocks):
        last = block == len(blocks) - 1
        end = ["<turn|>"] if last and len(kept) < canvas else []
        final = kept + end + ["<pad>"] * (canvas - len(kept) - len(end))
        ids = [sum(map(ord, piece)) % 60000 + 500 for piece in final]
        count = max(2, steps + chance.randint(-2, 2))
        when = [_settles_at(at, canvas, count, piece, chance) for at, piece in enumerate(final)]
        noise = [chance.choice(_NOISE) for _ in final]
        for step in range(1, count + 1):
            draft, entropies = [], []
            for at, piece in enumerate(final):
                gone = step / when[at]
                sure = gone >= 1 and (settled or at % 5 or step < count)
                nats = 0.004 * chance.random() if sure else 4.5 * max(0.0, 1 - gone) ** 0.7 + 0.2
                if not sure and chance.random() < 0.45:
                    noise[at] = chance.choice(_NOISE)
                near = not sure and gone > 0.6 and chance.random() < 0.5
                draft.append(piece if sure or near else _as_wide(noise[at], piece))
                entropies.append(nats)
            mean = sum(entropies) / len(entropies)
            held = [
                piece if nats < 0.02 else chance.choice(_NOISE)
                for piece, nats in zip(draft, entropies, strict=True)
            ]
            events.append(
                Denoised(
                    turn=0,
                    block=block,
                    step=step,
                    max_steps=48,
                    ids=[sum(map(ord, piece)) % 60000 + 500 for piece in draft],
                    pieces=draft,
                    noise_ids=[sum(map(ord, piece)) % 60000 + 500 for piece in held],
                    noise_pieces=held,
                    entropy=bytes(map(entropy_to_byte, entropies)),
                    accepted=bytes(nats < 0.02 for nats in entropies),
                    pinned=bytes(canvas),
                    mean_entropy=mean,
                    ms=ms,
                )
            )
        total += count
        events.append(
            Committed(
                turn=0,
                block=block,
                text="".join(kept),
                thinking=thinking if block == 0 else "",
                ids=ids,
                pieces=final,
                kept=len(kept),
                steps=count,
                settled=settled,
                mean_entropy=0.002 if settled else 0.4,
                ms=ms * count,
            )
        )
    seconds = total * ms / 1000
    finished = Finished(
        turn=0,
        reason="end",
        tokens=len(tokens),
        blocks=len(blocks),
        steps=total,
        seconds=seconds,
        tokens_per_second=len(tokens) / seconds,
        peak_bytes=17 << 30,
    )
    return [*events, finished]


def _settles_at(at: int, canvas: int, count: int, piece: str, chance: random.Random) -> float:
    if piece == "<pad>":
        return 1.0 + chance.random()
    wave = 0.25 + 0.55 * math.sqrt(at / canvas)
    return min(count - 0.5, max(1.0, count * (wave + chance.gauss(0, 0.16))))


def _as_wide(noise: str, piece: str) -> str:
    """Drafts of a model have line breaks and spaces about where the text will have them."""
    if piece.startswith("\n"):
        return piece
    return (" " if piece.startswith(" ") else "") + noise


class ScriptedEngine(FakeEngine):
    """Plays answers at a pace; `pace_ms` 0 is as fast as the event loop goes."""

    def __init__(self, answers: Sequence[Sequence[Event]] = (), pace_ms: int = 0) -> None:
        super().__init__(answers)
        self._timer.setInterval(pace_ms)
