"""One finished message: the user's words as a quiet block, an answer as text on the ground."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QAction, QEnterEvent, QFontMetricsF, QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QMenu, QPlainTextEdit, QToolButton, QWidget

from sfumato.store.types import Message
from sfumato.ui.action_row import ROW_PX, ActionRow
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.found_words import mark_words
from sfumato.ui.markdown import Plain
from sfumato.ui.prose_view import ProseView
from sfumato.ui.theme import Theme
from sfumato.ui.unsettled import parse_marked
from sfumato.ui.widgets import button, label

BUBBLE_SHARE = 0.82  # of the column at most
BUBBLE_X_PX = 16
BUBBLE_Y_PX = 10
LONG_PROMPT = 6000  # characters shown of a pasted prompt until it is opened


class MessageWidget(QFrame):  # a frame, because screen readers pass over plain widgets
    """Its owner asks `height_for` and sets the geometry; `acted` names what was chosen."""

    acted = Signal(str, int)  # copy edit regenerate continue watch settled branch delete …
    edited = Signal(int, str)
    link_clicked = Signal(str, str)
    link_hovered = Signal(str)
    text_made = Signal(object)  # a view of the answer's text
    resized = Signal()

    def __init__(
        self, theme: Theme, message: Message, *, recorded: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.message = message
        self._theme = theme
        self._recorded = recorded
        self._bubble: QFrame | None = None
        self._bubble_text: ProseView | None = None
        self._editor: QPlainTextEdit | None = None
        self._editor_buttons: list[QWidget] = []
        self._panel: QWidget | None = None
        self._stack: BlockStack | None = None
        self._thinking: QToolButton | None = None
        self._thought: BlockStack | None = None
        self._notes: list[QLabel] = []
        self._whole = False
        self._building: Iterator[None] = iter(())
        from_user = message.role == "user"
        self._who = self.tr("You") if from_user else self.tr("Answer")
        self.setAccessibleName(self._who)
        if from_user:
            self._make_bubble()
        else:
            self._make_answer()
        self._row = ActionRow(theme, self, right=from_user)
        self._add_actions(from_user)

    # Parts

    def _make_bubble(self) -> None:
        self._bubble = QFrame(self)
        self._bubble.setObjectName("bubble")
        self._bubble_text = ProseView(self._theme, self._bubble)
        self._bubble_text.setAccessibleName(self._who)
        self._show_prompt()

    def _show_prompt(self) -> None:
        assert self._bubble_text is not None
        text = self.message.text
        if len(text) > LONG_PROMPT and not self._whole:
            text = text[:LONG_PROMPT] + " …"
        self._bubble_text.show_plain(text)

    def _make_answer(self) -> None:
        message = self.message
        if message.thinking.strip():
            self._thinking = QToolButton(self)
            self._thinking.setText(self.tr("Thinking"))
            self._thinking.setCheckable(True)
            self._thinking.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self._thinking.setIcon(self._theme.icon("chevron-right", size=14))
            self._thinking.toggled.connect(self._toggle_thinking)
        self._stack = BlockStack(self._theme, self, name=self._who)
        self._stack.link_clicked.connect(self.link_clicked)
        self._stack.link_hovered.connect(self.link_hovered)
        self._stack.text_made.connect(self.text_made)
        self._building = self._build(self._stack)
        if message.role == "system":
            self._note(self.tr("Summary of the earlier chat; the model reads it with each prompt"))
        elif message.role not in ("user", "assistant"):
            self._note(self.tr("Shown as it is stored: “%1”").replace("%1", message.role))
        if message.state == "failed":
            self._note(message.error or self.tr("The answer failed."), "danger")
        elif message.state == "interrupted":
            self._note(self.tr("Sfumato was closed while this was being written."))
        elif message.state == "stopped":
            self._note(self.tr("Stopped"))
        elif message.stats.reason == "length":
            self._note(self.tr("The longest answer allowed ends here."))
        elif message.stats.reason == "context":
            self._note(self.tr("The context is full; the answer ends here."))
        if message.unsettled or message.unsettled_thinking:
            self._note(
                self.tr(
                    "Did not settle: what is underlined with dots ran out of steps before it was"
                    " stable."
                )
            )
        elif not message.settled:
            self._note(self.tr("Did not settle: a block ran out of steps before it was stable."))
        if message.edited:
            self._note(self.tr("Edited by you"))

    def _build(self, stack: BlockStack) -> Iterator[None]:
        message = self.message
        blocks = (
            [Plain(message.text)] if message.raw else parse_marked(message.text, message.unsettled)
        )
        yield
        yield from stack.build(blocks)

    def build_step(self) -> bool:
        """Make a little more of the message; False when all of it is there."""
        return next(self._building, self) is not self

    def _note(self, text: str, role: str = "secondary") -> None:
        made = label(text, role, wrap=True)
        made.setParent(self)
        made.setFont(self._theme.interface_font(12))
        self._notes.append(made)

    def _add_actions(self, from_user: bool) -> None:
        message, row = self.message, self._row
        if len(message.versions) > 1:
            row.add_versions(message.version, len(message.versions), self._go)
        row.add("copy", self.tr("Copy message"), lambda: self._act("copy"))
        if from_user:
            row.add("pencil", self.tr("Edit and send again"), self.begin_edit)
        elif message.role != "system":
            row.add("rotate-ccw", self.tr("Try again"), lambda: self._act("regenerate"))
            if self._can_continue():
                row.add("skip-forward", self.tr("Continue"), lambda: self._act("continue"))
            if self._recorded:
                row.add("history", self.tr("Watch again"), lambda: self._act("watch"))
                row.add("droplets", self.tr("How settled"), lambda: self._act("settled"))
        row.add_menu(self.tr("More"), self._fill_menu)
        row.finish("" if from_user else self._figures())

    def _can_continue(self) -> bool:
        cut = self.message.state in ("stopped", "interrupted", "failed")
        return bool(self.message.text) and (
            cut or self.message.stats.reason in ("length", "stopped")
        )

    def _figures(self) -> str:
        stats = self.message.stats
        if not stats.tokens:
            return ""
        tokens = self.tr("%n token(s)", "", stats.tokens)
        if stats.rewritten:
            tokens = self.tr("%n token(s) rewritten", "", stats.tokens)
        return " · ".join((tokens, self.tr("%n step(s)", "", stats.steps)))

    def _fill_menu(self, menu: QMenu) -> None:
        entries = [("copy-markdown", self.tr("Copy conversation"))]
        if self.message.role == "assistant":
            entries.append(("edit", self.tr("Edit this answer")))
        entries += [
            ("branch", self.tr("New chat from here")),
            ("delete", self.tr("Delete from here on")),
        ]
        for what, text in entries:
            action = QAction(text, menu)
            action.triggered.connect(lambda _=False, what=what: self._act(what))
            menu.addAction(action)

    def _act(self, what: str) -> None:
        if what == "edit":
            self.begin_edit()
        else:
            self.acted.emit(what, self.message.id)

    def _go(self, step: int) -> None:
        self.acted.emit("next" if step > 0 else "previous", self.message.id)

    def _toggle_thinking(self, shown: bool) -> None:
        assert self._thinking is not None
        icon = "chevron-down" if shown else "chevron-right"
        self._thinking.setIcon(self._theme.icon(icon, size=14))
        if self._thought is None:
            self._thought = BlockStack(self._theme, self, name=self.tr("Thinking"), secondary=True)
            self._thought.show_markdown(self.message.thinking, self.message.unsettled_thinking)
        self._thought.setVisible(shown)
        self.resized.emit()

    def text_views(self) -> list[ProseView | QPlainTextEdit]:
        """The views that show the text of an answer, in order."""
        return self._stack.text_views() if self._stack is not None else []

    def mark_words(self, query: str) -> QRect | None:
        """Show where the words of a search stand; the first place, if there is one."""
        part: QWidget | None = self._bubble_text or self._stack
        place = None
        if self._bubble_text is not None:
            place = mark_words(self._bubble_text, query, self._theme.colors.selection)
        elif self._stack is not None:
            place = self._stack.mark_words(query)
        if place is None or part is None:
            return None
        return place.translated(part.mapTo(self, QPoint(0, 0)))

    # Editing in place

    def begin_edit(self) -> None:
        if self._editor is not None:
            return
        editor = QPlainTextEdit(self.message.text, self)
        editor.setFont(self._theme.text_font())
        editor.setAccessibleName(self.tr("Edit the message"))
        editor.setTabChangesFocus(True)
        editor.installEventFilter(self)
        save_text = self.tr("Send") if self.message.role == "user" else self.tr("Save")
        save = button(save_text, "accent", self._save_edit)
        cancel = button(self.tr("Cancel"), "quiet", self.end_edit)
        self._editor, self._editor_buttons = editor, [save, cancel]
        for widget in (editor, save, cancel):
            widget.setParent(self)
            widget.show()
        self.resized.emit()
        editor.setFocus()
        editor.selectAll()

    def _save_edit(self) -> None:
        assert self._editor is not None
        text = self._editor.toPlainText()
        if text.strip() and text != self.message.text:
            self.edited.emit(self.message.id, text)
        self.end_edit()

    def end_edit(self) -> None:
        if self._editor is None:
            return
        for widget in (self._editor, *self._editor_buttons):
            widget.hide()
            widget.deleteLater()
        self._editor, self._editor_buttons = None, []
        self.resized.emit()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if (
            watched is self._editor
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            and event.modifiers() & Qt.KeyboardModifier.ControlModifier
        ):
            self._save_edit()
            return True
        return False

    # A panel in place of the text: the recording

    def set_panel(self, panel: QWidget | None) -> None:
        """`panel` offers height_for(width) and takes the place of the text until None is set."""
        if self._panel is not None:
            self._panel.hide()
            self._panel.deleteLater()
        self._panel = panel
        if panel is not None:
            panel.setParent(self)
            panel.show()
        if self._stack is not None:
            self._stack.setVisible(panel is None)
        self.resized.emit()

    @property
    def has_open_part(self) -> bool:
        return self._panel is not None or self._editor is not None

    def close_open_part(self) -> None:
        if self._editor is not None:
            self.end_edit()
        else:
            self.set_panel(None)

    @property
    def panel(self) -> QWidget | None:
        return self._panel

    # Layout

    def reveal_actions(self, always: bool) -> None:
        self._row.reveal_always(always or len(self.message.versions) > 1)

    def height_for(self, width: int) -> int:
        while self.build_step():
            pass
        px = self._theme.px
        y = 0
        if self._editor is not None:
            rows = min(12, max(3, self._editor.toPlainText().count("\n") + 2))
            height = rows * self._theme.line_px + 24
            self._editor.setGeometry(0, 0, width, height)
            x = width
            for widget in self._editor_buttons:
                widget.adjustSize()
                x -= widget.width() + 8
                widget.move(x + 8, height + 8)
            for part in (self._bubble, self._stack, self._thinking, self._row):
                if part is not None:
                    part.hide()
            return height + 8 + self._editor_buttons[0].height() + 8
        self._row.show()
        if self._bubble is not None:
            assert self._bubble_text is not None
            self._bubble.show()
            y = self._place_bubble(width)
        if self._thinking is not None:
            self._thinking.show()
            self._thinking.adjustSize()
            self._thinking.move(-8, 0)
            y += self._thinking.height() + 4
            if self._thought is not None and self._thinking.isChecked():
                height = self._thought.height_for(width - 16)
                self._thought.setGeometry(16, y, width - 16, height)
                y += height + self._theme.paragraph_gap_px
        if self._panel is not None:
            height = self._panel.height_for(width)  # type: ignore[attr-defined]
            self._panel.setGeometry(0, y, width, height)
            y += height
        elif self._stack is not None:
            self._stack.show()
            height = self._stack.height_for(width)
            self._stack.setGeometry(0, y, width, height)
            y += height
        for note in self._notes:
            y += px(8)
            height = max(note.heightForWidth(width), note.sizeHint().height())
            note.setGeometry(0, y, width, height)
            y += height
        self._row.setGeometry(-4, y + 4, width + 8, px(ROW_PX))
        return y + 4 + px(ROW_PX)

    def _place_bubble(self, width: int) -> int:
        assert self._bubble is not None
        assert self._bubble_text is not None
        limit = int(width * BUBBLE_SHARE)
        inner = min(limit - 2 * BUBBLE_X_PX, self._natural_width())
        height = self._bubble_text.height_for(inner)
        outer = inner + 2 * BUBBLE_X_PX
        self._bubble.setGeometry(width - outer, 0, outer, height + 2 * BUBBLE_Y_PX)
        self._bubble_text.setGeometry(BUBBLE_X_PX, BUBBLE_Y_PX - 1, inner, height)
        return height + 2 * BUBBLE_Y_PX

    def _natural_width(self) -> int:
        """Width of the longest line of the prompt; a document's own answer depends on its past."""
        metrics = QFontMetricsF(self._theme.text_font())
        lines = self.message.text[:LONG_PROMPT].split("\n")
        longest = sorted(lines, key=len)[-3:]  # letters differ in width, but not by so much
        return int(max(metrics.horizontalAdvance(line[:400]) for line in longest)) + 3

    def enterEvent(self, event: QEnterEvent) -> None:
        self._row.reveal_for_hover(True)

    def leaveEvent(self, event: QEvent) -> None:
        self._row.reveal_for_hover(False)
