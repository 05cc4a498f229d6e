"""A question in a box of its own, whose text and buttons stand between the same edges."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QMessageBox, QSizePolicy, QWidget

MARGINS = (24, 20, 24, 16)


def question(parent: QWidget, text: str, more: str = "", *, title: str = "") -> QMessageBox:
    """Without buttons yet. Both texts are plain, whatever they hold."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(more)
    layout = box.layout()
    if isinstance(layout, QGridLayout):
        layout.setContentsMargins(*MARGINS)
        layout.setHorizontalSpacing(0)
        layout.setColumnStretch(1, 1)
        indent = layout.itemAtPosition(0, 0)  # where an icon would be
        if indent is not None and (space := indent.spacerItem()) is not None:
            space.changeSize(0, 0, QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return box
