"""A damaged chat database: kept as it is, replaced by its newest good backup plus all rows that
can still be read, and told to the person until they have seen it.

The replacement is built beside the damaged file and put in its place by renaming, so a process
killed at any point leaves either the damaged file, to be repaired again, or the repaired one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store import backups, database, migrations, salvage
from sfumato.store.database import now_ms
from sfumato.store.types import RepairReport

_REPAIRED = "chats.repaired.db"
_MARKER = "chats.damaged"  # left by a process that met damage while it ran

RECOVERED_TITLE = "Recovered chat"


def problem_with(folder: Path) -> str:
    """What is wrong with the chat database of `folder`; "" for a sound or a new one."""
    path = folder / database.FILE_NAME
    marker = folder / _MARKER
    if marker.exists():
        return marker.read_text("utf-8", "replace").strip() or "damage was met while it was in use"
    size = path.stat().st_size if path.exists() else 0
    if not size:
        log = _log_of(path)
        lost = backups.list_backups(folder / "backups") or (log.exists() and log.stat().st_size)
        if not lost:
            return ""
        return "the file is empty" if path.exists() else "the file is missing"
    try:
        db = database.connect_reading(path)
    except sqlite3.Error as error:
        return str(error) if database.is_damage(error) else ""
    try:
        problem = database.first_fault(db, full=True)
        if not problem and not migrations.applied(db) and _has_tables(db):
            problem = "it is not a database of Sfumato"
        return problem
    except sqlite3.Error as error:
        return str(error)
    finally:
        db.close()


def mark_damaged(folder: Path, problem: str) -> None:
    """Have the next start repair the database."""
    with contextlib.suppress(OSError):
        (folder / _MARKER).write_text(problem, "utf-8")


def repair(folder: Path, problem: str) -> RepairReport:
    """Rebuild the database and set the damaged one aside, in `folder`/damaged/<time>.

    Raises StoreError where that cannot be done; the damaged file is then where it was.
    """
    path = folder / database.FILE_NAME
    at_ms = now_ms()
    aside = folder / "damaged" / f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%dT%H%M%S.%fZ}"
    part = folder / "chats.repaired.part"
    try:
        found = salvage.read_database(path)
        ours = {step.__name__ for step in migrations.MIGRATIONS}
        if newer := sorted(found.tables["migrations"].keys() - ours, key=str):
            raise StoreError(
                Sentence(
                    "Store",
                    "{path} is damaged ({problem}) and was made by a newer Sfumato "
                    "({version}); start the newer version to repair it.",
                ).filled(path=str(path), problem=str(problem), version=str(newer[-1]))
            )
        backup = backups.newest_good(folder / "backups")
        aside.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        db = sqlite3.connect(part, isolation_level=None)
        try:
            if backup is not None:
                source = database.connect(backup.path, immutable=True)
                try:
                    source.backup(db, pages=-1)
                finally:
                    source.close()
            db.execute("PRAGMA journal_mode = DELETE")
            # Foreign keys stay off: replacing a chat must not remove its messages.
            migrations.migrate(db)
            db.execute("BEGIN")
            salvaged = _merge(found, db)
            report = RepairReport(
                at_ms=at_ms,
                what="chats",
                problem=problem,
                moved_to=str(aside),
                backup=backup.path.name if backup else "",
                backup_ms=int(backup.made.timestamp() * 1000) if backup else None,
                chats=_count(db, "chats"),
                messages=_count(db, "messages"),
                salvaged_messages=salvaged,
            )
            add_report(db, report)
            db.execute("COMMIT")
            if fault := database.first_fault(db):
                raise StoreError(
                    Sentence(
                        "Store",
                        "{path} is damaged ({problem}) and so is its repaired copy ({fault}); "
                        "check the disk, the damaged file is untouched.",
                    ).filled(path=str(path), problem=str(problem), fault=str(fault))
                )
        finally:
            db.close()
        backups.sync_file(part)
        os.replace(part, folder / _REPAIRED)
        backups.sync_folder(folder)
        _set_aside(path, aside)
        _put_in_place(folder)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            Sentence(
                "Store",
                "{path} is damaged ({problem}) and could not be repaired ({error}); the "
                "damaged file is untouched, check the disk and its free space, then "
                "start again.",
            ).filled(path=str(path), problem=str(problem), error=str(error))
        ) from error
    return report


def finish_interrupted(folder: Path) -> None:
    """Complete, or forget, a repair that was cut off. Raises OSError."""
    if (folder / _REPAIRED).exists():
        if (folder / database.FILE_NAME).exists():
            (folder / _REPAIRED).unlink()
        else:
            _put_in_place(folder)
    (folder / "chats.repaired.part").unlink(missing_ok=True)


def set_recordings_aside(path: Path, problem: str) -> RepairReport:
    """Move a damaged recordings file out of the way; a new one is begun. Raises OSError."""
    at_ms = now_ms()
    aside = path.parent / "damaged"
    aside.mkdir(exist_ok=True)
    moved = aside / f"{path.stem}-{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%dT%H%M%S.%fZ}.db"
    for suffix in ("-shm", "-wal", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, moved.with_name(moved.name + suffix))
    return RepairReport(at_ms=at_ms, what="recordings", problem=problem, moved_to=str(moved))


def add_report(db: sqlite3.Connection, report: RepairReport) -> None:
    db.execute("INSERT INTO repairs (report) VALUES (?)", (msgspec.json.encode(report).decode(),))


def unseen_reports(db: sqlite3.Connection) -> list[tuple[int, RepairReport]]:
    """(id, report) of each repair that the person has not been told of, oldest first."""
    reports = []
    for row_id, text in db.execute("SELECT id, report FROM repairs WHERE seen = 0 ORDER BY id"):
        with contextlib.suppress(msgspec.DecodeError):
            reports.append((row_id, msgspec.json.decode(text, type=RepairReport)))
    return reports


def dismiss_report(db: sqlite3.Connection, report_id: int) -> None:
    """The person has seen it."""
    db.execute("UPDATE repairs SET seen = 1 WHERE id = ?", (report_id,))


def _set_aside(path: Path, aside: Path) -> None:
    """Move the damaged file; its log is copied first, so that a repair begun again still has it."""
    log = _log_of(path)
    if log.exists():
        shutil.copy2(log, aside / log.name)
        backups.sync_file(aside / log.name)
    if path.exists():
        os.replace(path, aside / path.name)
    backups.sync_folder(aside)
    backups.sync_folder(path.parent)


def _put_in_place(folder: Path) -> None:
    """The repaired file becomes the database; first the old log goes, lest it be applied to it."""
    path = folder / database.FILE_NAME
    _log_of(path).unlink(missing_ok=True)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    os.replace(folder / _REPAIRED, path)
    (folder / _MARKER).unlink(missing_ok=True)
    backups.sync_folder(folder)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _count(db: sqlite3.Connection, table: str) -> int:
    (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def _merge(found: salvage.Found, db: sqlite3.Connection) -> int:
    """Put the rows read from the damaged file over those of the backup.

    Returns how many messages the backup did not have. A text is never replaced by a shorter one,
    nor by another of the same length: stored texts only grow, so a difference there is damage.
    """
    tables = found.tables
    for table in ("presets", "settings", "drafts", "folders", "repairs"):
        _replace(db, table, tables[table].values())
    presets = {row[0] for row in db.execute("SELECT id FROM presets")}
    _replace(
        db,
        "chats",
        (
            (*row[:8], row[8] if row[8] in presets else None, *row[9:])
            for row in tables["chats"].values()
        ),
    )
    known = dict(db.execute("SELECT id, text FROM messages"))
    chat_ids = {row[0] for row in db.execute("SELECT id FROM chats")}
    salvaged = 0
    last_of_chat: dict[Any, Any] = {}
    all_ids = known.keys() | tables["messages"].keys()
    for message_id, message in sorted(tables["messages"].items(), key=lambda item: _key(item[0])):
        row: list[Any] = list(message)
        if row[1] not in chat_ids:
            _add_recovered_chat(db, row[1], row[6])
            chat_ids.add(row[1])
        # A parent is older than its children; one that is lost is replaced by the message before.
        if row[2] is not None and (row[2] not in all_ids or row[2] >= message_id):
            row[2] = last_of_chat.get(row[1])
        last_of_chat[row[1]] = message_id
        if message_id in found.cut_messages:
            row[5] = "damaged"
        if message_id in known:
            if message_id in found.cut_messages or len(row[14]) <= len(known[message_id]):
                row[14] = known[message_id]
                if message_id in found.cut_messages:
                    continue
        else:
            salvaged += 1
        _replace(db, "messages", [tuple(row)])
    message_ids = {row[0] for row in db.execute("SELECT id FROM messages")}
    _replace(db, "blocks", (b for b in tables["blocks"].values() if b[0] in message_ids))
    for index in ("title_index", "text_index"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")
    return salvaged


def _key(value: salvage.Value) -> int:
    return value if isinstance(value, int) else 0


def _replace(db: sqlite3.Connection, table: str, rows: Any) -> None:
    for row in rows:
        with contextlib.suppress(sqlite3.IntegrityError):
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _add_recovered_chat(db: sqlite3.Connection, chat_id: Any, created_ms: Any) -> None:
    db.execute(
        "INSERT INTO chats (id, title, created_ms, updated_ms, activity) VALUES (?, ?, ?, ?, 0)",
        (chat_id, RECOVERED_TITLE, created_ms, now_ms()),
    )
