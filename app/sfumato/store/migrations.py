"""The schema, as an ordered list of steps. The names of those applied are rows in the database.

A step is never changed once released; a change of the schema is a new step. Each runs in one
transaction together with the row that records it, after a backup (`Store.open` makes it). Columns
are added at the end, and `salvage` told of them: it knows tables by the shape of their rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from sfumato.store.database import now_ms

Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: list[Migration] = []


def migration(step: Migration) -> Migration:
    MIGRATIONS.append(step)
    return step


def applied(db: sqlite3.Connection) -> list[str]:
    """Names of the applied steps, oldest first; none for an empty file."""
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchone():
        return []
    return [name for (name,) in db.execute("SELECT name FROM migrations ORDER BY rowid")]


def pending(db: sqlite3.Connection) -> list[Migration]:
    done = set(applied(db))
    return [step for step in MIGRATIONS if step.__name__ not in done]


def unknown(db: sqlite3.Connection) -> list[str]:
    """Steps that a newer version has applied: we must not write such a database."""
    ours = {step.__name__ for step in MIGRATIONS}
    return [name for name in applied(db) if name not in ours]


def migrate(db: sqlite3.Connection) -> None:
    """Apply what is pending; a failing step leaves the database as the step before left it."""
    for step in pending(db):
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (name TEXT PRIMARY KEY, applied_ms INTEGER NOT NULL)"
            )
            step(db)
            db.execute("INSERT INTO migrations VALUES (?, ?)", (step.__name__, now_ms()))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


@migration
def m001_initial(db: sqlite3.Connection) -> None:
    for statement in (
        """CREATE TABLE presets (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             name TEXT NOT NULL,
             system_prompt TEXT NOT NULL DEFAULT '',
             sampler TEXT NOT NULL DEFAULT '{}')""",
        # activity orders the list: a counter, so that a clock set back cannot shuffle it.
        # chosen_id names the first message shown; below it each message names the next.
        # extra keeps the fields of an imported file that we do not know.
        """CREATE TABLE chats (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             title TEXT NOT NULL,
             created_ms INTEGER NOT NULL,
             updated_ms INTEGER NOT NULL,
             activity INTEGER NOT NULL,
             folder TEXT NOT NULL DEFAULT '',
             pinned INTEGER NOT NULL DEFAULT 0,
             system_prompt TEXT NOT NULL DEFAULT '',
             preset_id INTEGER REFERENCES presets ON DELETE SET NULL,
             sampler TEXT NOT NULL DEFAULT '{}',
             thinking INTEGER NOT NULL DEFAULT 0,
             chosen_id INTEGER,
             deleted_ms INTEGER,
             extra TEXT NOT NULL DEFAULT '{}')""",
        "CREATE INDEX chats_by_activity ON chats (activity)",
        # No cascade along parent_id: a conversation is deeper than SQLite lets triggers recurse.
        # The long text is last: if its tail is lost with a page, the rest of the row is not.
        """CREATE TABLE messages (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             chat_id INTEGER NOT NULL REFERENCES chats ON DELETE CASCADE,
             parent_id INTEGER REFERENCES messages DEFERRABLE INITIALLY DEFERRED,
             chosen_id INTEGER,
             role TEXT NOT NULL,
             state TEXT NOT NULL,
             created_ms INTEGER NOT NULL,
             settled INTEGER NOT NULL DEFAULT 1,
             edited INTEGER NOT NULL DEFAULT 0,
             deleted_ms INTEGER,
             error TEXT NOT NULL DEFAULT '',
             stats TEXT NOT NULL DEFAULT '{}',
             extra TEXT NOT NULL DEFAULT '{}',
             thinking TEXT NOT NULL DEFAULT '',
             text TEXT NOT NULL)""",
        "CREATE INDEX messages_by_chat ON messages (chat_id)",
        "CREATE INDEX messages_by_parent ON messages (parent_id)",
        # The text of a block is a slice of its message's; only the lengths are kept here.
        """CREATE TABLE blocks (
             message_id INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
             position INTEGER NOT NULL,
             characters INTEGER NOT NULL,
             thinking_characters INTEGER NOT NULL,
             ids BLOB NOT NULL,
             steps INTEGER NOT NULL,
             settled INTEGER NOT NULL,
             mean_entropy REAL NOT NULL,
             ms REAL NOT NULL,
             PRIMARY KEY (message_id, position))""",
        # chat_id 0 is the chat that has not been begun yet.
        """CREATE TABLE drafts (
             chat_id INTEGER PRIMARY KEY,
             text TEXT NOT NULL,
             updated_ms INTEGER NOT NULL)""",
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        """CREATE TABLE repairs (
             id INTEGER PRIMARY KEY AUTOINCREMENT,
             report TEXT NOT NULL,
             seen INTEGER NOT NULL DEFAULT 0)""",
    ):
        db.execute(statement)


@migration
def m002_search(db: sqlite3.Connection) -> None:
    """Full-text indexes over titles and texts, kept in step by triggers."""
    for index, table, column in (
        ("title_index", "chats", "title"),
        ("text_index", "messages", "text"),
    ):
        remove = (
            f"INSERT INTO {index} ({index}, rowid, {column})"
            f" VALUES ('delete', old.id, old.{column})"
        )
        insert = f"INSERT INTO {index} (rowid, {column}) VALUES (new.id, new.{column})"
        db.execute(
            f"CREATE VIRTUAL TABLE {index} USING fts5 ({column}, content = '{table}',"
            " content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2')"
        )
        db.execute(f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {insert}; END")
        db.execute(f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {remove}; END")
        db.execute(
            f"CREATE TRIGGER {index}_update AFTER UPDATE OF {column} ON {table}"
            f" BEGIN {remove}; {insert}; END"
        )
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")


@migration
def m003_folders(db: sqlite3.Connection) -> None:
    """Folders that no chat is in, and which are collapsed (folders.py)."""
    # The time keeps a row from looking like one of sqlite_sequence to `salvage`.
    db.execute(
        "CREATE TABLE folders (name TEXT PRIMARY KEY, collapsed INTEGER NOT NULL,"
        " created_ms INTEGER NOT NULL)"
    )
