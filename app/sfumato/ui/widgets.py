"""Small widgets that know nothing of chats: buttons with icons, hairlines, elided labels."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from sfumato.ui.theme import ICON_PX, Theme


class IconButton(QToolButton):
    """An icon that always has a name and a tooltip; follows the theme."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        on_click: Callable[[], object] | None = None,
        parent: QWidget | None = None,
        *,
        size: int = ICON_PX,
        shortcut: str = "",
        accent: bool = False,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._accent = accent
        self._icon = icon
        self._size = size
        self.rename(name, shortcut)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if on_click is not None:
            self.clicked.connect(lambda: on_click())
        theme.changed.connect(self._restyle)
        self._restyle()

    def rename(self, name: str, shortcut: str = "") -> None:
        self.setAccessibleName(name)
        self.setToolTip(f"{name}  {shortcut}" if shortcut else name)

    def set_icon(self, icon: str) -> None:
        self._icon = icon
        self._restyle()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange and self._accent:
            self._restyle()

    def _restyle(self) -> None:
        size = self._theme.px(self._size)
        on_accent = self._accent and self.isEnabled()
        color = self._theme.colors.on_accent if on_accent else None
        self.setIcon(self._theme.icon(self._icon, color, size))
        self.setIconSize(QSize(size, size))


class ElidedLabel(QLabel):
    """One line of plain text, cut with an ellipsis where it does not fit."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent, textFormat=Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(40)
        self._painted = True

    def set_painted(self, painted: bool) -> None:
        """Keep the place but show nothing."""
        self._painted = painted
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._painted:
            return
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), self.alignment() | Qt.AlignmentFlag.AlignVCenter, text)


def announce(source: QWidget, sentence: str) -> None:
    """Say something to a screen reader, once what it says now is said."""
    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(source, sentence))


def label(text: str, role: str = "", *, wrap: bool = False) -> QLabel:
    """Plain text, whatever it holds."""
    made = QLabel(text, textFormat=Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if role:
        made.setProperty("role", role)
    return made


def button(text: str, role: str, on_click: Callable[[], object]) -> QPushButton:
    made = QPushButton(text)
    made.setProperty("role", role)
    made.setAutoDefault(False)
    made.clicked.connect(lambda: on_click())
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Of a widget that was styled already."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def hairline(*, vertical: bool = False) -> QFrame:
    line = QFrame()
    line.setObjectName("line")
    if vertical:
        line.setFixedWidth(1)
    else:
        line.setFixedHeight(1)
    return line
