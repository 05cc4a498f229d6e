"""The time line of a recording: a tick a step, and above it the curve of mean entropy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from sfumato.ui.theme import Theme

HEIGHT_PX = 56
CURVE_PX = 34
HANDLE_PX = 10
INSET_PX = HANDLE_PX / 2 + 5  # so that the ring around the handle is whole at both ends


class Scrubber(QSlider):
    """A slider over frames, so that keys and screen readers know it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self._curve: Sequence[float] = ()
        self._starts: frozenset[int] = frozenset()
        self.setPageStep(1)
        self.setFixedHeight(theme.px(HEIGHT_PX))
        self.setAccessibleName(self.tr("Step of the recording"))
        self.setMouseTracking(True)

    def show_curve(self, mean_entropy: Sequence[float], block_starts: Sequence[int]) -> None:
        """One value a frame, in nats; the frames at which a block begins."""
        self._curve = [value if isfinite(value) else 0.0 for value in mean_entropy]
        self._starts = frozenset(block_starts)
        self.setRange(0, max(0, len(mean_entropy) - 1))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, self._theme.px(HEIGHT_PX))

    def _x(self, frame: float) -> float:
        return INSET_PX + (self.width() - 2 * INSET_PX) * frame / max(1, self.maximum())

    def _frame_at(self, x: float) -> int:
        share = (x - INSET_PX) / max(1.0, self.width() - 2 * INSET_PX)
        return round(min(1.0, max(0.0, share)) * self.maximum())

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line_y = self.height() - 12.0
        top = line_y - self._theme.px(CURVE_PX)
        highest = max(max(self._curve, default=0.0), 1e-9)
        now = self.sliderPosition()
        points = [
            QPointF(self._x(i), line_y - 4 - (line_y - 4 - top) * min(1.0, max(0.0, v / highest)))
            for i, v in enumerate(self._curve)
        ]
        for first, last in self._blocks():
            path = QPainterPath(points[first])
            for point in points[first + 1 : last + 1]:
                path.lineTo(point)
            painter.setPen(QPen(colors.smoke, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(path)
        if points:
            painter.save()
            painter.setClipRect(QRectF(0, 0, self._x(now), self.height()))
            for first, last in self._blocks():
                path = QPainterPath(points[first])
                for point in points[first + 1 : last + 1]:
                    path.lineTo(point)
                painter.setPen(QPen(colors.accent, 1.5))
                painter.drawPath(path)
            painter.restore()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(
            QRectF(self._x(0), line_y, self._x(self.maximum()) - self._x(0), 1), colors.line
        )
        for frame in range(self.maximum() + 1):
            passed = frame <= now
            length = 9.0 if frame in self._starts and frame else 4.0
            painter.fillRect(
                QRectF(round(self._x(frame)), line_y, 1, length),
                colors.accent if passed else colors.smoke,
            )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.ground, 2))
        painter.setBrush(colors.accent)
        middle = QPointF(self._x(now), line_y)
        painter.drawEllipse(middle, HANDLE_PX / 2 + 1, HANDLE_PX / 2 + 1)
        if self.hasFocus():
            painter.setPen(QPen(colors.accent, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(middle, HANDLE_PX / 2 + 4, HANDLE_PX / 2 + 4)

    def _blocks(self) -> list[tuple[int, int]]:
        """First and last frame of each block."""
        starts = [*sorted(self._starts), len(self._curve)]
        return [(a, b - 1) for a, b in pairwise(starts) if b > a]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(True)
        self.setSliderPosition(self._frame_at(event.position().x()))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderPosition(self._frame_at(event.position().x()))
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
