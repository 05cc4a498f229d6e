"""Where chats lie, those that were deleted, and how much the recordings take."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QDate, QLocale, QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QWidget,
)

from sfumato.services.chats import Chats, day_of
from sfumato.services.recordings import Recordings
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import written
from sfumato.ui.question import question
from sfumato.ui.settings_pages.page import Page, choice
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, label, set_role

MEGABYTE = 1024 * 1024
DELETED_PX = 132  # of the list of deleted chats
ITEM_PX = 28
LIMITS_MB = (64, 256, 512, 2048, 8192)


class StoragePage(Page):
    def __init__(
        self,
        theme: Theme,
        settings: SettingsService,
        recordings: Recordings,
        chats: Chats,
        folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self._settings = settings
        self._folder = folder
        self._recordings = recordings
        self._chats = chats
        current = settings.current
        self.add_heading(self.tr("Storage"))
        self.add_note(
            self.tr(
                "Chats are on this computer only, in the folder below, with daily backups beside "
                "them. What is deleted can be restored for 30 days."
            )
        )
        self.add_row("", str(folder), button(self.tr("Open the folder"), "", self._open_folder))
        self._add_deleted()
        self.add_heading(self.tr("Recordings"))
        keep = QCheckBox()
        keep.setChecked(current.keep_recordings)
        keep.toggled.connect(lambda on: settings.change(keep_recordings=on))
        self.add_row(
            self.tr("Keep how answers came about"),
            self.tr("For Watch again and How settled; 5 to 70 KB a block."),
            keep,
        )
        limit = choice(
            [(self._size(mb * MEGABYTE), mb * MEGABYTE) for mb in LIMITS_MB],
            current.recordings_limit_bytes,
        )
        limit.currentIndexChanged.connect(
            lambda _: settings.change(recordings_limit_bytes=limit.currentData())
        )
        self.add_row(self.tr("At most"), self.tr("The oldest go first."), limit)
        self._used = label("", "secondary")
        self._used.setFont(theme.figures_font())
        delete = button(self.tr("Delete all recordings…"), "danger", self._delete)
        self.add_row(self.tr("In use"), "", self._used)
        self.add_row("", "", delete)
        recordings.pruned.connect(self._show)
        self._show()
        self.finish()

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))

    # Deleted chats

    def _add_deleted(self) -> None:
        self.add_heading(self.tr("Recently deleted"))
        self._deleted = QListWidget()
        self._deleted.setObjectName("deleted")
        self._deleted.setAccessibleName(self.tr("Recently deleted"))
        self._deleted.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._deleted.setFixedHeight(self.theme.px(DELETED_PX))
        self._deleted.itemActivated.connect(lambda _: self._restore())
        self._deleted.currentRowChanged.connect(self._enable)
        self._restore_button = button(self.tr("Restore"), "", self._restore)
        self._purge_button = button(self.tr("Delete for good…"), "danger", self._purge)
        buttons = QWidget()
        box = QHBoxLayout(buttons)
        box.setContentsMargins(0, 0, 0, 0)
        box.addStretch(1)
        box.addWidget(self._purge_button)
        box.addWidget(self._restore_button)
        self._none = label(self.tr("Nothing was deleted in the last 30 days."), "secondary")
        self._buttons = buttons
        for widget in (self._none, self._deleted, buttons):
            self.add_widget(widget)
        self._chats.listed.connect(self._show_deleted)
        self._show_deleted()

    def _show_deleted(self) -> None:
        row = self._deleted.currentRow()
        self._deleted.clear()
        for chat in self._chats.deleted():
            day = QDate(1, 1, 1).addDays(day_of(chat.deleted_ms or 0) - 1)
            title = chat.title or self.tr("New chat")
            date = QLocale().toString(day, QLocale.FormatType.ShortFormat)
            item = QListWidgetItem(f"{date}   {title}")
            item.setSizeHint(QSize(0, self.theme.px(ITEM_PX)))  # as wide as the list
            item.setData(Qt.ItemDataRole.UserRole, chat.id)
            self._deleted.addItem(item)
        count = self._deleted.count()
        self._deleted.setCurrentRow(min(max(row, 0), count - 1))
        self._none.setVisible(count == 0)
        self._deleted.setVisible(count > 0)
        self._buttons.setVisible(count > 0)
        self._enable()

    def _enable(self) -> None:
        chosen = self._deleted.currentItem() is not None
        self._restore_button.setEnabled(chosen)
        self._purge_button.setEnabled(chosen)

    def _chosen(self) -> int | None:
        item = self._deleted.currentItem()
        return None if item is None else int(item.data(Qt.ItemDataRole.UserRole))

    def _restore(self) -> None:
        chat_id = self._chosen()
        if chat_id is not None:
            self._chats.restore(chat_id)

    def _purge(self) -> None:
        chat_id = self._chosen()
        if chat_id is not None and self._ask(
            self.tr("Delete this chat for good? It cannot be brought back.")
        ):
            self._chats.purge(chat_id)

    # Recordings

    def _size(self, count: int) -> str:
        if count >= 1024 * MEGABYTE:
            return f"{count / (1024 * MEGABYTE):.0f} GB"
        if count >= 10 * MEGABYTE or count == 0:
            return f"{count / MEGABYTE:.0f} MB"
        return f"{written(count / MEGABYTE)} MB"

    def _show(self) -> None:
        size = self._recordings.size()
        blocks = self.tr("%n block(s)", "", size.blocks)
        self._used.setText(f"{self._size(size.bytes)} · {blocks}")

    def _delete(self) -> None:
        if self._ask(self.tr("Delete all recordings? The answers themselves stay.")):
            self._recordings.prune(0)

    def _ask(self, text: str) -> bool:
        box = question(self, text)
        yes = box.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        set_role(yes, "danger")
        no = box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(no)
        box.exec()
        return box.clickedButton() is yes
