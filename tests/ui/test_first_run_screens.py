"""The first run as a new user walks through it, over a scripted engine and computers made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from machines import SMALL, WITH_CARD, WITHOUT_CARD
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot
from sfumato.application import Parts
from sfumato.download.library import Found
from sfumato.download.machine import Machine
from sfumato.engine.protocol import Failed, Load
from sfumato.store import settings as stored_settings
from sfumato.ui.first_run_pages.machine_screen import STEPS

Build = Callable[..., Parts]
Begin = Callable[..., Parts]


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the window asked to download; nothing is."""
    asked: list[str] = []
    monkeypatch.setattr(
        "sfumato.services.model_library.ModelLibrary.download",
        lambda library, model_id: asked.append(model_id),
    )
    return asked


@pytest.fixture
def begin(
    qtbot: QtBot, build_parts: Build, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> Begin:
    """The window with the first run open, on a given computer."""
    monkeypatch.setattr("sfumato.services.model_library.memory_bytes_per_second", lambda: 60e9)

    def make(machine: Machine = WITH_CARD, size: tuple[int, int] = (1024, 640)) -> Parts:
        monkeypatch.setattr("sfumato.services.model_library.look", lambda folder: machine)
        parts = build_parts(size=size)
        parts.window.open_first_run()
        qtbot.waitUntil(lambda: parts.library.machine is not None)
        return parts

    return make


def press(qtbot: QtBot, widget: QWidget) -> None:
    assert widget.isVisible()
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def shown(parts: Parts) -> bool:
    return parts.window.first_run.isVisible()


def go_on(qtbot: QtBot, parts: Parts) -> None:
    press(qtbot, parts.window.first_run.next)


def test_it_begins_with_what_it_is_and_an_honest_line(begin: Begin) -> None:
    run = begin().window.first_run
    assert run.screen_shown is run.hello
    assert "DiffusionGemma" in run.hello.intro
    texts = " ".join(w.text() for w in run.hello.findChildren(QWidget) if hasattr(w, "text"))
    assert "more mistakes than Gemma 4" in texts


def test_the_recording_plays_without_a_model(begin: Begin) -> None:
    run = begin().window.first_run
    assert run.hello.recording is not None
    assert run.hello.recording.isVisible()
    first = run.hello.recording.canvas.pieces
    run.hello.recording.step(-3)
    assert run.hello.recording.canvas.pieces != first


def test_nothing_moves_by_itself_under_reduced_motion(begin: Begin) -> None:
    run = begin().window.first_run
    assert run.hello.recording is not None
    assert not run.hello.recording.playing


def test_the_recording_plays_by_itself_and_stops_when_one_goes_on(
    qtbot: QtBot, begin: Begin
) -> None:
    parts = begin()
    parts.settings.change(reduced_motion="off")
    run = parts.window.first_run
    run.open()
    assert run.hello.recording is not None
    assert run.hello.recording.playing
    go_on(qtbot, parts)
    assert not run.hello.recording.playing


@pytest.mark.parametrize("screens", [0, 1, 2])
def test_each_screen_can_be_skipped_and_none_comes_again(
    qtbot: QtBot, begin: Begin, screens: int
) -> None:
    parts = begin()
    for _ in range(screens):
        go_on(qtbot, parts)
    press(qtbot, parts.window.first_run.skip)
    assert not shown(parts)
    assert parts.window.composer.isVisible()
    qtbot.waitUntil(lambda: parts.calls.waiting == 0)
    assert parts.store.read(stored_settings.load).first_run_done


def test_escape_skips_it(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    assert not shown(parts)


def test_one_can_go_back(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    run = parts.window.first_run
    assert not run.back.isVisible()
    go_on(qtbot, parts)
    press(qtbot, run.back)
    assert run.screen_shown is run.hello


def test_with_a_large_card_the_first_file_is_suggested_with_numbers(
    qtbot: QtBot, begin: Begin
) -> None:
    parts = begin()
    go_on(qtbot, parts)
    screen = parts.window.first_run.machine
    assert screen.row is not None
    assert screen.row.id == "Q4_K_M"
    assert "Fits NVIDIA GeForce RTX 4090" in screen.verdict
    assert parts.window.first_run.next.text() == "Download 16.8 GB"


def test_without_a_card_the_reason_and_the_time_of_a_step_are_said(
    qtbot: QtBot, begin: Begin
) -> None:
    parts = begin(WITHOUT_CARD)
    go_on(qtbot, parts)
    screen = parts.window.first_run.machine
    assert "This computer has no NVIDIA card: CPU only, about" in screen.verdict
    assert screen.intro == "The model runs here on the processor: slowly."


def test_where_nothing_runs_the_guide_is_offered(
    qtbot: QtBot, begin: Begin, downloads: list[str]
) -> None:
    parts = begin(SMALL)
    go_on(qtbot, parts)
    screen = parts.window.first_run.machine
    assert "Won't fit: needs" in screen.verdict
    assert parts.window.first_run.next.text() == "Use the built-in guide"
    go_on(qtbot, parts)
    assert not shown(parts)
    assert downloads == []


def test_more_context_takes_more_memory(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    go_on(qtbot, parts)
    screen = parts.window.first_run.machine
    needed = []
    for at in range(len(STEPS)):
        screen.slider.setValue(at)
        share = screen.bar.share
        assert share is not None
        needed.append(share.needed)
    assert needed == sorted(set(needed))
    assert screen.context == 262144


def test_a_context_beyond_the_memory_is_shown_as_too_much(qtbot: QtBot, begin: Begin) -> None:
    card = replace(WITH_CARD.gpus[0], free_bytes=19_000_000_000)
    parts = begin(replace(WITH_CARD, gpus=(card,)))
    go_on(qtbot, parts)
    screen = parts.window.first_run.machine
    assert screen.bar.share is not None
    assert screen.bar.share.fits
    screen.slider.setValue(len(STEPS) - 1)
    assert not screen.bar.share.fits
    assert "too much" in screen.bar.accessibleName()


def test_the_chosen_context_holds_from_the_next_load(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    go_on(qtbot, parts)
    parts.window.first_run.machine.slider.setValue(STEPS.index(32768))
    go_on(qtbot, parts)
    assert parts.settings.current.context == 32768


def test_an_untouched_slider_changes_no_setting(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    before = parts.settings.current.context
    go_on(qtbot, parts)
    go_on(qtbot, parts)
    assert parts.settings.current.context == before


def test_the_download_begins_and_the_guide_can_be_asked_meanwhile(
    qtbot: QtBot, begin: Begin, downloads: list[str]
) -> None:
    parts = begin()
    go_on(qtbot, parts)
    go_on(qtbot, parts)
    run = parts.window.first_run
    assert downloads == ["Q4_K_M"]
    assert run.screen_shown is run.download
    assert run.next.text() == "Talk to the guide meanwhile"
    go_on(qtbot, parts)
    qtbot.keyClicks(parts.window.composer._prompt, "Are you there?")
    qtbot.keyClick(parts.window.composer._prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)
    assert parts.chats.conversation is not None
    assert parts.chats.conversation.messages[-1].text == "Yes."


def test_another_file_can_be_chosen(qtbot: QtBot, begin: Begin, downloads: list[str]) -> None:
    parts = begin()
    go_on(qtbot, parts)
    parts.window.first_run.machine.files.setCurrentIndex(1)
    go_on(qtbot, parts)
    assert downloads == ["Q5_K_M"]


def test_a_model_that_arrives_is_tested_and_chatting_begins(
    qtbot: QtBot, begin: Begin, tmp_path: Path
) -> None:
    parts = begin()
    run = parts.window.first_run
    go_on(qtbot, parts)
    go_on(qtbot, parts)
    with qtbot.waitSignal(parts.self_test.ended, timeout=15_000):
        parts.library.arrived.emit(tmp_path / "model.gguf")
    assert run.screen_shown is run.test
    assert "It works: 20 ms per step on the CPU" in run.test.view.sentence
    loads = [r for r in parts.client.requests if isinstance(r, Load)]  # type: ignore[attr-defined]
    assert loads[-1].path == str(tmp_path / "model.gguf")
    assert run.next.text() == "Start chatting"
    go_on(qtbot, parts)
    assert not shown(parts)
    assert parts.window.composer.isVisible()


def test_a_test_that_fails_says_why_and_can_be_run_again(
    qtbot: QtBot, begin: Begin, tmp_path: Path
) -> None:
    parts = begin()
    run = parts.window.first_run
    parts.client.hold()  # type: ignore[attr-defined]
    parts.library.arrived.emit(tmp_path / "model.gguf")
    with qtbot.waitSignal(parts.self_test.ended, timeout=15_000):
        parts.client.received.emit(
            Failed(kind="memory", message="Too large by 3 GB.", advice="Choose a smaller file.")
        )
    assert run.test.title == "The test failed"
    assert run.test.view.sentence == "Too large by 3 GB."
    again = [b for b in run.test.findChildren(QPushButton) if b.text() == "Test again"]
    assert again[0].isVisible()
    press(qtbot, run.back)
    assert run.screen_shown is run.machine


def test_the_result_of_a_test_in_the_background_is_told(
    qtbot: QtBot, begin: Begin, tmp_path: Path
) -> None:
    parts = begin()
    parts.window.first_run.close_run()
    with qtbot.waitSignal(parts.self_test.ended, timeout=15_000):
        parts.library.arrived.emit(tmp_path / "model.gguf")
    assert "It works" in parts.window.banner.sentence


def test_a_model_that_arrives_during_an_answer_waits_for_its_end(
    qtbot: QtBot, begin: Begin, tmp_path: Path
) -> None:
    parts = begin()
    parts.window.first_run.close_run()
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.generation.send("Hello?")
    assert parts.generation.busy
    parts.library.arrived.emit(tmp_path / "model.gguf")
    assert parts.model.is_guide
    with qtbot.waitSignal(parts.self_test.ended, timeout=15_000):
        pass
    assert parts.model.path == tmp_path / "model.gguf"
    qtbot.waitUntil(lambda: parts.calls.waiting == 0)
    assert parts.chats.conversation is not None
    assert parts.chats.conversation.messages[-1].text == "Yes."


def test_a_model_that_arrives_beside_another_is_offered(
    qtbot: QtBot, begin: Begin, tmp_path: Path
) -> None:
    parts = begin()
    parts.window.first_run.close_run()
    parts.model.choose(tmp_path / "first.gguf")
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.library.arrived.emit(tmp_path / "second.gguf")
    assert parts.window.banner.sentence == "second is here"
    assert parts.model.path == tmp_path / "first.gguf"
    with qtbot.waitSignal(parts.self_test.ended, timeout=15_000):
        press(qtbot, parts.window.banner.action_button())
    assert parts.model.path == tmp_path / "second.gguf"


def test_a_file_of_another_program_is_offered(
    qtbot: QtBot, begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = begin()
    imported: list[Path] = []
    monkeypatch.setattr(parts.library, "import_file", imported.append)
    path = tmp_path / "diffusiongemma-26B-A4B-it-Q4_K_M.gguf"
    found = Found(path=path, program="LM Studio", quant="Q4_K_M", bytes=5)
    monkeypatch.setattr(parts.library._library, "found", lambda: [found])
    go_on(qtbot, parts)
    qtbot.waitUntil(lambda: parts.library.found == [found])
    screen = parts.window.first_run.machine
    [use] = [b for b in screen.findChildren(QPushButton) if b.text() == "Use this file"]
    qtbot.waitUntil(use.isVisible)
    press(qtbot, use)
    assert imported == [path]


def test_it_is_reached_again_from_the_models_page(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    parts.window.first_run.close_run()
    parts.window.toggle_models()
    page = parts.window.models_page
    press(qtbot, next(b for b in page.findChildren(QPushButton) if b.text() == "Introduction"))
    assert shown(parts)


def test_the_model_in_use_is_tested_from_the_models_page(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    parts.window.first_run.close_run()
    parts.window.toggle_models()
    page = parts.window.models_page
    test = next(b for b in page.findChildren(QPushButton) if b.text() == "Test the model in use")
    with qtbot.waitSignal(parts.self_test.ended, timeout=15_000):
        press(qtbot, test)
    assert "It works: 20 ms per step" in page.tested
    assert not parts.window.banner.isVisible()


def test_every_screen_fits_the_smallest_window_we_draw_for(qtbot: QtBot, begin: Begin) -> None:
    parts = begin()
    run = parts.window.first_run
    run.download.follow("Q4_K_M")
    for screen in (run.hello, run.machine, run.download, run.test):
        run._go(screen)
        room = screen.parentWidget()
        qtbot.waitUntil(
            lambda screen=screen, room=room: (  # type: ignore[misc]
                screen.isVisible()
                and screen.width() <= room.width()
                and screen.height() <= room.height()
            )
        )
