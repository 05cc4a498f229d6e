"""Watch again and How settled: every step can be reached, read and copied."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.application import Parts
from sfumato.engine.protocol import Denoised
from sfumato.services.generation import step_record
from sfumato.services.recordings import RecordedBlock
from sfumato.store.recordings import StepRecord
from sfumato.ui.canvas_layout import readable
from sfumato.ui.recording_view import RecordingView, frames_of
from sfumato.ui.settled_view import SettledView
from sfumato.ui.settledness import histories
from sfumato.ui.theme import Theme

ANSWER = "One block of text that settles.\n\nAnd another one that follows it, word by word."


def recorded(text: str = ANSWER, canvas: int = 16) -> list[RecordedBlock]:
    blocks: dict[int, list[StepRecord]] = {}
    for event in settling_events(text, canvas=canvas, steps=6):
        if isinstance(event, Denoised):
            blocks.setdefault(event.block, []).append(step_record(event))
    return [RecordedBlock(block, steps) for block, steps in blocks.items()]


@pytest.fixture
def view(qtbot: QtBot, theme: Theme) -> RecordingView:
    made = RecordingView(theme, recorded())
    qtbot.addWidget(made)
    made.resize(700, made.height_for(700))
    made.show()
    return made


def test_the_last_step_reads_as_the_answer(view: RecordingView) -> None:
    view.scrubber.setValue(view.scrubber.maximum())
    assert view.text_at_step() == ANSWER


def test_there_is_a_frame_a_step_of_every_block() -> None:
    blocks = recorded()
    frames = frames_of(blocks)
    assert len(frames) == sum(len(block.steps) for block in blocks)
    assert next(frame.number for frame in frames if frame.block == 1) == 1


def test_keys_step_and_play(qtbot: QtBot, view: RecordingView) -> None:
    view.scrubber.setValue(3)
    qtbot.keyClick(view, Qt.Key.Key_Period)
    assert view.scrubber.value() == 4
    qtbot.keyClick(view, Qt.Key.Key_Comma)
    qtbot.keyClick(view, Qt.Key.Key_Comma)
    assert view.scrubber.value() == 2
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert view.playing
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert not view.playing


def test_playing_ends_at_the_last_step(qtbot: QtBot, view: RecordingView) -> None:
    view._speed.setCurrentIndex(view._speed.count() - 1)
    view.scrubber.setValue(view.scrubber.maximum() - 2)
    view.play()
    qtbot.waitUntil(lambda: not view.playing)
    assert view.scrubber.value() == view.scrubber.maximum()


def test_playing_again_begins_at_the_start(view: RecordingView) -> None:
    view.scrubber.setValue(view.scrubber.maximum())
    view.play()
    assert view.scrubber.value() == 0
    view.pause()


def test_the_text_of_any_step_can_be_copied(view: RecordingView) -> None:
    view.scrubber.setValue(2)
    view.copy_text()
    assert QGuiApplication.clipboard().text() == view.text_at_step() != ANSWER


def test_the_sentence_says_block_and_step(view: RecordingView) -> None:
    view.scrubber.setValue(1)
    assert view.sentence.startswith("block 1 · step 2 of ")


def test_the_canvas_does_not_shrink_while_scrubbing(view: RecordingView) -> None:
    heights = []
    for value in range(view.scrubber.maximum() + 1):
        view.scrubber.setValue(value)
        heights.append(view.canvas.height())
    assert len(set(heights)) == 1


def test_a_click_on_the_line_goes_there(qtbot: QtBot, view: RecordingView) -> None:
    line = view.scrubber
    qtbot.mouseClick(line, Qt.MouseButton.LeftButton, pos=line.rect().center())
    assert abs(line.value() - line.maximum() / 2) <= 1


def test_a_grid_shows_one_block(view: RecordingView) -> None:
    view._grid.setChecked(True)
    assert len(view.canvas.pieces) == 16


def test_noise_shows_what_the_model_held_at_every_step_in_both_layouts(
    view: RecordingView,
) -> None:
    view._noise.setChecked(True)
    for grid in (False, True):
        view._grid.setChecked(grid)
        for number, frame in enumerate(view._frames):
            view.scrubber.setValue(number)
            before = [] if grid else frame.before
            assert view.canvas.pieces == before + frame.step.noise_pieces
    view._noise.setChecked(False)
    assert view.canvas.pieces == view._frames[-1].step.pieces


def test_copied_noise_is_the_noise(view: RecordingView) -> None:
    view.scrubber.setValue(1)
    draft = view.text_at_step()
    view._noise.setChecked(True)
    assert view.text_at_step() == "".join(readable(view._frames[1].step.noise_pieces)).strip()
    assert view.text_at_step() != draft


def test_a_recording_without_noise_says_so_and_shows_the_draft(qtbot: QtBot, theme: Theme) -> None:
    old = [
        RecordedBlock(b.block, [msgspec.structs.replace(s, noise_pieces=[]) for s in b.steps])
        for b in recorded()
    ]
    view = RecordingView(theme, old, source="noise")
    qtbot.addWidget(view)
    view.scrubber.setValue(1)
    assert view.canvas.pieces == old[0].steps[1].pieces
    assert view.sentence.endswith(" · no noise was kept")
    assert not view._noise.isEnabled()
    assert view._noise.accessibleName() == "No noise was kept in this recording"


def test_a_recording_that_grows_asks_for_room(qtbot: QtBot, theme: Theme) -> None:
    blocks = recorded()
    blocks[0].steps[2].noise_pieces[:] = [" wider than any draft"] * 16
    view = RecordingView(theme, blocks)
    qtbot.addWidget(view)
    view.resize(300, 300)
    view.show()
    view.resize(300, view.height_for(300))
    view._noise.setChecked(True)
    with qtbot.waitSignal(view.resized):
        view.scrubber.setValue(2)
    assert view.height_for(300) > view.height()


def test_a_history_tells_when_a_token_came_to_rest() -> None:
    def step(number: int, ids: list[int], entropy: bytes) -> StepRecord:
        return StepRecord(number, ids, [str(i) for i in ids], entropy, b"\0\0", 1.0, 1.0)

    steps = [step(1, [5, 1], b"\x40\x40"), step(2, [5, 2], b"\0\x40"), step(3, [5, 1], b"\0\x10")]
    steady, wavering = histories(steps)
    assert (steady.settled_at, steady.changes, steady.hesitation) == (1, 0, 0.0)
    assert (wavering.settled_at, wavering.changes) == (3, 2)
    assert wavering.hesitation > 0.5


def test_the_map_has_a_note_a_token(qtbot: QtBot, theme: Theme) -> None:
    view = SettledView(theme, recorded())
    qtbot.addWidget(view)
    view.resize(700, view.height_for(700))
    view.show()
    notes = view.canvas._notes
    assert len(notes) == len(view.canvas.pieces)
    assert notes[0].startswith("Settled at step ")
    rect = next(rects[0] for rects in view.canvas._flow_at(700).rects if rects)
    assert view.canvas.position_at(rect.center().toPoint()) == 0


def test_watch_again_stands_in_the_place_of_the_text_and_goes_with_escape(
    qtbot: QtBot, build_parts: Callable[..., Parts]
) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=16, steps=4)])
    parts.generation.send("Show me")
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)
    qtbot.waitUntil(lambda: parts.window.conversation.live is None)
    assert parts.chats.conversation is not None
    answer = parts.chats.conversation.messages[-1]
    parts.window._act("watch", answer.id)
    widget = parts.window.conversation.widget_of(answer.id)
    assert widget is not None
    assert isinstance(widget.panel, RecordingView)
    assert not widget.panel.playing  # reduced motion
    assert widget.panel._noise.isEnabled()
    parts.window._act("settled", answer.id)
    assert isinstance(widget.panel, SettledView)
    qtbot.keyClick(widget.panel, Qt.Key.Key_Escape)
    assert widget.panel is None
