"""A sentence that needs an answer: an error with one button that helps, or something to undo."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import IconButton, button, label

UNDO_MS = 12_000


class Banner(QFrame):
    """Hidden until `show_error` or `show_notice`; one at a time, the latest wins."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._detail_text = ""
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._advice = label("", "secondary", wrap=True)
        self._detail = QPlainTextEdit()
        self._detail.setReadOnly(True)
        self._detail.setFixedHeight(120)
        self._detail.setAccessibleName(self.tr("Details"))
        self._show_detail = button(self.tr("Details"), "quiet", self._toggle_detail)
        self._copy = button(self.tr("Copy details"), "quiet", self._copy_detail)
        self._action = button("", "", lambda: None)
        self._close = IconButton(theme, "x", self.tr("Close"), self.hide, self, size=16)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._text)
        words.addWidget(self._advice)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addLayout(words, 1)
        row.addWidget(self._show_detail)
        row.addWidget(self._copy)
        row.addWidget(self._action)
        row.addWidget(self._close)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 8, 8, 8)
        box.addLayout(row)
        box.addWidget(self._detail)
        self._timer = QTimer(self, singleShot=True, interval=UNDO_MS)
        self._timer.timeout.connect(self.hide)
        self._on_action: Callable[[], object] | None = None
        self._action.clicked.connect(self._act)
        self.hide()

    @property
    def sentence(self) -> str:
        return self._text.text() if not self.isHidden() else ""

    def show_error(
        self,
        sentence: str,
        advice: str = "",
        action: str = "",
        on_action: Callable[[], object] | None = None,
        detail: str = "",
    ) -> None:
        self._timer.stop()
        self._show("banner", sentence, advice, action, on_action, detail)

    def show_notice(
        self, sentence: str, action: str = "", on_action: Callable[[], object] | None = None
    ) -> None:
        """Something that happened, with a way back; goes by itself."""
        self._show("notice", sentence, "", action, on_action, "")
        self._timer.start()

    def _show(
        self,
        kind: str,
        sentence: str,
        advice: str,
        action: str,
        on_action: Callable[[], object] | None,
        detail: str,
    ) -> None:
        self.setObjectName(kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self._text.setText(sentence)
        self._advice.setText(advice)
        self._advice.setVisible(bool(advice))
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._on_action = on_action
        self._detail_text = detail.strip()
        self._show_detail.setVisible(bool(self._detail_text))
        self._copy.hide()
        self._detail.hide()
        self._detail.setPlainText(self._detail_text)
        self._detail.setFont(self._theme.mono_font(12))
        self.setAccessibleName(sentence)
        self.show()

    def _act(self) -> None:
        self.hide()
        if self._on_action is not None:
            self._on_action()

    def _toggle_detail(self) -> None:
        shown = self._detail.isHidden()
        self._detail.setVisible(shown)
        self._copy.setVisible(shown)

    def _copy_detail(self) -> None:
        lines = (self._text.text(), self._advice.text(), self._detail_text)
        QGuiApplication.clipboard().setText("\n".join(line for line in lines if line))

    def action_button(self) -> QWidget:
        return self._action

    def label(self) -> QLabel:
        return self._text
