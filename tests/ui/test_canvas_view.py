"""The canvas on screen: its height never shrinks, smoke becomes ink and smoke again."""

from __future__ import annotations

import pytest
from odd_pieces import ODD
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.engine.protocol import Committed, Denoised, entropy_to_byte
from sfumato.ui.canvas_view import REWRAP_MS, CanvasView
from sfumato.ui.live_answer import LiveAnswer
from sfumato.ui.theme import Theme

INK, SMOKE = bytes([0]), bytes([entropy_to_byte(8.0)])


@pytest.fixture
def canvas(qtbot: QtBot, theme: Theme) -> CanvasView:
    made = CanvasView(theme)
    qtbot.addWidget(made)
    made.resize(400, 40)
    made.show()
    return made


def darkest(canvas: CanvasView) -> int:
    image = canvas.grab().toImage()
    return min(
        image.pixelColor(x, y).lightness()
        for x in range(0, image.width(), 1)
        for y in range(min(30, image.height()))
    )


def test_the_height_never_shrinks_within_a_block(canvas: CanvasView) -> None:
    heights = []
    for words in (10, 60, 5, 80, 1):
        canvas.show_step([" word"] * words, INK * words, at_once=True)
        heights.append(canvas.height())
    assert heights == sorted(heights)
    canvas.begin_block()
    canvas.show_step([" word"], INK, at_once=True)
    assert canvas.height() < heights[-1]


def test_doubt_is_painted_fainter_than_certainty(canvas: CanvasView) -> None:
    canvas.show_step(["MMMM"], SMOKE, at_once=True)
    smoke = darkest(canvas)
    canvas.show_step(["MMMM"], INK, at_once=True)
    ink = darkest(canvas)
    assert smoke > ink + 80


def test_a_withdrawn_token_is_smoke_again(canvas: CanvasView) -> None:
    canvas.show_step(["MMMM"], INK, at_once=True)
    canvas.show_step(["MMMM"], SMOKE, at_once=True)
    assert darkest(canvas) > 130


def test_levels_ease_to_where_they_belong(qtbot: QtBot, theme: Theme) -> None:
    theme.apply(reduced_motion=False)
    canvas = CanvasView(theme)
    qtbot.addWidget(canvas)
    canvas.resize(300, 40)
    canvas.show()
    canvas.show_step(["word"], INK)
    assert canvas._shown[0] < 0.5
    qtbot.waitUntil(lambda: canvas._shown[0] == 1.0)
    qtbot.waitUntil(lambda: not canvas._ease_timer.isActive())


def test_lines_are_broken_anew_only_now_and_then(qtbot: QtBot, canvas: CanvasView) -> None:
    canvas.show_step(["one", " two"], INK * 2)
    first = canvas._flow
    canvas.show_step(["one", " twofold"], INK * 2)
    assert canvas._flow is first
    assert canvas._wrap_timer.isActive()
    qtbot.waitUntil(lambda: canvas._flow is not first, timeout=10 * REWRAP_MS)


def test_all_kinds_of_pieces_can_be_painted(canvas: CanvasView) -> None:
    entropy = bytes(range(len(ODD)))
    for kind in ("flow", "grid"):
        canvas.set_layout_kind(kind)  # type: ignore[arg-type]
        for tint in ("ink", "settledness"):
            canvas.set_tint(tint)  # type: ignore[arg-type]
            canvas.show_step(ODD, entropy, bytes([1] * len(ODD)), at_once=True)
            assert not canvas.grab().isNull()


def test_an_empty_canvas_can_be_painted(canvas: CanvasView) -> None:
    canvas.show_step([], b"", at_once=True)
    assert not canvas.grab().isNull()


def test_the_next_block_goes_on_in_the_last_line(qtbot: QtBot, theme: Theme) -> None:
    events = settling_events("A sentence that goes on and on in one paragraph.", canvas=12, steps=2)
    live = LiveAnswer(theme, 1, "")
    qtbot.addWidget(live)
    live.resize(600, 400)
    live.show()
    live.height_for(600)
    for event in events:
        if isinstance(event, Denoised):
            live.show_step(event)
            if event.block == 1:
                break
        elif isinstance(event, Committed):
            live.show_committed(event)
            live.height_for(600)
    live.height_for(600)
    assert live.canvas.y() == 0
    shape = live.canvas._flow_at(live.canvas.width())
    first = next(rects[0] for rects in shape.rects if rects)
    assert first.left() > 50
    assert first.top() == 0


def test_noise_shows_what_the_model_holds(qtbot: QtBot, theme: Theme) -> None:
    step = next(e for e in settling_events("Some words here", canvas=8) if isinstance(e, Denoised))
    live = LiveAnswer(theme, 1, "")
    qtbot.addWidget(live)
    live.height_for(600)
    live.show_step(step)
    assert live.canvas.pieces == step.pieces
    live.set_source("noise")
    assert live.canvas.pieces == step.noise_pieces
