"""Where models are kept, where they come from, and how fast."""

from __future__ import annotations

from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from sfumato.download.hub import HUGGING_FACE, Hub
from sfumato.errors import DownloadError
from sfumato.paths import models_dir
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken
from sfumato.ui.settings_pages.page import Page, choice
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, label

LIMITS_MB = (1, 2, 5, 10, 20, 50)
MEGABYTE = 1_000_000  # as lines and disks are labelled
ADDRESS_PX = 232


class DownloadsPage(Page):
    def __init__(
        self, theme: Theme, settings: SettingsService, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent)
        self._settings = settings
        self.add_heading(self.tr("Downloads"))
        self._folder = label("", "secondary", wrap=True)
        self.back = button(self.tr("Reset"), "quiet", lambda: self._keep_in(""))
        self.add_row(
            self.tr("Keep models in"),
            self.tr("For new downloads; what is here already stays where it is."),
            self.back,
            button(self.tr("Choose…"), "", self._choose_folder),
        )
        self.add_widget(self._folder)
        self.address = QLineEdit(settings.current.hub)
        self.address.setPlaceholderText(HUGGING_FACE)
        self.address.editingFinished.connect(self._take_address)
        self.add_row(
            self.tr("Ask this hub"),
            self.tr("A mirror, where huggingface.co cannot be reached; it never sees your token."),
            self.address,
            width=ADDRESS_PX,
        )
        self._refused = label("", "danger", wrap=True)
        self.add_widget(self._refused)
        self._refused.hide()
        options: list[tuple[str, object]] = [(self.tr("As fast as it goes"), 0)]
        options += [(f"{limit} MB/s", limit * MEGABYTE) for limit in LIMITS_MB]
        self.limit = choice(options, settings.current.download_limit)
        self.limit.currentIndexChanged.connect(
            lambda _: settings.change(download_limit=self.limit.currentData())
        )
        self.add_row(
            self.tr("Speed at most"), self.tr("Of each download, those under way too."), self.limit
        )
        self._show_folder()
        self.finish()

    @property
    def refusal(self) -> str:
        return self._refused.text()

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, self.tr("Keep models in"), self._folder.text()
        )
        if chosen:
            self._keep_in(chosen)

    def _keep_in(self, folder: str) -> None:
        self._settings.change(models_folder=folder)
        self._show_folder()

    def _show_folder(self) -> None:
        chosen = self._settings.current.models_folder
        self._folder.setText(chosen or str(models_dir()))
        self.back.setVisible(bool(chosen))

    def _take_address(self) -> None:
        address = self.address.text().strip()
        try:
            Hub(address or None)
        except DownloadError as error:
            self._refused.setText(spoken(error))
        else:
            self._refused.setText("")
            self._settings.change(hub=address)
        self._refused.setVisible(bool(self._refused.text()))
