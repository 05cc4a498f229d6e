"""What a screen reader is told of a conversation, and what the keys reach in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleInterface
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.application import Parts
from sfumato.engine.protocol import Committed, Denoised
from sfumato.services.recordings import RecordedBlock
from sfumato.store.recordings import StepRecord
from sfumato.ui import widgets
from sfumato.ui.live_answer import LiveAnswer
from sfumato.ui.message_widget import MessageWidget
from sfumato.ui.recording_view import RecordingView
from sfumato.ui.settled_view import SettledView
from sfumato.ui.theme import Theme

ANSWER = "The **first** block says this.\n\n- And the second\n- says that."


class Listener:
    """Stands in the place of QAccessible and keeps what is announced."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def isActive(self) -> bool:
        return True

    def updateAccessibility(self, event: QAccessibleAnnouncementEvent) -> None:
        self.heard.append(event.message())


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    made = Listener()
    monkeypatch.setattr(widgets, "QAccessible", made)
    return made


def of(widget: QWidget) -> QAccessibleInterface:
    found = QAccessible.queryAccessibleInterface(widget)
    assert found is not None
    return found


def under(interface: QAccessibleInterface) -> Iterator[QAccessibleInterface]:
    for index in range(interface.childCount()):
        child = interface.child(index)
        if child is not None:
            yield child
            yield from under(child)


@pytest.fixture
def answered(qtbot: QtBot, listener: Listener, build_parts: Callable[..., Parts]) -> Parts:
    parts = build_parts([settling_events(ANSWER, canvas=12, steps=5)])
    parts.generation.send("What does it say?")
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)
    qtbot.waitUntil(lambda: parts.window.conversation.live is None)
    return parts


def messages_of(parts: Parts) -> list[MessageWidget]:
    view = parts.window.conversation
    assert parts.chats.conversation is not None
    found = [view.widget_of(message.id) for message in parts.chats.conversation.messages]
    return [widget for widget in found if widget is not None]


def test_blocks_are_announced_and_the_answer_once_but_no_step(
    qtbot: QtBot, theme: Theme, listener: Listener
) -> None:
    live = LiveAnswer(theme, 1, "")
    qtbot.addWidget(live)
    live.show()
    for event in settling_events(ANSWER, canvas=12, steps=5):
        if isinstance(event, Denoised):
            live.show_step(event)
        elif isinstance(event, Committed):
            live.show_committed(event)
    live.announce_whole()
    assert [" ".join(said.split()) for said in listener.heard] == [
        "Writing, block 1",
        "Block 1 done",
        "Writing, block 2",
        "Block 2 done",
        "The first block says this. And the second says that.",
    ]


def test_a_finished_answer_is_read_out_once(answered: Parts, listener: Listener) -> None:
    assert sum("says this." in said for said in listener.heard) == 1


def test_each_message_says_whose_it_is_and_holds_its_text(answered: Parts) -> None:
    prompt, answer = map(of, messages_of(answered))
    assert prompt.text(QAccessible.Text.Name) == "You"
    assert answer.text(QAccessible.Text.Name) == "Answer"
    for message in (prompt, answer):
        # Screen readers pass over the role of a plain widget, QAccessible.Role.Client.
        assert message.role() != QAccessible.Role.Client
    texts = [child.textInterface() for child in under(answer) if child.textInterface()]
    assert "The first block says this." in [text.text(0, 26) for text in texts]
    named = [child.text(QAccessible.Text.Name) for child in under(answer)]
    assert "Answer" in named


def test_every_action_of_a_message_is_a_named_button(answered: Parts) -> None:
    buttons = [
        child.text(QAccessible.Text.Name)
        for child in under(of(messages_of(answered)[1]))
        if child.role() == QAccessible.Role.Button
    ]
    assert buttons == ["Copy message", "Try again", "Watch again", "How settled", "More"]


def test_the_version_is_told_in_words(
    qtbot: QtBot, listener: Listener, build_parts: Callable[..., Parts]
) -> None:
    parts = build_parts([settling_events("One."), settling_events("Two.")])
    for act in (lambda: parts.generation.send("Go"), lambda: parts.generation.regenerate(2)):
        act()
        qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)
        qtbot.waitUntil(lambda: parts.window.conversation.live is None)
    names = [c.text(QAccessible.Text.Name) for c in under(of(messages_of(parts)[1]))]
    assert "Version 2 of 2" in names


def recorded(count: int = 12) -> list[RecordedBlock]:
    pieces = [f" word{n}" for n in range(count - 2)] + ["\n", "<pad>"]
    steps = [
        StepRecord(step, list(range(count)), pieces, bytes(count), bytes(count), 0.1, 1.0)
        for step in (1, 2)
    ]
    return [RecordedBlock(0, steps)]


def test_a_scrubber_is_a_slider_that_tells_its_step(qtbot: QtBot, theme: Theme) -> None:
    view = RecordingView(theme, recorded())
    qtbot.addWidget(view)
    view.scrubber.setValue(0)
    slider = of(view.scrubber)
    assert slider.role() == QAccessible.Role.Slider
    assert slider.text(QAccessible.Text.Name) == "Step of the recording"
    assert slider.text(QAccessible.Text.Description) == "block 1 · step 1 of 2 · 100 % settled"


def test_arrow_keys_go_from_token_to_token_and_tell_how_each_settled(
    qtbot: QtBot, theme: Theme, listener: Listener
) -> None:
    view = SettledView(theme, recorded())
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    view.height_for(300)
    qtbot.waitExposed(view)
    canvas = view.canvas
    pointed: list[object] = []
    canvas.pointed.connect(pointed.append)
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus)
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas._at == 1
    assert listener.heard == ["“word1” · Settled at step 1 of 2 · 0 changes of mind"]
    assert view._sentence.text() == listener.heard[0]
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    below = canvas._at
    assert canvas._places(below)[0].top() > canvas._places(1)[0].top()
    qtbot.keyClick(canvas, Qt.Key.Key_Up)
    assert canvas._at == 1
    qtbot.keyClick(canvas, Qt.Key.Key_End)
    assert canvas._at == 9  # the last that is shown
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas._at == 9
    qtbot.keyClick(canvas, Qt.Key.Key_Home)
    assert canvas._at == 0
    assert len(pointed) == 5
    canvas.clearFocus()
    assert view._sentence.text().startswith("It says how sure")


def test_the_token_with_the_focus_is_seen(qtbot: QtBot, theme: Theme) -> None:
    view = SettledView(theme, recorded())
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    view.height_for(300)
    qtbot.waitExposed(view)
    canvas = view.canvas
    before = canvas.grab().toImage()
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus)
    assert canvas.grab().toImage() != before
