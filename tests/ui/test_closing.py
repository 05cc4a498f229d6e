"""Closing the window: nothing is lost unasked, a report stays until it has been seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.application import Parts
from sfumato.store import Store, chats, messages, repair
from sfumato.store.types import RepairReport

Build = Callable[..., Parts]
LONG_DRAFT = "a thought that does not fit " * 100_000


@pytest.fixture
def full(qtbot: QtBot, build_parts: Build) -> Iterator[Parts]:
    """An open chat with a draft that the database has no room for."""
    parts = build_parts()
    chat_id = parts.store.write(chats.create_chat, "Full").id
    parts.chats.open(chat_id)
    set_room(parts, None)
    parts.chats.keep_draft(LONG_DRAFT)
    parts.chats.flush_draft()
    qtbot.waitUntil(lambda: parts.store.unsaved_count == 1)
    yield parts
    set_room(parts, 1 << 30)


def set_room(parts: Parts, pages: int | None) -> None:
    """The most pages that the database may have; None: as many as it has."""
    db = parts.store._database
    assert db is not None

    def limit(_: object) -> None:
        most = pages or db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {most}")

    parts.store._writer.submit(limit, None).result()


def answer(text: str, told: list[str] | None = None) -> None:
    """Click this button of the question that is about to be asked."""

    def click() -> None:
        (box,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        if told is not None:
            told.append(box.informativeText())
        next(b for b in box.buttons() if b.text() == text).click()

    QTimer.singleShot(0, click)


def test_a_window_with_nothing_unsaved_closes_unasked(build_parts: Build) -> None:
    parts = build_parts()
    assert parts.window.close()


def test_closing_warns_of_what_is_in_memory_only(full: Parts) -> None:
    told: list[str] = []
    answer("Cancel", told)
    assert not full.window.close()
    assert full.window.isVisible()
    assert "full" in told[0]


def test_it_can_be_closed_all_the_same(full: Parts) -> None:
    answer("Close and lose it")
    assert full.window.close()


def test_trying_again_closes_once_there_is_room(full: Parts) -> None:
    set_room(full, 1 << 30)
    assert full.window.close()
    chat_id = full.chats.chat_id
    assert chat_id is not None
    assert full.store.read(chats.load_draft, chat_id) == LONG_DRAFT


def test_what_does_not_fit_can_be_saved_elsewhere(
    full: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    path = place / "chats.db"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    answer("Save elsewhere…")
    assert full.window.close()
    chat_id = full.chats.chat_id
    assert chat_id is not None
    with Store.open(place) as saved:
        assert saved.read(chats.load_draft, chat_id) == LONG_DRAFT


def test_closing_during_an_answer_keeps_its_blocks_as_after_a_stop(
    qtbot: QtBot, build_parts: Build
) -> None:
    text = "One two three four five six seven eight nine ten. " * 4
    parts = build_parts([settling_events(text, canvas=16, steps=2)])
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    with qtbot.waitSignal(parts.generation.committed):
        parts.generation.send("Count")
    assert parts.window.close()
    parts.close()
    again = build_parts()
    conversation = again.chats.conversation
    assert conversation is not None
    stored = conversation.messages[-1]
    assert stored.state == "stopped"
    assert stored.text
    assert text.startswith(stored.text)
    assert again.store.read(messages.load_blocks, stored.id)


def report(parts: Parts, moved_to: str) -> None:
    told = RepairReport(at_ms=1, what="recordings", problem="torn page", moved_to=moved_to)
    parts.store.write(repair.add_report, told)


def test_a_repair_is_told_until_its_banner_is_closed(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    report(parts, "/first")
    report(parts, "/second")
    parts.health.tell()
    assert "/first" in parts.window.banner.sentence
    assert "/second" in parts.window.banner.sentence
    qtbot.waitUntil(lambda: parts.calls.waiting == 0)
    assert len(parts.store.read(repair.unseen_reports)) == 2
    parts.window.banner.dismiss()
    qtbot.waitUntil(lambda: parts.calls.waiting == 0)
    assert parts.store.read(repair.unseen_reports) == []


def test_a_repair_comes_back_from_under_another_message(build_parts: Build) -> None:
    parts = build_parts()
    report(parts, "/kept")
    parts.health.tell()
    banner = parts.window.banner
    parts.window.tell_unclean_end()
    assert "/kept" not in banner.sentence
    banner.dismiss()
    assert "/kept" in banner.sentence
    banner.dismiss()
    assert banner.sentence == ""
