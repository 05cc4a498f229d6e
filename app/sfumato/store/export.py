"""Chats as Markdown and as JSON, and our JSON back in.

The JSON keeps everything but the recordings: all versions, states, block lengths. Fields we do
not know are kept on import and written again on export.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

import msgspec

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store import chats
from sfumato.store.database import now_ms, storable
from sfumato.store.types import Conversation, ImportReport

FORMAT = "sfumato-chats"
VERSION = 1
MAX_IMPORT_BYTES = 512 * 1024 * 1024
MAX_MESSAGES = 1_000_000

_CHAT_FIELDS = (
    *("title", "created_ms", "updated_ms", "folder", "pinned", "system_prompt"),
    *("sampler", "thinking"),
)
_MESSAGE_FIELDS = (
    *("id", "parent_id", "role", "state", "text", "thinking", "created_ms", "settled"),
    *("edited", "error", "stats"),
)
_JSON_FIELDS = ("sampler", "stats", "extra")
_FLAGS = ("pinned", "thinking", "settled", "edited")
_INT_LIMIT = 2**63


def to_markdown(conversation: Conversation) -> str:
    """The active path of a conversation, for a person to read."""
    chat = conversation.chat
    parts = [f"# {_one_line(chat.title) or 'Chat'}"]
    if chat.system_prompt:
        parts.append("> " + chat.system_prompt.strip().replace("\n", "\n> "))
    for message in conversation.messages:
        speaker = {"user": "You", "assistant": message.stats.model or "Assistant"}.get(
            message.role, message.role
        )
        when = f"{datetime.fromtimestamp(message.created_ms / 1000):%Y-%m-%d %H:%M}"
        parts.append(f"## {_one_line(speaker)} · {when}")
        if message.thinking:
            parts.append(
                f"<details><summary>Thinking</summary>\n\n{message.thinking.strip()}\n\n</details>"
            )
        parts.append(message.text.strip())
        if message.error:
            parts.append(f"*{_one_line(message.error)}*")
    return "\n\n".join(part for part in parts if part) + "\n"


def to_json(db: sqlite3.Connection, chat_ids: list[int] | None = None) -> bytes:
    """These chats (all that are not deleted) with every version of every message."""
    if chat_ids is None:
        chat_ids = [chat.id for chat in chats.list_chats(db)]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "exported_ms": now_ms(),
        "chats": [_export_chat(db, chat_id) for chat_id in chat_ids],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _export_chat(db: sqlite3.Connection, chat_id: int) -> dict[str, Any]:
    chats.get_chat(db, chat_id)
    columns = ("chosen_id", "extra", *_CHAT_FIELDS)
    row = db.execute(f"SELECT {', '.join(columns)} FROM chats WHERE id = ?", (chat_id,)).fetchone()
    chat = _fields(columns, row)
    message_columns = ("chosen_id", "extra", *_MESSAGE_FIELDS)
    rows = db.execute(
        f"SELECT {', '.join(message_columns)} FROM messages"
        " WHERE chat_id = ? AND deleted_ms IS NULL ORDER BY id",
        (chat_id,),
    )
    chat["messages"] = [_fields(message_columns, row) for row in rows]
    for message in chat["messages"]:
        blocks = db.execute(
            "SELECT characters, thinking_characters, steps, settled, mean_entropy, ms FROM blocks"
            " WHERE message_id = ? ORDER BY position",
            (message["id"],),
        ).fetchall()
        if blocks:
            message["blocks"] = [
                {
                    "characters": block[0],
                    "thinking_characters": block[1],
                    "steps": block[2],
                    "settled": bool(block[3]),
                    "mean_entropy": block[4],
                    "ms": block[5],
                }
                for block in blocks
            ]
    return chat


def _fields(columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    fields = dict(zip(columns, row, strict=True))
    for name in _JSON_FIELDS:
        if name in fields:
            fields[name] = _json(fields[name])
    for name in _FLAGS:
        if isinstance(fields.get(name), int):
            fields[name] = bool(fields[name])
    extra = fields.pop("extra")
    return {**(extra if isinstance(extra, dict) else {}), **fields}


def _json(text: Any) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError, ValueError):
        return {}


def from_json(db: sqlite3.Connection, data: bytes) -> ImportReport:
    """Add the chats of an exported file as new chats.

    A message that cannot be understood is imported as raw text. Raises StoreError, with nothing
    imported, for anything that is no export of ours.
    """
    document = _document(data)
    made: list[int] = []
    count = raw = 0
    for chat in document["chats"]:
        if not isinstance(chat, dict):
            raise StoreError(
                Sentence("Store", "The file lists a chat that is not one; nothing was imported.")
            )
        found = chat.get("messages", [])
        if not isinstance(found, list):
            raise StoreError(
                Sentence(
                    "Store", "The file has a chat without a list of messages; nothing was imported."
                )
            )
        count += len(found)
        if count > MAX_MESSAGES:
            raise StoreError(
                Sentence(
                    "Store", "The file has more than {most} messages; export it in parts."
                ).filled(most=MAX_MESSAGES)
            )
        chat_id = _import_chat(db, chat)
        made.append(chat_id)
        raw += _import_messages(db, chat_id, chat, found)
    return ImportReport(chat_ids=tuple(made), messages=count, raw=raw)


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_IMPORT_BYTES:
        raise StoreError(
            Sentence(
                "Store",
                "The file has {size} MB, an import takes at most {most}; export it in parts.",
            ).filled(size=len(data) // 2**20, most=MAX_IMPORT_BYTES // 2**20)
        )
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise StoreError(
            Sentence(
                "Store", "The file is no JSON ({error}); choose one that Sfumato exported."
            ).filled(error=_one_line(str(error)))
        ) from error
    if not (
        isinstance(document, dict)
        and document.get("format") == FORMAT
        and isinstance(document.get("chats"), list)
    ):
        raise StoreError(
            Sentence("Store", "The file holds no chats of Sfumato; choose one that it exported.")
        )
    version = document.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise StoreError(
            Sentence("Store", "The file was exported by a newer Sfumato; update, then import it.")
        )
    return document


def _import_chat(db: sqlite3.Connection, chat: dict[str, Any]) -> int:
    now = now_ms()
    cursor = db.execute(
        "INSERT INTO chats (title, created_ms, updated_ms, activity, folder, pinned,"
        " system_prompt, sampler, thinking, extra) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
        (
            _text(chat.get("title")),
            _int(chat.get("created_ms"), now),
            _int(chat.get("updated_ms"), now),
            _text(chat.get("folder")),
            chat.get("pinned") is True,
            _text(chat.get("system_prompt")),
            _encode(chat.get("sampler", {})),
            chat.get("thinking") is True,
            _encode(_unknown(chat, (*_CHAT_FIELDS, "chosen_id", "messages"))),
        ),
    )
    assert cursor.lastrowid is not None
    updated = _int(chat.get("updated_ms"), now)
    chats.touch(db, cursor.lastrowid)
    db.execute("UPDATE chats SET updated_ms = ? WHERE id = ?", (updated, cursor.lastrowid))
    return cursor.lastrowid


def _import_messages(
    db: sqlite3.Connection, chat_id: int, chat: dict[str, Any], found: list[Any]
) -> int:
    """Insert in the file's order, in which a parent comes before its children; how many are raw."""
    new_ids: dict[int, int] = {}
    last: int | None = None
    raw = 0
    for item in found:
        message = item if _is_message(item) else None
        if message is None:
            raw += 1
            message = {
                "role": "unreadable",
                "text": item if isinstance(item, str) else _encode(item),
                "parent_id": item.get("parent_id", -1) if isinstance(item, dict) else -1,
            }
            if isinstance(item, dict):
                message["id"] = item.get("id")
        parent = message.get("parent_id", -1)
        # A parent that is unknown so far (or a circle) is replaced by the message before.
        parent_id = None if parent is None else _lookup(new_ids, parent, last)
        state = _text(message.get("state", "finished"))
        cursor = db.execute(
            "INSERT INTO messages (chat_id, parent_id, role, state, text, thinking, created_ms,"
            " settled, edited, error, stats, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                chat_id,
                parent_id,
                _text(message["role"]),
                "interrupted" if state == "writing" else state,
                _text(message["text"]),
                _text(message.get("thinking")),
                _int(message.get("created_ms"), now_ms()),
                message.get("settled") is not False,
                message.get("edited") is True,
                _text(message.get("error")),
                _encode(message.get("stats", {})),
                _encode(_unknown(message, (*_MESSAGE_FIELDS, "chosen_id", "blocks"))),
            ),
        )
        last = cursor.lastrowid
        assert last is not None
        old_id = message.get("id")
        if isinstance(old_id, int):
            new_ids.setdefault(old_id, last)
        _import_blocks(db, last, message.get("blocks"))
    _restore_choices(db, chat_id, chat, found, new_ids)
    return raw


def _is_message(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("role"), str)
        and isinstance(item.get("text"), str)
        and isinstance(item.get("parent_id", None), int | None)
        and not isinstance(item.get("parent_id", None), bool)
    )


def _lookup(new_ids: dict[int, int], old_id: Any, otherwise: int | None) -> int | None:
    return new_ids.get(old_id, otherwise) if isinstance(old_id, int) else otherwise


def _import_blocks(db: sqlite3.Connection, message_id: int, blocks: Any) -> None:
    if not isinstance(blocks, list):
        return
    for position, block in enumerate(blocks):
        if not isinstance(block, dict):
            return
        db.execute(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, x'', ?, ?, ?, ?)",
            (
                message_id,
                position,
                max(0, _int(block.get("characters"), 0)),
                max(0, _int(block.get("thinking_characters"), 0)),
                _int(block.get("steps"), 0),
                block.get("settled") is not False,
                _float(block.get("mean_entropy")),
                _float(block.get("ms")),
            ),
        )


def _restore_choices(
    db: sqlite3.Connection,
    chat_id: int,
    chat: dict[str, Any],
    found: list[Any],
    new_ids: dict[int, int],
) -> None:
    db.execute(
        "UPDATE chats SET chosen_id = ? WHERE id = ?",
        (_lookup(new_ids, chat.get("chosen_id"), None), chat_id),
    )
    for item in found:
        if isinstance(item, dict) and isinstance(item.get("chosen_id"), int):
            db.execute(
                "UPDATE messages SET chosen_id = ? WHERE id = ?",
                (_lookup(new_ids, item["chosen_id"], None), _lookup(new_ids, item.get("id"), None)),
            )


def _unknown(fields: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in known}


def _text(value: Any) -> str:
    return storable(value) if isinstance(value, str) else ""


def _int(value: Any, otherwise: int) -> int:
    if isinstance(value, int) and -_INT_LIMIT <= value < _INT_LIMIT:
        return int(value)
    return otherwise


def _float(value: Any) -> float:
    if isinstance(value, int | float) and abs(value) < _INT_LIMIT:
        return float(value)
    return 0.0


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _one_line(text: str) -> str:
    return " ".join(text.split())
