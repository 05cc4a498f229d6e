"""Committed ids → thought and answer, block by block (MODEL.md 4.9)."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sfumato.engine.tokenizer import Tokenizer

THOUGHT_HEADER = "thought\n"


@dataclass(frozen=True)
class Portion:
    """What one block adds to the reply."""

    thinking: str
    text: str
    kept: int  # ids before the first stop token
    ended: bool  # the block holds a stop token


class Reply:
    """Reads the blocks of one reply in order.

    A thought opens with `<|channel>thought` and closes with `<channel|>`; other text is the answer.
    Markers without a partner, padding and control tokens vanish. A thought that is still open when
    the reply ends with a stop token, and that no answer preceded, was the answer: its whole text
    becomes the last portion's. A character whose bytes span two blocks appears with the second.
    """

    def __init__(self, tokenizer: Tokenizer, *, continued: bool = False) -> None:
        """continued: the answer goes on from earlier text, so leading space belongs to it."""
        self._tokenizer = tokenizer
        self._open = tokenizer.special_id("<|channel>")
        self._close = tokenizer.special_id("<channel|>")
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._in_thought = False
        self._thought = ""  # the thought that is open, header included
        self._has_text = continued
        self.thinking = ""  # of all portions
        self.text = ""  # of all portions
        self.ended = False

    @property
    def in_thought(self) -> bool:
        """The next block goes on with a thought."""
        return self._in_thought

    def commit(self, ids: Sequence[int]) -> Portion:
        """Read one block: [canvas] ids. Nothing is read behind the first stop token."""
        if self.ended:
            raise ValueError("the reply has ended")
        kept = next((at for at, i in enumerate(ids) if i in self._tokenizer.stop_ids), len(ids))
        self.ended = kept < len(ids)
        thinking = text = ""
        for run, marker in self._runs(ids[:kept]):
            added = self._decoded(run, final=self.ended or marker is not None)
            if self._in_thought:
                before = _thought_text(self._thought)
                self._thought += added
                thinking += _thought_text(self._thought)[len(before) :]
            else:
                added = added if self._has_text else added.lstrip()
                self._has_text = self._has_text or bool(added)
                text += added
            if marker == self._open and not self._in_thought:
                self._in_thought, self._thought = True, ""
                earlier = self.thinking + thinking
                thinking += "\n" if earlier and not earlier.endswith("\n") else ""
            elif marker == self._close:
                self._in_thought = False
                thinking = thinking.rstrip()
        if self.ended:
            text = text.rstrip()
            if self._in_thought and not self._has_text:
                thinking, text = "", _unclosed_thought(self._thought)
        self.thinking += thinking
        self.text += text
        return Portion(thinking, text, kept, self.ended)

    def _runs(self, ids: Sequence[int]) -> Iterator[tuple[list[int], int | None]]:
        """The ids between thought markers, each run with the marker that ends it."""
        run: list[int] = []
        for id_ in ids:
            if id_ in (self._open, self._close):
                yield run, id_
                run = []
            else:
                run.append(id_)
        yield run, None

    def _decoded(self, ids: list[int], *, final: bool) -> str:
        shown = (i for i in ids if not self._tokenizer.is_control(i))
        return self._decoder.decode(b"".join(map(self._tokenizer.piece, shown)), final)


def _thought_text(raw: str) -> str:
    """An open thought without its header; nothing while it may still be the header."""
    return "" if THOUGHT_HEADER.startswith(raw) else raw.removeprefix(THOUGHT_HEADER)


def _unclosed_thought(raw: str) -> str:
    text = raw.removeprefix(THOUGHT_HEADER).strip()
    return "" if text == THOUGHT_HEADER.strip() else text
