"""A fence of code: language, Copy, no wrapping; it scrolls sideways and never up and down."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QTextCharFormat, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QFrame, QLabel, QPlainTextEdit, QToolButton, QWidget

from sfumato.ui.markdown import Code
from sfumato.ui.theme import Colors, Theme
from sfumato.ui.unsettled import underline, without_signs

MAX_HIGHLIGHT = 64 * 1024  # characters; pygments takes seconds for hostile megabytes
HEADER_PX = 32
MARGIN_PX = 12


class _Text(QPlainTextEdit):
    def wheelEvent(self, event: QWheelEvent) -> None:
        sideways = event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            sideways = sideways or event.angleDelta().y()
        if not sideways:
            event.ignore()
            return
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - sideways)
        event.accept()

    def line_px(self) -> float:
        """Height of one line as this widget lays it out."""
        return self.blockBoundingRect(self.document().firstBlock()).height()


class CodeBlock(QFrame):
    def __init__(self, theme: Theme, code: Code, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("codeblock")
        self._theme = theme
        self._code = replace(code, text=without_signs(code.text, code.marks))
        label = code.language or self.tr("code")
        if code.hidden:
            label += " · " + self.tr("%n invisible character(s) removed", "", code.hidden)
        self._language = QLabel(label, self, textFormat=Qt.TextFormat.PlainText)
        self._language.setProperty("role", "secondary")
        self._language.setFont(theme.interface_font(12))
        self._copy = QToolButton(self)
        self._copy.setIcon(theme.icon("copy", size=16))
        self._copy.setText(self.tr("Copy"))
        self._copy.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._copy.setFont(theme.interface_font(12))
        self._copy.setAccessibleName(self.tr("Copy code"))
        self._copy.clicked.connect(self._copy_code)
        self._text = _Text(self)
        self._text.setObjectName("code")
        self._text.setReadOnly(True)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._text.setFrameShape(QFrame.Shape.NoFrame)
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._text.setTabChangesFocus(True)
        self._text.setFont(theme.mono_font())
        self._text.setTabStopDistance(4 * QFontMetricsF(theme.mono_font()).horizontalAdvance(" "))
        self._text.document().setDocumentMargin(0)
        self._text.setAccessibleName(self.tr("Code, %1").replace("%1", label))
        self._fill(code.text)
        underline(self._text.document(), code.marks, theme.colors.secondary)

    def _fill(self, text: str) -> None:
        lexer = lexer_for(self._code.language) if len(text) <= MAX_HIGHLIGHT else None
        if lexer is None:
            self._text.setPlainText(text)
            return
        cursor = QTextCursor(self._text.document())
        formats = _formats(self._theme.colors)
        cursor.beginEditBlock()
        for kind, value in lexer.get_tokens(text):
            cursor.insertText(value, _format_of(kind, formats))
        cursor.endEditBlock()
        while self._text.document().lastBlock().length() == 1 and self._text.blockCount() > 1:
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.deletePreviousChar()
        self._text.moveCursor(QTextCursor.MoveOperation.Start)

    def height_for(self, width: int) -> int:
        px = self._theme.px
        header = px(HEADER_PX)
        line = self._text.line_px()
        inner = width - 2 * MARGIN_PX
        wide = self._longest_px() > inner - 2
        bar = self._text.horizontalScrollBar().sizeHint().height() if wide else 0
        height = int(self._text.blockCount() * line + 0.999) + 2 + bar
        self._copy.adjustSize()
        self._language.setGeometry(MARGIN_PX, 0, width // 2, header)
        self._copy.move(width - self._copy.width() - 4, (header - self._copy.height()) // 2 + 1)
        self._text.setGeometry(MARGIN_PX, header, inner, height)
        return header + height + MARGIN_PX

    @property
    def text_view(self) -> QPlainTextEdit:
        return self._text

    def shown_text(self) -> str:
        return self._code.text

    def _longest_px(self) -> float:
        """Width of the longest line; the document itself knows it only once it was painted."""
        metrics = QFontMetricsF(self._text.font())
        lines = sorted(self._code.text.expandtabs(4).split("\n"), key=len)[-4:]
        return max(metrics.horizontalAdvance(line[:2000]) for line in lines)

    def _copy_code(self) -> None:
        QGuiApplication.clipboard().setText(self._code.text)
        self._copy.setText(self.tr("Copied"))


@cache
def lexer_for(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language) if language else None
    except ClassNotFound:
        return None


def _formats(colors: Colors) -> dict[_TokenType, QTextCharFormat]:
    formats = {}
    for kind, color in (
        (Keyword, colors.code_keyword),
        (String, colors.code_string),
        (Comment, colors.code_comment),
        (Number, colors.code_number),
        (Name.Function, colors.code_name),
        (Name.Class, colors.code_name),
        (Name.Builtin, colors.code_name),
        (Name.Decorator, colors.code_name),
        (Name.Tag, colors.code_keyword),
        (Operator.Word, colors.code_keyword),
    ):
        shape = QTextCharFormat()
        shape.setForeground(color)
        formats[kind] = shape
    return formats


def _format_of(kind: _TokenType, formats: dict[_TokenType, QTextCharFormat]) -> QTextCharFormat:
    at: _TokenType | None = kind
    while at is not None:
        if at in formats:
            return formats[at]
        at = at.parent
    return QTextCharFormat()
