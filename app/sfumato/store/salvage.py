"""Reading rows out of a damaged database file, page by page, without trusting its structure.

SQLite's `.recover` in small: every leaf page of a table is read on its own, so a broken schema,
index or inner page costs nothing. Pages of the write-ahead log replace those of the file. Rows
are told apart by their shape (`_SHAPES`). File format: https://sqlite.org/fileformat2.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_LEAF = 0x0D  # a leaf page of a table
_DEFAULT_PAGE_SIZE = 4096
_WAL_MAGIC = (0x377F0682, 0x377F0683)


class Found(NamedTuple):
    """Rows by table and key: their id, or their first column where they have none."""

    tables: dict[str, dict[Value, Row]]
    cut_messages: set[Value]  # ids whose text lost its end


_STEP = re.compile(r"m\d{3}_")


def _int(value: Value) -> bool:
    return isinstance(value, int)


def _optional_int(value: Value) -> bool:
    return value is None or isinstance(value, int)


def _number(value: Value) -> bool:
    return isinstance(value, int | float)


def _text(value: Value) -> bool:
    return isinstance(value, str)


def _blob(value: Value) -> bool:
    return isinstance(value, bytes)


def _null(value: Value) -> bool:
    return value is None


# One test a column, in the order of the schema (migrations.py); an INTEGER PRIMARY KEY is stored
# as null.
_SHAPES: dict[str, tuple[Callable[[Value], bool], ...]] = {
    "presets": (_null, _text, _text, _text),
    "chats": (
        *(_null, _text, _int, _int, _int, _text, _int, _text),
        *(_optional_int, _text, _int, _optional_int, _optional_int, _text),
    ),
    "messages": (
        *(_null, _int, _optional_int, _optional_int, _text, _text, _int, _int, _int),
        *(_optional_int, _text, _text, _text, _text, _text),
    ),
    "blocks": (_int, _int, _int, _int, _blob, _int, _int, _number, _number),
    "drafts": (_null, _text, lambda v: isinstance(v, int) and v > 1),
    "repairs": (_null, _text, lambda v: v in (0, 1)),
    "settings": (_text, _text),
    "migrations": (lambda v: isinstance(v, str) and _STEP.match(v) is not None, _int),
    "folders": (_text, lambda v: v in (0, 1), lambda v: isinstance(v, int) and v > 1),
}


def read_database(path: Path) -> Found:
    """Every row that can still be read from the file and its log. Raises OSError only."""
    found = Found({table: {} for table in _SHAPES}, set())
    data = path.read_bytes() if path.exists() else b""
    log = path.with_name(path.name + "-wal")
    pages = _Pages(data, log.read_bytes() if log.exists() else b"")
    for number in pages.numbers():
        for row_id, values, whole in _rows_of_page(pages, number):
            table = _table_of(values)
            if table is None:
                continue
            _add(found, table, row_id, values, whole)
    return found


def _add(found: Found, table: str, row_id: int, values: Row, whole: bool) -> None:
    key: Value
    if values[0] is None:
        key, values = row_id, (row_id, *values[1:])
    elif table == "blocks":
        key = f"{values[0]!r}/{values[1]!r}"
    else:
        key = values[0]
    rows = found.tables[table]
    if key in rows and not (whole and key in found.cut_messages):
        return
    rows[key] = values
    if table == "messages":
        if whole:
            found.cut_messages.discard(key)
        else:
            found.cut_messages.add(key)


def _table_of(values: Row) -> str | None:
    for table, shape in _SHAPES.items():
        if len(values) == len(shape) and all(
            test(value) for test, value in zip(shape, values, strict=True)
        ):
            return table
    return None


class _Pages:
    """The pages of a database file, overlaid with the committed pages of its log."""

    def __init__(self, data: bytes, log: bytes) -> None:
        self.size, self.usable = _page_size(data, log)
        self._data = data
        self._overlay = _log_pages(log, self.size)
        self.bytes = len(data) + len(log)

    def numbers(self) -> Iterator[int]:
        last = max(len(self._data) // self.size, *self._overlay, 0)
        return iter(range(1, last + 1))

    def page(self, number: int) -> bytes:
        """The bytes of page `number` (1 is the first), short or empty at the end of the file."""
        if number in self._overlay:
            return self._overlay[number]
        return self._data[(number - 1) * self.size : number * self.size]


def _page_size(data: bytes, log: bytes) -> tuple[int, int]:
    """Page size, and the usable bytes of a page."""
    size, reserved = 0, 0
    if data[:16] == b"SQLite format 3\0" and len(data) >= 100:
        size, reserved = int.from_bytes(data[16:18]), data[20]
        size = 65536 if size == 1 else size
    if size not in [1 << n for n in range(9, 17)] and len(log) >= 32:
        size = int.from_bytes(log[8:12])
    if size not in [1 << n for n in range(9, 17)]:
        size, reserved = _DEFAULT_PAGE_SIZE, 0
    return size, size - reserved


def _log_pages(log: bytes, page_size: int) -> dict[int, bytes]:
    """The newest committed version of each page in a write-ahead log."""
    committed: dict[int, bytes] = {}
    if len(log) < 32 or int.from_bytes(log[:4]) not in _WAL_MAGIC:
        return committed
    salts = log[16:24]
    transaction: dict[int, bytes] = {}
    at = 32
    while at + 24 + page_size <= len(log):
        number, pages_after_commit = struct.unpack_from(">II", log, at)
        if log[at + 8 : at + 16] != salts:
            break
        transaction[number] = log[at + 24 : at + 24 + page_size]
        if pages_after_commit:
            committed |= transaction
            transaction = {}
        at += 24 + page_size
    return committed


def _rows_of_page(pages: _Pages, number: int) -> Iterator[tuple[int, Row, bool]]:
    """(rowid, values, whole) of each readable cell of a leaf page; nothing of any other page."""
    page = pages.page(number)
    head = 100 if number == 1 else 0
    if len(page) < head + 8 or page[head] != _LEAF:
        return
    cells = int.from_bytes(page[head + 3 : head + 5])
    for cell in range(cells):
        pointer = head + 8 + 2 * cell
        start = int.from_bytes(page[pointer : pointer + 2])
        if not head + 8 <= start < len(page):
            continue
        try:
            yield _row(pages, page, start)
        except (IndexError, ValueError, struct.error):
            continue


def _row(pages: _Pages, page: bytes, at: int) -> tuple[int, Row, bool]:
    length, at = _varint(page, at)
    row_id, at = _varint(page, at)
    row_id -= (row_id >> 63) << 64
    if length > pages.bytes:
        raise ValueError("a row longer than the file")
    usable = pages.usable
    local = length
    if length > usable - 35:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        if local > usable - 35:
            local = least
    payload = page[at : at + local]
    if len(payload) < local:
        raise ValueError("the cell ends after its page")
    if local < length:
        payload += _overflow(pages, page[at + local : at + local + 4], length - local)
    return row_id, *_record(payload, whole=len(payload) == length)


def _overflow(pages: _Pages, first: bytes, length: int) -> bytes:
    """The rest of a long row, as far as its chain of pages can be followed."""
    parts: list[bytes] = []
    seen: set[int] = set()
    number = int.from_bytes(first)
    while length > 0 and number and number not in seen:
        seen.add(number)
        page = pages.page(number)
        part = page[4 : min(4 + length, pages.usable)]
        if not part:
            break
        parts.append(part)
        length -= len(part)
        number = int.from_bytes(page[:4])
    return b"".join(parts)


def _record(payload: bytes, whole: bool) -> tuple[Row, bool]:
    """The values of a row; of one that is cut, its last text as far as it goes."""
    header_length, at = _varint(payload, 0)
    types = []
    while at < header_length:
        kind, at = _varint(payload, at)
        types.append(kind)
    if at != header_length or len(types) > 100:
        raise ValueError("a header of no row")
    values: list[Value] = []
    for kind in types:
        size = _SIZES[kind] if kind < 12 else (kind - 12) // 2
        part = payload[at : at + size]
        if len(part) < size and not (kind >= 13 and kind % 2):
            raise ValueError("the row is cut before its text")
        values.append(_value(kind, part))
        at += size
    return tuple(values), whole and at == len(payload)


_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)


def _value(kind: int, part: bytes) -> Value:
    if kind == 0:
        return None
    if kind <= 6:
        return int.from_bytes(part, signed=True)
    if kind == 7:
        number: float = struct.unpack(">d", part)[0]
        return number
    if kind in (8, 9):
        return kind - 8
    if kind in (10, 11):
        raise ValueError("a reserved type")
    return part.decode("utf-8", "replace") if kind % 2 else part


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for used in range(8):
        byte = data[at + used]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + used + 1
    return value << 8 | data[at + 8], at + 9
