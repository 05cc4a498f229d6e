"""Watch again: the denoising of a finished answer, to play, to scrub, to copy from."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sfumato.services.recordings import RecordedBlock
from sfumato.store.recordings import StepRecord
from sfumato.ui.canvas_layout import readable, settled_share
from sfumato.ui.canvas_view import CanvasView, Layout, Source
from sfumato.ui.scrubber import Scrubber
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, IconButton

SPEEDS = (2, 4, 8, 16, 30)  # steps a second


@dataclass(frozen=True, slots=True)
class Frame:
    """One step, with the text of the blocks before it."""

    block: int
    number: int  # within its block, 1 is the first
    count: int
    step: StepRecord
    before: list[str]


def frames_of(blocks: list[RecordedBlock]) -> list[Frame]:
    frames = []
    before: list[str] = []
    for block in blocks:
        count = len(block.steps)
        frames += [
            Frame(block.block, number, count, step, list(before))
            for number, step in enumerate(block.steps, 1)
        ]
        before += readable(block.steps[-1].pieces)
    return frames


class RecordingView(QWidget):
    """Stands in the place of the message's text; asks to be closed with `closed`."""

    closed = Signal()
    speed_chosen = Signal(float)
    resized = Signal()

    def __init__(
        self,
        theme: Theme,
        blocks: list[RecordedBlock],
        *,
        layout: Layout = "flow",
        source: Source = "draft",
        steps_per_second: float = 8.0,
        closable: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._closable = closable
        self._frames = frames_of(blocks)
        self._kind: Layout = layout
        self._source: Source = source
        self.canvas = CanvasView(theme, self)
        self.canvas.setAccessibleName(self.tr("The canvas at the chosen step"))
        self.canvas.set_layout_kind(layout)
        self.canvas.height_changed.connect(self.resized)  # noise may be longer than the text
        self.scrubber = Scrubber(theme)
        curve = [frame.step.mean_entropy for frame in self._frames]
        starts = [i for i, frame in enumerate(self._frames) if frame.number == 1]
        self.scrubber.show_curve(curve, starts)
        self.scrubber.valueChanged.connect(self._show)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._advance)
        self._label = ElidedLabel()
        self._label.setProperty("role", "secondary")
        self._label.setFont(theme.figures_font(12))
        self._play = IconButton(theme, "play", self.tr("Play"), self.toggle, self, size=16)
        self._speed = QComboBox()
        self._speed.setFont(theme.figures_font(12))
        self._speed.setAccessibleName(self.tr("Speed"))
        for speed in SPEEDS:
            text = self.tr("%1 steps/s").replace("%1", str(speed))
            self._speed.addItem(text, float(speed))
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - steps_per_second))
        self._speed.setCurrentIndex(nearest)
        self._speed.currentIndexChanged.connect(self._choose_speed)
        self._noise = IconButton(
            theme, "waves", self.tr("What the model really held: noise"), None, self, size=16
        )
        self._noise.setCheckable(True)
        self._noise.setChecked(source == "noise")
        self._noise.toggled.connect(self._choose_source)
        if not any(frame.step.noise_pieces for frame in self._frames):
            self._noise.setEnabled(False)
            self._noise.rename(self.tr("No noise was kept in this recording"))
        self._grid = IconButton(theme, "grid-3x3", self.tr("As a grid"), None, self, size=16)
        self._grid.setCheckable(True)
        self._grid.setChecked(layout == "grid")
        self._grid.toggled.connect(self._choose_layout)
        self._lay_out()
        self._show_last_for_height()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # a click anywhere lets the keys work
        self.setFocusProxy(self.scrubber)

    def _lay_out(self) -> None:
        theme = self._theme
        back = IconButton(
            theme,
            "step-back",
            self.tr("One step back"),
            lambda: self.step(-1),
            size=16,
            shortcut=",",
        )
        forth = IconButton(
            theme,
            "step-forward",
            self.tr("One step on"),
            lambda: self.step(1),
            size=16,
            shortcut=".",
        )
        copy = IconButton(
            theme, "copy", self.tr("Copy the text at this step"), self.copy_text, size=16
        )
        close = IconButton(
            theme, "x", self.tr("Back to the text"), self.closed.emit, size=16, shortcut="Esc"
        )
        row = QHBoxLayout()
        row.setContentsMargins(-4, 0, -4, 0)  # icons stand where those of the actions below do
        row.setSpacing(2)
        for button in (back, self._play, forth):
            row.addWidget(button)
        row.addSpacing(8)
        row.addWidget(self._label, 1)
        row.addWidget(self._speed)
        row.addSpacing(4)
        for button in (self._noise, self._grid, copy, close):
            row.addWidget(button)
        if not self._closable:
            close.hide()
        self._foot = QWidget(self)
        box = QVBoxLayout(self._foot)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addWidget(self.scrubber)
        box.addLayout(row)

    # Showing

    def _show_last_for_height(self) -> None:
        """The last step first, so that the canvas has the height it will need; then the first."""
        if self._frames:
            self.scrubber.setValue(self.scrubber.maximum())
            self._show(self.scrubber.maximum())

    def _pieces(self, frame: Frame) -> list[str]:
        """What the chosen view shows of a step; the draft where no noise was kept."""
        return (self._source == "noise" and frame.step.noise_pieces) or frame.step.pieces

    def _show(self, number: int) -> None:
        frame = self._frames[number]
        pieces, entropy = self._pieces(frame), frame.step.entropy
        if self._kind == "flow":
            pieces = frame.before + pieces
            entropy = bytes(len(frame.before)) + entropy
        self.canvas.show_step(pieces, entropy, at_once=not self.playing)
        self._label.setText(self._sentence(frame))
        self.scrubber.setAccessibleDescription(self._sentence(frame))

    def _sentence(self, frame: Frame) -> str:
        parts = [
            self.tr("block %1").replace("%1", str(frame.block + 1)),
            self.tr("step %1 of %2")
            .replace("%1", str(frame.number))
            .replace("%2", str(frame.count)),
            self.tr("%1 % settled").replace("%1", f"{settled_share(frame.step.entropy) * 100:.0f}"),
        ]
        if self._source == "noise" and not frame.step.noise_pieces:
            parts.append(self.tr("no noise was kept"))
        return " · ".join(parts)

    @property
    def sentence(self) -> str:
        return self._label.text()

    def text_at_step(self) -> str:
        """What is shown; of a draft: what the answer would have been, had it ended here."""
        frame = self._frames[self.scrubber.value()]
        return "".join(frame.before + readable(self._pieces(frame))).strip()

    def copy_text(self) -> None:
        QGuiApplication.clipboard().setText(self.text_at_step())

    # Playing

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def play(self) -> None:
        if self.scrubber.value() == self.scrubber.maximum():
            self.scrubber.setValue(0)
        self._timer.start(round(1000 / float(self._speed.currentData())))
        self._play.set_icon("pause")
        self._play.rename(self.tr("Pause"), self.tr("Space"))

    def pause(self) -> None:
        self._timer.stop()
        self._play.set_icon("play")
        self._play.rename(self.tr("Play"), self.tr("Space"))

    def toggle(self) -> None:
        if self.playing:
            self.pause()
        else:
            self.play()

    def step(self, by: int) -> None:
        self.pause()
        self.scrubber.setValue(self.scrubber.value() + by)

    def _advance(self) -> None:
        if self.scrubber.value() >= self.scrubber.maximum():
            self.pause()
        else:
            self.scrubber.setValue(self.scrubber.value() + 1)

    def _choose_speed(self) -> None:
        speed = float(self._speed.currentData())
        if self.playing:
            self._timer.start(round(1000 / speed))
        self.speed_chosen.emit(speed)

    def _choose_layout(self, grid: bool) -> None:
        self._kind = "grid" if grid else "flow"
        self.canvas.set_layout_kind(self._kind)
        self._show(self.scrubber.value())
        self.resized.emit()

    def _choose_source(self, noise: bool) -> None:
        self._source = "noise" if noise else "draft"
        self._show(self.scrubber.value())
        self.resized.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Space:
                self.toggle()
            case Qt.Key.Key_Comma:
                self.step(-1)
            case Qt.Key.Key_Period:
                self.step(1)
            case _:
                super().keyPressEvent(event)

    # Layout

    def height_for(self, width: int) -> int:
        height = self.canvas.take_width(width)
        foot = self._foot.sizeHint().height()
        self._foot.setGeometry(0, height + 4, width, foot)
        return height + 4 + foot
