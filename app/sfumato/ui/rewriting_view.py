"""The answer while a part of it is rewritten: what is pinned stands in ink, the gap settles."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sfumato.engine.protocol import Denoised
from sfumato.services.rewriting import Rewrite, in_words
from sfumato.ui.canvas_layout import SMOKE_BYTE, readable
from sfumato.ui.canvas_view import CanvasView
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, IconButton

OPEN_BYTE = SMOKE_BYTE // 3  # no position of the gap looks more settled than this: none is


class RewritingView(QWidget):
    """Stands in the place of the message's text; asks with `stopped` to be given up."""

    stopped = Signal()
    resized = Signal()

    def __init__(self, theme: Theme, run: Rewrite, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._run = run
        self.canvas = CanvasView(theme, self)
        self.canvas.set_tint("free")
        self.canvas.setAccessibleName(self.tr("The answer; the selection is being rewritten"))
        self.canvas.height_changed.connect(self.resized)
        self._foot = QWidget(self)
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self._label = ElidedLabel()
        self._label.setProperty("role", "secondary")
        self._label.setFont(theme.figures_font(12))
        row.addWidget(self._label, 1)
        row.addWidget(
            IconButton(
                theme,
                "square",
                self.tr("Stop; the answer stays as it was"),
                self.stopped.emit,
                size=16,
                shortcut="Esc",
            )
        )
        self._show_start()

    def _show_start(self) -> None:
        """Before the first step, the words that are about to go stand there as unsettled."""
        gap = self._run.gap
        text = gap.block.text
        parts = [in_words(part) for part in (text[: gap.start], gap.text, text[gap.stop :])]
        first = len(parts[0])
        end = first + len(parts[1])
        pieces = [piece for part in parts for piece in part]
        entropy = bytes(SMOKE_BYTE if first <= at < end else 0 for at in range(len(pieces)))
        self._show(pieces, entropy, first, end)

    def show_step(self, event: Denoised) -> None:
        entropy = bytes(
            0 if pinned else max(value, OPEN_BYTE)
            for value, pinned in zip(event.entropy, event.pinned, strict=True)
        )
        gap = self._run.gap
        self._show(readable(event.pieces), entropy, gap.first, gap.end)

    def _show(self, pieces: list[str], entropy: bytes, first: int, end: int) -> None:
        """`first` and `end` of the gap, which is pinned itself where words were asked for."""
        run = self._run
        before, after = in_words(run.before), in_words(run.after)
        flags = bytes(not first <= at < end for at in range(len(pieces)))
        shown = [*before, *pieces, *after]
        self.canvas.show_step(
            shown,
            bytes(len(before)) + entropy + bytes(len(after)),
            b"\1" * len(before) + flags + b"\1" * len(after),
            # What stands still does not come into focus first.
            at_once=len(shown) != len(self.canvas.pieces),
        )
        parts = [self.tr("Rewriting %n token(s)", "", run.tokens)]
        if len(run.gaps) > 1:
            parts.append(
                self.tr("part %1 of %2")
                .replace("%1", str(run.at + 1))
                .replace("%2", str(len(run.gaps)))
            )
        if run.step:
            parts.append(self.tr("step %1").replace("%1", str(run.step)))
        self._label.setText(" · ".join(parts))

    @property
    def sentence(self) -> str:
        return self._label.text()

    def height_for(self, width: int) -> int:
        height = self.canvas.take_width(width)
        foot = self._foot.sizeHint().height()
        self._foot.setGeometry(0, height + 4, width, foot)
        return height + 4 + foot
