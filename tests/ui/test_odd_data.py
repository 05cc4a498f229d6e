"""Whatever an engine sends or a recording holds is painted: an exception there ends the process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_pieces import ODD
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from sfumato.engine.protocol import Committed, Denoised
from sfumato.errors import StoreError
from sfumato.services.recordings import RecordedBlock
from sfumato.store.recordings import StepRecord, decode_recording, encode_recording
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.canvas_view import CanvasView
from sfumato.ui.live_answer import LiveAnswer
from sfumato.ui.recording_view import RecordingView
from sfumato.ui.settled_view import SettledView
from sfumato.ui.theme import Theme

PIECE = st.sampled_from(ODD) | st.text(st.characters(), max_size=6)
PIECES = st.lists(PIECE, max_size=24)
BYTES = st.binary(max_size=40)
FLOAT = st.floats()
LAYOUT = st.sampled_from(["flow", "grid"])
WIDTH = st.integers(1, 900)
few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextlib.contextmanager
def painted(qtbot: QtBot, widget: QWidget) -> Iterator[None]:
    """What is raised within, or while the widget is painted afterwards, fails the test."""
    with qtbot.captureExceptions() as raised:
        yield
        widget.grab()
    assert raised == []


@pytest.fixture
def canvas(qtbot: QtBot, theme: Theme) -> CanvasView:
    made = CanvasView(theme)
    qtbot.addWidget(made)
    made.show()
    return made


@few
@given(
    steps=st.lists(st.tuples(PIECES, BYTES, BYTES, st.booleans()), min_size=1, max_size=3),
    notes=st.lists(st.text(max_size=3), max_size=30),
    layout=LAYOUT,
    tint=st.sampled_from(["ink", "settledness"]),
    prefix=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    width=WIDTH,
)
def test_a_canvas_is_painted_where_nothing_fits_together(
    qtbot: QtBot,
    canvas: CanvasView,
    steps: list[tuple[list[str], bytes, bytes, bool]],
    notes: list[str],
    layout: str,
    tint: str,
    prefix: str,
    width: int,
) -> None:
    with painted(qtbot, canvas):
        canvas.begin_block(prefix)
        canvas.set_layout_kind(layout)  # type: ignore[arg-type]
        canvas.set_tint(tint)  # type: ignore[arg-type]
        canvas.set_notes(notes)
        canvas.resize(width, canvas.height())
        for pieces, entropy, pinned, at_once in steps:
            canvas.show_step(pieces, entropy, pinned, at_once=at_once)
            canvas.grab()
            canvas._ease()
        for x in range(0, width, 40):
            spot = QPoint(x, 10)
            canvas.mouseMoveEvent(
                QMouseEvent(
                    QMouseEvent.Type.MouseMove,
                    QPointF(spot),
                    QPointF(spot),
                    Qt.MouseButton.NoButton,
                    Qt.MouseButton.NoButton,
                    Qt.KeyboardModifier.NoModifier,
                )
            )


@st.composite
def recordings(draw: st.DrawFn) -> list[RecordedBlock]:
    """Blocks as a store may return them: encoded, perhaps with a wrong byte, decoded."""
    blocks = []
    for number in range(draw(st.integers(1, 3))):
        count = draw(st.integers(0, 12))
        noisy = draw(st.booleans())
        row = st.lists(PIECE, min_size=count, max_size=count)
        ids = st.lists(st.integers(0, 2**32 - 1), min_size=count, max_size=count)
        steps = [
            StepRecord(
                step=draw(st.integers(0, 99)),
                ids=draw(ids),
                pieces=draw(row),
                entropy=draw(st.binary(min_size=count, max_size=count)),
                accepted=bytes(count),
                mean_entropy=draw(FLOAT),
                ms=draw(FLOAT),
                noise_pieces=draw(row) if noisy else [],
            )
            for _ in range(draw(st.integers(1, 4)))
        ]
        with contextlib.suppress(StoreError):
            steps = decode_recording(encode_recording(steps))
        blocks.append(RecordedBlock(number, steps))
    return blocks


@few
@given(blocks=recordings(), layout=LAYOUT, source=st.sampled_from(["draft", "noise"]), width=WIDTH)
def test_any_recording_can_be_watched(
    qtbot: QtBot,
    theme: Theme,
    blocks: list[RecordedBlock],
    layout: str,
    source: str,
    width: int,
) -> None:
    view = RecordingView(theme, blocks, layout=layout, source=source)  # type: ignore[arg-type]
    qtbot.addWidget(view)
    view.show()
    with painted(qtbot, view):
        view.resize(width, view.height_for(width))
        for frame in range(view.scrubber.maximum() + 1):
            view.scrubber.setValue(frame)
            view.grab()
            view.text_at_step()
        view._noise.setChecked(source == "draft")
        view._grid.setChecked(layout == "flow")
        view.step(-1)
    view.close()


@few
@given(blocks=recordings(), width=WIDTH)
def test_any_recording_has_a_map_of_how_it_settled(
    qtbot: QtBot, theme: Theme, blocks: list[RecordedBlock], width: int
) -> None:
    view = SettledView(theme, blocks)
    qtbot.addWidget(view)
    view.show()
    with painted(qtbot, view):
        view.resize(width, view.height_for(width))
    view.close()


@few
@given(
    steps=st.lists(st.tuples(PIECES, PIECES, BYTES, FLOAT), max_size=4),
    text=st.text(st.characters(), max_size=20),
    before=st.sampled_from(
        ["", "A paragraph", "A paragraph ", "| a |\n|-|\n", "```\nx", "$$\nx\n$$"]
    ),
    settled=st.booleans(),
    layout=LAYOUT,
)
def test_an_engine_may_send_anything(
    qtbot: QtBot,
    theme: Theme,
    steps: list[tuple[list[str], list[str], bytes, float]],
    text: str,
    before: str,
    settled: bool,
    layout: str,
) -> None:
    live = LiveAnswer(theme, 1, before)
    qtbot.addWidget(live)
    live.show()
    with painted(qtbot, live):
        live.set_layout_kind(layout)  # type: ignore[arg-type]
        live.resize(500, live.height_for(500))
        for number, (pieces, noise, entropy, mean) in enumerate(steps, 1):
            live.show_step(
                Denoised(
                    turn=1,
                    block=number % 2,
                    step=number,
                    max_steps=0,
                    ids=[],
                    pieces=pieces,
                    noise_ids=[1],
                    noise_pieces=noise,
                    entropy=entropy,
                    accepted=b"",
                    pinned=entropy[1:],
                    mean_entropy=mean,
                    ms=mean,
                )
            )
            live.set_source("noise" if number % 2 else "draft")
            live.grab()
        live.show_committed(
            Committed(
                turn=1,
                block=0,
                text=text,
                thinking=text,
                ids=[],
                pieces=[],
                kept=0,
                steps=0,
                settled=settled,
                mean_entropy=0.0,
                ms=0.0,
            )
        )
        live.resize(500, live.height_for(500))
    live.close()


@few
@given(
    text=st.lists(
        st.sampled_from(["> ", "- ", "# ", "|a|b|\n|-|-|\n", "```\n", "$$", "$x$", "\n", "w" * 300])
        | st.text(st.characters(), max_size=8),
        max_size=12,
    ).map("".join),
    spans=st.lists(st.tuples(st.integers(-3, 60), st.integers(-3, 60)), max_size=3),
    width=WIDTH,
)
def test_any_text_is_painted(
    qtbot: QtBot, theme: Theme, text: str, spans: list[tuple[int, int]], width: int
) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show()
    with painted(qtbot, stack):
        stack.show_markdown(text, tuple(sorted(spans)))
        stack.resize(width, stack.height_for(width))
    stack.close()
