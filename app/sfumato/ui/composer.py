"""The prompt box: grows with the text, Send becomes Stop."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import IconButton, label

MAX_PASTE = 256 * 1024  # characters


class _Prompt(QPlainTextEdit):
    submitted = Signal()
    focused = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.send_with = "enter"

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            if control or (self.send_with == "enter" and not shift):
                self.submitted.emit()
                return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focused.emit(False)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if source.hasText():
            self.insertPlainText(source.text()[:MAX_PASTE])

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText()


class Composer(QFrame):
    submitted = Signal(str)
    stopped = Signal()
    edited = Signal(str)
    thinking_toggled = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self._theme = theme
        self._busy = False
        self._filling = False
        self._max_height = 240
        self._prompt = _Prompt(self)
        self._prompt.setObjectName("prompt")
        self._prompt.setFrameShape(QFrame.Shape.NoFrame)
        self._prompt.setTabChangesFocus(True)
        self._prompt.setAccessibleName(self.tr("Your message"))
        self._prompt.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._prompt.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._prompt.document().setDocumentMargin(0)
        self._prompt.submitted.connect(self._submit)
        self._prompt.focused.connect(self._show_focus)
        self._prompt.textChanged.connect(self._changed)
        self._count = label("", "secondary")
        self.thinking = IconButton(
            theme, "lightbulb", self.tr("Think before answering"), None, self, size=16
        )
        self.thinking.setCheckable(True)
        self.thinking.toggled.connect(self.thinking_toggled)
        self._send = IconButton(theme, "arrow-up", self.tr("Send"), self._press, self, accent=True)
        self._send.setObjectName("send")
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(8)
        foot.addWidget(self.thinking)
        foot.addStretch(1)
        foot.addWidget(self._count)
        foot.addWidget(self._send)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 12, 8, 8)
        box.setSpacing(4)
        box.addWidget(self._prompt)
        box.addLayout(foot)
        theme.changed.connect(self._restyle)
        self._restyle()
        self._update_send()

    def set_placeholder(self, text: str) -> None:
        self._prompt.setPlaceholderText(text)

    def set_send_with(self, keys: str) -> None:
        self._prompt.send_with = keys

    def set_max_height(self, height: int) -> None:
        self._max_height = height
        self._fit()

    def set_busy(self, busy: bool) -> None:
        """Stop in the place of Send while an answer is being written."""
        self._busy = busy
        self._send.set_icon("square" if busy else "arrow-up")
        self._send.rename(self.tr("Stop") if busy else self.tr("Send"), "Esc" if busy else "")
        self._update_send()

    def show_count(self, text: str) -> None:
        self._count.setText(text)

    def text(self) -> str:
        return self._prompt.toPlainText()

    def set_text(self, text: str) -> None:
        """Put a draft in place; not reported as an edit."""
        self._filling = True
        self._prompt.setPlainText(text)
        self._prompt.moveCursor(self._prompt.textCursor().MoveOperation.End)
        self._filling = False

    def focus(self) -> None:
        self._prompt.setFocus()

    def _press(self) -> None:
        if self._busy:
            self.stopped.emit()
        else:
            self._submit()

    def _submit(self) -> None:
        text = self.text()
        if not self._busy and text.strip():
            self.submitted.emit(text)

    def _changed(self) -> None:
        self._fit()
        self._update_send()
        if not self._filling:
            self.edited.emit(self.text())

    def _update_send(self) -> None:
        self._send.setEnabled(self._busy or bool(self.text().strip()))

    def _show_focus(self, focused: bool) -> None:
        self.setProperty("focused", focused)
        self.style().unpolish(self)
        self.style().polish(self)

    def _restyle(self) -> None:
        self._prompt.setFont(self._theme.text_font())
        # The placeholder is painted in this one, which does not follow once it has a style.
        self._prompt.viewport().setFont(self._theme.text_font())
        self._count.setFont(self._theme.figures_font(12))
        size = self._theme.px(32)
        self._send.setFixedSize(size, size)
        self._fit()

    def _fit(self) -> None:
        """As high as its text, at least one line and at most a third of the window."""
        # A plain text document counts its height in lines.
        lines = max(1.0, self._prompt.document().size().height())
        line = self._prompt.fontMetrics().lineSpacing()
        wanted = int(lines * line) + 6
        self._prompt.setFixedHeight(min(max(wanted, line + 6), self._max_height))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()
