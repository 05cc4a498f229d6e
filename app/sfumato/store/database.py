"""Opening the database file, and what its failures mean to a person."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sfumato.errors import StoreError
from sfumato.sentence import Sentence

FILE_NAME = "chats.db"
BUSY_TIMEOUT_MS = 5000
# SQLite's own limit for a file name on Unix is 512 bytes, with room for "-wal".
MAX_PATH_BYTES = 500


class StoreInUseError(StoreError):
    """Another process of ours holds the store."""


class StoreReadOnlyError(StoreError):
    """The store can be read but not written: a newer version made it, or the file is protected."""


class StoreDamagedError(StoreError):
    """The file's structure is broken; the next start repairs it."""


class NotStoredError(StoreError):
    """A write did not reach the disk: it is full, failing or protected."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def connect(path: Path, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun in words.

    immutable: for a file that nobody writes, such as a backup; makes no -wal or -shm beside it.
    Raises sqlite3.Error.
    """
    resolved = path.resolve()
    mode = "ro" if read_only or immutable else "rwc"
    uri = resolved.as_uri() + f"?mode={mode}" + ("&immutable=1" if immutable else "")
    db = sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    # A flipped bit in a text must not make the whole conversation unreadable.
    db.text_factory = _decode
    try:
        db.execute("PRAGMA foreign_keys = ON")
        if mode == "rwc":
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")  # what is purged is gone
    except BaseException:
        db.close()
        raise
    return db


def connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads, also where nothing can be written beside the file.

    Raises sqlite3.Error.
    """
    try:
        db = connect(path, read_only=True)
        try:
            db.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except BaseException:
            db.close()
            raise
        return db
    except sqlite3.OperationalError:
        # Without a -shm and a place for one, only a file without a log can be read.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        return connect(path, immutable=True)


def check_path(path: Path) -> None:
    """Raises StoreError where SQLite cannot hold a name that long."""
    length = len(bytes(path.resolve()))
    if length > MAX_PATH_BYTES:
        raise StoreError(
            Sentence(
                "Store",
                "The folder name {folder}… is too long for the chat database ({length} "
                "bytes, at most {most}); choose a shorter one.",
            ).filled(folder=str(path.parent)[:80], length=length, most=MAX_PATH_BYTES)
        )


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def first_fault(db: sqlite3.Connection, *, full: bool = False) -> str:
    """The first fault of a database, in SQLite's words; "" for a sound one.

    full: also compare every index with its table, a third slower.
    """
    check = "integrity_check" if full else "quick_check"
    try:
        (answer,) = db.execute(f"PRAGMA {check}(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if answer == "ok" else str(answer).splitlines()[-1]


def storable(text: str) -> str:
    """`text` with the halves of broken surrogate pairs, which UTF-8 cannot hold, replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def time_or_zero(value: object) -> int:
    """`value` where it is a time that a calendar can show, else 0: a damaged one must not hurt."""
    return value if isinstance(value, int) and 0 <= value < _YEAR_9999_MS else 0


_YEAR_9999_MS = 253_370_764_800_000

_FULL = sqlite3.SQLITE_FULL
_PROTECTED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_FAILING = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: sqlite3.Error) -> bool:
    return _code(error) in _DAMAGED


def explain(error: sqlite3.Error, path: Path) -> StoreError:
    """The sentence for a failure of the file; what is our own mistake is raised as it is."""
    code = _code(error)
    if code == _FULL:
        return NotStoredError(
            Sentence(
                "Store",
                "The disk that holds {path} is full: nothing was lost, but the last text "
                "is only in memory; free some space and try again, or save it elsewhere.",
            ).filled(path=str(path))
        )
    if code in _PROTECTED:
        return NotStoredError(
            Sentence(
                "Store",
                "{path} is write-protected, so the last text is only in memory; change "
                "its permissions and try again, or save it elsewhere.",
            ).filled(path=str(path))
        )
    if code in _FAILING:
        return NotStoredError(
            Sentence(
                "Store",
                "The disk that holds {path} failed ({error}), so the last text is only "
                "in memory; try again, or save it elsewhere.",
            ).filled(path=str(path), error=str(error))
        )
    if code in _DAMAGED:
        return StoreDamagedError(
            Sentence(
                "Store",
                "{path} is damaged ({error}); restart Sfumato to repair it, the file is kept.",
            ).filled(path=str(path), error=str(error))
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return NotStoredError(
            Sentence(
                "Store",
                "Another program has locked {path}; close it and try again, or save elsewhere.",
            ).filled(path=str(path))
        )
    raise error


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 where Python raised the error itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
