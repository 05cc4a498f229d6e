"""A sentence that needs an answer: an error with one button that helps, or something to undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import IconButton, announce, button, label

UNDO_MS = 12_000
MARGINS_PX = 24
LONG_TEXT = 120  # characters; the buttons then stand below


Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Message:
    kind: str  # banner (an error) | notice
    sentence: str
    advice: str = ""
    action: str = ""
    on_action: Act | None = None
    other: str = ""
    on_other: Act | None = None
    detail: str = ""
    on_close: Act | None = None
    closable: bool = True


class Banner(QFrame):
    """Hidden until `show_…`; one at a time, the latest wins.

    A message with `on_close` stands until a person has closed it: another may cover it, and gives
    way to it again.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._advice = label("", "secondary", wrap=True)
        self._detail = QPlainTextEdit()
        self._detail.setReadOnly(True)
        self._detail.setFixedHeight(120)
        self._detail.setAccessibleName(self.tr("Details"))
        self._show_detail = button(self.tr("Details"), "quiet", self._toggle_detail)
        self._copy = button(self.tr("Copy details"), "quiet", self._copy_detail)
        self._action = button("", "", lambda: self._act(self._message.on_action))
        self._other = button("", "quiet", lambda: self._act(self._message.on_other))
        self._close = IconButton(theme, "x", self.tr("Close"), self.dismiss, self, size=16)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._text)
        words.addWidget(self._advice)
        self._buttons = QWidget()
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._buttons)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._row.addStretch(1)
        for made in (self._show_detail, self._copy, self._other, self._action):
            self._row.addWidget(made, 0, Qt.AlignmentFlag.AlignRight)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(16, 8, 8, 8)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(0, 1)
        self._grid.addLayout(words, 0, 0)
        self._grid.addWidget(self._close, 0, 2)
        self._grid.addWidget(self._detail, 2, 0, 1, 3)
        self._timer = QTimer(self, singleShot=True, interval=UNDO_MS)
        self._timer.timeout.connect(self._time_over)
        self._message = _Message("notice", "")
        self._covered: list[_Message] = []
        self.hide()

    @property
    def sentence(self) -> str:
        return self._text.text() if not self.isHidden() else ""

    def show_error(
        self,
        sentence: str,
        advice: str = "",
        action: str = "",
        on_action: Act | None = None,
        detail: str = "",
        *,
        other: str = "",
        on_other: Act | None = None,
        on_close: Act | None = None,
    ) -> None:
        """`action` is the button that helps, `other` a second way."""
        self._show(
            _Message(
                "banner",
                sentence,
                advice=advice,
                action=action,
                on_action=on_action,
                other=other,
                on_other=on_other,
                detail=detail.strip(),
                on_close=on_close,
            )
        )

    def show_notice(self, sentence: str, action: str = "", on_action: Act | None = None) -> None:
        """Something that happened, with a way back; goes by itself."""
        self._show(_Message("notice", sentence, action=action, on_action=on_action))
        self._timer.start()

    def show_progress(self, sentence: str, action: str, on_action: Act) -> None:
        """Something that goes on until it is hidden or replaced, with a way to end it."""
        if not self.isHidden() and self._message.on_action == on_action:
            self._text.setText(sentence)
            return
        self._show(_Message("notice", sentence, action=action, on_action=on_action, closable=False))

    def end_progress(self, on_action: Act) -> None:
        """What could be ended by this is over."""
        if self._message.on_action == on_action:
            self.dismiss()

    def clear(self) -> None:
        """Something new begins: what only passes goes, what must be seen stays."""
        if self._message.on_close is None:
            self.dismiss()

    def dismiss(self) -> None:
        """A person has seen it, or its time is over."""
        closed, self._message = self._message, _Message("notice", "")
        self.hide()
        if closed.on_close is not None:
            closed.on_close()
        if self._covered and self.isHidden():
            self._show(self._covered.pop())

    def _time_over(self) -> None:
        focused = self.focusWidget()
        if self.underMouse() or (focused is not None and focused.hasFocus()):
            self._timer.start()  # somebody is about to use it
        else:
            self.dismiss()

    def _show(self, message: _Message) -> None:
        self._timer.stop()
        if self._message.on_close is not None:
            self._covered.append(self._message)
        self._message = message
        self.setObjectName(message.kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self._text.setText(message.sentence)
        self._advice.setText(message.advice)
        self._advice.setVisible(bool(message.advice))
        for made, text in ((self._action, message.action), (self._other, message.other)):
            made.setText(text)
            made.setVisible(bool(text))
        self._show_detail.setVisible(bool(message.detail))
        self._close.setVisible(message.closable)
        self._place_buttons(message)
        self._copy.hide()
        self._detail.hide()
        self._detail.setPlainText(message.detail)
        self._detail.setFont(self._theme.mono_font(12))
        self.setAccessibleName(message.sentence)
        self.show()
        announce(self, message.sentence)

    def _place_buttons(self, message: _Message) -> None:
        """Beside a short sentence, below a long one or where there are several."""
        count = sum(map(bool, (message.action, message.other, message.detail)))
        below = count > 1 or len(message.sentence + message.advice) > LONG_TEXT
        self._grid.removeWidget(self._buttons)
        top = Qt.AlignmentFlag.AlignTop if below else Qt.AlignmentFlag.AlignVCenter
        self._grid.setAlignment(self._close, top)
        if below:
            self._grid.addWidget(self._buttons, 1, 0, 1, 3)
        else:
            self._grid.addWidget(self._buttons, 0, 1)
        self._buttons.setVisible(count > 0)
        self._turn_buttons()

    def _turn_buttons(self) -> None:
        """In one row, or below each other where they do not fit."""
        made = (self._show_detail, self._copy, self._other, self._action)
        widths = [each.sizeHint().width() + 8 for each in made if not each.isHidden()]
        fits = sum(widths) <= self.width() - MARGINS_PX
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.LeftToRight if fits else directions.TopToBottom)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn_buttons()

    def _act(self, act: Act | None) -> None:
        self.dismiss()
        if act is not None:
            act()

    def _toggle_detail(self) -> None:
        shown = self._detail.isHidden()
        self._detail.setVisible(shown)
        self._copy.setVisible(shown)
        self._turn_buttons()

    def _copy_detail(self) -> None:
        message = self._message
        lines = (message.sentence, message.advice, message.detail)
        QGuiApplication.clipboard().setText("\n".join(line for line in lines if line))

    def action_button(self) -> QWidget:
        return self._action

    def label(self) -> QLabel:
        return self._text
