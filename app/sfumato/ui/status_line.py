"""The single line under the composer: what is happening, in figures that do not jump."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QLocale, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sfumato.engine.protocol import Denoised, Finished
from sfumato.ui.canvas_layout import settled_share
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, IconButton


class StatusLine(QWidget):
    layout_chosen = Signal(str)  # flow | grid
    source_chosen = Signal(str)  # draft | noise

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text = ""
        self._clock = QElapsedTimer()
        self._committed_tokens = 0
        self._label = ElidedLabel("", self)
        self._label.setProperty("role", "secondary")
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self._grid = IconButton(
            theme, "grid-3x3", self.tr("Show the canvas as a grid"), None, self, size=16
        )
        self._grid.setCheckable(True)
        self._grid.toggled.connect(lambda on: self.layout_chosen.emit("grid" if on else "flow"))
        self._noise = IconButton(
            theme, "waves", self.tr("Show what the model really holds: noise"), None, self, size=16
        )
        self._noise.setCheckable(True)
        self._noise.toggled.connect(lambda on: self.source_chosen.emit("noise" if on else "draft"))
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 8, 0)
        row.setSpacing(4)
        row.addWidget(self._label, 1)
        row.addWidget(self._noise)
        row.addWidget(self._grid)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self._label.setFont(self._theme.figures_font(12))
        self.setFixedHeight(self._theme.px(28))

    def choose(self, layout: str, source: str) -> None:
        """Show the state of the two switches."""
        for switch, on in ((self._grid, layout == "grid"), (self._noise, source == "noise")):
            switch.blockSignals(True)
            switch.setChecked(on)
            switch.blockSignals(False)

    @property
    def text(self) -> str:
        return self._text

    def show_text(self, text: str) -> None:
        self._text = text
        self._label.setText(text)

    def show_hint(self, text: str) -> None:
        """Something passing, such as the address of a link; "" brings the line back."""
        self._label.setText(text or self._text)

    def begin(self) -> None:
        self._clock.start()
        self._committed_tokens = 0

    def count_committed(self, tokens: int) -> None:
        self._committed_tokens += tokens

    def show_step(self, event: Denoised) -> None:
        """`block 2 · step 7 of 48 · 61 % settled · 212 tokens/s`"""
        settled = settled_share(event.entropy)
        parts = [
            self.tr("block %1").replace("%1", str(event.block + 1)),
            self.tr("step %1 of %2")
            .replace("%1", str(event.step))
            .replace("%2", str(event.max_steps)),
            self.tr("%1 % settled").replace("%1", f"{settled * 100:.0f}"),
        ]
        seconds = self._clock.elapsed() / 1000 if self._clock.isValid() else 0.0
        if self._committed_tokens and seconds > 0.5:
            rate = self._committed_tokens / seconds
            parts.append(self.tr("%1 tokens/s").replace("%1", f"{rate:.0f}"))
        self.show_text(" · ".join(parts))

    def show_finished(self, event: Finished) -> None:
        parts = [
            self.tr("%n block(s)", "", event.blocks),
            self.tr("%n step(s)", "", event.steps),
            self.tr("%n token(s)", "", event.tokens),
            self.tr("%1 s").replace("%1", QLocale().toString(event.seconds, "f", 1)),
            self.tr("%1 tokens/s").replace("%1", f"{event.tokens_per_second:.0f}"),
        ]
        self.show_text(" · ".join(parts))
