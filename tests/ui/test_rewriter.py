"""Selected words in the window: button, menu, key, what is seen meanwhile, what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit
from pytestqt.qtbot import QtBot
from scripted_engine import ScriptedEngine, settling_events
from sfumato.application import Parts
from sfumato.engine.protocol import Committed, Denoised, Event, Generate
from sfumato.store.types import Message
from sfumato.ui.recording_view import RecordingView
from sfumato.ui.rewriting_view import RewritingView
from sfumato.ui.settled_view import SettledView

Build = Callable[..., Parts]

TEXT = "A **block** of noise becomes text.\n\n```python\nprint(1)\n```\n\n- every step\n- all of it"


def rewritten(events: Sequence[Event], old: str, new: str) -> list[Event]:
    """The same answer with another word, whose position alone is not pinned."""
    (committed,) = [event for event in events if isinstance(event, Committed)]
    at = committed.pieces.index(old)
    made: list[Event] = []
    for event in events:
        if isinstance(event, Denoised):
            entropy = bytearray(len(event.ids))
            entropy[at] = 90 if event.step == 1 else 0
            pieces = [new if n == at else piece for n, piece in enumerate(committed.pieces)]
            pinned = bytes(n != at for n in range(len(pieces)))
            event = msgspec.structs.replace(
                event, pieces=pieces, entropy=bytes(entropy), pinned=pinned
            )
        if isinstance(event, Denoised | Committed):
            ids = list(committed.ids)
            ids[at] = 777
            event = msgspec.structs.replace(event, ids=ids)
        if isinstance(event, Committed):
            text = committed.text.replace(old, new, 1)
            event = msgspec.structs.replace(event, text=text)
        made.append(event)
    return made


FIRST = settling_events(TEXT, canvas=48, steps=4)
SECOND = rewritten(FIRST, " noise", " smoke")


def until_done(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0, timeout=15_000)


def answer_of(parts: Parts) -> Message:
    assert parts.chats.conversation is not None
    return parts.chats.conversation.messages[-1]


def answered(qtbot: QtBot, build: Build, *more: Sequence[Event]) -> Parts:
    parts = build([FIRST, *more])
    engine = parts.client
    assert isinstance(engine, ScriptedEngine)
    engine.loaded = msgspec.structs.replace(engine.loaded, canvas=48, vocab=70_000)
    parts.model.load()
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.generation.send("What is it?")
    qtbot.waitUntil(lambda: parts.chats.conversation is not None, timeout=15_000)
    until_done(qtbot, parts)
    return parts


def select(parts: Parts, words: str) -> QTextEdit | QPlainTextEdit:
    widget = parts.window.conversation.widget_of(answer_of(parts).id)
    assert widget is not None
    view = next(v for v in widget.text_views() if words in v.toPlainText())
    at = view.document().toRawText().index(words)
    cursor = view.textCursor()
    cursor.setPosition(at)
    cursor.setPosition(at + len(words), QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    return view


def entry(parts: Parts, view: QTextEdit | QPlainTextEdit) -> QAction:
    menu = parts.window.rewriter.context_menu(view, QPoint(2, 2))  # type: ignore[arg-type]
    menu.setParent(parts.window)  # so that it lives as long as the test
    return next(action for action in menu.actions() if action.text() == "Rewrite selection …")


def pinned_of(parts: Parts) -> list[int]:
    engine = parts.client
    assert isinstance(engine, ScriptedEngine)
    request = [r for r in engine.requests if isinstance(r, Generate)][-1]
    assert request.pinned is not None
    return request.pinned


def open_tokens(parts: Parts) -> list[str]:
    """The tokens that the engine was asked to write anew."""
    (committed,) = [event for event in FIRST if isinstance(event, Committed)]
    return [p for p, id_ in zip(committed.pieces, pinned_of(parts), strict=True) if id_ < 0]


def test_a_button_appears_by_the_selection_and_goes_with_it(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = answered(qtbot, build_parts)
    bar = parts.window.rewriter.bar
    view = select(parts, "noise")
    qtbot.waitUntil(bar.isVisible)
    assert bar.open_button.isVisible()
    assert bar.open_button.accessibleName() == "Rewrite selection"
    end = view.viewport().mapTo(bar.parentWidget(), view.cursorRect().bottomLeft())
    assert 0 <= bar.y() - end.y() < 16
    cursor = view.textCursor()
    cursor.clearSelection()
    view.setTextCursor(cursor)
    assert not bar.isVisible()


def test_a_selection_is_rewritten_by_keys_alone(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    old = answer_of(parts)
    select(parts, "noise")
    qtbot.keyClick(parts.window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    bar = parts.window.rewriter.bar
    assert parts.window.focusWidget() is bar.words
    qtbot.keyClick(bar.words, Qt.Key.Key_Return)
    until_done(qtbot, parts)
    new = answer_of(parts)
    assert new.text == TEXT.replace("noise", "smoke")
    assert new.versions == (old.id, new.id)
    assert open_tokens(parts) == [" noise"]
    assert parts.window.banner.isHidden()


@pytest.mark.parametrize(
    ("selected", "tokens"),
    [
        ("block", ["block"]),
        ("A block of", ["A", " ", "*", "*", "block", "*", "*", " of"]),
        ("print", ["print"]),
        ("step", [" step"]),
    ],
)
def test_what_is_selected_on_screen_is_what_the_engine_writes_anew(
    qtbot: QtBot, build_parts: Build, selected: str, tokens: list[str]
) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    select(parts, selected)
    parts.window.rewriter.open()
    qtbot.keyClick(parts.window.rewriter.bar.words, Qt.Key.Key_Return)
    until_done(qtbot, parts)
    assert "".join(open_tokens(parts)).split() == "".join(tokens).split()


def test_the_menu_has_an_entry_that_says_why_it_cannot(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts)
    view = select(parts, "noise")
    assert entry(parts, view).isEnabled()
    parts.recordings.prune(0)
    until_done(qtbot, parts)
    refused = entry(parts, view)
    assert not refused.isEnabled()
    assert "recording of this answer is gone" in refused.toolTip()


def test_the_menu_without_a_selection_asks_for_one(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts)
    widget = parts.window.conversation.widget_of(answer_of(parts).id)
    assert widget is not None
    action = entry(parts, widget.text_views()[0])
    assert not action.isEnabled()
    assert action.toolTip() == "Select words of an answer to rewrite them."


def test_the_key_says_why_nothing_can_be_rewritten(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts)
    parts.window.rewriter.open()
    assert parts.window.banner.sentence == "Select words of an answer to rewrite them."
    assert parts.window.rewriter.bar.isHidden()


def test_escape_closes_the_line_for_words_and_nothing_else(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = answered(qtbot, build_parts)
    select(parts, "noise")
    parts.window.rewriter.open()
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    assert parts.window.rewriter.bar.isHidden()
    assert parts.window.focusWidget() is parts.window.conversation
    assert not parts.generation.busy


def test_the_words_of_the_line_are_what_it_begins_with(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    select(parts, "noise")
    parts.window.rewriter.open()
    bar = parts.window.rewriter.bar
    qtbot.keyClicks(bar.words, "smoke")
    qtbot.mouseClick(bar.rewrite, Qt.MouseButton.LeftButton)
    until_done(qtbot, parts)
    engine = parts.client
    assert isinstance(engine, ScriptedEngine)
    assert [r.words for r in engine.requests if isinstance(r, Generate)][-1] == " smoke"


def watched(qtbot: QtBot, parts: Parts) -> list[list[float]]:
    """How much ink each step gave to each position, read off the canvas."""
    seen: list[list[float]] = []

    def look() -> None:
        widget = parts.window.conversation.shown_widget(answer_of(parts).id)
        assert widget is not None
        assert isinstance(widget.panel, RewritingView)
        seen.append(list(widget.panel.canvas._shown))

    select(parts, "noise")
    parts.rewriting.stepped.connect(lambda _: look())
    parts.window.rewriter.open()
    qtbot.keyClick(parts.window.rewriter.bar.words, Qt.Key.Key_Return)
    until_done(qtbot, parts)
    return seen


def test_what_is_pinned_stands_in_ink_and_the_gap_never_does(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    (committed,) = [event for event in FIRST if isinstance(event, Committed)]
    at = committed.pieces.index(" noise")
    seen = watched(qtbot, parts)
    assert seen
    for levels in seen:
        assert all(level == 1.0 for n, level in enumerate(levels) if n != at)
        assert levels[at] < 0.9


def test_escape_stops_it_and_the_answer_is_as_it_was(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    engine = parts.client
    assert isinstance(engine, ScriptedEngine)
    old = answer_of(parts)
    select(parts, "noise")
    parts.window.rewriter.open()
    engine.hold()
    qtbot.keyClick(parts.window.rewriter.bar.words, Qt.Key.Key_Return)
    widget = parts.window.conversation.shown_widget(old.id)
    assert widget is not None
    assert isinstance(widget.panel, RewritingView)
    assert "Rewriting 1 token" in widget.panel.sentence
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    until_done(qtbot, parts)
    assert answer_of(parts) == old
    assert widget.panel is None


def test_another_chat_meanwhile_and_back_again(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    engine = parts.client
    assert isinstance(engine, ScriptedEngine)
    chat_id = parts.chats.chat_id
    assert chat_id is not None
    select(parts, "noise")
    parts.window.rewriter.open()
    engine.hold()
    qtbot.keyClick(parts.window.rewriter.bar.words, Qt.Key.Key_Return)
    parts.window.new_chat()
    engine.release()
    until_done(qtbot, parts)
    assert parts.chats.conversation is None
    parts.chats.open(chat_id)
    assert answer_of(parts).text == TEXT.replace("noise", "smoke")


def test_a_rewritten_answer_is_watched_and_settled_like_any_other(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = answered(qtbot, build_parts, SECOND)
    select(parts, "noise")
    parts.window.rewriter.open()
    qtbot.keyClick(parts.window.rewriter.bar.words, Qt.Key.Key_Return)
    until_done(qtbot, parts)
    new = answer_of(parts)
    widget = parts.window.conversation.widget_of(new.id)
    assert widget is not None
    parts.window._act("watch", new.id)
    panel = widget.panel
    assert isinstance(panel, RecordingView)
    panel.scrubber.setValue(panel.scrubber.maximum())
    assert panel.text_at_step() == new.text
    parts.window._act("settled", new.id)
    assert isinstance(widget.panel, SettledView)


def test_only_one_place_is_selected_at_a_time(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts)
    first = select(parts, "noise")
    second = select(parts, "print")
    assert not first.textCursor().hasSelection()
    assert second.textCursor().hasSelection()


def test_the_same_words_again_are_told(qtbot: QtBot, build_parts: Build) -> None:
    parts = answered(qtbot, build_parts, FIRST)
    select(parts, "noise")
    parts.window.rewriter.open()
    qtbot.keyClick(parts.window.rewriter.bar.words, Qt.Key.Key_Return)
    until_done(qtbot, parts)
    assert "the same words again" in parts.window.banner.sentence
    assert len(answer_of(parts).versions) == 1


def test_a_change_of_theme_with_the_button_shown_is_survived(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = answered(qtbot, build_parts)
    select(parts, "noise")
    qtbot.waitUntil(parts.window.rewriter.bar.isVisible)
    parts.settings.change(theme="dark")
    qtbot.waitUntil(lambda: not parts.window.rewriter.bar.isVisible())
    parts.window.rewriter.open()
    assert parts.window.banner.sentence == "Select words of an answer to rewrite them."
