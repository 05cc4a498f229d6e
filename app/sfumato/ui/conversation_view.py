"""A conversation as one scrolling column. Only what is near the window exists as widgets.

Heights are kept per message, width and look, so that scrolling and resizing lay out no more than
what is seen; finished widgets are kept for a while, as their laid-out text is what costs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QWidget

from sfumato.store.types import Message
from sfumato.ui.live_answer import LiveAnswer
from sfumato.ui.message_widget import MessageWidget
from sfumato.ui.theme import Theme

TOP_PX = 24
GAP_PX = 8  # and the row of actions, which is seen only when needed
MARGIN_PX = 24
SEEN_PX = 40  # beyond the window: what is laid out at once
AHEAD_PX = 1600  # beyond the window: what is made bit by bit while nothing else happens
AHEAD_MS = 6
KEPT_WIDGETS = 24
CHARACTERS_PER_LINE = 74

Key = tuple[int, int, str, int]  # message, length of its text, state, version count


@dataclass(slots=True)
class _Entry:
    message: Message
    height: int
    measured: int = -1  # the width it was measured for
    live: bool = False


def key_of(message: Message) -> Key:
    return (message.id, len(message.text), message.state, len(message.versions))


class ConversationView(QAbstractScrollArea):
    acted = Signal(str, int)
    edited = Signal(int, str)
    link_clicked = Signal(str, str)
    link_hovered = Signal(str)
    text_made = Signal(object)  # a view of an answer's text

    def __init__(
        self, theme: Theme, has_recording: Callable[[int], bool], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._has_recording = has_recording
        self._entries: list[_Entry] = []
        self._widgets: OrderedDict[Key, MessageWidget] = OrderedDict()
        self._heights: dict[tuple[Key, int], int] = {}
        self.live: LiveAnswer | None = None
        self._placing = False
        self._follow = True
        self._ahead = QTimer(self, interval=AHEAD_MS)
        self._ahead.timeout.connect(self._make_ahead)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setAutoFillBackground(False)
        self.verticalScrollBar().setSingleStep(32)
        self.verticalScrollBar().sliderMoved.connect(self._moved_by_hand)
        self.setAccessibleName(self.tr("Conversation"))
        theme.changed.connect(self._restyle)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_changed)

    # What is shown

    def show_messages(self, messages: Sequence[Message], *, to_end: bool) -> None:
        """Replace what is shown; messages that are the same keep their widgets."""
        width = self._column()
        known = {key_of(entry.message): entry for entry in self._entries}
        live_id = self.live.message_id if self.live else None
        entries = []
        for message in messages:
            old = known.get(key_of(message))
            if old is not None and message.id != live_id:
                old.live = False
                old.message = message
                entries.append(old)
                continue
            entry = _Entry(message, self._estimate(message, width), live=message.id == live_id)
            stored = self._heights.get((key_of(message), width))
            if stored is not None:
                entry.height, entry.measured = stored, width
            entries.append(entry)
        self._entries = entries
        self._drop_widgets({key_of(entry.message) for entry in entries if not entry.live})
        if to_end:
            self._follow = True
        self._place()

    def begin_live(self, message_id: int, text: str) -> LiveAnswer:
        """Show the last answer as one that is being written."""
        self.end_live()
        unsettled = (e.message.unsettled for e in self._entries if e.message.id == message_id)
        self.live = LiveAnswer(
            self._theme, message_id, text, next(unsettled, ()), parent=self.viewport()
        )
        self.live.resized.connect(self._live_resized)
        self.live.link_clicked.connect(self.link_clicked)
        self.live.link_hovered.connect(self.link_hovered)
        for entry in self._entries:
            entry.live = entry.message.id == message_id
            if entry.live:
                entry.measured = -1
        self._follow = True
        self._place()
        self.live.show()
        return self.live

    def end_live(self) -> None:
        if self.live is None:
            return
        self._hide(self.live)
        self.live.deleteLater()
        self.live = None
        for entry in self._entries:
            if entry.live:
                entry.live = False
                entry.measured = -1

    def clear(self) -> None:
        self.end_live()
        self._entries = []
        self._drop_widgets(set())
        self._place()

    def widget_of(self, message_id: int) -> MessageWidget | None:
        """The message's widget, made and brought into view if need be."""
        for number, entry in enumerate(self._entries):
            if entry.message.id == message_id and not entry.live:
                self.scroll_to(number)
                return self._widget(entry)
        return None

    def shown_widget(self, message_id: int) -> MessageWidget | None:
        """The message's widget, if there is one."""
        found = (w for key, w in self._widgets.items() if key[0] == message_id)
        return next(found, None)

    def close_panels(self, kind: type[QWidget]) -> None:
        """Show the text again wherever a panel of this kind stands."""
        for widget in list(self._widgets.values()):
            if isinstance(widget.panel, kind):
                widget.set_panel(None)

    def close_open(self, focused: QWidget | None) -> bool:
        """Close the editor or recording that has the focus, or the only one that is open."""
        open_ones = [widget for widget in self._widgets.values() if widget.has_open_part]
        within = [widget for widget in open_ones if focused and widget.isAncestorOf(focused)]
        chosen = within or (open_ones if self.live is None else [])
        if not chosen:
            return False
        chosen[-1].close_open_part()
        return True

    def scroll_to(self, number: int) -> None:
        self._follow = False
        for _ in range(2):  # the first placing measures what the second relies on
            offsets = self._offsets()
            if not 0 <= number < len(self._entries):
                return
            bar = self.verticalScrollBar()
            top, bottom = offsets[number], offsets[number] + self._entries[number].height
            seen = self.viewport().height()
            if not bar.value() <= top <= bottom <= bar.value() + seen:
                bar.setValue(top - TOP_PX)
            self._place()

    def scroll_to_message(self, message_id: int, query: str = "") -> None:
        """Bring a message into view, and in it the first of the words that were searched."""
        self.mark_nothing()
        widget = self.widget_of(message_id)
        place = widget.mark_words(query) if widget is not None else None
        if widget is not None and place is not None:
            self.show_part(widget, place)

    def mark_nothing(self) -> None:
        for widget in self._widgets.values():
            widget.mark_words("")

    def follow(self) -> None:
        """Go to the end and stay there."""
        self._follow = True
        self._place()

    @property
    def at_end(self) -> bool:
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum() - 4

    # Layout

    # The scroll bar stands in the margin: when it comes or goes, the column stays where it is.

    def _column(self) -> int:
        return max(120, min(self._theme.column_px, self.width() - 2 * MARGIN_PX))

    def _left(self) -> int:
        return (self.width() - self._column()) // 2

    def _estimate(self, message: Message, width: int) -> int:
        share = width / max(1, self._theme.measure_px)
        per_line = max(20.0, CHARACTERS_PER_LINE * min(1.0, share))
        lines = len(message.text) / per_line + message.text.count("\n") * 0.6 + 1
        return round(lines * self._theme.line_px) + 40

    def _offsets(self) -> list[int]:
        """Top of each entry, and behind them the end of the column."""
        heights = (entry.height + GAP_PX for entry in self._entries)
        return list(accumulate(heights, initial=TOP_PX))

    def _widget(self, entry: _Entry) -> MessageWidget:
        key = key_of(entry.message)
        widget = self._widgets.get(key)
        if widget is None:
            message = entry.message
            recorded = message.role == "assistant" and self._has_recording(message.id)
            widget = MessageWidget(self._theme, message, recorded=recorded, parent=self.viewport())
            widget.acted.connect(self.acted)
            widget.edited.connect(self.edited)
            widget.link_clicked.connect(self.link_clicked)
            widget.link_hovered.connect(self.link_hovered)
            widget.text_made.connect(self.text_made)
            widget.resized.connect(lambda: self._message_resized(key))
            self._widgets[key] = widget
        else:
            self._widgets.move_to_end(key)
        return widget

    def _message_resized(self, key: Key) -> None:
        for entry in self._entries:
            if key_of(entry.message) == key:
                entry.measured = -1
        follow, self._follow = self._follow, False
        self._place()
        self._follow = follow and self.at_end

    def _live_resized(self) -> None:
        for entry in self._entries:
            if entry.live:
                entry.measured = -1
        self._place()

    def _measure(self, entry: _Entry, width: int) -> QWidget:
        if entry.live and self.live is not None:
            widget: MessageWidget | LiveAnswer = self.live
        else:
            widget = self._widget(entry)
        if entry.measured != width or widget.width() != width:
            entry.height = widget.height_for(width)
            entry.measured = width
            if isinstance(widget, MessageWidget) and widget.panel is None:
                self._heights[(key_of(entry.message), width)] = entry.height
        return widget

    def _place(self) -> None:
        """Measure what is near the window, keep what is seen where it is, position widgets."""
        if self._placing:
            return
        self._placing = True
        try:
            self._place_once()
        finally:
            self._placing = False

    def _place_once(self) -> None:
        width, left = self._column(), self._left()
        seen = self.viewport().height()
        bar = self.verticalScrollBar()
        follow = self._follow
        placed: list[tuple[int, QWidget]] = []
        for _ in range(6):
            offsets = self._offsets()
            total = offsets[-1] + TOP_PX
            top = max(0, total - seen) if follow else min(bar.value(), max(0, total - seen))
            first = max(0, bisect_right(offsets, top - SEEN_PX) - 1)
            placed = []
            changed = 0
            for number in range(first, len(self._entries)):
                if offsets[number] > top + seen + SEEN_PX:
                    break
                entry = self._entries[number]
                before = entry.height
                widget = self._measure(entry, width)
                if entry.height != before:
                    changed += 1
                    if not follow and offsets[number] + before <= top:
                        # What is above grows or shrinks out of sight.
                        shift = entry.height - before
                        bar.setMaximum(max(bar.maximum(), bar.value() + shift))
                        bar.setValue(bar.value() + shift)
                placed.append((number, widget))
            if not changed:
                break
        offsets = self._offsets()
        total = offsets[-1] + TOP_PX
        bar.setPageStep(seen)
        bar.setRange(0, max(0, total - seen))
        if follow:
            bar.setValue(bar.maximum())
        top = bar.value()
        last = len(self._entries) - 1
        shown = set()
        for number, widget in placed:
            entry = self._entries[number]
            widget.setGeometry(left, offsets[number] - top, width, entry.height)
            if isinstance(widget, MessageWidget):
                widget.reveal_actions(number == last)
            widget.show()
            shown.add(widget)
        from_near = max(0, bisect_right(offsets, top - AHEAD_PX) - 1)
        to_near = bisect_right(offsets, top + seen + AHEAD_PX)
        near = {key_of(entry.message) for entry in self._entries[from_near:to_near]}
        for key, kept in list(self._widgets.items()):
            if kept not in shown:
                self._hide(kept)
                spare = key not in near and kept.panel is None
                if spare and len(self._widgets) > KEPT_WIDGETS:
                    del self._widgets[key]
                    kept.deleteLater()

        if self._next_ahead() is not None:
            self._ahead.start()

    def _next_ahead(self) -> _Entry | None:
        """The nearest message beyond the window that is not laid out yet."""
        if not self._entries:
            return None
        offsets = self._offsets()
        top = self.verticalScrollBar().value()
        bottom = top + self.viewport().height()
        last = len(self._entries) - 1
        width = self._column()
        below = range(min(last, max(0, bisect_right(offsets, bottom) - 1)), last + 1)
        above = range(min(last, max(0, bisect_right(offsets, top) - 1)), -1, -1)
        for numbers in (above, below):
            for number in numbers:
                entry = self._entries[number]
                far = offsets[number] > bottom + AHEAD_PX
                far = far or offsets[number] + entry.height < top - AHEAD_PX
                if far:
                    break
                if not entry.live and (
                    entry.measured != width or key_of(entry.message) not in self._widgets
                ):
                    return entry
        return None

    def _make_ahead(self) -> None:
        entry = self._next_ahead()
        if entry is None or not self.isVisible():
            self._ahead.stop()
            return
        key = key_of(entry.message)
        if key not in self._widgets:
            self._widget(entry).hide()
            return
        if not self._widgets[key].build_step():
            self._measure_ahead(entry)

    def _measure_ahead(self, entry: _Entry) -> None:
        offsets = self._offsets()
        number = self._entries.index(entry)
        bar = self.verticalScrollBar()
        before = entry.height
        self._measure(entry, self._column())
        shift = entry.height - before
        if shift and not self._follow and offsets[number] + before <= bar.value():
            self._placing = True
            bar.setMaximum(max(bar.maximum(), bar.value() + shift))
            bar.setValue(bar.value() + shift)
            self._placing = False
        if shift:
            self._place()

    def _drop_widgets(self, keep: set[Key]) -> None:
        for key in [key for key in self._widgets if key not in keep]:
            widget = self._widgets.pop(key)
            self._hide(widget)
            widget.deleteLater()

    def _hide(self, widget: QWidget) -> None:
        """Keep the keys in the conversation: Qt would send them to the first button there is."""
        focused = self.window().focusWidget()
        if focused is not None and widget.isAncestorOf(focused):
            self.setFocus()
        widget.hide()

    def _restyle(self) -> None:
        """Fonts or colours changed: every laid-out text is stale."""
        self._heights.clear()
        self._drop_widgets(set())
        for entry in self._entries:
            entry.measured = -1
        self._place()

    # Scrolling

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if not self._placing:
            self._follow = self.at_end
            self._place()

    def _moved_by_hand(self) -> None:
        self._follow = self.at_end

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        page = self.viewport().height() - 2 * self._theme.line_px
        key, alt = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.go_to_message(-1 if key == Qt.Key.Key_Up else 1)
        elif key == Qt.Key.Key_PageUp:
            bar.setValue(bar.value() - page)
        elif key in (Qt.Key.Key_PageDown, Qt.Key.Key_Space):
            bar.setValue(bar.value() + page)
        elif key == Qt.Key.Key_Home:
            bar.setValue(0)
        elif key == Qt.Key.Key_End:
            self.follow()
        else:
            super().keyPressEvent(event)

    def go_to_message(self, step: int) -> None:
        """Bring the message before or after the first seen one to the top."""
        offsets = self._offsets()
        at = bisect_right(offsets, self.verticalScrollBar().value() + TOP_PX) - 1
        number = min(max(0, at + step), len(self._entries) - 1)
        self._follow = False
        self.verticalScrollBar().setValue(offsets[number] - TOP_PX)
        if number < len(self._entries) and not self._entries[number].live:
            self._widget(self._entries[number]).setFocus()

    def _focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        """Tab may lead to what is out of sight."""
        if new is not None and self.viewport().isAncestorOf(new):
            self.show_part(new, new.rect())

    def show_part(self, widget: QWidget, part: QRect) -> None:
        """Scroll as little as shows `part` of a widget of the conversation, if it fits at all."""
        top = widget.mapTo(self.viewport(), part.topLeft()).y()
        bottom = top + part.height()
        bar = self.verticalScrollBar()
        if bottom > self.viewport().height() and part.height() < self.viewport().height():
            bar.setValue(bar.value() + bottom - self.viewport().height() + 8)
        elif top < 0 and part.height() < self.viewport().height():
            bar.setValue(bar.value() + top - 8)
