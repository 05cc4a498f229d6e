"""The denoising of each block, kept to be watched again.

Recordings have a file of their own beside the chats (attached as schema `recordings`): they are
large, bounded and can be spared, so backups do without them and damage to one file spares the
other.

A recording is MAGIC, one version byte, and a zlib stream of
    table    u16 count, then each distinct (id, piece): u32 id, u16 length, UTF-8 piece
    header   u16 steps, u16 positions
    steps    per step: u32 step, f64 mean entropy, f64 ms
    planes   all steps' table indices (low bytes, then high bytes), entropy, accepted bits;
             [steps, positions] each, as difference to the step before
    noise    u8 1 where it was kept, and then u16 count of the pieces that are not the draft's, in
             the order they appear; their lengths (low bytes, then high bytes), their UTF-8; and
             [steps, positions] of u16 (low bytes, then high bytes): 0 the piece of the draft,
             1 the next piece of the list, n the piece n - 2 before the last one met
all little-endian. Version 1 ends before the noise. Of the noise only the text is kept: nine tenths
of the random ids occur once, and each costs as much as two positions of a draft.
"""

from __future__ import annotations

import logging
import sqlite3
import struct
import zlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store.database import connect, first_fault

log = logging.getLogger(__name__)

FILE_NAME = "recordings.db"
MAGIC = b"SFUM"
VERSION = 2
NO_NOISE = 1  # the last version that kept none
MAX_DECODED_BYTES = 64 * 1024 * 1024
MAX_NOISE_PIECES = 0xFFFE  # so that the furthest one back has a code


class StepRecord(msgspec.Struct, frozen=True):
    """One denoise step of a block. All lists and byte strings have one entry a position."""

    step: int  # 1 is the first
    ids: list[int]  # the draft (argmax)
    pieces: list[str]
    entropy: bytes  # one byte a position, see engine.protocol.entropy_to_byte
    accepted: bytes  # 0 or 1
    mean_entropy: float  # nats
    ms: float
    noise_pieces: list[str] = []  # what the model held after the step; empty: not kept


def encode_recording(steps: list[StepRecord]) -> bytes:
    """Raises StoreError for what is too large, ValueError for steps of unequal length."""
    positions = len(steps[0].ids) if steps else 0
    table: dict[tuple[int, str], int] = {}
    indices = np.zeros((len(steps), positions), np.uint16)
    entropy = np.zeros((len(steps), positions), np.uint8)
    accepted = np.zeros((len(steps), positions), np.uint8)
    for at, record in enumerate(steps):
        if {
            len(record.ids),
            len(record.pieces),
            len(record.entropy),
            len(record.accepted),
        } != {positions}:
            raise ValueError(f"step {record.step} has not {positions} positions throughout")
        row = [
            table.setdefault(token, len(table))
            for token in zip(record.ids, record.pieces, strict=True)
        ]
        if len(table) > 0xFFFF or len(steps) > 0xFFFF or positions > 0xFFFF:
            raise StoreError(
                Sentence(
                    "Store",
                    "The recording of a block with {steps} steps is too large to be kept; "
                    "the answer itself is stored.",
                ).filled(steps=len(steps))
            )
        indices[at] = row
        entropy[at] = np.frombuffer(record.entropy, np.uint8)
        accepted[at] = np.frombuffer(record.accepted, np.uint8)
    parts = [struct.pack("<H", len(table))]
    for token_id, piece in table:
        text = piece.encode("utf-8", "surrogatepass")
        parts.append(struct.pack("<IH", token_id, len(text)) + text)
    parts.append(struct.pack("<HH", len(steps), positions))
    parts += [struct.pack("<Idd", r.step, r.mean_entropy, r.ms) for r in steps]
    changed = _difference(indices)
    parts += [
        _split_bytes(changed),
        _difference(entropy).tobytes(),
        np.packbits(_difference(accepted) & 1).tobytes(),
        _encode_noise(steps),
    ]
    return MAGIC + bytes([VERSION]) + zlib.compress(b"".join(parts))


def _encode_noise(steps: list[StepRecord]) -> bytes:
    """What was not kept in every step, or holds too many different pieces, is not kept at all."""
    listed: dict[str, int] = {}
    codes: list[int] = []
    for record in steps:
        if len(record.noise_pieces) != len(record.pieces):
            return b"\0"
        for draft, held in zip(record.pieces, record.noise_pieces, strict=True):
            if held == draft:
                codes.append(0)
            elif (at := listed.get(held)) is None:
                listed[held] = len(listed)
                codes.append(1)
            else:
                codes.append(len(listed) - at + 1)
    texts = [piece.encode("utf-8", "surrogatepass") for piece in listed]
    if len(texts) > MAX_NOISE_PIECES or max(map(len, texts), default=0) > 0xFFFF:
        return b"\0"
    lengths = np.array([len(text) for text in texts], np.uint16)
    return b"".join(
        (
            struct.pack("<BH", 1, len(texts)),
            _split_bytes(lengths),
            *texts,
            _split_bytes(np.array(codes, np.uint16)),
        )
    )


def decode_recording(data: bytes) -> list[StepRecord]:
    """Raises StoreError for anything that `encode_recording` up to this version did not make."""
    version = data[4] if data[:4] == MAGIC and len(data) > 4 else 0
    if version < 1:
        raise StoreError(
            Sentence(
                "Store", "This recording is damaged and cannot be shown; the answer is unharmed."
            )
        )
    if version > VERSION:
        raise StoreError(
            Sentence("Store", "This recording was made by a newer Sfumato; update to watch it.")
        )
    try:
        return _decode(_inflate(data[5:]), with_noise=version > NO_NOISE)
    except (ValueError, struct.error, zlib.error, IndexError) as error:
        raise StoreError(
            Sentence(
                "Store",
                "This recording is damaged and cannot be shown ({error}); the answer is unharmed.",
            ).filled(error=str(error))
        ) from error


def _decode(body: bytes, *, with_noise: bool) -> list[StepRecord]:
    at = 2
    (count,) = struct.unpack_from("<H", body, 0)
    table: list[tuple[int, str]] = []
    for _ in range(count):
        token_id, length = struct.unpack_from("<IH", body, at)
        at += 6
        piece = body[at : at + length]
        if len(piece) != length:
            raise ValueError("the table of tokens ends early")
        table.append((token_id, piece.decode("utf-8", "surrogatepass")))
        at += length
    steps, positions = struct.unpack_from("<HH", body, at)
    at += 4
    heads = [struct.unpack_from("<Idd", body, at + 20 * step) for step in range(steps)]
    at += 20 * steps
    cells = steps * positions
    noise_at = at + 3 * cells + (cells + 7) // 8
    if len(body) < noise_at or (len(body) > noise_at) != with_noise:
        raise ValueError(f"{len(body)} bytes do not hold {steps} steps of {positions} positions")

    def plane(offset: int) -> NDArray[np.uint8]:
        found = np.frombuffer(body, np.uint8, cells, at + offset * cells)
        return found.reshape(steps, positions)

    low, high = plane(0).astype(np.uint16), plane(1).astype(np.uint16)
    indices = np.cumsum(low | high << 8, axis=0, dtype=np.uint16)
    entropy = np.cumsum(plane(2), axis=0, dtype=np.uint8)
    bits = np.unpackbits(np.frombuffer(body, np.uint8, offset=at + 3 * cells), count=cells)
    accepted = np.cumsum(bits.reshape(steps, positions), axis=0, dtype=np.uint8) & 1
    rows = [[table[index] for index in row] for row in indices.tolist()]
    drafts = [[piece for _, piece in row] for row in rows]
    noise = _decode_noise(body[noise_at:], drafts) if with_noise else [[] for _ in drafts]
    records = []
    for step, (number, mean_entropy, ms) in enumerate(heads):
        records.append(
            StepRecord(
                step=number,
                ids=[token_id for token_id, _ in rows[step]],
                pieces=drafts[step],
                entropy=entropy[step].tobytes(),
                accepted=accepted[step].tobytes(),
                mean_entropy=mean_entropy,
                ms=ms,
                noise_pieces=noise[step],
            )
        )
    return records


def _decode_noise(data: bytes, drafts: list[list[str]]) -> list[list[str]]:
    """The pieces the model held, [steps][positions]; [steps] empty lists where none were kept."""
    if data[0] != 1:
        if data != b"\0":
            raise ValueError("the noise is neither there nor missing")
        return [[] for _ in drafts]
    (count,) = struct.unpack_from("<H", data, 1)
    lengths = _join_bytes(data, 3, count).tolist()
    at = 3 + 2 * count
    listed = []
    for length in lengths:
        listed.append(data[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    cells = sum(map(len, drafts))
    if len(data) != at + 2 * cells:
        raise ValueError(f"{len(data)} bytes of noise do not hold {cells} positions")
    codes = _join_bytes(data, at, cells).astype(np.int64)
    met = np.cumsum(codes == 1)
    listed_at = np.where(codes == 1, met - 1, met - codes + 1)[codes > 0]
    if (int(met[-1]) if cells else 0) != count or (listed_at < 0).any():
        raise ValueError("the noise names pieces that are not in its list")
    others = iter(listed_at.tolist())
    kept = iter((codes > 0).tolist())
    return [[listed[next(others)] if next(kept) else piece for piece in row] for row in drafts]


def _split_bytes(values: NDArray[np.uint16]) -> bytes:
    """All low bytes, then all high bytes: each compresses better by itself."""
    return values.astype("<u2").view(np.uint8).reshape(-1, 2).T.tobytes()


def _join_bytes(data: bytes, at: int, count: int) -> NDArray[np.uint16]:
    """`count` values that `_split_bytes` wrote at `at`. Raises ValueError where they are cut."""
    planes = np.frombuffer(data, np.uint8, 2 * count, at).reshape(2, count)
    joined = np.ascontiguousarray(planes.T).view("<u2")
    return joined.reshape(count).astype(np.uint16)


def _difference(plane: NDArray[np.uint16] | NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Each row minus the row before, modulo the type's range. [steps, positions]"""
    return np.diff(plane, axis=0, prepend=plane[:1] * 0)


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    body = stream.decompress(data, MAX_DECODED_BYTES)
    if not stream.eof or stream.unused_data:
        raise ValueError("the compressed data do not end where they should")
    return body


def attach(db: sqlite3.Connection, path: Path) -> None:
    """Make the recordings file part of a connection that writes the chats.

    Raises sqlite3.Error.
    """
    db.execute("ATTACH ? AS recordings", (path.resolve().as_uri(),))
    db.execute("PRAGMA recordings.journal_mode = WAL")
    # The answer is on disk before its recording: losing the last second of these is harmless.
    db.execute("PRAGMA recordings.synchronous = NORMAL")
    _create_table(db)


def attach_reading(db: sqlite3.Connection, path: Path | None = None) -> None:
    """The same for a connection that only reads; where there is no readable file, without any."""
    if path is not None and path.exists():
        for mode in ("mode=ro", "immutable=1"):
            try:
                db.execute("ATTACH ? AS recordings", (f"{path.resolve().as_uri()}?{mode}",))
                return
            except sqlite3.Error as error:
                log.info("%s cannot be read with %s: %s", path, mode, error)
    db.execute("ATTACH ':memory:' AS recordings")
    _create_table(db)


def _create_table(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE IF NOT EXISTS recordings.recordings (
             id INTEGER PRIMARY KEY,
             message_id INTEGER NOT NULL,
             block INTEGER NOT NULL,
             bytes INTEGER NOT NULL,
             data BLOB NOT NULL,
             UNIQUE (message_id, block))"""
    )
    # Sums sizes without reading the recordings themselves.
    db.execute("CREATE INDEX IF NOT EXISTS recordings.recordings_sizes ON recordings (id, bytes)")


def examine(path: Path) -> str:
    """The first fault of the file; "" where it is sound or missing."""
    if not path.exists():
        return ""
    try:
        db = connect(path)
    except sqlite3.Error as error:
        return str(error)
    try:
        return first_fault(db)
    finally:
        db.close()


def save_recording(
    db: sqlite3.Connection, message_id: int, block: int, steps: list[StepRecord], limit_bytes: int
) -> int:
    """Store how a block came about, then drop the oldest recordings beyond the limit.

    Returns the bytes it takes.
    """
    data = encode_recording(steps)
    db.execute(
        "INSERT INTO recordings.recordings (message_id, block, bytes, data) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (message_id, block)"
        " DO UPDATE SET bytes = excluded.bytes, data = excluded.data",
        (message_id, block, len(data), data),
    )
    prune_recordings(db, limit_bytes)
    return len(data)


def load_recording(db: sqlite3.Connection, message_id: int, block: int) -> list[StepRecord] | None:
    """None where none is kept. Raises StoreError where it is damaged."""
    row = db.execute(
        "SELECT data FROM recordings.recordings WHERE message_id = ? AND block = ?",
        (message_id, block),
    ).fetchone()
    return decode_recording(bytes(row[0])) if row else None


def recorded_blocks(db: sqlite3.Connection, message_id: int) -> list[int]:
    rows = db.execute(
        "SELECT block FROM recordings.recordings WHERE message_id = ? ORDER BY block",
        (message_id,),
    )
    return [block for (block,) in rows]


class RecordingsSize(msgspec.Struct, frozen=True):
    blocks: int
    bytes: int


def recordings_size(db: sqlite3.Connection) -> RecordingsSize:
    count, total = db.execute(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM recordings.recordings"
        " INDEXED BY recordings_sizes"
    ).fetchone()
    return RecordingsSize(count, total)


def prune_recordings(db: sqlite3.Connection, limit_bytes: int) -> int:
    """Drop the oldest until at most `limit_bytes` remain; how many went."""
    excess = recordings_size(db).bytes - limit_bytes
    last = None
    if excess > 0:
        oldest_first = (
            "SELECT id, bytes FROM recordings.recordings INDEXED BY recordings_sizes ORDER BY id"
        )
        for row_id, size in db.execute(oldest_first):
            last = row_id
            excess -= size
            if excess <= 0:
                break
    if last is None:
        return 0
    return db.execute("DELETE FROM recordings.recordings WHERE id <= ?", (last,)).rowcount


def remove_orphans(db: sqlite3.Connection) -> int:
    """Drop the recordings of messages that are gone."""
    return db.execute(
        "DELETE FROM recordings.recordings WHERE message_id NOT IN (SELECT id FROM main.messages)"
    ).rowcount
