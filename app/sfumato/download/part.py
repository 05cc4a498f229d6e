"""A file under way: `NAME.part` holds the bytes, `NAME.part.journal` what is known about them.

The journal is JSON, one record a line, only ever appended to: a header that says which content is
being fetched, then `{"chunk", "bytes", "crc32"}` each time a further piece of a chunk is on disk.
The last record of a chunk holds; a line torn by a crash is no record. A record is only a claim:
after a power cut the journal may know of bytes that never reached the disk, so bytes from an
earlier run count once they have been read back and their CRC-32 is the recorded one.

Why CRC-32: it finds damage, an attacker meets the SHA-256 of the whole file. Its state is one
number, so a chunk can be continued in the middle, and it costs less than a tenth of a SHA-256.
"""

import contextlib
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

CHUNK_BYTES = 16 << 20
_READ_BYTES = 256 << 10
_LEAST_CHUNK_BYTES = 64 << 10  # less comes from a damaged journal, and means millions of chunks


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Which content the part is of, and where it comes from."""

    version: int = 1
    repository: str
    file: str
    revision: str
    bytes: int
    sha256: str
    chunk_bytes: int


class _Record(msgspec.Struct, frozen=True):
    chunk: int
    bytes: int
    crc32: int
    suspect: bool = False


@dataclass(slots=True)
class Chunk:
    """`received` bytes from `start` on are in the part file, with CRC-32 `crc32`."""

    index: int
    start: int
    length: int
    received: int = 0
    crc32: int = 0
    # From an earlier run, not read back yet.
    claimed_only: bool = False
    # A fault happened while it was fetched: looked at first if the whole turns out to be wrong.
    suspect: bool = False

    @property
    def complete(self) -> bool:
        return self.received == self.length


class Part:
    """The part file of `final` and its chunks. Not more than one thread at a time may work on one
    chunk; different chunks are independent."""

    def __init__(self, final: Path, header: Header) -> None:
        """Continue what is on disk if it is of the same content, else start afresh."""
        self.final = final
        self.path = part_path(final)
        self._journal_path = journal_path(final)
        known, records = _read_journal(self._journal_path)
        if known is not None and (known.sha256, known.bytes) == (header.sha256, header.bytes):
            header = msgspec.structs.replace(header, chunk_bytes=known.chunk_bytes)
        else:
            records = []
        self.header = header
        self.chunks = [
            Chunk(i, start, min(header.chunk_bytes, header.bytes - start))
            for i, start in enumerate(range(0, header.bytes, header.chunk_bytes))
        ]
        for record in records:
            if 0 <= record.chunk < len(self.chunks):
                chunk = self.chunks[record.chunk]
                chunk.received = max(0, min(record.bytes, chunk.length))
                chunk.crc32 = record.crc32
                chunk.claimed_only = chunk.received > 0
                chunk.suspect = chunk.suspect or record.suspect
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        on_disk = self.path.stat().st_size
        for chunk in self.chunks:
            if chunk.start + chunk.received > on_disk:
                chunk.received, chunk.crc32, chunk.claimed_only = 0, 0, False
        self._lock = threading.Lock()
        self._journal = self._rewritten_journal()

    def _rewritten_journal(self) -> BinaryIO:
        """Start each run with a journal of one line a chunk and no torn end."""
        new = self._journal_path.with_name(self._journal_path.name + ".new")
        with new.open("wb") as out:
            out.write(msgspec.json.encode(self.header) + b"\n")
            for chunk in self.chunks:
                if chunk.received:
                    out.write(self._line(chunk))
            out.flush()
            if self.received:  # else there is nothing yet that a power cut could make us forget
                os.fsync(out.fileno())
        os.replace(new, self._journal_path)
        return self._journal_path.open("ab", buffering=0)

    @staticmethod
    def _line(chunk: Chunk) -> bytes:
        record = _Record(chunk.index, chunk.received, chunk.crc32, chunk.suspect)
        return msgspec.json.encode(record) + b"\n"

    @property
    def received(self) -> int:
        return sum(chunk.received for chunk in self.chunks)

    def record(self, chunk: Chunk) -> None:
        with self._lock:
            if not self._journal.closed:
                self._journal.write(self._line(chunk))

    def confirm(self, chunk: Chunk) -> bool:
        """Read back what an earlier run recorded; forget it if the disk holds something else."""
        if chunk.claimed_only:
            crc = 0
            for piece in self.read(chunk, chunk.received):
                crc = zlib.crc32(piece, crc)
            if crc != chunk.crc32:
                chunk.received, chunk.crc32 = 0, 0
            chunk.claimed_only = False
        return chunk.received > 0

    def read(self, chunk: Chunk, count: int) -> Iterator[memoryview]:
        """The first `count` bytes of a chunk in pieces, each valid until the next is asked for.
        Fewer if the file is shorter."""
        buffer = memoryview(bytearray(min(_READ_BYTES, count)))
        with self.path.open("rb", buffering=0) as file:
            file.seek(chunk.start)
            while count > 0 and (taken := file.readinto(buffer[: min(len(buffer), count)])):
                count -= taken
                yield buffer[:taken]

    def settle(self, chunk: Chunk) -> None:
        """Begin to put a chunk on the disk, so that `publish` has little to wait for: told that its
        pages are not needed soon, Linux writes those that are not written."""
        if hasattr(os, "posix_fadvise"):
            with self.path.open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), chunk.start, chunk.length, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        with self._lock:
            self._journal.close()

    def publish(self) -> None:
        """The part becomes the model, at once and for good."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.path, self.final)
        _sync_folder(self.final.parent)
        self.close()
        self._journal_path.unlink(missing_ok=True)

    def discard(self) -> None:
        self.close()
        discard(self.final)


def part_path(final: Path) -> Path:
    return final.with_name(final.name + ".part")


def journal_path(final: Path) -> Path:
    return final.with_name(final.name + ".part.journal")


def discard(final: Path) -> None:
    """Delete what there is of an unfinished download of `final`."""
    part_path(final).unlink(missing_ok=True)
    journal_path(final).unlink(missing_ok=True)


def known_header(final: Path) -> Header | None:
    """Which content an unfinished download of `final` is of."""
    return _read_journal(journal_path(final))[0]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A download that can be continued."""

    final: Path
    header: Header
    received: int


def unfinished(folder: Path) -> list[Unfinished]:
    """Every download under `folder` that was started and not finished."""
    found = []
    for journal in sorted(folder.rglob("*.part.journal")):
        final = journal.with_name(journal.name.removesuffix(".part.journal"))
        header, records = _read_journal(journal)
        if header is not None and part_path(final).exists():
            last = {record.chunk: record.bytes for record in records}
            found.append(Unfinished(final, header, sum(last.values())))
    return found


def _read_journal(path: Path) -> tuple[Header | None, list[_Record]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return None, []
    try:
        header = msgspec.json.decode(lines[0], type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, []
    if header.version != 1 or header.bytes <= 0 or header.chunk_bytes < _LEAST_CHUNK_BYTES:
        return None, []
    records = []
    for line in lines[1:]:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            records.append(msgspec.json.decode(line, type=_Record))
    return header, records


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
