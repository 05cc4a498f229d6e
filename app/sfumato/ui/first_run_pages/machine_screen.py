"""This computer, the file that suits it, and how much conversation its memory holds."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from sfumato.download.fit import CONTEXTS, Verdict
from sfumato.download.library import Found
from sfumato.download.machine import Machine
from sfumato.download.network import pools
from sfumato.services.model_library import ModelLibrary, ModelRow
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken
from sfumato.ui.first_run_pages.screen import Screen
from sfumato.ui.memory_bar import MemoryBar, Share
from sfumato.ui.models_page import MachineWords, gigabytes
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, button, label, set_role

STEPS = tuple(reversed(CONTEXTS))  # of the slider, the shortest first
FOUND_SHOWN = 2


class MachineScreen(Screen):
    import_wanted = Signal()
    found_chosen = Signal(object)  # Path of a model in another program's folder

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        settings: SettingsService,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self._library = library
        self._settings = settings
        self._chosen = ""
        self._context_wanted = False  # the person moved the slider
        self._add_facts()
        self._add_model()
        self._found: list[Found] = []
        self._found_box = QVBoxLayout()
        self._found_box.setSpacing(4)
        self.box.addLayout(self._found_box)
        own = button(self.tr("I already have a file…"), "link", lambda: self.import_wanted.emit())
        self.box.addWidget(own, 0, Qt.AlignmentFlag.AlignLeft)
        self.box.addStretch(1)
        library.changed.connect(self._show)
        self._show()

    def _add_facts(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        self._values = []
        names = (self.tr("GPU"), self.tr("Processor"), self.tr("Memory"), self.tr("Disk"))
        for row, name in enumerate(names):
            value = label("", wrap=True)
            grid.addWidget(label(name, "secondary"), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, row, 1)
            self._values.append(value)
        self.box.addSpacing(8)
        self.box.addLayout(grid)
        self.box.addSpacing(12)

    def _add_model(self) -> None:
        self._card = QFrame()
        self._card.setObjectName("card")
        card = QVBoxLayout(self._card)
        card.setContentsMargins(16, 12, 16, 16)
        card.setSpacing(8)
        self.files = QComboBox()
        self.files.setAccessibleName(self.tr("Model file"))
        self.files.currentIndexChanged.connect(self._choose)
        self._note = label("", "secondary", wrap=True)
        self._verdict = label("", wrap=True)
        self.bar = MemoryBar(self.theme)
        self._parts = label("", "secondary", wrap=True)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(STEPS) - 1)
        self.slider.setPageStep(1)
        self.slider.setAccessibleName(self.tr("Context"))
        self.slider.valueChanged.connect(self._choose_context)
        self._context = label("")
        self._memory = label("", "secondary")
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        grid.addWidget(label(self.tr("Context"), "secondary"), 0, 0)
        grid.addWidget(self.slider, 0, 1)
        grid.addWidget(self._context, 0, 2)
        grid.addWidget(self._memory, 1, 0)
        grid.addWidget(self.bar, 1, 1, 1, 2)
        grid.addWidget(self._parts, 2, 1, 1, 2)
        for widget in (self.files, self._note, self._verdict):
            card.addWidget(widget)
        card.addSpacing(4)
        card.addLayout(grid)
        self.box.addWidget(self._card)

    # What is chosen

    @property
    def row(self) -> ModelRow | None:
        return next((row for row in self._library.rows if row.id == self._chosen), None)

    @property
    def context(self) -> int:
        return STEPS[self.slider.value()]

    @property
    def verdict(self) -> str:
        return self._verdict.text()

    def next_text(self) -> str:
        row = self.row
        if row is None or row.fit is None or not row.fit.runs:
            return self.tr("Use the built-in guide")
        if row.state == "here":
            return self.tr("Use it")
        if row.state in ("begun", "busy"):
            return self.tr("Go on with the download")
        size = gigabytes(row.bytes) if row.bytes else ""
        return self.tr("Download %1").replace("%1", size).strip()

    def _offered(self) -> list[ModelRow]:
        """Files of the catalogue that we can judge."""
        return [row for row in self._library.rows if row.fit is not None]

    def _suggested(self) -> ModelRow | None:
        """One that is here or half here, else the first that runs."""
        runs = [row for row in self._offered() if row.fit is not None and row.fit.runs]
        known = [row for row in runs if row.state in ("here", "busy", "begun")]
        return next(iter(known or runs or self._offered()), None)

    # Showing

    def shown(self) -> None:
        self._library.refresh()

    def _show(self) -> None:
        machine = self._library.machine
        self._card.setVisible(machine is not None)
        if machine is None:
            self.say(self.tr("This computer"), self.tr("Looking at this computer …"))
            return
        words = MachineWords()
        facts = (
            words.gpu(machine),
            machine.cpu.name,
            words.free(machine.ram_free_bytes, machine.ram_bytes),
            words.disk(machine),
        )
        for value, text in zip(self._values, facts, strict=True):
            value.setText(text)
            value.setFont(self.theme.figures_font())
        offered = self._offered()
        if not self._chosen:
            suggested = self._suggested()
            self._chosen = suggested.id if suggested else ""
        names = [
            f"{row.name}, {gigabytes(row.bytes)}" if row.bytes else row.name for row in offered
        ]
        if [self.files.itemText(at) for at in range(self.files.count())] != names:
            self.files.blockSignals(True)
            self.files.clear()
            for name, row in zip(names, offered, strict=True):
                self.files.addItem(name, row.id)
            self.files.blockSignals(False)
        at = self.files.findData(self._chosen)
        if at >= 0 and at != self.files.currentIndex():
            self.files.blockSignals(True)
            self.files.setCurrentIndex(at)
            self.files.blockSignals(False)
        self._show_row(machine)
        self._show_found()
        self.changed.emit()

    def _choose(self, at: int) -> None:
        self._chosen = str(self.files.itemData(at) or "")
        self._context_wanted = False
        self._show()

    def _show_row(self, machine: Machine) -> None:
        row = self.row
        fit = row.fit if row else None
        if row is None or fit is None:
            return
        runs = any(other.fit and other.fit.runs for other in self._offered())
        self.say(
            self.tr("This computer"),
            {
                Verdict.FITS: self.tr("Its card holds the whole model: answers come fast."),
                Verdict.PARTLY: self.tr("Its card holds the model in part."),
                Verdict.CPU: self.tr("The model runs here on the processor: slowly."),
                Verdict.TOO_LARGE: self.tr("This file is too large for this computer.")
                if runs
                else self.tr(
                    "No published file runs here yet. The built-in guide does, and shows how "
                    "text diffusion works."
                ),
            }[fit.verdict],
        )
        self._note.setText(row.note)
        self._verdict.setText(spoken(fit.sentence))
        set_role(self._verdict, "" if fit.runs else "danger")
        if not self._context_wanted:
            longest = max(fit.context, STEPS[0])
            start = min(longest, self._settings.current.context)
            nearest = max((at for at, step in enumerate(STEPS) if step <= start), default=0)
            self.slider.blockSignals(True)
            self.slider.setValue(nearest)
            self.slider.blockSignals(False)
        self._show_memory(machine, row)

    def _choose_context(self) -> None:
        self._context_wanted = True
        machine, row = self._library.machine, self.row
        if machine is not None and row is not None:
            self._show_memory(machine, row)

    def apply_context(self) -> None:
        """What was chosen holds from the next load; nothing is changed where nothing was chosen."""
        if self._context_wanted:
            self._settings.change(context=self.context)

    def _show_memory(self, machine: Machine, row: ModelRow) -> None:
        network = self._library.network_of(row.id)
        if network is None:
            return
        needs = pools(network, self.context, self._settings.current.profile)
        gpu = machine.best_gpu
        on_gpu = gpu is not None and row.fit is not None and row.fit.verdict is not Verdict.CPU
        total = gpu.total_bytes if gpu and on_gpu else machine.ram_bytes
        free = gpu.available_bytes if gpu and on_gpu else machine.ram_available_bytes
        share = Share(total, total - free, needs.weights, needs.kv, needs.workspace)
        self._context.setText(self.tr("%1k tokens").replace("%1", f"{self.context // 1024}"))
        self._context.setFont(self.theme.figures_font())
        self._memory.setText(self.tr("Card") if on_gpu else self.tr("Memory"))
        left = free - share.needed
        words = [
            self.tr("weights %1").replace("%1", gigabytes(share.weights)),
            self.tr("conversation %1").replace("%1", gigabytes(share.cache)),
            self.tr("workspace %1").replace("%1", gigabytes(share.workspace)),
            self.tr("%1 left").replace("%1", gigabytes(left))
            if left >= 0
            else self.tr("%1 too much").replace("%1", gigabytes(-left)),
        ]
        self._parts.setText(" · ".join(words))
        self._parts.setFont(self.theme.figures_font(12))
        self.bar.show_share(share, self._parts.text())

    def _show_found(self) -> None:
        found = self._library.found[:FOUND_SHOWN]
        if found == self._found:
            return
        self._found = found
        while (item := self._found_box.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for one in found:
            self._found_box.addWidget(self._found_row(one))

    def _found_row(self, found: Found) -> QWidget:
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        text = (
            self.tr("%1 is here already, in the folder of %2.")
            .replace("%1", found.quant or found.path.name)
            .replace("%2", found.program)
        )
        words = ElidedLabel(text)
        words.setToolTip(str(found.path))
        row.addWidget(words, 1)
        row.addWidget(
            button(self.tr("Use this file"), "", lambda: self.found_chosen.emit(found.path))
        )
        return made
