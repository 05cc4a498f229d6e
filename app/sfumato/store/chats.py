"""Chats: the list, pins, drafts, deleting with a way back."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store import recordings, search
from sfumato.store.database import now_ms, storable, time_or_zero
from sfumato.store.types import Chat, SamplerValues

UNDO_DAYS = 30
NEW_CHAT = 0  # drafts: the chat that has not been begun yet

_COLUMNS = (
    "id, title, created_ms, updated_ms, folder, pinned, system_prompt, preset_id, sampler,"
    " thinking, deleted_ms"
)
_NO_VALUES = SamplerValues()


def create_chat(
    db: sqlite3.Connection,
    title: str = "",
    *,
    folder: str = "",
    system_prompt: str = "",
    preset_id: int | None = None,
    sampler: SamplerValues = _NO_VALUES,
    thinking: bool = False,
) -> Chat:
    """A new, empty chat. Without a title it takes one from its first prompt."""
    now = now_ms()
    cursor = db.execute(
        "INSERT INTO chats (title, created_ms, updated_ms, activity, folder, system_prompt,"
        " preset_id, sampler, thinking) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)",
        (
            storable(title),
            now,
            now,
            storable(folder),
            storable(system_prompt),
            preset_id,
            encode_sampler(sampler),
            thinking,
        ),
    )
    chat_id = cursor.lastrowid
    assert chat_id is not None
    touch(db, chat_id)
    return get_chat(db, chat_id)


def get_chat(db: sqlite3.Connection, chat_id: int) -> Chat:
    """Raises StoreError where there is none (deleted ones are found)."""
    row = db.execute(f"SELECT {_COLUMNS} FROM chats WHERE id = ?", (chat_id,)).fetchone()
    if row is None:
        raise StoreError(
            Sentence(
                "Store", "Chat {chat_id} does not exist any more; choose another in the list."
            ).filled(chat_id=str(chat_id))
        )
    return _chat(row)


def list_chats(db: sqlite3.Connection) -> list[Chat]:
    """Pinned first, then the most recently used; without the deleted."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM chats WHERE deleted_ms IS NULL ORDER BY pinned DESC, activity DESC"
    )
    return [_chat(row) for row in rows]


def list_deleted_chats(db: sqlite3.Connection) -> list[Chat]:
    """Those that can still be restored, the last deleted first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM chats WHERE deleted_ms IS NOT NULL ORDER BY deleted_ms DESC"
    )
    return [_chat(row) for row in rows]


def rename_chat(db: sqlite3.Connection, chat_id: int, title: str) -> None:
    db.execute("UPDATE chats SET title = ? WHERE id = ?", (storable(title), chat_id))


def pin_chat(db: sqlite3.Connection, chat_id: int, pinned: bool) -> None:
    db.execute("UPDATE chats SET pinned = ? WHERE id = ?", (pinned, chat_id))


def configure_chat(
    db: sqlite3.Connection,
    chat_id: int,
    *,
    system_prompt: str,
    preset_id: int | None,
    sampler: SamplerValues,
    thinking: bool,
) -> Chat:
    """What the next answers of this chat are made with."""
    db.execute(
        "UPDATE chats SET system_prompt = ?, preset_id = ?, sampler = ?, thinking = ? WHERE id = ?",
        (storable(system_prompt), preset_id, encode_sampler(sampler), thinking, chat_id),
    )
    return get_chat(db, chat_id)


def delete_chat(db: sqlite3.Connection, chat_id: int) -> None:
    """Hide it; `restore_chat` brings it back within 30 days."""
    db.execute(
        "UPDATE chats SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL", (now_ms(), chat_id)
    )


def restore_chat(db: sqlite3.Connection, chat_id: int) -> Chat:
    db.execute("UPDATE chats SET deleted_ms = NULL WHERE id = ?", (chat_id,))
    return get_chat(db, chat_id)


def purge_deleted(db: sqlite3.Connection) -> int:
    """Remove for good what was deleted more than 30 days ago; how many chats and messages.

    After a clock that ran ahead, the 30 days count from now.
    """
    now = now_ms()
    limit = now - UNDO_DAYS * 24 * 3600 * 1000
    for table in ("chats", "messages"):
        db.execute(f"UPDATE {table} SET deleted_ms = ? WHERE deleted_ms > ?", (now, now))
    # UNION, not UNION ALL: a damaged file may hold a circle.
    removed = db.execute(
        """DELETE FROM messages WHERE id IN (
             WITH RECURSIVE doomed (id) AS (
               SELECT id FROM messages WHERE deleted_ms < ?
               UNION SELECT messages.id FROM messages JOIN doomed ON parent_id = doomed.id)
             SELECT id FROM doomed)""",
        (limit,),
    ).rowcount
    removed += db.execute("DELETE FROM chats WHERE deleted_ms < ?", (limit,)).rowcount
    db.execute("DELETE FROM drafts WHERE chat_id <> 0 AND chat_id NOT IN (SELECT id FROM chats)")
    if removed:
        search.forget_removed(db)
    return removed


def purge_chat(db: sqlite3.Connection, chat_id: int) -> None:
    """Remove a deleted chat now ("Empty the bin"). Raises StoreError where it is not deleted."""
    if get_chat(db, chat_id).deleted_ms is None:
        raise StoreError(
            Sentence("Store", "Only a deleted chat can be removed for good; delete it first.")
        )
    db.execute("DELETE FROM chats WHERE id = ?", (chat_id,))
    db.execute("DELETE FROM drafts WHERE chat_id = ?", (chat_id,))
    search.forget_removed(db)
    recordings.remove_orphans(db)


def save_draft(db: sqlite3.Connection, chat_id: int, text: str) -> None:
    """What stands in the prompt box of a chat, or of `NEW_CHAT`."""
    if not text:
        db.execute("DELETE FROM drafts WHERE chat_id = ?", (chat_id,))
        return
    db.execute(
        "INSERT INTO drafts VALUES (?, ?, ?) ON CONFLICT (chat_id)"
        " DO UPDATE SET text = excluded.text, updated_ms = excluded.updated_ms",
        (chat_id, storable(text), now_ms()),
    )


def load_draft(db: sqlite3.Connection, chat_id: int) -> str:
    row = db.execute("SELECT text FROM drafts WHERE chat_id = ?", (chat_id,)).fetchone()
    return str(row[0]) if row else ""


def touch(db: sqlite3.Connection, chat_id: int) -> None:
    """Make it the most recently used."""
    db.execute(
        "UPDATE chats SET updated_ms = ?, activity = (SELECT max(activity) + 1 FROM chats)"
        " WHERE id = ?",
        (now_ms(), chat_id),
    )


def encode_sampler(sampler: SamplerValues) -> str:
    values = {k: v for k, v in msgspec.structs.asdict(sampler).items() if v is not None}
    return msgspec.json.encode(values).decode()


def decode_sampler(text: Any) -> SamplerValues:
    """Values that cannot be understood count as the model's own."""
    if text == "{}":
        return _NO_VALUES
    try:
        return msgspec.json.decode(text, type=SamplerValues)
    except (msgspec.DecodeError, TypeError, ValueError):
        return _NO_VALUES


def _chat(row: tuple[Any, ...]) -> Chat:
    return Chat(
        id=row[0],
        title=str(row[1]),
        created_ms=time_or_zero(row[2]),
        updated_ms=time_or_zero(row[3]),
        folder=str(row[4]),
        pinned=bool(row[5]),
        system_prompt=str(row[6]),
        preset_id=row[7],
        sampler=decode_sampler(row[8]),
        thinking=bool(row[9]),
        deleted_ms=row[10],
    )
