"""Where chats lie, how much the recordings take, and how to be rid of them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QMessageBox, QWidget

from sfumato.services.recordings import Recordings
from sfumato.services.settings import SettingsService
from sfumato.ui.settings_pages.page import Page, choice
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, label

MEGABYTE = 1024 * 1024
LIMITS_MB = (64, 256, 512, 2048, 8192)


class StoragePage(Page):
    def __init__(
        self,
        theme: Theme,
        settings: SettingsService,
        recordings: Recordings,
        folder: Path,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self._settings = settings
        self._recordings = recordings
        current = settings.current
        self.add_heading(self.tr("Storage"))
        place = label(str(folder), "secondary", wrap=True)
        place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.add_note(
            self.tr(
                "Chats are on this computer only, in the folder below, with daily backups beside "
                "them. What is deleted can be restored for 30 days."
            )
        )
        self.add_widget(place)
        self.add_heading(self.tr("Recordings"))
        keep = QCheckBox()
        keep.setChecked(current.keep_recordings)
        keep.toggled.connect(lambda on: settings.change(keep_recordings=on))
        self.add_row(
            self.tr("Keep how answers came about"),
            self.tr("For Watch again and How settled; 6 to 21 KB a block."),
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

    def _size(self, count: int) -> str:
        if count >= 1024 * MEGABYTE:
            return f"{count / (1024 * MEGABYTE):.0f} GB"
        if count >= 10 * MEGABYTE or count == 0:
            return f"{count / MEGABYTE:.0f} MB"
        return f"{count / MEGABYTE:.1f} MB"

    def _show(self) -> None:
        size = self._recordings.size()
        blocks = self.tr("%n block(s)", "", size.blocks)
        self._used.setText(f"{self._size(size.bytes)} · {blocks}")

    def _delete(self) -> None:
        question = QMessageBox(self)
        question.setIcon(QMessageBox.Icon.NoIcon)
        question.setText(self.tr("Delete all recordings? The answers themselves stay."))
        yes = question.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        question.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        question.exec()
        if question.clickedButton() is yes:
            self._recordings.prune(0)
