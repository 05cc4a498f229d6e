"""Every key that does something."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from sfumato.ui.settings_pages.page import Page
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import label


class ShortcutsPage(Page):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.add_heading(self.tr("Keys"))
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, (keys, what) in enumerate(self._keys()):
            shown = label(keys)
            shown.setFont(theme.mono_font(13))
            grid.addWidget(shown, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(what, "secondary", wrap=True), row, 1)
        self.add_widget(table)
        self.finish()

    def _keys(self) -> list[tuple[str, str]]:
        return [
            ("Ctrl+N", self.tr("New chat")),
            ("Ctrl+K", self.tr("Search in all chats")),
            ("Ctrl+B", self.tr("Show or hide the chats")),
            ("Ctrl+L", self.tr("To the message box")),
            ("Enter", self.tr("Send")),
            ("Shift+Enter", self.tr("New line")),
            ("Esc", self.tr("Stop the answer; close what is open")),
            ("Alt+↑  Alt+↓", self.tr("Previous or next message")),
            ("Ctrl+R", self.tr("Rewrite the selected words of an answer")),
            ("Ctrl+Shift+C", self.tr("Copy the conversation")),
            ("Ctrl+Shift+G", self.tr("Canvas as text or as a grid")),
            ("F2", self.tr("Rename the chat or folder (in the list)")),
            ("Left  Right", self.tr("Collapse or open a folder (in the list)")),
            ("Ctrl++  Ctrl+−  Ctrl+0", self.tr("Larger, smaller, normal size")),
            ("Ctrl+,", self.tr("Settings")),
            ("Space", self.tr("Play or pause a recording")),
            (",  .", self.tr("One step back or on in a recording")),
            ("Ctrl+Q", self.tr("Quit")),
        ]
