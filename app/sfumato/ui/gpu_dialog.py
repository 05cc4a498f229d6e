"""Why is my GPU not used? The engine's own words, the driver's, and everything to copy."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from sfumato.download import diagnostics
from sfumato.download.machine import Machine
from sfumato.services.diagnosis import engine_lines
from sfumato.services.model import ModelService
from sfumato.services.model_library import ModelLibrary
from sfumato.services.spoken import spoken, written
from sfumato.ui.models_page import gigabytes
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, label

SIZE = (680, 560)
COPIED_MS = 2000
FACTS = 5


class GpuDialog(QDialog):
    def __init__(
        self,
        theme: Theme,
        model: ModelService,
        library: ModelLibrary,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model
        self._library = library
        self.setWindowTitle(self.tr("GPU"))
        self.resize(*SIZE)
        self._title = label("", "title")
        self._answer = label("", wrap=True)
        self._answer.setFont(theme.text_font())
        self._answer.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(16)
        self._facts.setVerticalSpacing(6)
        self._facts.setColumnStretch(1, 1)
        self._names = [label("", "secondary") for _ in range(FACTS)]
        self._values = [label("", wrap=True) for _ in range(FACTS)]
        for row, (name, value) in enumerate(zip(self._names, self._values, strict=True)):
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._facts.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            self._facts.addWidget(value, row, 1)
        self._report = QPlainTextEdit()
        self._report.setReadOnly(True)
        self._report.setAccessibleName(self.tr("Diagnostics"))
        note = label(
            self.tr("Your name and your folders are masked. Nothing is sent anywhere."),
            "secondary",
            wrap=True,
        )
        self._copy = button(self.tr("Copy diagnostics"), "accent", self.copy)
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._copied.timeout.connect(lambda: self._copy.setText(self.tr("Copy diagnostics")))
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(button(self.tr("Look again"), "", self.look_again))
        foot.addWidget(button(self.tr("Start the engine again"), "", self._restart))
        foot.addStretch(1)
        foot.addWidget(button(self.tr("Close"), "quiet", self.close))
        foot.addWidget(self._copy)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 16)
        box.setSpacing(12)
        box.addWidget(self._title)
        box.addWidget(self._answer)
        box.addLayout(self._facts)
        box.addWidget(self._report, 1)
        box.addWidget(note)
        box.addLayout(foot)
        theme.changed.connect(self._show)
        model.changed.connect(self._show)
        library.changed.connect(self._show)
        self._show()
        if library.machine is None:
            library.refresh()
        self._copy.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def answer(self) -> str:
        return self._answer.text()

    @property
    def report(self) -> str:
        return self._report.toPlainText()

    def fact(self, name: str) -> str:
        """What stands beside a name, "" if it is not shown."""
        values = zip(self._names, self._values, strict=True)
        return next((v.text() for n, v in values if n.text() == name), "")

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report)
        self._copy.setText(self.tr("Copied"))
        self._copied.start()

    def look_again(self) -> None:
        self._library.refresh()

    def _restart(self) -> None:
        self._model.restart()
        self._library.refresh()

    def _show(self) -> None:
        model, machine = self._model, self._library.machine
        self._title.setText(
            self.tr("Your GPU is used")
            if model.computes_on_gpu
            else self.tr("Why is my GPU not used?")
        )
        if machine is None:
            self._answer.setText(self.tr("Looking at this computer …"))
            return
        said, has_gpu = engine_lines(model.devices, model.loaded, model.failure)
        self._answer.setText(spoken(self._sentence(machine, said, has_gpu)))
        placement = spoken(model.loaded.placement) if model.loaded else ""
        facts = [
            (self.tr("The driver says"), self._driver(machine)),
            (
                self.tr("The engine says"),
                "\n".join(line for line in said if not line.startswith(" ")),
            ),
            (self.tr("The model"), placement if placement != self.answer else ""),
            (self.tr("In main memory"), self._main_memory()),
            (self.tr("Rounding"), self._rounding()),
        ]
        for name, value, (heading, text) in zip(self._names, self._values, facts, strict=True):
            name.setText(heading)
            value.setText(text)
            name.setVisible(bool(text))
            value.setVisible(bool(text))
        text = diagnostics.report(machine, said, has_gpu)
        if text != self.report:
            self._report.setPlainText(text)
        self._report.setFont(self._theme.mono_font(12))

    def _sentence(self, machine: Machine, said: list[str], has_gpu: bool) -> str:
        model = self._model
        if has_gpu and model.loaded is not None:
            return spoken(model.loaded.placement)
        return diagnostics.why_no_gpu(machine, said, has_gpu)

    def _main_memory(self) -> str:
        loaded = self._model.loaded
        if loaded is None or not loaded.main_memory:
            return ""
        return self.tr(
            "%1 of experts that the card has no room for; each layer's are sent a layer ahead."
        ).replace("%1", gigabytes(loaded.main_memory))

    def _rounding(self) -> str:
        loaded = self._model.loaded
        if loaded is None or not loaded.rounding_error:
            return ""
        return self.tr(
            "Experts of 8 bits are kept in 5. The error, measured while loading: %1 %."
        ).replace("%1", written(100 * loaded.rounding_error))

    def _driver(self, machine: Machine) -> str:
        lines = []
        for gpu in machine.gpus:
            line = (
                self.tr("%1, driver %2, compute capability %3")
                .replace("%1", gpu.name)
                .replace("%2", gpu.driver)
                .replace("%3", ".".join(map(str, gpu.compute_capability)))
            )
            lines.append(f"{line}: {spoken(gpu.reason)}" if gpu.reason else line)
        return "\n".join(lines) or spoken(machine.no_gpu)
