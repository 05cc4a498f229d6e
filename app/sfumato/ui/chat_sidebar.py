"""The list of chats and their folders: search, open, rename, pin, move, export, delete."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelectionModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QDrag,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
)
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

from sfumato.store.types import Chat, Folder, SearchHit, Spans
from sfumato.ui.item_models.chat_list_model import ChatListModel, Row
from sfumato.ui.theme import SIDEBAR_PX, Theme
from sfumato.ui.widgets import IconButton

SEARCH_MS = 150
INDENT_PX = 16  # of a chat within a folder
FOLDER_ICON_PX = 14
LEAD = 12  # letters before a match that would else be out of sight
LONGEST_NAME = 40  # of a folder in a menu
CHAT_MIME = "application/x-sfumato-chat"
_Index = QModelIndex | QPersistentModelIndex


def _in_menu(name: str) -> str:
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return short.replace("&", "&&")


class _Delegate(QStyledItemDelegate):
    renamed = Signal(int, str)
    folder_renamed = Signal(str, str)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.open_id: int | None = None
        self.drop_folder: str | None = None  # where a chat that is dragged would go

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        row: Row = index.data(ChatListModel.RowRole)
        px = self._theme.px
        if row.is_folder:
            return QSize(80, px(32))
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
        if row.chat_id is None and not row.is_folder:
            painter.setFont(theme.interface_font(12, semibold=True))
            painter.setPen(colors.secondary)
            text_rect = rect.adjusted(8, 0, -8, -theme.px(6))
            painter.drawText(text_rect, Qt.AlignmentFlag.AlignBottom, row.title)
            painter.restore()
            return
        if row.is_folder:
            selected = row.collapsed and self.open_id in row.inside
        else:
            selected = row.chat_id == self.open_id
        if selected or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.hover)
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 8, 8)
        drops = row.is_folder and row.folder == self.drop_folder
        if drops or state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colors.accent, 1.5))
            painter.drawRoundedRect(rect.adjusted(1, 2, -1, -2), 7, 7)
        inner = rect.adjusted(8, 0, -8, 0)
        if row.is_folder:
            self._paint_folder(painter, inner, row)
            painter.restore()
            return
        inner.setLeft(inner.left() + self._indent(row))
        if row.pinned:
            size = theme.px(14)
            icon = theme.icon("pin", size=size)
            spot = QRect(inner.right() - size, inner.center().y() - size // 2, size, size)
            icon.paint(painter, spot)
            inner.setRight(spot.left() - 4)
        title = inner
        if row.snippet:
            half = inner.height() // 2
            title = QRect(inner.x(), inner.y() + 4, inner.width(), half)
            low = QRect(inner.x(), inner.y() + half, inner.width(), half - 4)
            small = theme.interface_font(12)
            self._paint_found(painter, low, row.snippet, row.matches, small, colors.secondary)
        ink = colors.ink
        self._paint_found(painter, title, row.title, row.title_matches, theme.interface_font(), ink)
        painter.restore()

    def _indent(self, row: Row) -> int:
        """Chats of a folder stand under its name; in what a search found nothing does."""
        inside = row.chat_id is not None and row.folder
        return self._theme.px(INDENT_PX) if inside else 0

    def _paint_folder(self, painter: QPainter, rect: QRect, row: Row) -> None:
        theme = self._theme
        size = theme.px(FOLDER_ICON_PX)
        chevron = "chevron-right" if row.collapsed else "chevron-down"
        for name in (chevron, "folder" if row.collapsed else "folder-open"):
            spot = QRect(rect.left(), rect.center().y() - size // 2, size, size)
            theme.icon(name, size=size).paint(painter, spot)
            rect.setLeft(spot.right() + theme.px(6))
        painter.setFont(theme.figures_font(12))
        painter.setPen(theme.colors.secondary)
        count = str(len(row.inside)) if row.inside else ""
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)
        rect.setRight(rect.right() - painter.fontMetrics().horizontalAdvance(count) - theme.px(8))
        painter.setFont(theme.interface_font())
        painter.setPen(theme.colors.ink)
        name = painter.fontMetrics().elidedText(
            row.title, Qt.TextElideMode.ElideRight, rect.width()
        )
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_found(
        self,
        painter: QPainter,
        rect: QRect,
        text: str,
        matches: Spans,
        font: QFont,
        color: QColor,
    ) -> None:
        """One line around the first match; the matches are bold and in ink."""
        painter.setPen(color)
        metrics = QFontMetrics(font)
        cut = 0
        if matches and metrics.horizontalAdvance(text[: matches[0][1]]) > rect.width():
            cut = max(0, matches[0][0] - LEAD)
            text = "…" + text[cut:] if cut else text
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        layout = QTextLayout(text, font)
        found = QTextCharFormat()
        found.setForeground(self._theme.colors.ink)
        found.setFontWeight(QFont.Weight.DemiBold)
        formats = []
        for start, end in matches:
            mark = QTextLayout.FormatRange()
            mark.start = start - cut + bool(cut)
            mark.length = min(end - start, len(text) - mark.start)
            mark.format = found
            if mark.length > 0 and mark.start >= 0:
                formats.append(mark)
        layout.setFormats(formats)
        layout.beginLayout()
        line = layout.createLine()
        line.setLineWidth(rect.width() + self._theme.px(12))  # bold is a little wider
        layout.endLayout()
        top = rect.y() + (rect.height() - line.height()) / 2
        layout.draw(painter, QPointF(rect.x(), top))

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = QLineEdit(parent)
        row: Row = index.data(ChatListModel.RowRole)
        editor.setAccessibleName(
            self.tr("Name of the folder") if row.is_folder else self.tr("Name of the chat")
        )
        return editor

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        row: Row = index.data(ChatListModel.RowRole)
        indent = self._indent(row)
        if row.is_folder:
            indent = 2 * (self._theme.px(FOLDER_ICON_PX) + self._theme.px(6)) + 4
        editor.setGeometry(option.rect.adjusted(6 + indent, 0, -6, 0))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: _Index) -> None:
        row: Row = index.data(ChatListModel.RowRole)
        if not isinstance(editor, QLineEdit) or editor.text() == row.title:
            return
        if row.is_folder:
            self.folder_renamed.emit(row.folder, editor.text())
        elif row.chat_id is not None:
            self.renamed.emit(row.chat_id, editor.text())


class _Search(QLineEdit):
    """The field that says which chats are shown; the keys that mean them go there."""

    entered = Signal()  # Return
    left = Signal()  # Down

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
        else:
            super().keyPressEvent(event)


class _List(QListView):
    opened = Signal(object)  # Row
    collapsed = Signal(str, bool)
    moved = Signal(int, str)
    dragged_over = Signal(object)  # folder, "" for none of them, None for the end of the drag
    menu_wanted = Signal(object, QPoint)  # Row or None, where on the screen
    left = Signal()  # Up on the first row

    def _row_at(self, point: QPoint) -> Row | None:
        index = self.indexAt(point)
        row: Row | None = index.data(ChatListModel.RowRole) if index.isValid() else None
        return row

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        row: Row | None = index.data(ChatListModel.RowRole) if index.isValid() else None
        keys = Qt.Key
        key = event.key()
        if row is None or self.state() == QAbstractItemView.State.EditingState:
            super().keyPressEvent(event)  # the editor passes on what it does not need
        elif key in (keys.Key_Return, keys.Key_Enter):
            self.opened.emit(row)
        elif key == keys.Key_Up and index.row() == self.first_number():
            self.left.emit()
        elif row.is_folder and key == keys.Key_Space:
            self.collapsed.emit(row.folder, not row.collapsed)
        elif row.is_folder and key == keys.Key_Left:
            self.collapsed.emit(row.folder, True)
        elif row.is_folder and key == keys.Key_Right and row.collapsed:
            self.collapsed.emit(row.folder, False)
        elif key == keys.Key_Left and row.folder:
            model = self.model()
            assert isinstance(model, ChatListModel)
            self.setCurrentIndex(model.index(model.number_of_folder(row.folder)))
        elif row.is_folder and key == keys.Key_Right and row.inside:
            self.setCurrentIndex(self.model().index(index.row() + 1, 0))
        else:
            super().keyPressEvent(event)

    def first_number(self) -> int:
        """The first row that is a chat or a folder, -1 where there is none."""
        rows = (self.model().index(n, 0) for n in range(self.model().rowCount()))
        enabled = Qt.ItemFlag.ItemIsEnabled
        return next((index.row() for index in rows if index.flags() & enabled), -1)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            point = self.visualRect(self.currentIndex()).center()
        else:
            point = event.pos()
        self.menu_wanted.emit(self._row_at(point), self.viewport().mapToGlobal(point))

    # A chat is dragged into a folder, or out of it.

    def startDrag(self, actions: Qt.DropAction) -> None:
        index = self.currentIndex()
        row: Row | None = index.data(ChatListModel.RowRole) if index.isValid() else None
        if row is None or row.chat_id is None:
            return
        data = QMimeData()
        data.setData(CHAT_MIME, str(row.chat_id).encode())
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.setPixmap(self.viewport().grab(self.visualRect(index)))
        drag.exec(Qt.DropAction.MoveAction)
        self.dragged_over.emit(None)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(CHAT_MIME):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        super().dragMoveEvent(event)  # scrolls near the edges
        if event.mimeData().hasFormat(CHAT_MIME):
            self.dragged_over.emit(self._folder_at(event.position().toPoint()))
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self.dragged_over.emit(None)

    def dropEvent(self, event: QDropEvent) -> None:
        data = bytes(event.mimeData().data(CHAT_MIME).data())
        if data.isdigit():
            self.moved.emit(int(data), self._folder_at(event.position().toPoint()))
            event.acceptProposedAction()
        self.dragged_over.emit(None)

    def _folder_at(self, point: QPoint) -> str:
        row = self._row_at(point)
        return row.folder if row is not None else ""


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
    moved = Signal(int, str)  # chat, folder ("" is none)
    folder_added = Signal(str, object)  # name, ids of the chats to put in
    folder_renamed = Signal(str, str)
    folder_removed = Signal(str)
    folder_collapsed = Signal(str, bool)
    new_in_folder_wanted = Signal(str)
    searched = Signal(str)
    settings_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self._theme = theme
        self._search = _Search()
        self._search.setPlaceholderText(self.tr("Search"))
        self._search.setClearButtonEnabled(False)
        self._search.setAccessibleName(self.tr("Search in all chats"))
        self._chats: tuple[list[Chat], int, list[Folder]] = ([], 0, [])
        self._waits = False  # for the end of an edit, which showing other rows would cut off
        self._to_name: str | None = None  # a folder that was just made
        self._search_timer = QTimer(self, singleShot=True, interval=SEARCH_MS)
        self._search.textChanged.connect(lambda _: self._search_timer.start())
        self._search_timer.timeout.connect(self._search_now)
        self._search.left.connect(self._to_list)
        self._search.entered.connect(self._open_hit)
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
        self._list.setDragEnabled(True)
        self._list.setAcceptDrops(True)
        self._list.setDropIndicatorShown(False)
        self._list.menu_wanted.connect(self._show_menu)
        self._list.collapsed.connect(self.folder_collapsed)
        self._list.moved.connect(self.moved)
        self._list.dragged_over.connect(self._show_drop)
        self._list.clicked.connect(lambda index: self._open(index.data(ChatListModel.RowRole)))
        self._list.opened.connect(self._open)
        self._list.left.connect(self.focus_search)
        self._delegate = _Delegate(theme, self._list)
        self._delegate.renamed.connect(self.renamed)
        self._delegate.folder_renamed.connect(self.folder_renamed)
        self._delegate.closeEditor.connect(self._edited)
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

    def show_chats(self, chats: list[Chat], today: int, folders: Sequence[Folder] = ()) -> None:
        self._chats = (chats, today, list(folders))
        self._waits = self._list.state() == QAbstractItemView.State.EditingState
        if self._waits:
            return
        if self._search.text().strip():
            self._search_timer.start()  # what was found may have another name or place now
            return
        current = self._list.currentIndex()
        row: Row | None = current.data(ChatListModel.RowRole) if current.isValid() else None
        self._model.show_chats(*self._chats)
        number = -1
        if row is not None and self._list.hasFocus():
            number = (
                self._model.number_of_folder(row.folder)
                if row.is_folder
                else self._model.number_of(row.chat_id)
            )
        self._select(number)
        if self._to_name is not None:
            self._name_folder(self._to_name)

    def _edited(self) -> None:
        if self._waits:
            # The view still closes the editor.
            QTimer.singleShot(0, self, lambda: self.show_chats(*self._chats))

    def _name_folder(self, folder: str) -> None:
        """Edit the name of a folder that was just made."""
        number = self._model.number_of_folder(folder)
        if number >= 0:
            self._to_name = None
            self._select(number)
            self._list.scrollTo(self._model.index(number))
            self._list.edit(self._model.index(number))

    def show_hits(self, hits: list[SearchHit]) -> None:
        self._model.show_hits(hits)

    def mark_open(self, chat_id: int | None) -> None:
        self._delegate.open_id = chat_id
        self._select()
        self._list.viewport().update()

    def _search_now(self) -> None:
        self._search_timer.stop()
        self.searched.emit(self._search.text().strip())

    def _to_list(self) -> None:
        """From the field to the first row of what it found."""
        if self._search_timer.isActive():
            self._search_now()
        number = self._list.first_number()
        if number >= 0:
            self._list.setCurrentIndex(self._model.index(number))
            self._list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _open_hit(self) -> None:
        """The chat that was chosen among those that were found, else the first."""
        if not self._search.text().strip():
            return
        if self._search_timer.isActive():
            self._search_now()
        current = self._list.currentIndex()
        number = current.row() if current.isValid() else self._list.first_number()
        if number >= 0:
            self._open(self._model.row(number))

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

    def _select(self, number: int = -1) -> None:
        """Make a row the current one, by default that of the open chat."""
        if number < 0:
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
        if row is None:
            return
        if row.chat_id is not None:
            self.opened.emit(row.chat_id, row.message_id)
        elif row.is_folder:
            self.folder_collapsed.emit(row.folder, not row.collapsed)

    def _show_drop(self, folder: str | None) -> None:
        if folder != self._delegate.drop_folder:
            self._delegate.drop_folder = folder
            self._list.viewport().update()

    def _show_menu(self, row: Row | None, point: QPoint) -> None:
        if row is None or (row.chat_id is None and not row.is_folder):
            menu = QMenu(self)
            self._add_new_folder(menu, ())
        else:
            menu = self.folder_menu_of(row) if row.is_folder else self.menu_of(row)
        menu.exec(point)
        menu.deleteLater()

    def folder_menu_of(self, row: Row) -> QMenu:
        """What can be done with a folder."""
        menu = QMenu(self)
        folder = row.folder
        new = menu.addAction(self.tr("New chat here"))
        new.triggered.connect(lambda _=False: self.new_in_folder_wanted.emit(folder))
        rename = menu.addAction(self.tr("Rename"))
        rename.setShortcut(QKeySequence("F2"))
        rename.triggered.connect(lambda _=False: self._rename(self._model.number_of_folder(folder)))
        menu.addSeparator()
        remove = menu.addAction(self.tr("Delete folder, keep its chats"))
        remove.triggered.connect(lambda _=False: self.folder_removed.emit(folder))
        return menu

    def menu_of(self, row: Row) -> QMenu:
        """What can be done with a chat."""
        chat_id = row.chat_id
        assert chat_id is not None
        menu = QMenu(self)
        copy_title = self.tr("%1 (copy)").replace("%1", row.title)
        rename = menu.addAction(self.tr("Rename"))
        rename.setShortcut(QKeySequence("F2"))
        rename.triggered.connect(lambda _=False: self._rename(self._model.number_of(chat_id)))
        pin = menu.addAction(self.tr("Unpin") if row.pinned else self.tr("Pin"))
        pin.triggered.connect(lambda _=False: self.pinned.emit(chat_id, not row.pinned))
        menu.addMenu(self._move_menu(row, menu))
        for text, act in (
            (self.tr("Duplicate"), lambda: self.duplicated.emit(chat_id, copy_title)),
            (self.tr("Export…"), lambda: self.export_wanted.emit(chat_id)),
        ):
            action = menu.addAction(text)
            action.triggered.connect(lambda _=False, act=act: act())
        menu.addSeparator()
        delete = menu.addAction(self.tr("Delete"))
        delete.triggered.connect(lambda _=False: self.deleted.emit(chat_id))
        return menu

    def _move_menu(self, row: Row, parent: QMenu) -> QMenu:
        chat_id = row.chat_id
        assert chat_id is not None
        menu = QMenu(self.tr("Move to folder"), parent)
        chats, _, folders = self._chats
        now = next((chat.folder for chat in chats if chat.id == chat_id), "")
        places = [(_in_menu(folder.name), folder.name) for folder in folders]
        if now:
            places.append((self.tr("No folder"), ""))
        for text, folder in places:
            action = menu.addAction(text)
            action.setCheckable(folder == now)
            action.setChecked(folder == now)
            action.triggered.connect(
                lambda _=False, folder=folder: self.moved.emit(chat_id, folder)
            )
        if places:
            menu.addSeparator()
        self._add_new_folder(menu, (chat_id,))
        return menu

    def _add_new_folder(self, menu: QMenu, chat_ids: tuple[int, ...]) -> None:
        action = menu.addAction(self.tr("New folder"))
        action.triggered.connect(lambda _=False: self.make_folder(chat_ids))

    def make_folder(self, chat_ids: tuple[int, ...] = ()) -> None:
        """A folder with these chats in it; its name is edited at once."""
        taken = {folder.name.casefold() for folder in self._chats[2]}
        name, number = self.tr("New folder"), 2
        while name.casefold() in taken:
            name = self.tr("New folder %1").replace("%1", str(number))
            number += 1
        self._to_name = name
        self.end_search()
        self.folder_added.emit(name, chat_ids)

    def _rename(self, number: int) -> None:
        if number >= 0:
            self._list.edit(self._model.index(number))

    def _show_more(self) -> None:
        menu = QMenu(self)
        self._add_new_folder(menu, ())
        menu.addSeparator()
        for text, signal in (
            (self.tr("Import chats…"), self.import_wanted),
            (self.tr("Export all chats…"), self.export_all_wanted),
        ):
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, signal=signal: signal.emit())
            menu.addAction(action)
        menu.exec(self._more.mapToGlobal(QPoint(0, -menu.sizeHint().height())))
        menu.deleteLater()
