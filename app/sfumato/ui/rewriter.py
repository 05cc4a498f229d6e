"""Rewriting selected words in the conversation: button, menu entry, key, and what is seen of it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence, QTextCursor
from PySide6.QtWidgets import QMenu, QPlainTextEdit
from shiboken6 import isValid

from sfumato.engine.protocol import Denoised
from sfumato.errors import KnownError
from sfumato.services.rewriting import Rewrite, Rewriting
from sfumato.services.spoken import spoken
from sfumato.store.types import Message
from sfumato.ui.banner import Banner
from sfumato.ui.conversation_view import ConversationView
from sfumato.ui.message_widget import MessageWidget
from sfumato.ui.prose_view import ProseView
from sfumato.ui.rewrite_bar import RewriteBar
from sfumato.ui.rewriting_view import RewritingView
from sfumato.ui.shown_source import source_span
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import announce

KEYS = "Ctrl+R"
SETTLE_MS = 250  # after the last change of a selection
GAP_PX = 4

TextView = ProseView | QPlainTextEdit


@dataclass(frozen=True, slots=True)
class _Selected:
    message: Message
    start: int  # in the text of the message
    end: int


class Rewriter(QObject):
    def __init__(
        self, theme: Theme, conversation: ConversationView, rewriting: Rewriting, banner: Banner
    ) -> None:
        super().__init__(conversation)
        self._theme = theme
        self._conversation = conversation
        self._rewriting = rewriting
        self._banner = banner
        self._text: TextView | None = None  # where something is selected
        self.bar = RewriteBar(theme, conversation.viewport())
        self.bar.opened.connect(self.open)
        self.bar.accepted.connect(self._run)
        self.bar.closed.connect(self.close)
        self.bar.resized.connect(self._place)
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self.offer)
        conversation.text_made.connect(self._watch)
        conversation.verticalScrollBar().valueChanged.connect(lambda _: self._place())
        conversation.verticalScrollBar().rangeChanged.connect(lambda *_: self._place())
        rewriting.began.connect(self._show)
        rewriting.stepped.connect(self._show_step)
        rewriting.ended.connect(self._end)
        rewriting.unchanged.connect(self._tell_unchanged)
        rewriting.failed.connect(self._tell)

    # What is selected

    def _watch(self, text: TextView) -> None:
        text.selectionChanged.connect(lambda: self._take_selection(text))
        text.destroyed.connect(self.bar.hide)
        text.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        text.customContextMenuRequested.connect(lambda point: self._open_menu(text, point))

    def _take_selection(self, text: TextView) -> None:
        if text.textCursor().hasSelection():
            before, self._text = self._living, text
            if before is not None and before is not text:
                cursor = before.textCursor()
                cursor.clearSelection()
                before.setTextCursor(cursor)
        elif text is self._text:
            self._text = None
        self.bar.hide()
        self._timer.start()

    @property
    def _living(self) -> TextView | None:
        """A conversation drops the widgets of what is far away or looks different now."""
        return self._text if self._text is not None and isValid(self._text) else None

    def _selected(self) -> _Selected:
        """What is to be rewritten. Raises KnownError: why it cannot be."""
        nothing = KnownError(self.tr("Select words of an answer to rewrite them."))
        text = self._living
        if text is None or not text.isVisible():
            raise nothing
        widget = _message_of(text)
        if widget is None or widget.message.role != "assistant":
            raise nothing
        cursor = text.textCursor()
        views = widget.text_views()
        shown = [view.document().toRawText() for view in views]
        at = views.index(text)
        found = source_span(
            widget.message.text,
            shown,
            at,
            _characters(shown[at], cursor.selectionStart()),
            _characters(shown[at], cursor.selectionEnd()),
        )
        if found is None:
            raise KnownError(
                self.tr("These words cannot be found in the answer's own text; select others.")
            )
        self._rewriting.plan(widget.message, *found)
        return _Selected(widget.message, *found)

    # Button, menu, key

    def offer(self) -> None:
        """Show the button by a selection that can be rewritten."""
        try:
            self._selected()
        except KnownError:
            self.bar.hide()
        else:
            self.bar.show_closed()

    def open(self) -> None:
        """Ask for words to begin with, or say why nothing can be rewritten."""
        try:
            self._selected()
        except KnownError as error:
            self._tell(error)
        else:
            self._timer.stop()
            self.bar.show_open()

    def close(self) -> bool:
        """Close the line for words; False where none is open."""
        opened = self.bar.is_open
        if opened:
            self.bar.hide()
            self._conversation.setFocus()
        return opened

    def context_menu(self, text: TextView, point: QPoint) -> QMenu:
        menu = text.createStandardContextMenu(point)
        widget = _message_of(text)
        if widget is None or widget.message.role != "assistant":
            return menu
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        action = QAction(self.tr("Rewrite selection …"), menu)
        action.setShortcut(QKeySequence(KEYS))
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)  # shown here, not heard
        action.triggered.connect(self.open)
        try:
            if not text.textCursor().hasSelection():
                raise KnownError(self.tr("Select words of an answer to rewrite them."))
            self._selected()
        except KnownError as error:
            action.setEnabled(False)
            action.setToolTip(spoken(error))
        menu.addAction(action)
        return menu

    def _open_menu(self, text: TextView, point: QPoint) -> None:
        menu = self.context_menu(text, point)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(text.viewport().mapToGlobal(point))

    def _place(self) -> None:
        """Under the end of the selection, or above its begin where there is no room."""
        text, bar = self._living, self.bar
        if text is None or bar.isHidden():
            return
        view = self._conversation.viewport()
        cursor = QTextCursor(text.textCursor())
        places = []
        for position in (cursor.selectionStart(), cursor.selectionEnd()):
            cursor.setPosition(position)
            rect = text.cursorRect(cursor)
            places.append(rect.translated(text.viewport().mapTo(view, QPoint(0, 0))))
        first, last = places
        y = last.bottom() + GAP_PX
        if y + bar.height() > view.height():
            y = first.top() - GAP_PX - bar.height()
        x = min(last.left(), view.width() - bar.width() - GAP_PX)
        bar.move(max(GAP_PX, x), y)

    def _run(self, words: str) -> None:
        try:
            chosen = self._selected()
        except KnownError as error:
            self._tell(error)
        else:
            self._conversation.setFocus()
            self._rewriting.run(chosen.message.id, chosen.start, chosen.end, words)

    # What is seen of it

    def _panel(self, run: Rewrite) -> RewritingView | None:
        """In the message, if that is shown; made anew where its chat was left meanwhile."""
        widget = self._conversation.shown_widget(run.message.id)
        if widget is None:
            return None
        if not isinstance(widget.panel, RewritingView):
            panel = RewritingView(self._theme, run)
            panel.stopped.connect(self._rewriting.stop)
            panel.resized.connect(widget.resized)
            widget.set_panel(panel)
        assert isinstance(widget.panel, RewritingView)
        return widget.panel

    def _show(self, run: Rewrite) -> None:
        self._banner.clear()
        self._panel(run)
        announce(self._conversation, self.tr("Rewriting the selection"))

    def _show_step(self, event: Denoised) -> None:
        run = self._rewriting.under_way
        panel = self._panel(run) if run is not None else None
        if panel is not None:
            panel.show_step(event)

    def _end(self, made: Message | None) -> None:
        self._conversation.close_panels(RewritingView)
        if made is not None:
            announce(self._conversation, self.tr("Rewritten; the earlier version is kept"))

    def _tell_unchanged(self) -> None:
        self._banner.show_notice(
            self.tr(
                "The model wrote the same words again, so nothing was changed; give it words to"
                " begin with, or select more."
            )
        )

    def _tell(self, error: KnownError) -> None:
        self._banner.show_notice(spoken(error))


def _message_of(text: TextView) -> MessageWidget | None:
    at = text.parentWidget()
    while at is not None and not isinstance(at, MessageWidget):
        at = at.parentWidget()
    return at


def _characters(text: str, position: int) -> int:
    """Qt counts UTF-16 units, Python counts characters."""
    units = text.encode("utf-16-le", "surrogatepass")
    return len(units[: 2 * position].decode("utf-16-le", "replace"))
