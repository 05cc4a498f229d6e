"""The canvas in a terminal: repainted in place while it settles, then left as text."""

import os
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO

from sfumato.engine.protocol import Committed, Denoised, Event, byte_to_entropy

# A position is shown dim above so many nats: most below are final already (measured on a recording
# of the 26B model: 91 %).
UNSETTLED_NATS = 0.5

DIM, PLAIN = "\x1b[2m", "\x1b[22m"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
ERASE_BELOW = "\x1b[J"
BEGIN_UPDATE, END_UPDATE = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show no tearing

Cell = tuple[str, bool]  # one character, dim


def printable(text: str) -> str:
    """Text of a model without what a terminal would obey: controls but line breaks and tabs."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


class CanvasView:
    """Paints every Denoised over the one before, below the lines that are final.

    The last line of what is committed may go on with the next block, so it is painted with it.
    NO_COLOR keeps the view from styling.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dims = not os.environ.get("NO_COLOR")
        self._open_line: list[Cell] = []
        self._lines_drawn = 0

    def __enter__(self) -> Self:
        self._stream.write(HIDE_CURSOR)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Leave the committed text alone on the screen."""
        self._paint([self._open_line])
        self._stream.write("\n" + SHOW_CURSOR)
        self._stream.flush()

    def show(self, event: Event) -> None:
        size = shutil.get_terminal_size()
        columns = size.columns - 1  # the last one makes some terminals break the line
        match event:
            case Denoised():
                status = (
                    f"block {event.block + 1}, step {event.step} of {event.max_steps}, "
                    f"{event.mean_entropy:.3f} nats"
                )
                lines = wrap([*self._open_line, *_cells(event)], columns)
                lines = lines[-max(1, size.lines - 3) :]  # what scrolls away cannot be painted over
                self._paint([*lines, [], [(c, True) for c in status[:columns]]])
            case Committed():
                text = ((c, False) for c in printable(event.text).expandtabs(4))
                *final, self._open_line = wrap([*self._open_line, *text], columns)
                self._paint([*final, []])
                self._lines_drawn = 1  # the empty one, where the next block begins

    def _paint(self, lines: list[list[Cell]]) -> None:
        back = f"\x1b[{self._lines_drawn - 1}A" if self._lines_drawn > 1 else ""
        painted = "\n".join(map(self._styled, lines))
        self._stream.write(f"{BEGIN_UPDATE}\r{back}{ERASE_BELOW}{painted}{END_UPDATE}")
        self._stream.flush()
        self._lines_drawn = len(lines)

    def _styled(self, line: list[Cell]) -> str:
        text, dim = "", False
        for character, wants_dim in line:
            if self._dims and wants_dim != dim:
                text += DIM if wants_dim else PLAIN
                dim = wants_dim
            text += character
        return text + (PLAIN if dim else "")


def _cells(event: Denoised) -> Iterator[Cell]:
    for piece, entropy in zip(event.pieces, event.entropy, strict=True):
        dim = byte_to_entropy(entropy) > UNSETTLED_NATS
        for character in printable(piece).expandtabs(4):
            yield character, dim


def wrap(cells: Iterable[Cell], columns: int) -> list[list[Cell]]:
    """Break at line breaks and where a line is full, at a space if it has one."""
    lines: list[list[Cell]] = [[]]
    width = 0
    for cell in cells:
        line = lines[-1]
        if cell[0] == "\n":
            lines.append([])
            width = 0
            continue
        if width + _width(cell[0]) > columns and line:
            space = next((at for at in range(len(line) - 1, 0, -1) if line[at][0] == " "), None)
            rest = line[space + 1 :] if space and cell[0] != " " else []
            if rest:
                del line[len(line) - len(rest) :]
            lines.append(rest)
            width = sum(_width(character) for character, _ in rest)
            if cell[0] == " " and not rest:
                continue  # the space that the break replaces
        lines[-1].append(cell)
        width += _width(cell[0])
    return lines


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
