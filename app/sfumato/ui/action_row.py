"""The actions under a message: seen on hover, on focus and under the last message."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QFocusEvent, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import ElidedLabel, IconButton, label

ROW_PX = 28


class _Button(IconButton):
    """Keeps its place and its keyboard focus while the row is not revealed."""

    row: ActionRow

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.row.revealed or self.hasFocus():
            super().paintEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.row.reveal_for_focus(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.row.reveal_for_focus(False)


class ActionRow(QWidget):
    def __init__(self, theme: Theme, parent: QWidget | None = None, *, right: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme
        self._buttons: list[_Button] = []
        self._hovered = False
        self._focused = False
        self._always = False
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._note = ElidedLabel("", self)
        self._note.setProperty("role", "secondary")
        self._note.setFont(theme.figures_font(12))
        if right:
            self._layout.addStretch(1)
            self._note.hide()

    def add(self, icon: str, name: str, on_click: Callable[[], object]) -> QToolButton:
        made = _Button(self._theme, icon, name, on_click, self, size=16)
        made.row = self
        self._buttons.append(made)
        self._layout.addWidget(made)
        return made

    def add_menu(self, name: str, fill: Callable[[QMenu], None]) -> None:
        """A button whose menu is made when it is opened."""

        def show() -> None:
            menu = QMenu(opened)
            fill(menu)
            menu.exec(opened.mapToGlobal(opened.rect().bottomLeft()))
            menu.deleteLater()

        opened = self.add("ellipsis", name, show)

    def add_versions(self, current: int, count: int, go: Callable[[int], object]) -> None:
        """‹ 2/3 ›: steps through the versions of a message; always seen."""
        back = self.add("chevron-left", self.tr("Previous version"), lambda: go(-1))
        shown = label(f"{current}/{count}", "secondary")
        shown.setFont(self._theme.figures_font(12))
        shown.setAccessibleName(
            self.tr("Version %1 of %2").replace("%1", str(current)).replace("%2", str(count))
        )
        self._layout.addWidget(shown)
        forth = self.add("chevron-right", self.tr("Next version"), lambda: go(1))
        back.setEnabled(current > 1)
        forth.setEnabled(current < count)
        self._always = True

    def finish(self, note: str = "") -> None:
        """All actions are added; `note` is a figure or two about the message."""
        self._note.setText(note)
        self._layout.addSpacing(8)
        self._layout.addWidget(self._note, 1)
        self._show_note()

    @property
    def revealed(self) -> bool:
        return self._hovered or self._focused or self._always

    def reveal_always(self, always: bool) -> None:
        self._always = always
        self._show_note()
        self.update()

    def reveal_for_hover(self, hovered: bool) -> None:
        self._hovered = hovered
        self._show_note()
        self.update()

    def reveal_for_focus(self, focused: bool) -> None:
        self._focused = focused
        self._show_note()
        self.update()

    def _show_note(self) -> None:
        # Not painted rather than hidden: nothing moves.
        self._note.set_painted(self.revealed)
