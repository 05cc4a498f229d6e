"""The download under way; the built-in guide can be talked to meanwhile."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from sfumato.services.model_library import ModelLibrary, ModelRow
from sfumato.ui.first_run_pages.screen import Screen
from sfumato.ui.models_page import ModelCard
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import label


class DownloadScreen(Screen):
    acted = Signal(str, object)  # what, ModelRow

    def __init__(self, theme: Theme, library: ModelLibrary, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._library = library
        self._model_id = ""
        self.card = ModelCard(theme)
        self.card.acted.connect(self.acted)
        self.box.addSpacing(8)
        self.box.addWidget(self.card)
        self.box.addSpacing(8)
        self.box.addWidget(
            label(
                self.tr(
                    "It goes on after a pause, a restart or a lost connection, and is checked "
                    "byte by byte. You find it under Models, behind the button at the top right."
                ),
                "secondary",
                wrap=True,
            )
        )
        self.box.addStretch(1)
        library.changed.connect(self._show)

    def follow(self, model_id: str) -> None:
        """Show this transfer."""
        self._model_id = model_id
        self._show()

    @property
    def row(self) -> ModelRow | None:
        return next((row for row in self._library.rows if row.id == self._model_id), None)

    def next_text(self) -> str:
        return self.tr("Talk to the guide meanwhile")

    def _show(self) -> None:
        row = self.row
        if row is None:
            return
        if row.error:
            self.say(
                self.tr("The download stopped"),
                self.tr("What has arrived is kept. You can go on now or at any other time."),
            )
        else:
            self.say(
                self.tr("The model is on its way"),
                self.tr(
                    "Meanwhile the built-in guide answers: a small demonstration that knows "
                    "Sfumato and text diffusion."
                ),
            )
        self.card.show_row(row, in_use=False, recommended=False)
        self.changed.emit()
