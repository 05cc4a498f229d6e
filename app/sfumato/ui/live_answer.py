"""The answer that is being written: committed text, and under it the canvas that settles.

A draft continues in the line where the committed text ends, so that it stands where its final
text will stand; when its block is committed, the draft fades out over that text.
"""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QPoint, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from sfumato.engine.protocol import Committed, Denoised
from sfumato.store.types import Spans
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.canvas_view import CanvasView, Layout, Source
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import announce, label

FADE_MS = 150
FOOT_PX = 28  # as high as the actions that will stand under the finished message


class _Fade(QWidget):
    """A picture of the draft that dissolves over the committed text."""

    def __init__(self, picture: QPixmap, parent: QWidget) -> None:
        super().__init__(parent)
        self._picture = picture
        self._opacity = 1.0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(1.0)
        self._animation.setEndValue(0.0)
        self._animation.setDuration(FADE_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._step)
        self._animation.finished.connect(self.deleteLater)

    def start(self) -> None:
        self.show()
        self._animation.start()

    def _step(self, value: float) -> None:
        self._opacity = value
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        painter.drawPixmap(0, 0, self._picture)


class LiveAnswer(QWidget):
    resized = Signal()
    link_clicked = Signal(str, str)
    link_hovered = Signal(str)

    def __init__(
        self,
        theme: Theme,
        message_id: int,
        text: str,
        unsettled: Spans = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.message_id = message_id
        self._theme = theme
        self._text = text
        self._unsettled = unsettled
        self._source: Source = "draft"
        self._layout_kind: Layout = "flow"
        self._last: Denoised | None = None
        self._width = 0
        self._floor = 0
        self.setAccessibleName(self.tr("Answer, being written"))
        self._waiting = label("", "secondary")
        self._waiting.setParent(self)
        self._stack = BlockStack(theme, self, name=self.tr("Answer"))
        self._stack.link_clicked.connect(self.link_clicked)
        self._stack.link_hovered.connect(self.link_hovered)
        self._thought = BlockStack(theme, self, name=self.tr("Thinking"), secondary=True)
        self._thinking = ""
        self.canvas = CanvasView(theme, self)
        self.canvas.setAccessibleName(self.tr("The block being written"))
        self.canvas.hide()
        self.canvas.height_changed.connect(self.resized)
        if text:
            self._stack.show_markdown(text, unsettled)

    # What happens

    def show_waiting(self, sentence: str) -> None:
        """A sentence where the answer will stand, "" for none."""
        if sentence != self._waiting.text():
            self._waiting.setText(sentence)
            self.resized.emit()

    def show_step(self, event: Denoised) -> None:
        self.show_waiting("")
        first_of_block = self._last is None or self._last.block != event.block
        self._last = event
        if first_of_block:
            self._begin_block()
            announce(self, self.tr("Writing, block %1").replace("%1", str(event.block + 1)))
        pieces = event.noise_pieces if self._source == "noise" else event.pieces
        self.canvas.show_step(pieces, event.entropy, event.pinned)

    def show_committed(self, event: Committed) -> None:
        self.show_waiting("")
        fade = None
        if self.canvas.isVisible() and not self._theme.reduced_motion:
            fade = _Fade(self.canvas.grab(), self)
            fade.setGeometry(self.canvas.geometry())
        if not event.settled and event.text:
            begin = len(self._text)
            self._unsettled = (*self._unsettled, (begin, begin + len(event.text)))
        self._text += event.text
        self._thinking += event.thinking
        self._stack.show_markdown(self._text, self._unsettled)
        if self._thinking.strip():
            self._thought.show_markdown(self._thinking)
        self.canvas.hide()
        self._floor = 0
        self.resized.emit()
        if fade is not None:
            fade.raise_()
            fade.start()
        announce(self, self.tr("Block %1 done").replace("%1", str(event.block + 1)))

    def set_source(self, source: Source) -> None:
        self._source = source
        if self._last is not None:
            self.show_step(self._last)

    def set_layout_kind(self, kind: Layout) -> None:
        self._layout_kind = kind
        self.canvas.set_layout_kind(kind)
        self._place_canvas()
        self.resized.emit()

    def announce_whole(self) -> None:
        """The finished answer, once and without the signs of its Markdown."""
        announce(self, self._stack.shown_text().strip())

    @property
    def text(self) -> str:
        return self._text

    # Layout

    def _begin_block(self) -> None:
        prefix = ""
        if self._layout_kind == "flow" and self._text and not self._text.endswith("\n"):
            tail = self._stack.tail()
            # Markdown drops the spaces at the end of a paragraph; the draft goes on behind them.
            spaces = len(self._text) - len(self._text.rstrip(" "))
            prefix = tail[0].rstrip() + " " * spaces if tail else ""
        self.canvas.begin_block(prefix)
        self.canvas.set_layout_kind(self._layout_kind)
        self._place_canvas()
        self.canvas.show()
        self.resized.emit()

    def _origin(self) -> QPoint:
        """Top left of the canvas: in the last line of the text, or under it."""
        top = self._stack.y()
        if self._stack.is_empty:
            return QPoint(0, top)
        under = top + self._stack.height()
        if self._layout_kind == "flow" and not self._text.endswith("\n"):
            tail = self._stack.tail()
            if tail is not None:
                return QPoint(round(tail[1].x()), top + round(tail[1].y()))
        return QPoint(0, under + self._theme.paragraph_gap_px)

    def _place_canvas(self) -> None:
        if self._width <= 0:
            return
        origin = self._origin()
        width = self._width - origin.x()
        if self._layout_kind == "flow":
            width = min(width, self._theme.measure_px - origin.x())
        height = self.canvas.heightForWidth(width)
        self.canvas.setFixedHeight(height)
        self.canvas.setGeometry(origin.x(), origin.y(), width, height)

    def height_for(self, width: int) -> int:
        self._width = width
        y = 0
        if self._thinking.strip():
            height = self._thought.height_for(width)
            self._thought.setGeometry(0, y, width, height)
            y += height + self._theme.paragraph_gap_px
        height = self._stack.height_for(width)
        self._stack.setGeometry(0, y, width, height)
        y += height
        if not self.canvas.isHidden():
            self._place_canvas()
            y = max(y, self.canvas.geometry().bottom() + 1)
        self._waiting.setVisible(bool(self._waiting.text()))
        if self._waiting.text():
            height = self._theme.line_px
            self._waiting.setGeometry(0, y, width, height)
            y += height
        self._floor = max(self._floor, y)
        return self._floor + self._theme.px(FOOT_PX) + 4
