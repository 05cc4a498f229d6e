"""Full-text search over titles and texts. Every word of the query is the beginning of a word."""

from __future__ import annotations

import re
import sqlite3

from sfumato.store.types import SearchHit

SNIPPET_WORDS = 16
SNIPPET_CHARACTERS = 80
# Noncharacters: they are in no text that a person wrote.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_WORD = re.compile(r"\w+")
# Scripts written without spaces: the index holds whole phrases there, so we look inside instead.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def search(db: sqlite3.Connection, query: str, *, limit: int = 50) -> list[SearchHit]:
    """Titles first, then messages, newest first; nothing deleted. Any text is a valid query."""
    query = query.replace("\0", " ").strip()
    words = _WORD.findall(query)
    if not words:
        return []
    if _UNSPACED.search(query):
        return _search_inside(db, query, limit)
    match = " ".join(f'"{word}"*' for word in words)
    hits = [
        _hit(chat_id, None, "", title, marked, created_ms)
        for chat_id, title, created_ms, marked in db.execute(
            "SELECT chats.id, chats.title, chats.created_ms,"
            "   highlight(title_index, 0, ?1, ?2)"
            " FROM title_index JOIN chats ON chats.id = title_index.rowid"
            " WHERE title_index MATCH ?3 AND chats.deleted_ms IS NULL"
            " ORDER BY chats.activity DESC LIMIT ?4",
            (_OPEN, _CLOSE, match, limit),
        )
    ]
    hits += [
        _hit(*row)
        for row in db.execute(
            "SELECT chats.id, messages.id, messages.role, chats.title,"
            f"   snippet(text_index, 0, ?1, ?2, '…', {SNIPPET_WORDS}), messages.created_ms"
            " FROM text_index"
            " JOIN messages ON messages.id = text_index.rowid"
            " JOIN chats ON chats.id = messages.chat_id"
            " WHERE text_index MATCH ?3"
            "   AND messages.deleted_ms IS NULL AND chats.deleted_ms IS NULL"
            " ORDER BY text_index.rowid DESC LIMIT ?4",
            (_OPEN, _CLOSE, match, limit - len(hits)),
        )
    ]
    return hits


def rebuild(db: sqlite3.Connection) -> None:
    """Make the indexes again from the texts."""
    for index in ("title_index", "text_index"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")


def forget_removed(db: sqlite3.Connection) -> None:
    """Take the words of removed rows out of the indexes, which only marks them at first."""
    for index in ("title_index", "text_index"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")


def _search_inside(db: sqlite3.Connection, query: str, limit: int) -> list[SearchHit]:
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", query) + "%"
    rows = db.execute(
        "SELECT id, NULL, '', title, title, created_ms FROM chats"
        " WHERE title LIKE ?1 ESCAPE '\\' AND deleted_ms IS NULL"
        " UNION ALL SELECT * FROM ("
        "   SELECT chats.id, messages.id, role, title, text, messages.created_ms"
        "   FROM messages JOIN chats ON chats.id = messages.chat_id"
        "   WHERE text LIKE ?1 ESCAPE '\\'"
        "     AND messages.deleted_ms IS NULL AND chats.deleted_ms IS NULL"
        "   ORDER BY messages.id DESC) LIMIT ?2",
        (pattern, limit),
    )
    inside = re.compile(re.escape(query), re.IGNORECASE)
    hits = []
    for chat_id, message_id, role, title, text, created_ms in rows:
        match = inside.search(text)
        start, end = match.span() if match else (0, 0)
        first = max(0, start - SNIPPET_CHARACTERS // 2)
        last = end + SNIPPET_CHARACTERS // 2
        marked = "".join(
            (
                "…" if first else "",
                text[first:start],
                f"{_OPEN}{text[start:end]}{_CLOSE}" if match else "",
                text[end:last],
                "…" if last < len(text) else "",
            )
        )
        hits.append(_hit(chat_id, message_id, role, title, marked, created_ms))
    return hits


def _hit(
    chat_id: int, message_id: int | None, role: str, title: str, marked: str, created_ms: int
) -> SearchHit:
    """`marked` is the snippet with its matches between _OPEN and _CLOSE."""
    text, matches, start = "", [], 0
    for part in re.split(f"([{_OPEN}{_CLOSE}])", marked):
        if part == _OPEN:
            start = len(text)
        elif part == _CLOSE:
            matches.append((start, len(text)))
        else:
            text += part
    return SearchHit(
        chat_id=chat_id,
        message_id=message_id,
        role=role,
        chat_title=title,
        snippet=text,
        matches=tuple(matches),
        created_ms=created_ms,
    )
