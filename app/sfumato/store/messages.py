"""The messages of a chat: a tree, of which one path is shown.

An edit or another answer is a sibling of the first: a version. Each message remembers which of
its children was shown last, so walking back to a version finds the conversation as it was left.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store import chats
from sfumato.store.database import now_ms, storable, time_or_zero
from sfumato.store.types import (
    ROLES,
    STATES,
    AnswerStats,
    Block,
    Conversation,
    Message,
    NewBlock,
    Spans,
    State,
)

TITLE_CHARACTERS = 60

_COLUMNS = (
    "id, chat_id, parent_id, role, state, text, thinking, created_ms, settled, edited, error,"
    " stats, deleted_ms"
)
_NO_STATS = AnswerStats()


def load_conversation(db: sqlite3.Connection, chat_id: int) -> Conversation:
    """The chat and its active path. Raises StoreError where there is no such chat."""
    chat = chats.get_chat(db, chat_id)
    rows = {
        row[0]: row
        for row in db.execute(f"SELECT {_COLUMNS} FROM messages WHERE chat_id = ?", (chat_id,))
    }
    path = [_message(db, rows[at], versions) for at, versions in _active_path(db, chat_id)]
    return Conversation(chat=chat, messages=tuple(path))


def _active_path(db: sqlite3.Connection, chat_id: int) -> list[tuple[int, list[int]]]:
    """(id, ids of its versions) of the messages that are shown, first to last."""
    roles: dict[int, Any] = {}
    chosen: dict[int | None, Any] = {}
    children: defaultdict[int | None, list[int]] = defaultdict(list)
    (chosen[None],) = db.execute("SELECT chosen_id FROM chats WHERE id = ?", (chat_id,)).fetchone()
    for message_id, parent_id, role, chosen_id, deleted_ms in db.execute(
        "SELECT id, parent_id, role, chosen_id, deleted_ms FROM messages"
        " WHERE chat_id = ? ORDER BY id",
        (chat_id,),
    ):
        roles[message_id], chosen[message_id] = role, chosen_id
        if deleted_ms is None:
            children[parent_id].append(message_id)
    # A damaged file may have lost a parent: its children stand at the root, not nowhere.
    for parent_id in [parent for parent in children if parent not in chosen]:
        children[None].extend(children.pop(parent_id))

    path: list[tuple[int, list[int]]] = []
    at: int | None = None
    while siblings := children.pop(at, None):  # pop: a circle ends
        at = chosen[at] if chosen[at] in siblings else siblings[-1]
        path.append((at, [sibling for sibling in siblings if roles[sibling] == roles[at]]))
    return path


def get_message(db: sqlite3.Connection, message_id: int) -> Message:
    """Raises StoreError where there is none (deleted ones are found)."""
    row = db.execute(f"SELECT {_COLUMNS} FROM messages WHERE id = ?", (message_id,)).fetchone()
    if row is None:
        raise StoreError(
            Sentence(
                "Store", "Message {message_id} does not exist any more; open the chat again."
            ).filled(message_id=str(message_id))
        )
    versions = db.execute(
        "SELECT id FROM messages WHERE chat_id = ? AND parent_id IS ? AND role = ?"
        " AND (deleted_ms IS NULL OR id = ?) ORDER BY id",
        (row[1], row[2], row[3], message_id),
    )
    return _message(db, row, tuple(version for (version,) in versions))


def add_prompt(
    db: sqlite3.Connection, chat_id: int, text: str, *, after: int | None = None
) -> Message:
    """Store what the user sends, at the end of the active path or below message `after`.

    Empties the chat's draft, and names a chat that has no title.
    """
    chats.get_chat(db, chat_id)
    if after is None:
        path = _active_path(db, chat_id)
        after = path[-1][0] if path else None
    message_id = _insert(db, chat_id, after, "user", "finished", text)
    chats.save_draft(db, chat_id, "")
    if title := _title_from(text):
        db.execute(
            "UPDATE chats SET title = ? WHERE id = ? AND title = ''", (storable(title), chat_id)
        )
    return get_message(db, message_id)


def begin_answer(
    db: sqlite3.Connection,
    prompt_id: int,
    *,
    model: str = "",
    device: str = "",
    seed: int | None = None,
) -> Message:
    """An empty answer in state "writing" below a prompt; a further one is a further version."""
    chat_id = _chat_of(db, prompt_id)
    message_id = _insert(db, chat_id, prompt_id, "assistant", "writing", "")
    _save_stats(db, message_id, AnswerStats(model=model, device=device, seed=seed))
    return get_message(db, message_id)


def append_block(
    db: sqlite3.Connection,
    message_id: int,
    position: int,
    text: str,
    *,
    thinking: str = "",
    ids: Sequence[int] = (),
    steps: int = 0,
    settled: bool = True,
    mean_entropy: float = 0.0,
    ms: float = 0.0,
) -> None:
    """Store a committed block: `text` and `thinking` are appended to the message's.

    Blocks come in order; one that is stored already is left as it is, so a write may be repeated.
    Raises StoreError where a block is missing before it, or the message is gone.
    """
    text, thinking = storable(text), storable(thinking)
    _chat_of(db, message_id)
    (stored,) = db.execute(
        "SELECT count(*) FROM blocks WHERE message_id = ?", (message_id,)
    ).fetchone()
    if position < stored:
        return
    if position > stored:
        raise StoreError(
            Sentence(
                "Store",
                "Block {position} of message {message_id} cannot be stored before block "
                "{stored}; try the answer again.",
            ).filled(position=position, message_id=str(message_id), stored=stored)
        )
    db.execute(
        "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message_id,
            position,
            len(text),
            len(thinking),
            array("I", ids).tobytes(),
            steps,
            settled,
            mean_entropy,
            ms,
        ),
    )
    db.execute(
        "UPDATE messages SET text = text || ?, thinking = thinking || ?,"
        " settled = min(settled, ?) WHERE id = ?",
        (text, thinking, settled, message_id),
    )


def finish_answer(
    db: sqlite3.Connection,
    message_id: int,
    state: State,
    stats: AnswerStats | None = None,
    *,
    error: str = "",
) -> Message:
    """End an answer as finished, stopped or failed; without `stats` those it has remain."""
    db.execute(
        "UPDATE messages SET state = ?, error = ? WHERE id = ?",
        (state, storable(error), message_id),
    )
    if stats is not None:
        _save_stats(db, message_id, stats)
    chats.touch(db, _chat_of(db, message_id))
    return get_message(db, message_id)


def resume_answer(db: sqlite3.Connection, message_id: int) -> Message:
    """Back to "writing", to append further blocks ("Continue")."""
    db.execute(
        "UPDATE messages SET state = 'writing', error = '' WHERE id = ? AND role = 'assistant'",
        (message_id,),
    )
    return get_message(db, message_id)


def mark_interrupted(db: sqlite3.Connection) -> int:
    """At the start: what is still "writing" was cut off by the end of the application."""
    return db.execute("UPDATE messages SET state = 'interrupted' WHERE state = 'writing'").rowcount


def load_blocks(db: sqlite3.Connection, message_id: int) -> list[Block]:
    """The committed blocks of an answer; none for a prompt or an edited answer."""
    message = get_message(db, message_id)
    blocks = []
    text_start = thinking_start = 0
    for row in db.execute(
        "SELECT position, characters, thinking_characters, ids, steps, settled, mean_entropy, ms"
        " FROM blocks WHERE message_id = ? ORDER BY position",
        (message_id,),
    ):
        text_end, thinking_end = text_start + row[1], thinking_start + row[2]
        blocks.append(
            Block(
                position=row[0],
                text=message.text[text_start:text_end],
                thinking=message.thinking[thinking_start:thinking_end],
                ids=tuple(array("I", row[3][: len(row[3]) // 4 * 4])),
                steps=row[4],
                settled=bool(row[5]),
                mean_entropy=row[6],
                ms=row[7],
            )
        )
        text_start, thinking_start = text_end, thinking_end
    return blocks


def edit_message(db: sqlite3.Connection, message_id: int, text: str) -> Message:
    """A version with another text; the conversation goes on below it, the old one stays."""
    old = get_message(db, message_id)
    new_id = _insert(db, old.chat_id, old.parent_id, old.role, "finished", text)
    if old.role == "assistant":
        db.execute("UPDATE messages SET edited = 1 WHERE id = ?", (new_id,))
    return get_message(db, new_id)


def add_rewritten(
    db: sqlite3.Connection, message_id: int, made: Mapping[int, NewBlock], stats: AnswerStats
) -> Message:
    """A version of an answer with some of its blocks replaced; the others come with recordings."""
    old = get_message(db, message_id)
    # Not the original's end, but it is as much of an answer as the original was.
    state: State = "finished" if old.state == "finished" else "stopped"
    new_id = _insert(db, old.chat_id, old.parent_id, "assistant", state, "")
    for block in load_blocks(db, message_id):
        source = made.get(block.position, block)
        append_block(
            db,
            new_id,
            block.position,
            source.text,
            thinking=source.thinking,
            ids=source.ids,
            steps=source.steps,
            settled=source.settled,
            mean_entropy=source.mean_entropy,
            ms=source.ms,
        )
        if block.position not in made:
            _copy_recording(db, message_id, new_id, block.position)
    _save_stats(db, new_id, stats)
    return get_message(db, new_id)


def choose_version(db: sqlite3.Connection, message_id: int) -> Conversation:
    """Show this message: the path leads to it, and below it where it led last (‹ 2/3 ›)."""
    chat_id = _chat_of(db, message_id)
    seen: set[int] = set()
    at: int | None = message_id
    while at is not None and at not in seen:
        seen.add(at)
        row = db.execute("SELECT parent_id FROM messages WHERE id = ?", (at,)).fetchone()
        parent_id: int | None = row[0] if row else None
        _set_chosen(db, chat_id, parent_id, at)
        at = parent_id
    return load_conversation(db, chat_id)


def delete_message(db: sqlite3.Connection, message_id: int) -> Conversation:
    """Hide a message with all that follows it; `restore_message` brings it back in 30 days."""
    db.execute(
        "UPDATE messages SET deleted_ms = ? WHERE id = ? AND deleted_ms IS NULL",
        (now_ms(), message_id),
    )
    return load_conversation(db, _chat_of(db, message_id))


def restore_message(db: sqlite3.Connection, message_id: int) -> Conversation:
    db.execute("UPDATE messages SET deleted_ms = NULL WHERE id = ?", (message_id,))
    return choose_version(db, message_id)


def duplicate_chat(
    db: sqlite3.Connection, chat_id: int, title: str, *, up_to: int | None = None
) -> Conversation:
    """A copy with all versions, or ("branch") of the path that ends at message `up_to` only."""
    copy_id = _copy_row(db, "chats", chat_id, {"title": storable(title), "pinned": 0})
    chats.touch(db, copy_id)
    if up_to is None:
        source_ids = [
            row[0]
            for row in db.execute(
                "SELECT id FROM messages WHERE chat_id = ? AND deleted_ms IS NULL ORDER BY id",
                (chat_id,),
            )
        ]
    else:
        source_ids = _ancestors(db, up_to)[::-1]
    copies: dict[int | None, int | None] = {None: None}
    for source_id in source_ids:
        parent_id, state = db.execute(
            "SELECT parent_id, state FROM messages WHERE id = ?", (source_id,)
        ).fetchone()
        if parent_id not in copies:  # below a deleted message
            continue
        copies[source_id] = _copy_message(db, source_id, state, copy_id, copies[parent_id])
    for table, pairs in (("chats", [(chat_id, copy_id)]), ("messages", list(copies.items()))):
        for source, copy in pairs:
            if source is None:
                continue
            (chosen,) = db.execute(
                f"SELECT chosen_id FROM {table} WHERE id = ?", (source,)
            ).fetchone()
            db.execute(f"UPDATE {table} SET chosen_id = ? WHERE id = ?", (copies.get(chosen), copy))
    return load_conversation(db, copy_id)


def continue_chat(
    db: sqlite3.Connection,
    chat_id: int,
    title: str,
    *,
    summary: str,
    kept: Sequence[int] = (),
    prompt: str = "",
) -> Conversation:
    """A new chat like `chat_id`, which goes on from a summary of it.

    Its first message is the summary (role system); copies of the messages `kept` follow, and a
    prompt that waits for its answer.
    """
    copy_id = _copy_row(db, "chats", chat_id, {"title": storable(title), "pinned": 0})
    db.execute("UPDATE chats SET chosen_id = NULL WHERE id = ?", (copy_id,))
    parent_id = _insert(db, copy_id, None, "system", "finished", summary)
    for source_id in kept:
        state = get_message(db, source_id).state
        copied = _copy_message(db, source_id, state, copy_id, parent_id)
        _set_chosen(db, copy_id, parent_id, copied)
        parent_id = copied
    if prompt:
        add_prompt(db, copy_id, prompt)
    return load_conversation(db, copy_id)


def _copy_message(
    db: sqlite3.Connection, source_id: int, state: str, chat_id: int, parent_id: int | None
) -> int:
    """With its blocks and their recordings."""
    changes = {
        "chat_id": chat_id,
        "parent_id": parent_id,
        "chosen_id": None,
        # The answer goes on in the original only.
        "state": "stopped" if state == "writing" else state,
    }
    new_id = _copy_row(db, "messages", source_id, changes)
    db.execute(
        "INSERT INTO blocks SELECT ?, position, characters, thinking_characters, ids, steps,"
        " settled, mean_entropy, ms FROM blocks WHERE message_id = ?",
        (new_id, source_id),
    )
    db.execute(
        "INSERT INTO recordings.recordings (message_id, block, bytes, data)"
        " SELECT ?, block, bytes, data FROM recordings.recordings WHERE message_id = ?",
        (new_id, source_id),
    )
    return new_id


def _copy_recording(db: sqlite3.Connection, source_id: int, new_id: int, position: int) -> None:
    db.execute(
        "INSERT INTO recordings.recordings (message_id, block, bytes, data)"
        " SELECT ?, block, bytes, data FROM recordings.recordings"
        " WHERE message_id = ? AND block = ?",
        (new_id, source_id, position),
    )


def _insert(
    db: sqlite3.Connection,
    chat_id: int,
    parent_id: int | None,
    role: str,
    state: State,
    text: str,
) -> int:
    chats.get_chat(db, chat_id)
    if parent_id is not None and _chat_of(db, parent_id) != chat_id:
        raise StoreError(
            Sentence(
                "Store", "Message {parent_id} belongs to another chat; open the chat again."
            ).filled(parent_id=str(parent_id))
        )
    cursor = db.execute(
        "INSERT INTO messages (chat_id, parent_id, role, state, text, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (chat_id, parent_id, role, state, storable(text), now_ms()),
    )
    message_id = cursor.lastrowid
    assert message_id is not None
    _set_chosen(db, chat_id, parent_id, message_id)
    chats.touch(db, chat_id)
    return message_id


def _set_chosen(
    db: sqlite3.Connection, chat_id: int, parent_id: int | None, message_id: int
) -> None:
    if parent_id is None:
        db.execute("UPDATE chats SET chosen_id = ? WHERE id = ?", (message_id, chat_id))
    else:
        db.execute("UPDATE messages SET chosen_id = ? WHERE id = ?", (message_id, parent_id))


def _chat_of(db: sqlite3.Connection, message_id: int) -> int:
    return get_message(db, message_id).chat_id


def _ancestors(db: sqlite3.Connection, message_id: int) -> list[int]:
    """The message, its parent, and so on to the first of the chat."""
    found: dict[int, None] = {}
    at: int | None = message_id
    while at is not None and at not in found:
        found[at] = None
        row = db.execute("SELECT parent_id FROM messages WHERE id = ?", (at,)).fetchone()
        at = row[0] if row else None
    return list(found)


def _copy_row(
    db: sqlite3.Connection, table: str, row_id: int, changes: dict[str, str | int | None]
) -> int:
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
    picked = ", ".join("?" if column in changes else column for column in columns)
    cursor = db.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {picked} FROM {table} WHERE id = ?",
        (*(changes[column] for column in columns if column in changes), row_id),
    )
    if not cursor.rowcount:
        raise StoreError(
            Sentence(
                "Store", "Row {row_id} of {table} does not exist any more; open the chat again."
            ).filled(row_id=str(row_id), table=table)
        )
    copy_id = cursor.lastrowid
    assert copy_id is not None
    return copy_id


def _save_stats(db: sqlite3.Connection, message_id: int, stats: AnswerStats) -> None:
    db.execute(
        "UPDATE messages SET stats = ? WHERE id = ?",
        (msgspec.json.encode(stats).decode(), message_id),
    )


def _title_from(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[:TITLE_CHARACTERS]
    at_word = cut.rpartition(" ")[0]
    return (at_word or cut).rstrip() + "…"


def _message(db: sqlite3.Connection, row: tuple[Any, ...], versions: Iterable[int]) -> Message:
    """A value out of any row: what is damaged or unknown becomes raw text, never an error."""
    stats, raw = _NO_STATS, row[3] not in ROLES or row[4] not in STATES
    if not (isinstance(row[5], str) and isinstance(row[6], str)):
        raw = True
    if row[11] != "{}":
        try:
            stats = msgspec.json.decode(row[11], type=AnswerStats)
        except (msgspec.DecodeError, TypeError, ValueError):
            pass
    unsettled, unsettled_thinking = ((), ()) if row[8] else _unsettled(db, row[0])
    return Message(
        id=row[0],
        chat_id=row[1],
        parent_id=row[2],
        role=_text(row[3]),
        state=_text(row[4]),
        text=_text(row[5]),
        thinking=_text(row[6]),
        created_ms=time_or_zero(row[7]),
        settled=bool(row[8]),
        edited=bool(row[9]),
        error=_text(row[10]),
        stats=stats,
        deleted_ms=row[12],
        versions=tuple(versions),
        raw=raw,
        unsettled=unsettled,
        unsettled_thinking=unsettled_thinking,
    )


def _unsettled(db: sqlite3.Connection, message_id: int) -> tuple[Spans, Spans]:
    """Where in the text and in the thinking of an answer its unsettled blocks stand.

    Nowhere, if that cannot be read: a message is shown whatever is damaged beside it.
    """
    try:
        rows = db.execute(
            "SELECT characters, thinking_characters, settled FROM blocks WHERE message_id = ?"
            " ORDER BY position",
            (message_id,),
        ).fetchall()
    except sqlite3.DatabaseError:
        return (), ()
    found: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    ends = [0, 0]
    for *lengths, settled in rows:
        for at, (spans, length) in enumerate(zip(found, lengths, strict=True)):
            if not isinstance(length, int):  # damaged: what follows cannot be placed
                return tuple(found[0]), tuple(found[1])
            if length > 0 and not settled:
                spans.append((ends[at], ends[at] + length))
            ends[at] += length
    return tuple(found[0]), tuple(found[1])


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
