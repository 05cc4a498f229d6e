"""Marks the words of a search in a text, as the store finds them: by their beginnings."""

from __future__ import annotations

import re

from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

MOST = 500  # places marked in one text: more would be slow, and no help


def mark_words(view: QTextEdit | QPlainTextEdit, query: str, ground: QColor) -> QRect | None:
    """Show where the words of `query` stand ("" for none); the first place, if there is one."""
    look = QTextCharFormat()
    look.setBackground(ground)
    document = view.document()
    found: list[QTextEdit.ExtraSelection] = []
    for word in re.findall(r"\w+", query):
        cursor = document.find(word)
        while not cursor.isNull() and len(found) < MOST:
            start = cursor.selectionStart()
            # In scripts that put no spaces between words, a word begins anywhere.
            if not word.isascii() or not start or not document.characterAt(start - 1).isalnum():
                place = QTextEdit.ExtraSelection()
                place.cursor = QTextCursor(cursor)
                place.format = look
                found.append(place)
            cursor = document.find(word, cursor)
    view.setExtraSelections(found)
    if not found:
        return None
    first = QTextCursor(document)
    first.setPosition(min(place.cursor.selectionStart() for place in found))
    return view.cursorRect(first).translated(view.viewport().pos())
