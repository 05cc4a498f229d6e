"""What floats by selected words of an answer: Rewrite, and then what to write there."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QToolButton, QWidget

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import IconButton, button

WORDS_PX = 260


class RewriteBar(QFrame):
    """A button that opens into a line for words; its owner puts it where the selection ends."""

    opened = Signal()
    accepted = Signal(str)  # the words that the new text must begin with; "" for none
    closed = Signal()
    resized = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("rewritebar")
        self._theme = theme
        self.open_button = QToolButton(self)
        self.open_button.setText(self.tr("Rewrite …"))
        self.open_button.setAccessibleName(self.tr("Rewrite selection"))
        self.open_button.setToolTip(self.tr("Rewrite selection") + "  Ctrl+R")
        self.open_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.open_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.open_button.clicked.connect(self.opened)
        self.words = QLineEdit(self)
        self.words.setPlaceholderText(self.tr("Begin with these words (optional)"))
        self.words.setAccessibleName(self.tr("Words that the new text begins with, optional"))
        self.words.setMaxLength(1000)
        self.words.returnPressed.connect(self._accept)
        self.rewrite = button(self.tr("Rewrite"), "accent", self._accept)
        self.rewrite.setToolTip(self.tr("The model writes the selection anew; all else is pinned"))
        self._close = IconButton(
            theme, "x", self.tr("Close"), self.closed.emit, self, size=16, shortcut="Esc"
        )
        self._row = QHBoxLayout(self)
        self._row.setSpacing(4)
        for widget in (self.open_button, self.words, self.rewrite, self._close):
            self._row.addWidget(widget)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    def _restyle(self) -> None:
        self.open_button.setFont(self._theme.interface_font(12))
        self.open_button.setIcon(self._theme.icon("pencil", size=14))
        self.words.setFixedWidth(self._theme.px(WORDS_PX))

    def show_closed(self) -> None:
        self._show(opened=False)

    def show_open(self) -> None:
        self.words.clear()
        self._show(opened=True)
        self.words.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def is_open(self) -> bool:
        return not self.isHidden() and not self.words.isHidden()

    def _show(self, *, opened: bool) -> None:
        self.open_button.setVisible(not opened)
        for widget in (self.words, self.rewrite, self._close):
            widget.setVisible(opened)
        margin = 6 if opened else 1
        self._row.setContentsMargins(margin, margin, margin, margin)
        self.show()
        self._row.activate()
        self.resize(self.sizeHint())
        self.raise_()
        self.resized.emit()

    def _accept(self) -> None:
        words = self.words.text()
        self.hide()
        self.accepted.emit(words)
