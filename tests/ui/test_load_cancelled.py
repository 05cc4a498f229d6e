"""A load that is given up: the guide takes the model's place and the engine lives.

The engine is the real process over a made-up model; its first load waits until it is cancelled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from sfumato.application import Parts, build
from sfumato.services.engine_client import EngineClient
from sfumato.store.store import Store
from tiny_model import write_tiny_model

FAKE_WORKER = Path(__file__).parents[1] / "engine" / "fake_worker.py"
PATIENCE_MS = 30_000

Start = Callable[..., Parts]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "large.gguf", tokenizer=True)


@pytest.fixture
def start(
    fonts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> Iterator[Start]:
    """start(model) shows the window while that model is being loaded."""
    guide = write_tiny_model(tmp_path / "guide.gguf", tokenizer=True)
    for place in ("services.model", "ui.models_page"):
        monkeypatch.setattr(f"sfumato.{place}.built_in_guide", lambda: guide)
    made: list[Parts] = []

    def make(model: Path, *, remembered: bool = True) -> Parts:
        client = EngineClient(command=[sys.executable, str(FAKE_WORKER), "cancel"])
        store = Store.open(tmp_path / "data")
        parts = build(store, client=client, model_path=None if remembered else model)
        made.append(parts)
        if remembered:
            parts.settings.change(model_path=str(model))
        parts.window.resize(1024, 640)
        parts.window.show()
        parts.model.start()
        qtbot.waitUntil(lambda: parts.model.fraction > 0.1, timeout=PATIENCE_MS)
        return parts

    yield make
    for parts in made:
        parts.window.close()
        parts.close()
        parts.window.deleteLater()


def press(qtbot: QtBot, widget: QWidget) -> None:
    assert widget.isVisible()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def until_ready(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: parts.model.state == "ready", timeout=PATIENCE_MS)


def test_the_guide_takes_the_place_of_a_load_given_up(
    qtbot: QtBot, start: Start, model: Path
) -> None:
    parts = start(model)
    engine = parts.client.process_id
    press(qtbot, parts.window.top_bar.cancel_button)
    until_ready(qtbot, parts)
    assert parts.model.is_guide
    assert parts.settings.current.model_path == ""
    assert parts.client.process_id == engine
    assert not parts.window.top_bar.cancel_button.isVisible()


def test_the_model_given_up_can_be_loaded_later(qtbot: QtBot, start: Start, model: Path) -> None:
    parts = start(model)
    press(qtbot, parts.window.top_bar.cancel_button)
    until_ready(qtbot, parts)
    parts.model.choose(model)
    until_ready(qtbot, parts)
    assert parts.model.loaded is not None
    assert parts.model.loaded.path == str(model)


def test_a_question_that_waits_is_not_answered_by_the_guide(
    qtbot: QtBot, start: Start, model: Path
) -> None:
    parts = start(model)
    parts.generation.send("A question for the large model.")
    qtbot.waitUntil(lambda: parts.generation.answer is not None, timeout=PATIENCE_MS)
    press(qtbot, parts.window.top_bar.cancel_button)
    until_ready(qtbot, parts)
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)
    assert parts.chats.conversation is not None
    answer = parts.chats.conversation.messages[-1]
    assert (answer.state, answer.text) == ("stopped", "")


def test_a_model_of_the_command_line_leaves_what_is_remembered(
    qtbot: QtBot, start: Start, model: Path
) -> None:
    parts = start(model, remembered=False)
    parts.settings.change(model_path="/models/daily.gguf")
    press(qtbot, parts.window.top_bar.cancel_button)
    until_ready(qtbot, parts)
    assert parts.model.is_guide
    assert parts.settings.current.model_path == "/models/daily.gguf"


def test_a_test_of_the_model_ends_with_its_load(qtbot: QtBot, start: Start, model: Path) -> None:
    parts = start(model)
    run = parts.window.first_run
    parts.window.open_first_run()
    parts.self_test.run()
    run.show_test()
    press(qtbot, run.test.cancel)
    assert run.screen_shown is run.machine
    until_ready(qtbot, parts)
    assert not parts.self_test.running
    assert parts.self_test.report is None


def test_the_list_shows_the_load_and_its_end(qtbot: QtBot, start: Start, model: Path) -> None:
    parts = start(model)
    parts.library.import_file(model)
    page = parts.window.models_page
    parts.window.toggle_models()
    qtbot.waitUntil(lambda: page.card(str(model)) is not None, timeout=PATIENCE_MS)
    card = page.card(str(model))
    assert card is not None
    qtbot.waitUntil(lambda: card.button("cancel_load").isVisible())
    assert "Loading" in card.figures
    press(qtbot, card.button("cancel_load"))
    until_ready(qtbot, parts)
    assert not card.button("cancel_load").isVisible()
    assert card.button("use").isVisible()
