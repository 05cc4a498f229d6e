"""The whole application as a user has it: real engine process, real model file, real store."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from sfumato.application import Parts
from sfumato.paths import built_in_guide
from sfumato.store import chats, messages

pytestmark = pytest.mark.skipif(
    not built_in_guide().exists(), reason="the built-in guide is not in this checkout"
)

Start = Callable[[], Parts]


def ask(qtbot: QtBot, parts: Parts, text: str) -> None:
    prompt = parts.window.composer._prompt
    qtbot.keyClicks(prompt, text)
    qtbot.keyClick(prompt, Qt.Key.Key_Return)


def until_done(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0, timeout=60_000)


def stop_after_first_block(parts: Parts) -> None:
    parts.generation.committed.connect(lambda _: parts.generation.stop())


def test_a_question_is_answered_through_at_least_three_canvases(qtbot: QtBot, start: Start) -> None:
    parts = start()
    drafts: set[str] = set()
    live_texts: list[str] = []

    def look() -> None:
        live = parts.window.conversation.live
        if live is not None:
            drafts.add("".join(live.canvas.pieces))

    parts.generation.stepped.connect(lambda _: look())
    parts.generation.committed.connect(lambda event: live_texts.append(event.text))
    stop_after_first_block(parts)
    ask(qtbot, parts, "What is Sfumato?")
    until_done(qtbot, parts)
    assert len(drafts) >= 3
    assert parts.chats.conversation is not None
    prompt, answer = parts.chats.conversation.messages
    assert prompt.text == "What is Sfumato?"
    assert answer.text == "".join(live_texts)
    assert answer.text.strip()
    assert parts.recordings.has(answer.id)


def test_stop_in_the_middle_of_a_canvas_ends_within_a_step(qtbot: QtBot, start: Start) -> None:
    parts = start()
    ask(qtbot, parts, "How does text diffusion work?")
    with qtbot.waitSignal(parts.generation.stepped, timeout=60_000):
        pass
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    until_done(qtbot, parts)
    assert parts.chats.conversation is not None
    assert parts.chats.conversation.messages[-1].state == "stopped"


def test_a_killed_engine_is_explained_and_the_next_question_works(
    qtbot: QtBot, start: Start
) -> None:
    parts = start()
    ask(qtbot, parts, "How does text diffusion work?")
    with qtbot.waitSignal(parts.generation.stepped, timeout=60_000):
        pass
    assert parts.client.process_id is not None
    os.kill(parts.client.process_id, signal.SIGKILL)
    until_done(qtbot, parts)
    assert "SIGKILL" in parts.window.banner.sentence
    assert parts.chats.conversation is not None
    assert parts.chats.conversation.messages[-1].state == "failed"
    qtbot.mouseClick(parts.window.banner.action_button(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=60_000)
    stop_after_first_block(parts)
    ask(qtbot, parts, "And again?")
    until_done(qtbot, parts)
    answer = parts.chats.conversation.messages[-1]
    assert answer.error == ""
    assert answer.state in ("finished", "stopped")
    assert answer.text


def test_a_model_file_that_is_none_is_a_sentence_and_the_guide_helps(
    qtbot: QtBot, start: Start, tmp_path: Path
) -> None:
    parts = start()
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=60_000)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    parts.model.choose(broken)
    qtbot.waitUntil(lambda: parts.model.state == "failed", timeout=60_000)
    assert "broken.gguf" in parts.window.banner.sentence
    qtbot.mouseClick(parts.window.banner.action_button(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=60_000)
    assert parts.model.is_guide


def test_the_tokens_of_a_draft_are_counted(qtbot: QtBot, start: Start) -> None:
    parts = start()
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=60_000)
    with qtbot.waitSignal(parts.counter.counted, timeout=60_000) as told:
        qtbot.keyClicks(parts.window.composer._prompt, "How many tokens is this?")
    tokens, context = told.args
    assert 0 < tokens < context


def test_a_full_context_goes_on_from_a_summary_that_the_engine_writes(
    qtbot: QtBot, start: Start, tmp_path: Path
) -> None:
    # By another name the guide counts as a model like any other.
    model = tmp_path / "model.gguf"
    model.write_bytes(built_in_guide().read_bytes())
    parts = start()
    parts.settings.change(context=2048)
    parts.model.choose(model)
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=60_000)

    def fill(db: sqlite3.Connection) -> int:
        chat = chats.create_chat(db, "Long talk")
        for said in ("What is a canvas? " * 400, "And a block? " * 30):
            asked = messages.add_prompt(db, chat.id, said)
            given = messages.begin_answer(db, asked.id)
            messages.append_block(db, given.id, 0, "A canvas is refined. " * 50)
            messages.finish_answer(db, given.id, "finished")
        return chat.id

    parts.chats.open(parts.store.write(fill))
    stop_after_first_block(parts)
    ask(qtbot, parts, "What is Sfumato?")
    until_done(qtbot, parts)
    banner = parts.window.banner
    assert "context" in banner.sentence
    action = banner.action_button()
    assert isinstance(action, QPushButton)
    assert action.text() == "Go on in a new chat with a summary"
    action.click()
    qtbot.waitUntil(lambda: len(parts.chats.all()) == 2, timeout=60_000)
    until_done(qtbot, parts)
    conversation = parts.chats.conversation
    assert conversation is not None
    assert conversation.chat.title == "Long talk (continued)"
    summary, *_, prompt, answer = conversation.messages
    assert summary.role == "system"
    assert summary.text.strip()
    assert prompt.text == "What is Sfumato?"
    assert answer.state in ("stopped", "finished")
    assert answer.text.strip()
