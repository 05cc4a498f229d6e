"""Rows of the sidebar: chats under the day they were last used, or what a search found."""

from __future__ import annotations

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
from sfumato.store.types import Chat, SearchHit

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """A heading (no chat), a chat, or a hit within one."""

    title: str
    chat_id: int | None = None
    message_id: int | None = None
    pinned: bool = False
    snippet: str = ""
    matches: tuple[tuple[int, int], ...] = ()


class ChatListModel(QAbstractListModel):
    RowRole = Qt.ItemDataRole.UserRole + 1

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []

    def show_chats(self, chats: list[Chat], today: int) -> None:
        rows: list[Row] = []
        heading = ""
        for chat in chats:
            group = self.tr("Pinned") if chat.pinned else self._day(day_of(chat.updated_ms), today)
            if group != heading:
                heading = group
                rows.append(Row(heading))
            rows.append(Row(chat.title or self.tr("New chat"), chat.id, pinned=chat.pinned))
        self._replace(rows)

    def show_hits(self, hits: list[SearchHit]) -> None:
        rows = [Row(self.tr("%n result(s)", "", len(hits)) if hits else self.tr("Nothing found"))]
        rows += [
            Row(
                hit.chat_title or self.tr("New chat"),
                hit.chat_id,
                hit.message_id,
                snippet=hit.snippet if hit.message_id is not None else "",
                matches=hit.matches if hit.message_id is not None else (),
            )
            for hit in hits
        ]
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

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.title if row.chat_id is not None else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.title} {row.snippet}".strip()
        if role == self.RowRole:
            return row
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        if not index.isValid() or self._rows[index.row()].chat_id is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable
