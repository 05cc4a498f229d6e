"""How a model's memory fills a device: weights, cache, workspace, what others use, what is left."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from sfumato.ui.theme import Theme, mix

HEIGHT_PX = 14


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes of a device's memory."""

    total: int
    used: int  # by other programs
    weights: int
    cache: int
    workspace: int

    @property
    def needed(self) -> int:
        return self.weights + self.cache + self.workspace

    @property
    def fits(self) -> bool:
        return self.used + self.needed <= self.total


class MemoryBar(QWidget):
    """A bar as long as the memory; what does not fit is drawn beyond its end mark, in danger."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.share: Share | None = None
        self.setFixedHeight(theme.px(HEIGHT_PX))
        theme.changed.connect(self._restyle)

    def _restyle(self) -> None:
        self.setFixedHeight(self._theme.px(HEIGHT_PX))
        self.update()

    def show_share(self, share: Share, words: str) -> None:
        self.share = share
        self.setAccessibleName(words)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, self._theme.px(HEIGHT_PX))

    def segments(self) -> list[tuple[int, QColor]]:
        """Bytes and colour, from the left."""
        share, colors = self.share, self._theme.colors
        if share is None:
            return []
        model = colors.accent if share.fits else colors.danger
        return [
            (share.used, mix(colors.ground, colors.secondary, 0.55)),
            (share.weights, model),
            (share.cache, mix(colors.ground, model, 0.6)),
            (share.workspace, mix(colors.ground, model, 0.3)),
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        share = self.share
        if share is None or share.total <= 0:
            return
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        longest = max(share.total, share.used + share.needed)
        area = QRectF(self.rect())
        end = area.width() * share.total / longest
        clip = QPainterPath()
        clip.addRoundedRect(area, 4, 4)
        painter.setClipPath(clip)
        painter.fillRect(QRectF(0, 0, end, area.height()), colors.line)
        x = 0.0
        for count, color in self.segments():
            width = area.width() * count / longest
            painter.fillRect(QRectF(x, 0, width, area.height()), color)
            x += width
        if not share.fits:
            painter.fillRect(QRectF(end - 1, 0, 2, area.height()), colors.ink)
