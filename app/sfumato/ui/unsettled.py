"""Marks what ran out of steps before it was stable, in the blocks of a message. No widgets.

A committed block is a slice of the message's source, while its Markdown is shown without the
source's signs. So a sign that the text does not hold is put where a slice begins or ends, at the
nearest place that provably changes nothing else of what is shown; the views take it out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor, QTextDocument

from sfumato.store.types import Spans
from sfumato.ui.markdown import Block, Code, Marks, Math, Plain, Prose, Table, parse

PLACES = 24  # words tried after the place where the sign would have to stand
FAR = 400  # characters searched for them


@lru_cache(maxsize=32)
def parse_marked(text: str, unsettled: Spans) -> Sequence[Block]:
    """The blocks of a message, told what of them is unsettled; all, where no sign can be placed."""
    blocks = parse(text)
    edges = _edges(text, unsettled)
    if not edges:
        return blocks
    sign = next((c for c in map(chr, range(0xE000, 0xF8FF)) if c not in text), "")
    if not sign:
        return blocks
    source, last = text, len(text)
    opened = edges[0] == 0
    inner = [edge for edge in edges if 0 < edge < len(text)]
    for count, edge in enumerate(reversed(inner), 1):
        for place in _places(text, edge, last):
            trial = source[:place] + sign + source[place:]
            marked = parse.__wrapped__(trial)
            if _is_harmless(blocks, marked, sign, count):
                source, last = trial, place
                break
        else:
            return _assign(blocks, sign, opened=True)
    return _assign(parse.__wrapped__(source), sign, opened=opened)


def _edges(text: str, unsettled: Spans) -> list[int]:
    """Where unsettled text begins, ends, begins …, without spans that touch or lie outside.

    Spaces and signs alone, as at a message's end, have nothing to underline.
    """
    edges: list[int] = []
    for start, end in unsettled:
        start, end = max(0, start), min(end, len(text))
        if not _says_something(text[start:end]):
            continue
        if not _says_something(text[end:]):
            end = len(text)
        if edges and start <= edges[-1]:
            edges[-1] = max(end, edges[-1])
        else:
            edges += [start, end]
    return edges


def _says_something(text: str) -> bool:
    return any(c.isalnum() or c > "\x7f" for c in text)


def _places(text: str, edge: int, last: int) -> Iterator[int]:
    """The edge, if it is within a word, and the words after it."""
    found = 0
    for place in range(edge, min(edge + FAR, last)):
        begins = place == edge or not text[place - 1].isalnum()
        if begins and text[place].isalnum():
            yield place
            found += 1
            if found == PLACES:
                return


def _shown(block: Block) -> str:
    match block:
        case Prose() | Table():
            return block.html
        case Math():
            return block.source
    return block.text


def _is_harmless(blocks: Sequence[Block], marked: Sequence[Block], sign: str, count: int) -> bool:
    """All signs stand in shown text, and without them nothing is different."""
    if len(blocks) != len(marked):
        return False
    out_of_place = re.compile(f"<[^>]*{sign}|<math>[^<]*{sign}")
    for before, after in zip(blocks, marked, strict=True):
        text = _shown(after)
        if type(before) is not type(after) or text.replace(sign, "") != _shown(before):
            return False
        if isinstance(after, Math) and sign in text:
            return False
        if isinstance(before, Code) and isinstance(after, Code):
            if before.language != after.language:
                return False
        elif out_of_place.search(text):
            return False
    return sum(_shown(block).count(sign) for block in marked) == count


def _assign(blocks: Sequence[Block], sign: str, *, opened: bool) -> Sequence[Block]:
    assigned: list[Block] = []
    for block in blocks:
        signs = _shown(block).count(sign)
        if (opened or signs) and isinstance(block, Prose | Table | Code | Plain):
            block = replace(block, marks=Marks(sign, opened))
        assigned.append(block)
        opened = opened != bool(signs % 2)
    return assigned


def without_signs(text: str, marks: Marks) -> str:
    return text.replace(marks.sign, "") if marks.sign else text


def underline(document: QTextDocument, marks: Marks, color: QColor) -> None:
    """Take the signs out of a document and underline with dots what they stand around."""
    if not marks.sign:
        return
    edges = [0] if marks.opened else []
    cursor = document.find(marks.sign)
    while not cursor.isNull():
        cursor.removeSelectedText()
        edges.append(cursor.position())
        cursor = document.find(marks.sign, cursor)
    edges.append(document.characterCount() - 1)
    dotted = QTextCharFormat()
    dotted.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DotLine)
    dotted.setUnderlineColor(color)
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        block = document.findBlock(start)
        while block.isValid() and block.position() < end:
            # Block by block: a selection across cells of a table would be of the cells.
            first = max(start, block.position())
            last = min(end, block.position() + block.length() - 1)
            while last > first and document.characterAt(last - 1).isspace():
                last -= 1
            cursor = QTextCursor(document)
            cursor.setPosition(first)
            cursor.setPosition(max(first, last), QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(dotted)
            block = block.next()
