"""The list of chats: search, open, rename, pin, duplicate, export, delete."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from sfumato.store.types import Chat, SearchHit
from sfumato.ui.item_models.chat_list_model import ChatListModel, Row
from sfumato.ui.theme import SIDEBAR_PX, Theme
from sfumato.ui.widgets import IconButton

SEARCH_MS = 150
_Index = QModelIndex | QPersistentModelIndex


class _Delegate(QStyledItemDelegate):
    renamed = Signal(int, str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.open_id: int | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        row: Row = index.data(ChatListModel.RowRole)
        px = self._theme.px
        if row.chat_id is None:
            return QSize(80, px(28 if index.row() == 0 else 40))
        return QSize(80, px(52 if row.snippet else 32))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        row: Row = index.data(ChatListModel.RowRole)
        theme, colors = self._theme, self._theme.colors
        rect: QRect = option.rect.adjusted(8, 0, -8, 0)
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.chat_id is None:
            painter.setFont(theme.interface_font(12, semibold=True))
            painter.setPen(colors.secondary)
            text_rect = rect.adjusted(8, 0, -8, -theme.px(6))
            painter.drawText(text_rect, Qt.AlignmentFlag.AlignBottom, row.title)
            painter.restore()
            return
        selected = row.chat_id == self.open_id
        if selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.hover)
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 8, 8)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colors.accent, 1.5))
            painter.drawRoundedRect(rect.adjusted(1, 2, -1, -2), 7, 7)
        inner = rect.adjusted(8, 0, -8, 0)
        if row.pinned:
            icon = theme.icon("pin", size=14)
            size = theme.px(14)
            spot = QRect(inner.right() - size, inner.center().y() - size // 2, size, size)
            icon.paint(painter, spot)
            inner.setRight(spot.left() - 4)
        font = theme.interface_font()
        painter.setFont(font)
        painter.setPen(colors.ink)
        metrics = painter.fontMetrics()
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideRight, inner.width())
        if row.snippet:
            half = inner.height() // 2
            painter.drawText(
                QRect(inner.x(), inner.y() + 4, inner.width(), half),
                Qt.AlignmentFlag.AlignVCenter,
                title,
            )
            painter.setFont(theme.interface_font(12))
            painter.setPen(colors.secondary)
            snippet = painter.fontMetrics().elidedText(
                " ".join(row.snippet.split()), Qt.TextElideMode.ElideRight, inner.width()
            )
            low = QRect(inner.x(), inner.y() + half, inner.width(), half - 4)
            painter.drawText(low, Qt.AlignmentFlag.AlignVCenter, snippet)
        else:
            painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, title)
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAccessibleName(self.tr("Name of the chat"))
        return editor

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        editor.setGeometry(option.rect.adjusted(6, 0, -6, 0))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: _Index) -> None:
        row: Row = index.data(ChatListModel.RowRole)
        if isinstance(editor, QLineEdit) and row.chat_id is not None and editor.text() != row.title:
            self.renamed.emit(row.chat_id, editor.text())


class _List(QListView):
    opened = Signal(object)  # Row

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.opened.emit(self.currentIndex().data(ChatListModel.RowRole))
            return
        super().keyPressEvent(event)


class ChatSidebar(QFrame):
    opened = Signal(int, object)  # chat, message or None
    new_wanted = Signal()
    renamed = Signal(int, str)
    pinned = Signal(int, bool)
    duplicated = Signal(int, str)
    export_wanted = Signal(int)
    import_wanted = Signal()
    export_all_wanted = Signal()
    deleted = Signal(int)
    searched = Signal(str)
    settings_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self._theme = theme
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search"))
        self._search.setClearButtonEnabled(False)
        self._search.setAccessibleName(self.tr("Search in all chats"))
        self._search_timer = QTimer(self, singleShot=True, interval=SEARCH_MS)
        self._search.textChanged.connect(lambda _: self._search_timer.start())
        self._search_timer.timeout.connect(lambda: self.searched.emit(self._search.text().strip()))
        new = IconButton(
            theme, "square-pen", self.tr("New chat"), self.new_wanted.emit, self, shortcut="Ctrl+N"
        )
        self._model = ChatListModel()
        self._list = _List()
        self._list.setModel(self._model)
        self._list.setAccessibleName(self.tr("Chats"))
        self._list.setFrameShape(QFrame.Shape.NoFrame)
        self._list.setMouseTracking(True)
        self._list.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self._list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._list.customContextMenuRequested.connect(self._show_menu)
        self._list.clicked.connect(lambda index: self._open(index.data(ChatListModel.RowRole)))
        self._list.opened.connect(self._open)
        self._delegate = _Delegate(theme, self._list)
        self._delegate.renamed.connect(self.renamed)
        self._list.setItemDelegate(self._delegate)
        more = IconButton(theme, "ellipsis", self.tr("More"), self._show_more, self)
        settings = IconButton(
            theme,
            "settings",
            self.tr("Settings"),
            self.settings_wanted.emit,
            self,
            shortcut="Ctrl+,",
        )
        self._more = more
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 12, 8)
        head.setSpacing(8)
        head.addWidget(self._search, 1)
        head.addWidget(new)
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 8, 12, 8)
        foot.setSpacing(4)
        foot.addWidget(settings)
        foot.addStretch(1)
        foot.addWidget(more)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(head)
        box.addWidget(self._list, 1)
        box.addLayout(foot)
        theme.changed.connect(self._restyle)
        self._restyle()

    # What is shown

    def show_chats(self, chats: list[Chat], today: int) -> None:
        if not self._search.text().strip():
            self._model.show_chats(chats, today)
            self._select()

    def show_hits(self, hits: list[SearchHit]) -> None:
        self._model.show_hits(hits)

    def mark_open(self, chat_id: int | None) -> None:
        self._delegate.open_id = chat_id
        self._select()
        self._list.viewport().update()

    def focus_search(self) -> None:
        self._search.setFocus()
        self._search.selectAll()

    def end_search(self) -> None:
        self._search.clear()

    @property
    def model(self) -> ChatListModel:
        return self._model

    @property
    def list_view(self) -> QListView:
        return self._list

    def _select(self) -> None:
        number = self._model.number_of(self._delegate.open_id)
        if number >= 0:
            self._list.selectionModel().setCurrentIndex(
                self._model.index(number), QItemSelectionModel.SelectionFlag.NoUpdate
            )

    def _restyle(self) -> None:
        self.setFixedWidth(self._theme.px(SIDEBAR_PX))
        self._list.reset()

    # What is done

    def _open(self, row: Row | None) -> None:
        if row is not None and row.chat_id is not None:
            self.opened.emit(row.chat_id, row.message_id)

    def _show_menu(self, point: QPoint) -> None:
        index = self._list.indexAt(point)
        row: Row | None = index.data(ChatListModel.RowRole) if index.isValid() else None
        if row is None or row.chat_id is None:
            return
        menu = self.menu_of(row)
        menu.exec(self._list.viewport().mapToGlobal(point))
        menu.deleteLater()

    def menu_of(self, row: Row) -> QMenu:
        """What can be done with a chat."""
        chat_id = row.chat_id
        assert chat_id is not None
        menu = QMenu(self)
        copy_title = self.tr("%1 (copy)").replace("%1", row.title)
        for text, act in (
            (self.tr("Rename"), lambda: self._rename(chat_id)),
            (
                self.tr("Unpin") if row.pinned else self.tr("Pin"),
                lambda: self.pinned.emit(chat_id, not row.pinned),
            ),
            (self.tr("Duplicate"), lambda: self.duplicated.emit(chat_id, copy_title)),
            (self.tr("Export…"), lambda: self.export_wanted.emit(chat_id)),
            (self.tr("Delete"), lambda: self.deleted.emit(chat_id)),
        ):
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, act=act: act())
            if text == self.tr("Rename"):
                action.setShortcut(QKeySequence("F2"))
            menu.addAction(action)
        return menu

    def _rename(self, chat_id: int) -> None:
        number = self._model.number_of(chat_id)
        if number >= 0:
            self._list.edit(self._model.index(number))

    def _show_more(self) -> None:
        menu = QMenu(self)
        for text, signal in (
            (self.tr("Import chats…"), self.import_wanted),
            (self.tr("Export all chats…"), self.export_all_wanted),
        ):
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, signal=signal: signal.emit())
            menu.addAction(action)
        menu.exec(self._more.mapToGlobal(QPoint(0, -menu.sizeHint().height())))
        menu.deleteLater()
