"""Where each token of a canvas stands: as flowing text, or as cells of a grid. No widgets.

The flow uses the same text engine, font and line pitch as a finished message, so that a draft
stands where its final text will stand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFont, QGlyphRun, QTextLayout, QTextLine, QTextOption

LONGEST_TOKEN = 64  # characters shown of one token
CONTROL = "·"  # stands for a character that has no look of its own

# Tokens that steer the model and are never part of an answer (MODEL.md section 2).
_STEERING = """
<pad> <eos> <bos> <unk> <mask> <|think|> <|channel> <channel|> <|turn> <turn|> <|tool> <tool|>
<|tool_call> <tool_call|> <|tool_response> <tool_response|> <|"|> <|image> <image|> <|image|>
<|audio> <audio|> <|audio|> <|video|>
"""
CONTROL_PIECES = frozenset(_STEERING.split())
_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_FSI, _PDI = "\u2068", "\u2069"
_RTL = frozenset(("R", "AL"))


def printable(piece: str) -> str:
    """`piece` without anything that could disturb its neighbours; newlines are kept.

    Control tokens become "", tabs four spaces, other controls a dot; bidi and zero-width
    characters go, except those that join letters.
    """
    if piece in CONTROL_PIECES:
        return ""
    text = piece.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    if len(text) > LONGEST_TOKEN:
        text = text[: LONGEST_TOKEN - 1] + "…"
    if text.isascii() and (text.isprintable() or text.replace("\n", "").isprintable()):
        return text
    shown = []
    for character in text:
        category = unicodedata.category(character)
        if character == "\n" or character in "\u200d\u200c":  # joiners shape Indic and emoji
            shown.append(character)
        elif category == "Cf":
            continue
        elif category in ("Cc", "Cs", "Cn", "Co") or character == "\ufffd":
            shown.append(CONTROL)
        elif category in ("Zl", "Zp"):
            shown.append("\n")
        else:
            shown.append(character)
    return "".join(shown)


def readable(pieces: Sequence[str]) -> list[str]:
    """One printable text a position; bytes of one character are joined at its first position."""
    texts = []
    position = 0
    while position < len(pieces):
        match = _BYTE_PIECE.fullmatch(pieces[position])
        if match is None:
            texts.append(printable(pieces[position]))
            position += 1
            continue
        run = bytearray()
        end = position
        while end < len(pieces) and (match := _BYTE_PIECE.fullmatch(pieces[end])):
            run.append(int(match[1], 16))
            end += 1
        texts += _decode_bytes(bytes(run))
        position = end
    return texts


def _decode_bytes(run: bytes) -> list[str]:
    """The characters of `run`, each at its first byte; a dot for a byte that is part of none."""
    texts = []
    position = 0
    while position < len(run):
        for length in (1, 2, 3, 4):
            try:
                character = run[position : position + length].decode("utf-8")
            except UnicodeDecodeError:
                continue
            texts += [printable(character)] + [""] * (length - 1)
            position += length
            break
        else:
            texts.append(CONTROL)
            position += 1
    return texts


@dataclass(slots=True)
class Flow:
    """Each list has one entry a canvas position; coordinates from the top left of the canvas."""

    height: float
    rects: list[list[QRectF]]  # one a line the token touches; empty where nothing is shown
    glyphs: list[list[QGlyphRun]]


@dataclass(frozen=True, slots=True)
class _Span:
    position: int
    paragraph: int
    start: int
    end: int


def flow(
    texts: Sequence[str],
    width: float,
    font: QFont,
    line_px: float,
    gap_px: float,
    prefix: str = "",
) -> Flow:
    """Lay out `texts` as they would stand in a message of this width.

    `prefix` is text that already stands in the first paragraph, before the canvas: it takes part
    in wrapping and is not drawn. An empty line takes `gap_px`.
    """
    width = max(width, 8.0)
    paragraphs, spans = _paragraphs(texts, prefix)
    rects: list[list[QRectF]] = [[] for _ in texts]
    glyphs: list[list[QGlyphRun]] = [[] for _ in texts]
    by_paragraph: list[list[_Span]] = [[] for _ in paragraphs]
    for span in spans:
        by_paragraph[span.paragraph].append(span)
    last = max((i for i, text in enumerate(paragraphs) if text.strip()), default=0)
    y = 0.0
    gap_above = False
    for number, text in enumerate(paragraphs[: last + 1]):
        if not text.strip() and number:
            y += 0.0 if gap_above else gap_px
            gap_above = True
            continue
        gap_above = False
        layout = QTextLayout(text, font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        lines = []
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            # A fixed line height puts what it adds above the text, as QTextDocument does.
            raise_px = line_px - (line.ascent() + line.descent() + line.leading() + 1)
            line.setPosition(QPointF(0, y + raise_px))
            lines.append((line.textStart(), line.textStart() + line.textLength(), line, y))
            y += line_px
        layout.endLayout()
        first = 0
        for span in by_paragraph[number]:
            while first + 1 < len(lines) and lines[first][1] <= span.start:
                first += 1
            for start, end, line, top in lines[first:]:
                if start >= span.end:
                    break
                a, b = max(start, span.start), min(end, span.end)
                left, right = sorted((_x(line, a), _x(line, b)))
                left, right = min(max(left, 0.0), width), min(max(right, 0.0), width)
                rects[span.position].append(QRectF(left, top, right - left, line_px))
                if b > a:
                    glyphs[span.position] += line.glyphRuns(a, b - a)
    return Flow(max(y, line_px), rects, glyphs)


def _x(line: QTextLine, position: int) -> float:
    # The stubs promise a float, the binding also hands back the position.
    x: object = line.cursorToX(position)
    return float(x[0] if isinstance(x, tuple) else x)  # type: ignore[arg-type]


def _paragraphs(texts: Sequence[str], prefix: str) -> tuple[list[str], list[_Span]]:
    """The text between newlines, and where in it each canvas position stands.

    A run of right-to-left tokens is isolated as one, so that it cannot reorder its neighbours
    and its letters still join.
    """
    paragraphs = [prefix]
    spans = []
    isolating = False
    for position, text in enumerate(texts):
        rtl = any(unicodedata.bidirectional(c) in _RTL for c in text) if text else isolating
        if rtl and not isolating:
            paragraphs[-1] += _FSI
        elif isolating and not rtl:
            paragraphs[-1] += _PDI
        isolating = rtl
        for number, part in enumerate(text.split("\n")):
            if number:
                paragraphs.append("")
            start = len(paragraphs[-1])
            # QTextLayout counts UTF-16 units, Python counts characters.
            paragraphs[-1] += part
            spans.append(_Span(position, len(paragraphs) - 1, start, len(paragraphs[-1])))
    return paragraphs, _in_utf16(paragraphs, spans)


def _in_utf16(paragraphs: list[str], spans: list[_Span]) -> list[_Span]:
    offsets: list[list[int] | None] = []
    for text in paragraphs:
        if max(text, default="") <= "\uffff":
            offsets.append(None)
            continue
        table = [0]
        for character in text:
            table.append(table[-1] + (2 if character > "\uffff" else 1))
        offsets.append(table)
    converted = []
    for span in spans:
        table_or_none = offsets[span.paragraph]
        if table_or_none is None:
            converted.append(span)
        else:
            table = table_or_none
            converted.append(
                _Span(span.position, span.paragraph, table[span.start], table[span.end])
            )
    return converted


@dataclass(frozen=True, slots=True)
class Grid:
    columns: int
    height: float
    cells: list[QRectF]  # one a canvas position


def grid(count: int, width: float, cell_min_px: float, cell_height_px: float) -> Grid:
    """`count` equal cells that fill the width; a power of two of them a row, at least four."""
    columns = 4
    while columns < 32 and width / (columns * 2) >= cell_min_px:
        columns *= 2
    cell = width / columns
    cells = [
        QRectF((i % columns) * cell, (i // columns) * cell_height_px, cell, cell_height_px)
        for i in range(count)
    ]
    rows = -(-count // columns)
    return Grid(columns, rows * cell_height_px, cells)


def cell_text(piece: str) -> str:
    """What a grid cell shows: whitespace and control tokens get a sign."""
    if piece in CONTROL_PIECES:
        return piece.strip("<>|") or CONTROL
    if _BYTE_PIECE.fullmatch(piece):
        return piece[3:5].lower()
    text = printable(piece)
    if not text:
        return CONTROL
    if text.strip(" ") == "":
        return "␣" * min(len(text), 4)
    return text.strip(" ").replace("\n", "⏎")


SETTLED_BYTE = 51  # 0.5 nats: nine tenths of such positions keep their token
SMOKE_BYTE = 128  # 3.1 nats: nothing is decided here
INK_BYTE = 6  # 0.007 nats


def ink_level(entropy: int) -> float:
    """0 is smoke, 1 is ink; `entropy` as a byte (protocol.entropy_to_byte)."""
    return min(1.0, max(0.0, (SMOKE_BYTE - entropy) / (SMOKE_BYTE - INK_BYTE)))


def settled_share(entropy: bytes) -> float:
    """Share of positions whose entropy says that their token will most likely stay."""
    return sum(1 for value in entropy if value <= SETTLED_BYTE) / max(1, len(entropy))
