"""Settings: pages on the left, what they hold on the right; every change holds at once."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QWidget,
)

from sfumato.engine.sampler import SamplerConfig
from sfumato.services.chats import Chats
from sfumato.services.model import ModelService
from sfumato.services.recordings import Recordings
from sfumato.services.settings import SettingsService
from sfumato.ui.settings_pages.about_page import AboutPage
from sfumato.ui.settings_pages.answers_page import AnswersPage
from sfumato.ui.settings_pages.appearance_page import AppearancePage
from sfumato.ui.settings_pages.behaviour_page import BehaviourPage
from sfumato.ui.settings_pages.downloads_page import DownloadsPage
from sfumato.ui.settings_pages.shortcuts_page import ShortcutsPage
from sfumato.ui.settings_pages.storage_page import StoragePage
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import hairline

SIZE = (804, 580)
LIST_PX = 200
DOWNLOADS = 3  # number of a page
ROW_PX = 32


class SettingsDialog(QDialog):
    def __init__(
        self,
        theme: Theme,
        settings: SettingsService,
        model: ModelService,
        recordings: Recordings,
        chats: Chats,
        folder: Path,
        parent: QWidget | None = None,
        *,
        has_tray: bool = True,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        wanted = QSize(theme.px(SIZE[0]), theme.px(SIZE[1]))
        self.resize(wanted.boundedTo(self.screen().availableSize() * 0.9))
        defaults = model.loaded.sampler if model.loaded else SamplerConfig()
        self.answers = AnswersPage(theme, settings, defaults)
        self.pages = QStackedWidget()
        self._list = QListWidget()
        self._list.setFrameShape(QFrame.Shape.NoFrame)
        self._list.setObjectName("pages")
        self._list.setAccessibleName(self.tr("Pages"))
        self._list.setSpacing(2)
        for name, page in (
            (self.tr("Appearance"), AppearancePage(theme, settings)),
            (self.tr("Answers"), self.answers),
            (
                self.tr("Window and engine"),
                BehaviourPage(theme, settings, model, has_tray=has_tray),
            ),
            (self.tr("Downloads"), DownloadsPage(theme, settings)),
            (self.tr("Storage"), StoragePage(theme, settings, recordings, chats, folder)),
            (self.tr("Keys"), ShortcutsPage(theme)),
            (self.tr("About"), AboutPage(theme)),
        ):
            item = QListWidgetItem(name)
            item.setSizeHint(QSize(0, theme.px(ROW_PX)))
            self._list.addItem(item)
            self.pages.addWidget(page)
        self._list.currentRowChanged.connect(self.pages.setCurrentIndex)
        self._list.setCurrentRow(0)
        side = QFrame()
        side.setObjectName("sidebar")
        side.setFixedWidth(theme.px(LIST_PX))
        side_box = QHBoxLayout(side)
        side_box.setContentsMargins(8, 16, 8, 16)
        side_box.addWidget(self._list)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(side)
        box.addWidget(hairline(vertical=True))
        box.addWidget(self.pages, 1)
        self._list.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_page(self, number: int) -> None:
        self._list.setCurrentRow(number)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.answers.flush()
        super().closeEvent(event)

    def done(self, result: int) -> None:
        self.answers.flush()
        super().done(result)
