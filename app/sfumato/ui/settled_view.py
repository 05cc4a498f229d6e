"""How settled: every token of a finished answer tinted by how long the model hesitated over it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sfumato.services.recordings import RecordedBlock
from sfumato.ui.canvas_layout import SMOKE_BYTE
from sfumato.ui.canvas_view import CanvasView
from sfumato.ui.settledness import TokenHistory, histories
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, IconButton, label


class _Ramp(QWidget):
    """The tint from settled to hesitant, with the dotted line of the least settled tenth."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setFixedSize(theme.px(72), theme.px(16))

    def sizeHint(self) -> QSize:
        return self.size()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        strong = self._theme.colors.tint
        none = QColor(strong)
        none.setAlpha(0)
        ramp = QLinearGradient(0, 0, self.width(), 0)
        ramp.setColorAt(0, none)
        ramp.setColorAt(1, strong)
        painter.fillRect(QRectF(0, 0, self.width(), self.height() - 2), ramp)
        painter.setPen(QPen(self._theme.colors.accent, 1, Qt.PenStyle.DotLine))
        y = self.height() - 1
        painter.drawLine(QPointF(self.width() * 0.8, y), QPointF(self.width(), y))


class SettledView(QWidget):
    closed = Signal()
    resized = Signal()

    def __init__(
        self, theme: Theme, blocks: list[RecordedBlock], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        pieces: list[str] = []
        strength = bytearray()
        notes: list[str] = []
        for block in blocks:
            found = histories(block.steps)
            pieces += block.steps[-1].pieces
            strength += bytes(round(history.hesitation**1.4 * SMOKE_BYTE) for history in found)
            notes += [self.note(history) for history in found]
        self.canvas = CanvasView(theme, self)
        self.canvas.setAccessibleName(self.tr("The answer, tinted by how settled each token is"))
        self.canvas.setAccessibleDescription(
            self.tr("The arrow keys go from token to token and tell how each settled.")
        )
        self.canvas.set_tint("settledness")
        self.canvas.set_notes(notes)
        self.canvas.show_step(pieces, bytes(strength), at_once=True)
        self.canvas.told.connect(self._tell)
        self._foot = QWidget(self)
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        font = theme.interface_font(12)
        self._sentence = ElidedLabel()
        self._sentence.setProperty("role", "secondary")
        self._tell("")
        close = IconButton(theme, "x", self.tr("Back to the text"), self.closed.emit, size=16)
        for widget in (
            label(self.tr("settled"), "secondary"),
            _Ramp(theme),
            label(self.tr("hesitated"), "secondary"),
            self._sentence,
        ):
            widget.setFont(font)
            row.addWidget(widget)
        row.setStretchFactor(self._sentence, 1)
        row.addWidget(close)
        self.setFocusProxy(self.canvas)

    def _tell(self, note: str) -> None:
        self._sentence.setText(
            note or self.tr("It says how sure the model was, not whether it is right.")
        )

    def note(self, history: TokenHistory) -> str:
        """For the tooltip of a token."""
        settled = (
            self.tr("Settled at step %1 of %2")
            .replace("%1", str(history.settled_at))
            .replace("%2", str(history.steps))
        )
        changes = self.tr("%n change(s) of mind", "", history.changes)
        return f"{settled} · {changes}"

    def height_for(self, width: int) -> int:
        height = self.canvas.heightForWidth(width)
        self.canvas.setFixedHeight(height)
        self.canvas.setGeometry(0, 0, width, height)
        foot = self._foot.sizeHint().height()
        self._foot.setGeometry(0, height + 8, width, foot)
        return height + 8 + foot
