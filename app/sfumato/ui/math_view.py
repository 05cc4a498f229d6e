"""A formula in a paragraph of its own; one that is too wide is made smaller, then scrolls."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from sfumato.ui.math import Formula

SMALLEST = 0.8  # of the text size
AIR_PX = 4  # above and below


class _Drawing(QWidget):
    def __init__(self, formula: Formula) -> None:
        super().__init__()
        self._formula = formula
        self.scale = 1.0
        self.setAccessibleName(formula.source)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(0, AIR_PX)
        painter.scale(self.scale, self.scale)
        self._formula.paint(painter, QPointF(0, self._formula.ascent))


class MathView(QScrollArea):
    """Its owner asks `height_for` and sets the geometry. Copying gives the LaTeX source."""

    def __init__(self, formula: Formula, math_cost: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._formula = formula
        self.math_cost = math_cost
        self.setObjectName("formula")
        self.setAccessibleName(formula.source)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setAutoFillBackground(False)
        self._drawing = _Drawing(formula)
        self.setWidget(self._drawing)
        self._drawing.setAutoFillBackground(False)

    def height_for(self, width: int) -> int:
        formula = self._formula
        scale = min(1.0, max(SMALLEST, width / formula.width))
        wanted = int(formula.width * scale + 0.999)
        height = int((formula.ascent + formula.descent) * scale + 0.999) + 2 * AIR_PX
        self._drawing.scale = scale
        self._drawing.resize(QSize(wanted, height))
        bar = self.horizontalScrollBar().sizeHint().height() if wanted > width else 0
        return height + bar

    def shown_text(self) -> str:
        return self._formula.source

    def wheelEvent(self, event: QWheelEvent) -> None:
        sideways = event.angleDelta().x() or (
            event.modifiers() & Qt.KeyboardModifier.ShiftModifier and event.angleDelta().y()
        )
        if sideways:
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - sideways)
            event.accept()
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self._formula.source)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            super().keyPressEvent(event)
        else:
            event.ignore()
