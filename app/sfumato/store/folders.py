"""Folders of the chat list: a chat is in one, or in none.

A chat names its folder. The table adds what no chat can tell: folders that are empty, and those
that are collapsed. A name that only a chat knows (imported, repaired) is a folder as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store.database import now_ms, storable
from sfumato.store.types import Folder


def list_folders(db: sqlite3.Connection) -> list[Folder]:
    """By name, whatever the case."""
    collapsed = {
        str(name): bool(value) for name, value in db.execute("SELECT name, collapsed FROM folders")
    }
    named = {
        str(name)
        for (name,) in db.execute(
            "SELECT DISTINCT folder FROM chats WHERE folder <> '' AND deleted_ms IS NULL"
        )
    }
    names = sorted(collapsed.keys() | named, key=lambda name: (name.casefold(), name))
    return [Folder(name=name, collapsed=collapsed.get(name, False)) for name in names]


def add_folder(db: sqlite3.Connection, name: str, chat_ids: Iterable[int] = ()) -> None:
    """A folder, and these chats in it. Raises StoreError where there is one of that name."""
    _insert(db, name)
    for chat_id in chat_ids:
        move_chat(db, chat_id, name)


def rename_folder(db: sqlite3.Connection, folder: str, name: str) -> None:
    """Raises StoreError where there is another of that name."""
    name = storable(name)
    (collapsed,) = db.execute("SELECT max(collapsed) FROM folders WHERE name = ?", (folder,))
    db.execute("DELETE FROM folders WHERE name = ?", (folder,))
    _insert(db, name, besides=folder)
    db.execute("UPDATE folders SET collapsed = ? WHERE name = ?", (collapsed[0] or 0, name))
    db.execute("UPDATE chats SET folder = ? WHERE folder = ?", (name, folder))


def remove_folder(db: sqlite3.Connection, folder: str) -> list[int]:
    """Its chats stay, without a folder; their ids, to bring it back with `add_folder`."""
    ids = [id_ for (id_,) in db.execute("SELECT id FROM chats WHERE folder = ?", (folder,))]
    db.execute("UPDATE chats SET folder = '' WHERE folder = ?", (folder,))
    db.execute("DELETE FROM folders WHERE name = ?", (folder,))
    return ids


def collapse_folder(db: sqlite3.Connection, folder: str, collapsed: bool) -> None:
    db.execute(
        "INSERT INTO folders VALUES (?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET collapsed = excluded.collapsed",
        (storable(folder), collapsed, now_ms()),
    )


def move_chat(db: sqlite3.Connection, chat_id: int, folder: str) -> None:
    """Into a folder, or out of any with ""."""
    db.execute("UPDATE chats SET folder = ? WHERE id = ?", (storable(folder), chat_id))


def _insert(db: sqlite3.Connection, name: str, besides: str = "") -> None:
    taken = {folder.name.casefold() for folder in list_folders(db) if folder.name != besides}
    if name.casefold() in taken:
        raise StoreError(
            Sentence(
                "Folders", "There is a folder named “{name}” already; choose another name."
            ).filled(name=name)
        )
    db.execute("INSERT INTO folders VALUES (?, 0, ?)", (storable(name), now_ms()))
