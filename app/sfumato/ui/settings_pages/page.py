"""What the pages have in common: a scrolling column of headed rows with a sentence under each."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import label

CONTROL_PX = 200
TICK_PX = 22  # of a check box without a text
NUMBER_PX = 148  # of a field beside which its Reset stands
NUMBER_MARGIN_PX = 6  # where a style sheet's padding does not reach


class Page(QScrollArea):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self._column = QWidget()
        self._box = QVBoxLayout(self._column)
        self._box.setContentsMargins(24, 20, 24, 24)
        self._box.setSpacing(16)
        self.setWidget(self._column)

    def add_heading(self, text: str) -> None:
        made = label(text, "heading")
        made.setFont(self.theme.interface_font(15, semibold=True))
        if self._box.count():
            self._box.addSpacing(8)  # nearer to what it is the heading of
        self._box.addWidget(made)

    def add_note(self, text: str) -> None:
        self._box.addWidget(label(text, "secondary", wrap=True))

    def add_row(self, name: str, note: str, *controls: QWidget, width: int = CONTROL_PX) -> None:
        """A setting: its name and what it does on the left, its control on the right.

        `width` is that of lists and fields, before zoom.
        """
        words = QVBoxLayout()
        words.setSpacing(2)
        if name:
            words.addWidget(label(name, wrap=True))
        if note:
            words.addWidget(label(note, "secondary", wrap=True))
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addLayout(words, 1)
        for control in controls:
            if not control.accessibleName():
                control.setAccessibleName(name)
            if isinstance(control, QCheckBox) and not control.text():
                control.setFixedWidth(TICK_PX)
            elif isinstance(control, QComboBox | QAbstractSpinBox | QLineEdit):
                control.setFixedWidth(self.theme.px(width))
            row.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)
        self._box.addLayout(row)

    def add_widget(self, widget: QWidget) -> None:
        self._box.addWidget(widget)

    def finish(self) -> None:
        self._box.addStretch(1)


def set_in(box: QAbstractSpinBox) -> None:
    """The number stands as far from the edge as the text of other controls."""
    box.lineEdit().setTextMargins(NUMBER_MARGIN_PX, 0, NUMBER_MARGIN_PX, 0)


def choice(options: list[tuple[str, object]], current: object) -> QComboBox:
    """A list of texts with their values; an unknown current value shows the first."""
    box = QComboBox()
    for text, value in options:
        box.addItem(text, value)
    values = [value for _, value in options]
    box.setCurrentIndex(values.index(current) if current in values else 0)
    return box
