"""The canvas while it settles, and afterwards: Flow or Grid, draft or noise, by settledness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from PySide6.QtCore import QElapsedTimer, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from sfumato.ui.canvas_layout import (
    SMOKE_BYTE,
    Flow,
    Grid,
    cell_text,
    flow,
    grid,
    ink_level,
    readable,
)
from sfumato.ui.theme import Theme, mix
from sfumato.ui.widgets import announce

EASE_MS = 120
FRAME_MS = 33
REWRAP_MS = 180  # at most five or six new line breaks a second
CELL_MIN_PX = 40
CELL_HEIGHT_PX = 28
GRID_TINT = 0.6  # of the tint under running text: a whole grid of it would be loud

Layout = Literal["flow", "grid"]
Source = Literal["draft", "noise"]  # the most probable tokens, or what the model really holds
Tint = Literal["ink", "settledness", "free"]  # free: what is not pinned has a ground


class CanvasView(QWidget):
    """Paints one canvas. Its height in Flow never shrinks until `begin_block`."""

    height_changed = Signal()
    pointed = Signal(QRect)  # the keys have gone to the token that stands here
    told = Signal(str)  # that token and its note; "" when the keys are elsewhere

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._layout: Layout = "flow"
        self._tint: Tint = "ink"
        self._pieces: list[str] = []
        self._entropy = b""
        self._pinned = b""
        self._notes: Sequence[str] = ()
        self._at = 0  # the position that the keys have gone to
        self._prefix = ""
        self._offset_x = 0.0
        self._shown: list[float] = []  # level each position is painted at
        self._flow: Flow | None = None
        self._grid: Grid | None = None
        self._floor = 0.0  # least height in Flow
        self._pending_wrap = False
        self._wrapped = QElapsedTimer()
        self._wrap_timer = QTimer(self, singleShot=True)
        self._wrap_timer.timeout.connect(self._wrap)
        self._ease_timer = QTimer(self, interval=FRAME_MS)
        self._ease_timer.timeout.connect(self._ease)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)
        self.setMouseTracking(True)
        theme.changed.connect(self._restyle)

    # What is shown

    def begin_block(self, prefix: str = "") -> None:
        """Empty the canvas for a new block; `prefix` is what already stands in its paragraph."""
        self._prefix = prefix
        self._pieces, self._entropy, self._pinned, self._notes = [], b"", b"", ()
        self._shown = []
        self._flow = self._grid = None
        self._floor = 0.0
        self._wrapped.invalidate()
        self._ease_timer.stop()
        self.updateGeometry()
        self.update()

    def show_step(
        self, pieces: Sequence[str], entropy: bytes, pinned: bytes = b"", *, at_once: bool = False
    ) -> None:
        """Show a state of the canvas; `at_once` skips easing and damping (scrubbing).

        A position without an entropy counts as unsettled: painting must never fail.
        """
        changed = list(pieces) != self._pieces
        self._pieces = list(pieces)
        count = len(self._pieces)
        self._entropy = entropy[:count].ljust(count, b"\xff")
        self._pinned = pinned[:count].ljust(count, b"\0")
        if len(self._shown) != len(pieces):
            self._shown = [0.0] * len(pieces)
            self._flow = None
        if changed or self._flow is None:
            self._grid = None
            if (
                self._flow is None
                or at_once
                or not self._wrapped.isValid()
                or self._wrapped.elapsed() >= REWRAP_MS
            ):
                self._wrap()
            elif not self._wrap_timer.isActive():
                self._wrap_timer.start(max(0, REWRAP_MS - self._wrapped.elapsed()))
        if at_once or self._theme.reduced_motion:
            self._shown = [ink_level(value) for value in self._entropy]
            self._ease_timer.stop()
        elif not self._ease_timer.isActive():
            self._ease_timer.start()
        self.update()

    def set_layout_kind(self, kind: Layout) -> None:
        if kind != self._layout:
            self._layout = kind
            self._floor = 0.0
            self._relayout()

    def set_tint(self, tint: Tint) -> None:
        self._tint = tint
        self.update()

    def set_notes(self, notes: Sequence[str]) -> None:
        """A tooltip a position; arrow keys go from one to the next."""
        self._notes = notes
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if notes else Qt.FocusPolicy.NoFocus)

    @property
    def pieces(self) -> list[str]:
        return list(self._pieces)

    # Layout

    def _wrap(self) -> None:
        self._wrapped.start()
        self._relayout()

    def _relayout(self) -> None:
        self._flow = self._grid = None
        before = self.height()
        wanted = self.heightForWidth(self.width())
        if wanted != before:
            self.setFixedHeight(wanted)
            self.height_changed.emit()
        self.update()

    def _flow_at(self, width: float) -> Flow:
        if self._flow is None:
            theme = self._theme
            self._flow = flow(
                readable(self._pieces),
                min(width, theme.measure_px),
                theme.text_font(),
                theme.line_px,
                theme.paragraph_gap_px,
                self._prefix,
            )
        return self._flow

    def _grid_at(self, width: float) -> Grid:
        if self._grid is None:
            px = self._theme.px
            self._grid = grid(len(self._pieces), width - 1, px(CELL_MIN_PX), px(CELL_HEIGHT_PX))
        return self._grid

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        if not self._pieces:
            return round(max(self._floor, self._theme.line_px))
        if self._layout == "grid":
            return round(self._grid_at(width).height) + 1
        self._floor = max(self._floor, self._flow_at(width).height)
        return round(self._floor)

    def take_width(self, width: int) -> int:
        """Be so wide, at the top of the parent; the height that it takes for it."""
        self.resize(width, self.height())
        height = self.heightForWidth(width)
        self.setFixedHeight(height)
        self.setGeometry(0, 0, width, height)
        return height

    def sizeHint(self) -> QSize:
        return QSize(self._theme.column_px, self.heightForWidth(self.width()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().width() != event.size().width():
            self._floor = 0.0
            self._relayout()

    def _restyle(self) -> None:
        self._floor = 0.0
        self._relayout()

    # Painting

    def _ease(self) -> None:
        """Move every level a step toward its target; stop when all have arrived."""
        share = FRAME_MS / EASE_MS
        moving = False
        for position, value in enumerate(self._entropy):
            target = ink_level(value)
            difference = target - self._shown[position]
            if abs(difference) > 0.02:
                self._shown[position] += difference * min(1.0, share * 1.6)
                moving = True
            else:
                self._shown[position] = target
        if not moving:
            self._ease_timer.stop()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._pieces:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        if self._layout == "grid":
            self._paint_grid(painter, event.rect())
        else:
            self._paint_flow(painter)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colors.accent, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for rect in self._places(self._at):
                ring = rect.adjusted(-1, 1, 1, 0)
                ring.setLeft(max(1.0, ring.left()))
                painter.drawRoundedRect(ring, 3, 3)

    def _tint_at(self, position: int) -> QColor:
        """Ground under a token: nothing where settled, ultramarine where it hesitates."""
        color = QColor(self._theme.colors.tint)
        strength = min(1.0, self._entropy[position] / SMOKE_BYTE)
        color.setAlphaF(color.alphaF() * strength)
        return color

    def _doubtful(self) -> set[int]:
        """The tenth of the positions that is least settled, where it is unsettled at all."""
        order = sorted(range(len(self._entropy)), key=self._entropy.__getitem__, reverse=True)
        return {i for i in order[: len(order) // 10] if self._entropy[i] > SMOKE_BYTE // 8}

    def _paint_flow(self, painter: QPainter) -> None:
        colors = self._theme.colors
        shape = self._flow_at(self.width())
        levels = self._shown
        if self._tint == "settledness":
            painter.setPen(Qt.PenStyle.NoPen)
            for position, rects in enumerate(shape.rects):
                color = self._tint_at(position)
                if color.alpha() > 2:
                    for rect in rects:
                        painter.fillRect(rect.adjusted(0, 2, 0, 1), color)
            painter.setPen(QPen(colors.accent, 1, Qt.PenStyle.DotLine))
            for position in self._doubtful():
                for rect in shape.rects[position]:
                    y = round(rect.bottom())
                    painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
        if self._tint == "free":
            for position, rects in enumerate(shape.rects):
                if not self._pinned[position]:
                    for rect in rects:
                        painter.fillRect(rect.adjusted(0, 2, 0, 1), colors.selection)
        shades = [mix(colors.smoke, colors.ink, step / 16) for step in range(17)]
        settled = self._tint == "settledness"
        for position, runs in enumerate(shape.glyphs):
            level = 16 if settled else round(levels[position] * 16)
            painter.setPen(shades[level])
            for run in runs:
                painter.drawGlyphRun(QPointF(0, 0), run)

    def _paint_grid(self, painter: QPainter, clip: object) -> None:
        colors = self._theme.colors
        shape = self._grid_at(self.width())
        painter.translate(0.5, 0.5)
        font = self._theme.mono_font(10.5)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        shades = [mix(colors.smoke, colors.ink, step / 16) for step in range(17)]
        for position, cell in enumerate(shape.cells):
            color = self._tint_at(position)
            color.setAlphaF(color.alphaF() * GRID_TINT)
            if color.alpha() > 2:
                painter.fillRect(cell, color)
            inner = cell.adjusted(2, 0, -2, 0)
            text = metrics.elidedText(
                cell_text(self._pieces[position]), Qt.TextElideMode.ElideRight, int(inner.width())
            )
            # On a tinted cell smoke would be too faint to read.
            painter.setPen(shades[round(7 + self._shown[position] * 9)])
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter, text)
            if self._pinned[position]:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colors.accent)
                painter.drawEllipse(QRectF(cell.right() - 6, cell.top() + 2, 4, 4))
        painter.setPen(QPen(colors.line, 1))
        right = shape.cells[min(shape.columns, len(shape.cells)) - 1].right()
        height = self._theme.px(CELL_HEIGHT_PX)
        rows = -(-len(shape.cells) // shape.columns)
        for row in range(rows + 1):
            painter.drawLine(QPointF(0, row * height), QPointF(right, row * height))
        for column in range(shape.columns + 1):
            x = column * shape.cells[0].width()
            painter.drawLine(QPointF(x, 0), QPointF(x, shape.height))

    # Pointing at a token

    def position_at(self, point: QPoint) -> int | None:
        """The canvas position under a point of the widget."""
        if not self._pieces:
            return None
        spot = QPointF(point)
        if self._layout == "grid":
            cells = self._grid_at(self.width()).cells
            return next((i for i, cell in enumerate(cells) if cell.contains(spot)), None)
        rects = self._flow_at(self.width()).rects
        return next((i for i, rs in enumerate(rects) if any(r.contains(spot) for r in rs)), None)

    def _places(self, position: int) -> Sequence[QRectF]:
        """Where a token stands, a rectangle a line; none where nothing is shown of it."""
        shape = self._flow_at(self.width()).rects
        if self._layout == "grid":
            shape = [[cell] for cell in self._grid_at(self.width()).cells]
        rects = shape[position] if 0 <= position < len(shape) else []
        return [rect for rect in rects if rect.width() > 0]

    def _go(self, positions: Iterable[int]) -> None:
        """To the first of these that is shown, and say what is known of it."""
        for position in positions:
            if places := self._places(position):
                self._at = position
                self.update()
                self.pointed.emit(places[0].toAlignedRect())
                self.told.emit(self._told())
                announce(self, self._told())
                return

    def _told(self) -> str:
        if self._at >= min(len(self._pieces), len(self._notes)):
            return ""
        return f"“{readable(self._pieces)[self._at].strip()}” · {self._notes[self._at]}"

    def _line_from(self, step: int) -> list[int]:
        """The positions of the line above (-1) or below (1), the nearest to this one first."""
        here = self._places(self._at)
        if not here:
            return []
        spots = [
            (place.top(), abs(place.center().x() - here[0].center().x()), position)
            for position in range(len(self._pieces))
            for place in self._places(position)[:1]
            if (place.top() - here[0].top()) * step > 1
        ]
        line = min((spot[0] * step for spot in spots), default=0.0)
        return [position for top, _, position in sorted(spots) if top * step == line]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        count = len(self._pieces)
        match event.key():
            case Qt.Key.Key_Right:
                self._go(range(self._at + 1, count))
            case Qt.Key.Key_Left:
                self._go(range(self._at - 1, -1, -1))
            case Qt.Key.Key_Down:
                self._go(self._line_from(1))
            case Qt.Key.Key_Up:
                self._go(self._line_from(-1))
            case Qt.Key.Key_Home:
                self._go(range(count))
            case Qt.Key.Key_End:
                self._go(range(count - 1, -1, -1))
            case _:
                super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.told.emit(self._told())
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.told.emit("")
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        # A tooltip by position without overriding event(): a Python event() must not see the
        # deferred deletion of its own widget.
        position = self.position_at(event.position().toPoint()) if self._notes else None
        known = position is not None and position < len(self._notes)
        self.setToolTip(self._notes[position] if known and position is not None else "")
