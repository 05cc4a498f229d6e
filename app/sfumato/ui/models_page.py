"""Models: what runs on this computer and how well, download, check, choose, remove."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sfumato.download.library import Found
from sfumato.download.machine import Machine
from sfumato.download.progress import Progress, Stage
from sfumato.paths import built_in_guide
from sfumato.services.model import ModelService
from sfumato.services.model_library import ModelLibrary, ModelRow
from sfumato.services.self_test import SelfTest
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken, written
from sfumato.ui.profile_choice import ProfileChoice
from sfumato.ui.question import question
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, IconButton, button, label, set_role

GUIDE_ID = "guide"
HEAD_PX = 32
FRAME_PX = 1  # as the theme draws it


class ModelCard(QFrame):
    """One model: a line of words, a line of what can be done, and progress between them."""

    acted = Signal(str, object)  # what, ModelRow

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._theme = theme
        self._row: ModelRow | None = None
        self._title = label("", "heading")
        self._title.setFont(theme.interface_font(14, semibold=True))
        self._size = ElidedLabel()  # gives way where the buttons need the room
        self._size.setProperty("role", "secondary")
        self._size.setFont(theme.figures_font())
        self._note = label("", wrap=True)
        self._fit = label("", "secondary", wrap=True)
        self._error = label("", "danger", wrap=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._figures = label("", "secondary", wrap=True)
        self._figures.setFont(theme.figures_font(12))
        self._buttons: dict[str, QPushButton] = {}
        head = QHBoxLayout()
        head.addStrut(theme.px(HEAD_PX))  # the title stands where it stands beside buttons
        head.setSpacing(8)
        head.addWidget(self._title)
        head.addWidget(self._size, 1)
        for what, text, role in (
            ("download", self.tr("Download"), ""),
            ("resume", self.tr("Go on"), ""),
            ("pause", self.tr("Pause"), ""),
            ("cancel", self.tr("Cancel"), "quiet"),
            ("cancel_load", self.tr("Cancel"), ""),
            ("discard", self.tr("Discard"), "quiet"),
            ("address", self.tr("Another address…"), "quiet"),
            ("import", self.tr("Use this file"), ""),
            ("check", self.tr("Check"), "quiet"),
            ("remove", self.tr("Remove"), "quiet"),
            ("use", self.tr("Use"), ""),
            ("use_anyway", self.tr("Load anyway…"), ""),
        ):
            made = button(text, role, partial(self._act, what))
            self._buttons[what] = made
            head.addWidget(made)
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(16, 12, 12, 12)
        self._box.setSpacing(4)
        self._box.addLayout(head)
        for widget in (self._note, self._fit, self._bar, self._figures, self._error):
            self._box.addWidget(widget)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._hold_height()

    def _hold_height(self) -> None:
        """A list of cards is high enough for all only if each tells its height with its frame."""
        inside = self.width() - 2 * FRAME_PX
        self.setMinimumHeight(self._box.totalMinimumHeightForWidth(inside) + 2 * FRAME_PX)

    def _act(self, what: str) -> None:
        if self._row is not None:
            self.acted.emit(what, self._row)

    def show_row(
        self,
        row: ModelRow,
        *,
        in_use: bool = False,
        recommended: bool = False,
        loading: float | None = None,
        cancellable: bool = False,
        failure: str = "",
    ) -> None:
        """`loading`: the share that is loaded of the model; `failure`: why it could not be."""
        self._row = row
        self._title.setText(row.name)
        self.setAccessibleName(row.name)
        size = gigabytes(row.bytes) if row.bytes else self.tr("size unknown")
        state = ""
        if in_use:
            state = self.tr("in use")
        elif row.state == "here":
            state = self.tr("checked") if row.checked else self.tr("on this computer")
        elif row.state == "changed":
            state = self.tr("changed since it was checked")
        elif row.state == "missing":
            state = self.tr("the file is gone")
        facts = " · ".join(part for part in (size, state) if part)
        self._size.setText(facts)
        self._size.setToolTip(facts)
        self._note.setText(row.note)
        self._note.setVisible(bool(row.note))
        verdict = spoken(row.fit.sentence) if row.fit else ""
        if row.compact_saves:
            saves = self.tr("Compact needs %1 less.")
            verdict = f"{verdict} {saves.replace('%1', gigabytes(row.compact_saves))}"
        self._fit.setText(verdict)
        self._fit.setVisible(row.fit is not None and row.state != "busy")
        error = row.error or failure
        self._error.setText(error)
        self._error.setVisible(bool(error))
        self._show_progress(row, loading)
        self._show_buttons(row, in_use=in_use, recommended=recommended)
        if loading is not None:
            for what, made in self._buttons.items():
                made.setVisible(what == "cancel_load" and cancellable)
        self._hold_height()

    def _show_progress(self, row: ModelRow, loading: float | None) -> None:
        progress = row.progress
        busy = row.state == "busy"
        begun = row.state == "begun"
        shown = busy or begun or loading is not None
        self._bar.setVisible(shown)
        self._figures.setVisible(shown)
        if loading is not None:
            self._bar.setValue(round(1000 * loading))
            percent = f"{100 * loading:.0f}"
            self._figures.setText(self.tr("Loading, %1 %").replace("%1", percent))
        elif begun and row.bytes:
            self._bar.setValue(round(1000 * row.received / row.bytes))
            self._figures.setText(
                self.tr("%1 of %2 are here; the download goes on where it stopped.")
                .replace("%1", gigabytes(row.received))
                .replace("%2", gigabytes(row.bytes))
            )
        elif progress is not None and progress.total:
            self._bar.setValue(round(1000 * progress.bytes / progress.total))
            self._figures.setText(self._sentence(progress))
        elif busy:
            self._bar.setValue(0)
            self._figures.setText(self.tr("Asking where the file is …"))

    def _sentence(self, progress: Progress) -> str:
        share = (
            self.tr("%1 of %2")
            .replace("%1", gigabytes(progress.bytes))
            .replace("%2", gigabytes(progress.total))
        )
        match progress.stage:
            case Stage.CHECKING:
                return self.tr("Checking, %1").replace("%1", share)
            case Stage.PAUSED:
                return self.tr("Paused at %1").replace("%1", share)
            case Stage.WAITING:
                return spoken(progress.note) or self.tr("Waiting, %1").replace("%1", share)
            case Stage.DOWNLOADING:
                parts = [share]
                if progress.bytes_per_second:
                    parts.append(f"{written(progress.bytes_per_second / 1e6)} MB/s")
                if progress.eta_seconds is not None:
                    parts.append(self._left(progress.eta_seconds))
                return " · ".join(parts)
        return spoken(progress.note) or share

    def _left(self, seconds: float) -> str:
        if seconds < 90:
            return self.tr("%1 s left").replace("%1", f"{seconds:.0f}")
        if seconds < 5400:
            return self.tr("%1 min left").replace("%1", f"{seconds / 60:.0f}")
        return self.tr("%1 h left").replace("%1", written(seconds / 3600))

    def _show_buttons(self, row: ModelRow, *, in_use: bool, recommended: bool) -> None:
        progress = row.progress
        paused = progress is not None and progress.stage in (Stage.PAUSED, Stage.WAITING)
        transferring = progress is None or progress.stage is not Stage.CHECKING
        busy = row.state == "busy" and row.id != str(row.path)
        runs = row.fit is None or row.fit.runs
        shown = {
            "download": row.state == "absent",
            "resume": row.state == "begun" or (busy and paused),
            "pause": busy and not paused and transferring,
            "cancel": busy and transferring,
            "discard": row.state == "begun",
            "address": row.state in ("absent", "begun") and bool(row.error),
            "import": False,
            "cancel_load": False,
            "check": row.state in ("here", "changed") and row.id != GUIDE_ID,
            "remove": row.state in ("here", "changed", "missing") and row.id != GUIDE_ID,
            "use": row.state == "here" and not in_use and runs,
            "use_anyway": row.state == "here" and not in_use and not runs,
        }
        for what, made in self._buttons.items():
            made.setVisible(shown[what])
        main = self._buttons["download" if row.state == "absent" else "resume"]
        for made in (self._buttons["download"], self._buttons["resume"]):
            role = "accent" if made is main and recommended else ""
            if made.property("role") != role:
                set_role(made, role)

    def show_found(self, found: Found) -> None:
        """A model in the folder of another program."""
        self._row = ModelRow(str(found.path), found.quant, found.bytes, "", "absent", found.path)
        self._title.setText(found.quant or found.path.name)
        self._size.setText(
            gigabytes(found.bytes)
            + " · "
            + self.tr("found in the folder of %1").replace("%1", found.program)
        )
        self._note.setText(str(found.path))
        for widget in (self._fit, self._bar, self._figures, self._error):
            widget.hide()
        for what, made in self._buttons.items():
            made.setVisible(what == "import")
        self._hold_height()

    @property
    def offers(self) -> list[str]:
        return list(self._buttons)

    @property
    def error(self) -> str:
        return self._error.text() if not self._error.isHidden() else ""

    @property
    def verdict(self) -> str:
        return self._fit.text() if not self._fit.isHidden() else ""

    @property
    def figures(self) -> str:
        return self._figures.text() if not self._figures.isHidden() else ""

    def button(self, what: str) -> QPushButton:
        return self._buttons[what]


class ModelsPage(QWidget):
    closed = Signal()
    chosen = Signal(object)  # Path, or None for the guide
    import_wanted = Signal()
    gpu_wanted = Signal()
    introduction_wanted = Signal()
    load_cancelled = Signal()
    address_wanted = Signal()  # of another hub

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        self_test: SelfTest,
        model: ModelService,
        settings: SettingsService,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._library = library
        self._self_test = self_test
        self._model = model
        self._loaded = model.loaded
        self._cards: dict[str, ModelCard] = {}
        column = QWidget()
        self._box = QVBoxLayout(column)
        self._box.setContentsMargins(24, 8, 24, 32)
        self._box.setSpacing(12)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Models"), "title"))
        head.addStretch(1)
        head.addWidget(button(self.tr("Use a file of mine…"), "", self.import_wanted.emit))
        head.addWidget(
            IconButton(theme, "x", self.tr("Back to the conversation"), self.closed.emit)
        )
        self._box.addLayout(head)
        self._machine = label("", "secondary", wrap=True)
        self._box.addWidget(self._machine)
        self._tested = label("", wrap=True)
        self._box.addWidget(self._tested)
        self._test = button(self.tr("Test the model in use"), "", self_test.run)
        tests = QHBoxLayout()
        tests.setSpacing(8)
        tests.addWidget(self._test)
        self._gpu = button("", "link", lambda: self.gpu_wanted.emit())
        tests.addWidget(self._gpu)
        tests.addStretch(1)
        tests.addWidget(
            button(self.tr("Introduction"), "link", lambda: self.introduction_wanted.emit())
        )
        self._box.addLayout(tests)
        self.profile = ProfileChoice(settings, library, model)
        self._box.addWidget(self.profile)
        self._list = QVBoxLayout()
        self._list.setSpacing(12)
        self._box.addLayout(self._list)
        self._foot = label(
            self.tr(
                "Downloads go on after a pause, a restart or a lost connection, and are checked "
                "byte by byte. Nothing else of Sfumato uses the network."
            ),
            "secondary",
            wrap=True,
        )
        self._box.addWidget(self._foot)
        self._box.addStretch(1)
        self._column = column
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        holder = QWidget()
        middle = QHBoxLayout(holder)
        middle.setContentsMargins(0, 0, 0, 0)
        middle.addStretch(1)
        middle.addWidget(column, 100)
        middle.addStretch(1)
        area.setWidget(holder)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        library.changed.connect(self._show)
        model.changed.connect(self._follow)
        self_test.changed.connect(self._show_test)
        theme.changed.connect(self._restyle)
        self._restyle()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show()
        self._show_test()
        self._library.refresh()

    def _show_test(self) -> None:
        test = self._self_test
        report = test.report
        if test.running:
            self._tested.setText(self.tr("Testing the model in use …"))
        elif report is not None:
            self._tested.setText(f"{spoken(report.sentence)} {spoken(report.advice)}".strip())
        role = "danger" if report is not None and not report.works else ""
        set_role(self._tested, role)
        self._tested.setVisible(test.running or report is not None)
        self._test.setEnabled(not test.running)

    @property
    def tested(self) -> str:
        return self._tested.text()

    def _restyle(self) -> None:
        self._column.setMaximumWidth(self._theme.column_px + 48)

    def _follow(self) -> None:
        """What is loaded decides how much memory another model may have."""
        if self._model.loaded is not self._loaded:
            self._loaded = self._model.loaded
            if self.isVisible():
                self._library.refresh()
        self._show()

    def _guide(self) -> ModelRow:
        path = built_in_guide()
        return ModelRow(
            id=GUIDE_ID,
            name=self.tr("Built-in guide"),
            bytes=path.stat().st_size if path.exists() else None,
            note=self.tr("A small demonstration, not DiffusionGemma; always here."),
            state="here",
        )

    def _show(self) -> None:
        if not self.isVisible():
            return
        model, machine = self._model, self._library.machine
        used = model.computes_on_gpu
        self._gpu.setText(self.tr("Diagnostics") if used else self.tr("Why is my GPU not used?"))
        self._machine.setText(
            MachineWords().sentence(machine) if machine else self.tr("Looking at this computer …")
        )
        recommended = self._library.recommended
        seen = []
        for row in [self._guide(), *self._library.rows]:
            chosen = model.is_guide if row.id == GUIDE_ID else row.path == model.path
            failure = model.failure if chosen and model.state == "failed" else None
            self._card(row.id).show_row(
                row,
                in_use=chosen and model.state == "ready",
                recommended=row.id == recommended,
                loading=model.fraction if chosen and model.state == "loading" else None,
                cancellable=chosen and model.can_cancel,
                failure=f"{spoken(failure.message)} {spoken(failure.advice)}" if failure else "",
            )
            seen.append(row.id)
        for found in self._library.found:
            self._card(str(found.path)).show_found(found)
            seen.append(str(found.path))
        for gone in [key for key in self._cards if key not in seen]:
            self._cards.pop(gone).deleteLater()

    def _card(self, row_id: str) -> ModelCard:
        card = self._cards.get(row_id)
        if card is None:
            card = ModelCard(self._theme)
            card.acted.connect(self._act)
            self._cards[row_id] = card
            self._list.addWidget(card)
        return card

    def card(self, row_id: str) -> ModelCard | None:
        return self._cards.get(row_id)

    def _act(self, what: str, row: ModelRow) -> None:
        library = self._library
        match what:
            case "download":
                library.download(row.id)
            case "resume":
                library.resume(row.id)
            case "pause":
                library.pause(row.id)
            case "cancel":
                library.cancel(row.id, keep_part=True)
            case "discard":
                library.cancel(row.id, keep_part=False)
            case "address":
                self.address_wanted.emit()
            case "import" if row.path is not None:
                library.import_file(row.path)
            case "check" if row.path is not None:
                library.verify(row.path)
            case "remove" if row.path is not None:
                library.remove(row.path)
            case "use":
                self.chosen.emit(row.path)
            case "use_anyway" if row.path is not None and self._is_wanted_anyway(row):
                self.chosen.emit(row.path)
            case "cancel_load":
                self.load_cancelled.emit()

    def _is_wanted_anyway(self, row: ModelRow) -> bool:
        """Whether the person, told the numbers, still wants a model that will not fit."""
        assert row.fit is not None
        box = question(
            self,
            spoken(row.fit.sentence),
            self.tr(
                "Loading may make this computer slow for minutes. If memory runs out, the load "
                "ends with a message; your chats are safe."
            ),
            title=self.tr("Load anyway?"),
        )
        load = box.addButton(self.tr("Load anyway"), QMessageBox.ButtonRole.AcceptRole)
        cancel = box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(cancel)
        box.exec()
        return box.clickedButton() is load


def gigabytes(count: int) -> str:
    """As disks and downloads are labelled: powers of ten."""
    if count >= 1e9:
        return f"{written(count / 1e9)} GB"
    return f"{count / 1e6:.0f} MB"


class MachineWords(QObject):
    """This computer in the words of the window."""

    def gpu(self, machine: Machine) -> str:
        gpu = machine.best_gpu
        if gpu is None:
            return spoken(machine.no_gpu)
        free = self.free(gpu.free_bytes, gpu.total_bytes)
        if not gpu.ours_bytes:
            return f"{gpu.name}, {free}"
        ours = self.tr("%1 held by the loaded model").replace("%1", gigabytes(gpu.ours_bytes))
        return f"{gpu.name}, {free}, {ours}"

    def free(self, free: int, total: int) -> str:
        words = self.tr("%1 of %2 free")
        return words.replace("%1", gigabytes(free)).replace("%2", gigabytes(total))

    def disk(self, machine: Machine) -> str:
        return self.tr("%1 free").replace("%1", gigabytes(machine.disk_free_bytes))

    def sentence(self, machine: Machine) -> str:
        memory = self.tr("%1 of memory free").replace("%1", gigabytes(machine.ram_free_bytes))
        disk = self.tr("%1 of disk free").replace("%1", gigabytes(machine.disk_free_bytes))
        return " · ".join((self.gpu(machine).rstrip("."), memory, disk))
