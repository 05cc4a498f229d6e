"""Rows of the sidebar: chats in folders and under days, or what a search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QDate,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
)

from sfumato.services.chats import day_of
from sfumato.store.types import Chat, Folder, SearchHit, Spans

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """A heading (neither chat nor folder), a folder, a chat, or a hit within one."""

    title: str
    chat_id: int | None = None
    message_id: int | None = None
    pinned: bool = False
    snippet: str = ""
    matches: Spans = ()  # in the snippet
    title_matches: Spans = ()
    folder: str = ""  # the folder that this is, or that the chat is in
    collapsed: bool = False
    inside: tuple[int, ...] = ()  # chats of a folder

    @property
    def is_folder(self) -> bool:
        return self.chat_id is None and bool(self.folder)


def one_line(text: str, spans: Spans) -> tuple[str, Spans]:
    """Every run of white space as one space, and where the spans are then."""
    kept: list[str] = []
    where = []  # of each letter of `text`, in the result
    for letter in text:
        where.append(len(kept))
        if not letter.isspace():
            kept.append(letter)
        elif kept and kept[-1] != " ":
            kept.append(" ")
    where.append(len(kept))
    return "".join(kept), tuple((where[start], where[end]) for start, end in spans)


class ChatListModel(QAbstractListModel):
    RowRole = Qt.ItemDataRole.UserRole + 1

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []

    def show_chats(self, chats: list[Chat], today: int, folders: Sequence[Folder] = ()) -> None:
        """Pinned chats, folders with theirs, and the rest under the day of their last use."""
        inside: dict[str, list[Chat]] = {folder.name: [] for folder in folders}
        free: list[Chat] = []
        for chat in chats:
            inside.get(chat.folder, free).append(chat)
        pinned = [chat for chat in free if chat.pinned]
        rows = [Row(self.tr("Pinned"))] if pinned else []
        rows += map(self._row_of, pinned)
        if folders:
            rows.append(Row(self.tr("Folders")))
        for folder in folders:
            held = inside[folder.name]
            ids = tuple(chat.id for chat in held)
            rows.append(
                Row(folder.name, folder=folder.name, collapsed=folder.collapsed, inside=ids)
            )
            if not folder.collapsed:
                rows += map(self._row_of, held)
        heading = ""
        for chat in free[len(pinned) :]:
            day = self._day(day_of(chat.updated_ms), today)
            if day != heading:
                heading = day
                rows.append(Row(heading))
            rows.append(self._row_of(chat))
        self._replace(rows)

    def _row_of(self, chat: Chat) -> Row:
        title = chat.title or self.tr("New chat")
        return Row(title, chat.id, pinned=chat.pinned, folder=chat.folder)

    def show_hits(self, hits: list[SearchHit]) -> None:
        """Chats found by their title come first, with the messages found in them; a title has a
        row of its own only where no message has."""
        titles = {hit.chat_id: hit for hit in hits if not hit.message_id}
        messages = [hit for hit in hits if hit.message_id]
        shown = []
        for title in titles.values():
            shown += [hit for hit in messages if hit.chat_id == title.chat_id] or [title]
        shown += [hit for hit in messages if hit.chat_id not in titles]
        count = self.tr("%n result(s)", "", len(shown))
        rows = [Row(count if shown else self.tr("Nothing found"))]
        for hit in shown:
            snippet, matches = one_line(hit.snippet, hit.matches) if hit.message_id else ("", ())
            rows.append(
                Row(
                    hit.chat_title or self.tr("New chat"),
                    hit.chat_id,
                    hit.message_id,
                    snippet=snippet,
                    matches=matches,
                    title_matches=titles[hit.chat_id].matches if hit.chat_id in titles else (),
                )
            )
        self._replace(rows)

    def _replace(self, rows: list[Row]) -> None:
        if rows == self._rows:
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def _day(self, day: int, today: int) -> str:
        if day >= today:
            return self.tr("Today")
        if day == today - 1:
            return self.tr("Yesterday")
        if day > today - 7:
            return self.tr("Previous 7 days")
        date = QDate(1, 1, 1).addDays(day - 1)
        return QLocale().toString(date, "MMMM yyyy")

    def row(self, number: int) -> Row:
        return self._rows[number]

    def number_of(self, chat_id: int | None) -> int:
        """The row of a chat, -1 where it has none."""
        for number, row in enumerate(self._rows):
            if row.chat_id is not None and row.chat_id == chat_id:
                return number
        return -1

    def number_of_folder(self, folder: str) -> int:
        """The row of a folder, -1 where it has none."""
        for number, row in enumerate(self._rows):
            if row.is_folder and row.folder == folder:
                return number
        return -1

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.title if row.chat_id is not None or row.is_folder else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(row)
        if role == self.RowRole:
            return row
        return None

    def _spoken(self, row: Row) -> str:
        if row.is_folder:
            state = self.tr("collapsed") if row.collapsed else self.tr("expanded")
            count = self.tr("%n chat(s)", "", len(row.inside))
            return self.tr("Folder %1").replace("%1", row.title) + f", {count}, {state}"
        return f"{row.title} {row.snippet}".strip()

    def flags(self, index: _Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        row = self._rows[index.row()]
        if row.chat_id is None and not row.is_folder:
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        flags |= Qt.ItemFlag.ItemIsEditable
        if row.chat_id is not None:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags
