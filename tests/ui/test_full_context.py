"""A full context in the window: it is said, and two ways out are offered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from scripted_engine import ScriptedEngine, settling_events
from sfumato.application import Parts
from sfumato.engine.protocol import Event, Failed, Finished, Generate
from sfumato.ui.widgets import label

Build = Callable[..., Parts]
FULL = Failed(
    kind="context",
    message="The conversation takes 8,100 tokens, but the context holds 8,192.",
    advice="Shorten it.",
    turn=0,
)


def engine_of(parts: Parts) -> ScriptedEngine:
    engine = parts.client
    assert isinstance(engine, ScriptedEngine)
    return engine


def until_done(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)


def with_model(qtbot: QtBot, build: Build, tmp_path: Path, *answers: list[Event]) -> Parts:
    """The window over a model that is not the guide, after as many questions as answers."""
    parts = build(answers)
    parts.model.choose(tmp_path / "real.gguf")
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    return parts


def buttons(parts: Parts) -> dict[str, QPushButton]:
    found = parts.window.banner.findChildren(QPushButton)
    return {button.text(): button for button in found if button.isVisible()}


def short(text: str) -> list[Event]:
    return settling_events(text, canvas=8, steps=2)


def test_going_on_with_a_summary_opens_a_chat_that_answers(
    qtbot: QtBot, build_parts: Build, tmp_path: Path
) -> None:
    parts = with_model(
        qtbot, build_parts, tmp_path, short("One."), [FULL], short("In short."), short("Two.")
    )
    for text in ("First", "Second"):
        parts.generation.send(text)
        until_done(qtbot, parts)
    assert "8,192" in parts.window.banner.sentence
    buttons(parts)["Go on in a new chat with a summary"].click()
    qtbot.waitUntil(lambda: len(parts.chats.all()) == 2)
    until_done(qtbot, parts)
    conversation = parts.chats.conversation
    assert conversation is not None
    assert conversation.chat.title == "First (continued)"
    assert [m.text for m in conversation.messages] == ["In short.", "Second", "Two."]
    shown = parts.window.conversation.widget_of(conversation.messages[0].id)
    assert shown is not None
    notes = [made.text() for made in shown.findChildren(type(label("")))]
    assert any(note.startswith("Summary of the earlier chat") for note in notes)


def test_the_summary_is_shown_at_work_and_escape_ends_it(
    qtbot: QtBot, build_parts: Build, tmp_path: Path
) -> None:
    parts = with_model(qtbot, build_parts, tmp_path, short("One."), [FULL], short("In short."))
    for text in ("First", "Second"):
        parts.generation.send(text)
        until_done(qtbot, parts)
    engine_of(parts).hold()
    buttons(parts)["Go on in a new chat with a summary"].click()
    assert "part 1 of 1" in parts.window.banner.sentence
    parts.window._escape()
    until_done(qtbot, parts)
    assert parts.window.banner.sentence == ""
    assert len(parts.chats.all()) == 1


def test_the_oldest_messages_can_be_left_out_instead(
    qtbot: QtBot, build_parts: Build, tmp_path: Path
) -> None:
    parts = with_model(qtbot, build_parts, tmp_path, short("One."), [FULL], short("Two."))
    for text in ("First", "Second"):
        parts.generation.send(text)
        until_done(qtbot, parts)
    buttons(parts)["Leave out the oldest messages"].click()
    until_done(qtbot, parts)
    asked = [r for r in engine_of(parts).requests if isinstance(r, Generate)]
    assert [m.text for m in asked[-1].messages] == ["Second"]


def test_an_answer_that_fills_the_context_says_so_and_offers_both(
    qtbot: QtBot, build_parts: Build, tmp_path: Path
) -> None:
    *events, last = short("Half an answer")
    assert isinstance(last, Finished)
    cut = [*events, msgspec.structs.replace(last, reason="context")]
    parts = with_model(qtbot, build_parts, tmp_path, cut)
    parts.generation.send("Long")
    until_done(qtbot, parts)
    assert "context is full" in parts.window.banner.sentence
    assert {"Go on in a new chat with a summary", "Leave out the oldest messages"} <= set(
        buttons(parts)
    )


def test_the_guide_offers_no_summary(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([[FULL]])
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.generation.send("Long")
    until_done(qtbot, parts)
    assert "Go on in a new chat with a summary" not in buttons(parts)
    assert "Leave out the oldest messages" in buttons(parts)


def test_a_draft_without_room_for_an_answer_says_so(
    qtbot: QtBot, build_parts: Build, tmp_path: Path
) -> None:
    parts = with_model(qtbot, build_parts, tmp_path)
    parts.window._show_count(4090, 4096)
    assert "no room for an answer" in parts.window.composer._count.text()
    parts.window._show_count(3000, 4096)
    assert "no room" not in parts.window.composer._count.text()
