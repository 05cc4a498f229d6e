"""Exact or compact: how the model is kept in memory, what that saves and what it costs."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sfumato.services.model import ModelService
from sfumato.services.model_library import ModelLibrary
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import written
from sfumato.ui.settings_pages.page import choice
from sfumato.ui.widgets import button, label


class ProfileChoice(QWidget):
    """There where a card computes; verdicts follow it, the model in use from its next load."""

    def __init__(
        self,
        settings: SettingsService,
        library: ModelLibrary,
        model: ModelService,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._library = library
        self._model = model
        name = label(self.tr("Weights in memory"))
        self.box = choice(
            [(self.tr("Exact"), "exact"), (self.tr("Compact"), "compact")],
            settings.current.profile,
        )
        self.box.setAccessibleName(name.text())
        self.box.currentIndexChanged.connect(self._choose)
        self.again = button(self.tr("Load the model again"), "link", model.load)
        self._note = label("", "secondary", wrap=True)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(name)
        row.addWidget(self.box)
        row.addWidget(self.again)
        row.addStretch(1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addLayout(row)
        box.addWidget(self._note)
        settings.changed.connect(self._show)
        model.changed.connect(self._show)
        library.changed.connect(self._show)
        self._show()

    @property
    def note(self) -> str:
        return self._note.text()

    def _choose(self) -> None:
        self._settings.change(profile=self.box.currentData())
        self._library.refresh()

    def _show(self) -> None:
        machine, model = self._library.machine, self._model
        profile = self._settings.current.profile
        self.setVisible(machine is not None and machine.best_gpu is not None)
        self.box.setCurrentIndex(self.box.findData(profile))
        sentences = [
            self.tr("As the file holds them.")
            if profile == "exact"
            else self.tr(
                "Needs less memory: experts of 8 bits are rounded to 5 while the model is loaded. "
                "Answers differ a little, and going back in a long chat means reading it again."
            )
        ]
        loaded = model.loaded if model.computes_on_gpu else None
        waiting = loaded is not None and model.profile != profile
        if waiting:
            sentences.append(self.tr("The model in use follows when it is loaded again."))
        elif loaded is not None and loaded.rounding_error:
            error = written(100 * loaded.rounding_error)
            sentences.append(
                self.tr("The error measured in the model in use: %1 %.").replace("%1", error)
            )
        self._note.setText(" ".join(sentences))
        self.again.setVisible(waiting)
