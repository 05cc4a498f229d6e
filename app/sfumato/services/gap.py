"""Which tokens of an answer a part of its text is: the gap that is denoised again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sfumato.errors import KnownError
from sfumato.sentence import Sentence
from sfumato.store.types import Block

MOST_BYTES = 4  # of one character: as many tokens may have made it


@dataclass(frozen=True, slots=True)
class Gap:
    """Positions [first, end) of a block. What they say is `block.text[start:stop]`."""

    block: Block
    first: int
    end: int
    start: int
    stop: int

    @property
    def pinned(self) -> list[int]:
        """[canvas] ids; -1 where the model may write."""
        ids = list(self.block.ids)
        ids[self.first : self.end] = [-1] * (self.end - self.first)
        return ids

    @property
    def text(self) -> str:
        return self.block.text[self.start : self.stop]

    @property
    def has_text_behind(self) -> bool:
        return bool(self.block.text[self.stop :].strip())


def gaps_of(
    blocks: Sequence[Block],
    pieces_of: Callable[[Block], Sequence[str] | None],
    start: int,
    end: int,
) -> list[Gap]:
    """The gap in each block that holds something of characters [start, end) of the whole text.

    `pieces_of`: what each position of a block shows, None where that is not known. Whole tokens
    only, so a gap may be a little longer than what was asked for. Raises KnownError.
    """
    gaps = []
    begin = 0
    for block in blocks:
        first, last = max(start - begin, 0), min(end - begin, len(block.text))
        begin += len(block.text)
        if first < last and block.text[first:last].strip():
            gaps.append(_gap(block, pieces_of(block), first, last))
    return gaps


def _gap(block: Block, pieces: Sequence[str] | None, start: int, end: int) -> Gap:
    if pieces is None or len(pieces) != len(block.ids):
        raise KnownError(
            Sentence(
                "Rewriting",
                "The recording of this answer is gone, and with it which tokens the words are;"
                " try the answer again to have a new one.",
            )
        )
    if block.thinking and block.position:
        raise KnownError(
            Sentence(
                "Rewriting",
                "This part was written together with a thought, which cannot be held still;"
                " try the whole answer again.",
            )
        )
    shown = "".join(pieces)
    offset = _offset(shown, block)
    if offset is None:
        raise KnownError(
            Sentence(
                "Rewriting",
                "These words cannot be found among the tokens of the answer; try the whole"
                " answer again.",
            )
        )
    ends = list(accumulate(map(len, pieces)))
    touched = [
        at
        for at, piece in enumerate(pieces)
        if piece and ends[at] > offset + start and ends[at] - len(piece) < offset + end
    ]
    first, stop = touched[0], touched[-1] + 1
    begin = ends[first] - len(pieces[first]) - offset
    if pieces[first] > "\x7f" and (begin > 0 or not block.thinking):
        # The tokens before show nothing, because they are the first bytes of this character.
        least = max(0, first - MOST_BYTES + 1)
        while first > least and not pieces[first - 1]:
            first -= 1
    length = len(block.text)
    return Gap(block, first, stop, max(0, begin), min(length, ends[stop - 1] - offset))


def _offset(shown: str, block: Block) -> int | None:
    """Where the text of a block begins in what its tokens show."""
    if not block.thinking:
        for offset in (0, len(shown) - len(shown.lstrip())):
            if shown.startswith(block.text, offset):
                return offset
    found = shown.rfind(block.text)
    return found if found >= 0 else None
