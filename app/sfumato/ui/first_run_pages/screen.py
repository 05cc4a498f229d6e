"""What the screens have in common: a title, words under it, and what the button on does."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import label


class Screen(QWidget):
    """`changed` says that title or button are others now."""

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._title = label("", "title", wrap=True)
        self._intro = label("", wrap=True)
        self.box = QVBoxLayout(self)
        self.box.setContentsMargins(0, 0, 0, 0)
        self.box.setSpacing(8)
        self.box.addWidget(self._title)
        self.box.addWidget(self._intro)
        theme.changed.connect(self._restyle)
        self._restyle()

    def say(self, title: str, intro: str) -> None:
        self._title.setText(title)
        self._intro.setText(intro)
        self._intro.setVisible(bool(intro))

    @property
    def title(self) -> str:
        return self._title.text()

    @property
    def intro(self) -> str:
        return self._intro.text()

    def next_text(self) -> str:
        """What the button that leads on says."""
        return self.tr("Continue")

    def shown(self) -> None:
        """The screen has come up."""

    def left(self) -> None:
        """It has gone."""

    def _restyle(self) -> None:
        self._intro.setFont(self.theme.text_font())
