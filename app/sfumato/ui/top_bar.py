"""Above the conversation: the sidebar's switch, the chat's name, the model and its state."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from sfumato.ui.theme import Theme, mix
from sfumato.ui.widgets import ElidedLabel, IconButton

DOT_PX = 8


class ModelButton(QPushButton):
    """Name and state of the model; the dot is filled when a GPU computes."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._name = ""
        self._state = ""
        self._filled = False
        self._failed = False
        self.setProperty("role", "quiet")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def show_model(self, name: str, state: str, *, filled: bool, failed: bool) -> None:
        self._name, self._state, self._filled, self._failed = name, state, filled, failed
        self.setAccessibleName(self.tr("Model") + f": {name}, {state}")
        self.updateGeometry()
        self.update()

    @property
    def shown(self) -> str:
        return f"{self._name} · {self._state}" if self._state else self._name

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self.shown) + DOT_PX + 8 + 24
        return QSize(width, self._theme.px(32))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color: QColor = colors.danger if self._failed else colors.accent
        painter.setPen(color)
        painter.setBrush(color if self._filled else Qt.BrushStyle.NoBrush)
        middle = self.height() / 2
        painter.drawEllipse(QRectF(12, middle - DOT_PX / 2, DOT_PX, DOT_PX))
        painter.setPen(colors.ink)
        metrics = self.fontMetrics()
        x = 12.0 + DOT_PX + 8
        baseline = middle + (metrics.ascent() - metrics.descent()) / 2
        painter.drawText(QPointF(x, baseline), self._name)
        if self._state:
            x += metrics.horizontalAdvance(self._name)
            painter.setPen(mix(colors.secondary, colors.ink, 0.0))
            painter.drawText(QPointF(x, baseline), f" · {self._state}")


class TopBar(QWidget):
    sidebar_toggled = Signal()
    model_clicked = Signal()
    load_cancelled = Signal()
    gpu_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.sidebar_button = IconButton(
            theme,
            "panel-left",
            self.tr("Show or hide the chats"),
            self.sidebar_toggled.emit,
            self,
            shortcut="Ctrl+B",
        )
        self._title = ElidedLabel()
        self.model_button = ModelButton(theme)
        self.model_button.clicked.connect(lambda: self.model_clicked.emit())
        self.cancel_button = IconButton(
            theme, "x", self.tr("Cancel loading"), self.load_cancelled.emit, self, size=16
        )
        self.cancel_button.hide()
        why = QAction(self.tr("Why is my GPU used or not?"), self.model_button)
        why.triggered.connect(lambda: self.gpu_wanted.emit())
        self.model_button.addAction(why)
        self.model_button.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(8)
        row.addWidget(self.sidebar_button)
        row.addWidget(self._title, 1)
        row.addWidget(self.model_button)
        row.addWidget(self.cancel_button)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_title(self, title: str) -> None:
        self._title.setText(title)

    def _restyle(self) -> None:
        self._title.setFont(self._theme.interface_font(semibold=True))
