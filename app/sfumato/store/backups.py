"""Copies of the chat database: made through SQLite, checked, and thinned out, never overwritten.

A file is called `chats-<number>-<UTC time>-<reason>.db`. The number only grows, so a clock that
jumps cannot make an old copy look like the newest.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store import migrations
from sfumato.store.database import connect, explain, first_fault, now_ms

EVERY = timedelta(hours=24)
DAYS_KEPT = 7
WEEKS_KEPT = 4

Reason = Literal["daily", "migration"]

_NAME = re.compile(r"chats-(\d{6,})-(\d{8}T\d{6}Z)-(daily|migration)\.db")
_TIME = "%Y%m%dT%H%M%SZ"


class Backup(msgspec.Struct, frozen=True):
    path: Path
    number: int
    made: datetime
    reason: str


def list_backups(folder: Path) -> list[Backup]:
    """Newest first, by number."""
    found = []
    for path in folder.glob("chats-*.db"):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        with contextlib.suppress(ValueError):
            made = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
            found.append(Backup(path, int(match[1]), made, match[3]))
    return sorted(found, key=lambda backup: backup.number, reverse=True)


def is_due(folder: Path) -> bool:
    """No backup in the last 24 hours, or the clock says that the last is from the future."""
    backups = list_backups(folder)
    if not backups:
        return True
    age = _now() - backups[0].made
    return not timedelta(0) <= age < EVERY


def make_backup(source: sqlite3.Connection, folder: Path, reason: Reason) -> Path:
    """Copy the open database, check the copy, name it, thin out the old ones.

    Nothing old is touched before the new copy is sound and on disk. Raises StoreError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backups = list_backups(folder)
    number = backups[0].number + 1 if backups else 1
    path = folder / f"chats-{number:06d}-{_now():{_TIME}}-{reason}.db"
    part = folder / "backup.part"
    try:
        copy_database(source, part)
        os.replace(part, path)
        sync_folder(folder)
    except sqlite3.Error as error:
        part.unlink(missing_ok=True)
        raise explain(error, part) from error
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            Sentence(
                "Store",
                "The chats could not be backed up to {folder} ({reason}); the older "
                "backups are untouched.",
            ).filled(folder=str(folder), reason=error.strerror or str(error))
        ) from error
    for backup in superseded(list_backups(folder)):
        backup.path.unlink(missing_ok=True)
    return path


def copy_database(source: sqlite3.Connection, path: Path) -> None:
    """Write the content of an open database to a new single file, checked and on disk.

    Raises sqlite3.Error or OSError; StoreError where the copy is not sound.
    """
    path.unlink(missing_ok=True)
    target = sqlite3.connect(path, isolation_level=None)
    try:
        target.execute("PRAGMA synchronous = OFF")  # one fsync at the end
        source.backup(target, pages=-1)
    finally:
        target.close()
    problem = fault(path)
    if problem:
        path.unlink(missing_ok=True)
        raise StoreError(
            Sentence(
                "Store",
                "A copy of the chats at {path} is damaged ({problem}); the older backups are kept.",
            ).filled(path=str(path), problem=str(problem))
        )
    sync_file(path)


def fault(path: Path) -> str:
    """Why a backup is no good; "" if it is."""
    try:
        db = connect(path, immutable=True)
    except sqlite3.Error as error:
        return str(error)
    try:
        problem = first_fault(db)
        if not problem and not migrations.applied(db):
            problem = "it is empty"
    except sqlite3.Error as error:
        problem = str(error)
    finally:
        db.close()
    return problem


def newest_good(folder: Path) -> Backup | None:
    """The newest that is sound and that this version can read."""
    for backup in list_backups(folder):
        if fault(backup.path):
            continue
        db = connect(backup.path, immutable=True)
        try:
            if not migrations.unknown(db):
                return backup
        finally:
            db.close()
    return None


def superseded(backups: list[Backup]) -> list[Backup]:
    """All but the newest of each of the last 7 days, and of each of 4 weeks before these.

    The newest made before a migration stays too, however old.
    """
    backups = sorted(backups, key=lambda backup: backup.number, reverse=True)
    kept = {b.number for b in [b for b in backups if b.reason == "migration"][:1]}
    days = _newest_of_each(backups, lambda backup: backup.made.date())[:DAYS_KEPT]
    kept |= {b.number for b in days}
    weeks = _newest_of_each(backups, lambda backup: backup.made.isocalendar()[:2])
    kept |= {b.number for b in [b for b in weeks if b not in days][:WEEKS_KEPT]}
    return [backup for backup in backups if backup.number not in kept]


def _newest_of_each(backups: list[Backup], period: Callable[[Backup], object]) -> list[Backup]:
    newest: dict[object, Backup] = {}
    for backup in backups:
        newest.setdefault(period(backup), backup)
    return list(newest.values())


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on disk."""
    file = os.open(path, os.O_RDWR)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk; Windows does that by itself."""
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _now() -> datetime:
    return datetime.fromtimestamp(now_ms() / 1000, UTC)
