"""Rewriting as a user does it: the real engine, the built-in guide, a real store."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from pytestqt.qtbot import QtBot
from sfumato.application import Parts
from sfumato.engine.protocol import Committed, Denoised, Event
from sfumato.paths import built_in_guide
from sfumato.store import messages, recordings
from sfumato.store.types import Message, SamplerValues

pytestmark = pytest.mark.skipif(
    not built_in_guide().exists(), reason="the built-in guide is not in this checkout"
)

Start = Callable[[], Parts]
WORDS = "purple"


def until_done(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0, timeout=60_000)


def answer_of(parts: Parts) -> Message:
    assert parts.chats.conversation is not None
    return parts.chats.conversation.messages[-1]


def answered(qtbot: QtBot, start: Start, question: str, seed: int = 3) -> Parts:
    parts = start()
    parts.settings.change(sampler=SamplerValues(seed=seed))
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=60_000)
    parts.generation.send(question)
    qtbot.waitUntil(lambda: parts.chats.conversation is not None, timeout=60_000)
    until_done(qtbot, parts)
    return parts


def begin(qtbot: QtBot, parts: Parts, first_word: int, count: int) -> str:
    """Select some words on screen and ask for others in their place."""
    widget = parts.window.conversation.widget_of(answer_of(parts).id)
    assert widget is not None
    view = widget.text_views()[0]
    words = view.toPlainText().split()
    selected = " ".join(words[first_word : first_word + count])
    at = view.document().toRawText().index(selected)
    cursor = view.textCursor()
    cursor.setPosition(at)
    cursor.setPosition(at + len(selected), QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    qtbot.keyClick(parts.window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    line = parts.window.rewriter.bar.words
    assert parts.window.focusWidget() is line
    qtbot.keyClicks(line, WORDS)
    qtbot.keyClick(line, Qt.Key.Key_Return)
    return selected


def blocks_of(parts: Parts, message: Message) -> list[tuple[int, ...]]:
    return [block.ids for block in parts.store.read(messages.load_blocks, message.id)]


def test_pinned_tokens_are_unchanged_and_the_new_version_is_stored(
    qtbot: QtBot, start: Start
) -> None:
    parts = answered(qtbot, start, "How does diffusion work?")
    old = answer_of(parts)
    said: list[Event] = []
    gaps: list[range] = []
    parts.client.received.connect(said.append)
    parts.rewriting.began.connect(lambda run: gaps.append(range(run.gap.first, run.gap.end)))
    begin(qtbot, parts, 5, 5)
    until_done(qtbot, parts)
    new = answer_of(parts)
    assert new.versions == (old.id, new.id)
    assert WORDS in new.text
    # Judged from what is stored: all but one run of tokens is what it was.
    before, after = blocks_of(parts, old), blocks_of(parts, new)
    assert len(before) == len(after)
    ((was, now),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    (committed,) = [event for event in said if isinstance(event, Committed)]
    assert now == tuple(committed.ids)
    outside = [at for at in range(len(now)) if at not in gaps[0]]
    assert len(outside) > len(now) // 2
    assert all(was[at] == now[at] for at in outside)
    steps = parts.store.read(recordings.load_recording, new.id, 0)
    assert steps is not None
    assert tuple(steps[-1].ids) == now
    assert all(step.ids[at] == was[at] for step in steps for at in outside)
    flags = next(event.pinned for event in said if isinstance(event, Denoised))
    assert all(flags[at] for at in outside)
    # The earlier version is as it was.
    assert parts.store.read(messages.get_message, old.id).text == old.text


def test_an_answer_of_two_blocks_is_rewritten_in_its_second(qtbot: QtBot, start: Start) -> None:
    parts = answered(qtbot, start, "What is Sfumato?", seed=4)
    old = answer_of(parts)
    before = blocks_of(parts, old)
    assert len(before) > 1
    words = len(old.text.split())
    begin(qtbot, parts, words - 6, 4)
    until_done(qtbot, parts)
    new = answer_of(parts)
    assert WORDS in new.text
    after = blocks_of(parts, new)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]
    assert new.text.split()[: words - 6] == old.text.split()[: words - 6]


def test_a_killed_engine_leaves_the_answer_as_it_was(qtbot: QtBot, start: Start) -> None:
    parts = answered(qtbot, start, "How does diffusion work?")
    old = answer_of(parts)
    process = parts.client.process_id
    assert process is not None
    parts.rewriting.began.connect(lambda _: os.kill(process, signal.SIGKILL))
    begin(qtbot, parts, 5, 5)
    until_done(qtbot, parts)
    assert "SIGKILL" in parts.window.banner.sentence
    assert answer_of(parts) == old
