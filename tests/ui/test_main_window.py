"""The window over a scripted engine: what a person does, and what is then on screen and on disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextDocument
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot
from scripted_engine import ScriptedEngine, settling_events
from sfumato.application import Parts
from sfumato.engine.protocol import Denoised, Failed, Generate
from sfumato.store import messages
from sfumato.store.types import Message
from sfumato.ui.canvas_view import CanvasView
from sfumato.ui.live_answer import LiveAnswer

Build = Callable[..., Parts]

ANSWER = (
    "A block of noise becomes text.\n\nEvery *step* looks at all of it, and keeps what is sure."
)
LONG = " ".join(f"word{n} and" for n in range(90))


def engine_of(parts: Parts) -> ScriptedEngine:
    assert isinstance(parts.client, ScriptedEngine)
    return parts.client


def ask(qtbot: QtBot, parts: Parts, text: str) -> None:
    prompt = parts.window.composer._prompt
    prompt.setFocus()
    qtbot.keyClicks(prompt, text)
    qtbot.keyClick(prompt, Qt.Key.Key_Return)


def until_done(qtbot: QtBot, parts: Parts) -> None:
    def done() -> bool:
        return not parts.generation.busy and parts.calls.waiting == 0

    qtbot.waitUntil(lambda: parts.chats.conversation is not None and done(), timeout=15_000)


def path(parts: Parts) -> tuple[Message, ...]:
    assert parts.chats.conversation is not None
    return parts.chats.conversation.messages


def shown_text(parts: Parts) -> str:
    view = parts.window.conversation
    found = [
        w.toPlainText() for w in view.viewport().findChildren(QWidget, "prose") if w.isVisible()
    ]  # type: ignore[attr-defined]
    return "\n".join(found)


def live_of(parts: Parts) -> LiveAnswer:
    live = parts.window.conversation.live
    assert live is not None
    return live


def test_an_answer_is_read_after_at_least_three_distinct_canvases(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=8)])
    drafts: set[str] = set()
    parts.generation.stepped.connect(lambda _: drafts.add("".join(live_of(parts).canvas.pieces)))
    engine_of(parts)._timer.setInterval(30)
    ask(qtbot, parts, "What happens?")
    until_done(qtbot, parts)
    assert len(drafts) >= 3
    prompt, answer = path(parts)
    assert (prompt.text, answer.text, answer.state) == ("What happens?", ANSWER, "finished")
    qtbot.waitUntil(lambda: "keeps what is sure." in shown_text(parts))
    assert "Every step looks" in shown_text(parts)


def test_the_prompt_is_on_disk_before_the_engine_sees_it(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    seen: list[list[str]] = []
    engine = engine_of(parts)
    told = engine.request

    def request(message: object) -> None:
        if isinstance(message, Generate):
            chat = parts.chats.all()[0]
            conversation = parts.store.read(messages.load_conversation, chat.id)
            seen.append([m.text for m in conversation.messages])
        told(message)  # type: ignore[arg-type]

    engine.request = request  # type: ignore[method-assign]
    ask(qtbot, parts, "Keep me")
    until_done(qtbot, parts)
    assert seen == [["Keep me", ""]]


def test_stop_ends_the_answer_and_keeps_what_was_committed(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts([settling_events(LONG, canvas=64, steps=6)])
    engine_of(parts)._timer.setInterval(15)
    ask(qtbot, parts, "Go on for long")
    qtbot.waitUntil(
        lambda: parts.generation.answer is not None and parts.generation.answer.blocks >= 1
    )
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    until_done(qtbot, parts)
    answer = path(parts)[-1]
    assert answer.state == "stopped"
    assert answer.text
    assert LONG.startswith(answer.text)
    ask(qtbot, parts, "Again")
    until_done(qtbot, parts)
    assert path(parts)[-1].text == "Yes."


def test_a_crash_is_a_sentence_with_a_button_and_the_next_question_works(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts([settling_events(LONG, canvas=64, steps=6)])
    engine_of(parts)._timer.setInterval(15)
    ask(qtbot, parts, "Crash, please")
    with qtbot.waitSignal(parts.generation.stepped):
        pass
    engine_of(parts).crash()
    until_done(qtbot, parts)
    banner = parts.window.banner
    assert banner.sentence == "The engine crashed (SIGSEGV)."
    assert path(parts)[-1].state == "failed"
    qtbot.mouseClick(banner.action_button(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    engine_of(parts)._timer.setInterval(0)
    ask(qtbot, parts, "And now?")
    until_done(qtbot, parts)
    assert path(parts)[-1].text == "Yes."


def test_a_question_on_the_first_screen_can_be_clicked(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    button = parts.window.welcome.buttons()[0]
    assert parts.window.welcome.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    until_done(qtbot, parts)
    assert path(parts)[0].text == button.text()


def test_the_guide_is_named_as_what_it_is(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    labels = [w.text() for w in parts.window.welcome.findChildren(QLabel)]
    assert any("Built-in guide · a small demonstration, not DiffusionGemma" in t for t in labels)


def test_a_restart_brings_back_the_chat_and_the_draft(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=3)])
    ask(qtbot, parts, "Remember this")
    until_done(qtbot, parts)
    qtbot.keyClicks(parts.window.composer._prompt, "half a thought")
    parts.window.close()
    parts.close()
    again = build_parts()
    assert [m.text for m in path(again)] == ["Remember this", ANSWER]
    assert again.window.composer.text() == "half a thought"


def test_try_again_makes_a_version_and_the_first_can_be_shown_again(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts(
        [
            settling_events("First.", canvas=8, steps=2),
            settling_events("Second.", canvas=8, steps=2),
        ]
    )
    ask(qtbot, parts, "Two ways")
    until_done(qtbot, parts)
    parts.window._act("regenerate", path(parts)[-1].id)
    until_done(qtbot, parts)
    answer = path(parts)[-1]
    assert (answer.text, answer.version, len(answer.versions)) == ("Second.", 2, 2)
    parts.window._act("previous", answer.id)
    qtbot.waitUntil(lambda: path(parts)[-1].text == "First.")


def test_editing_a_prompt_makes_a_branch_that_is_answered(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(text, canvas=8, steps=2) for text in ("One.", "Two.")])
    ask(qtbot, parts, "First wording")
    until_done(qtbot, parts)
    prompt = path(parts)[0]
    widget = parts.window.conversation.widget_of(prompt.id)
    assert widget is not None
    widget.begin_edit()
    assert widget._editor is not None
    widget._editor.setPlainText("Better wording")
    qtbot.keyClick(widget._editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    until_done(qtbot, parts)
    assert [m.text for m in path(parts)] == ["Better wording", "Two."]
    assert len(path(parts)[0].versions) == 2


def test_a_deleted_chat_comes_back_with_undo(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    ask(qtbot, parts, "Do not lose me")
    until_done(qtbot, parts)
    chat_id = parts.chats.chat_id
    assert chat_id is not None
    parts.chats.delete(chat_id)
    qtbot.waitUntil(lambda: "deleted" in parts.window.banner.sentence)
    assert parts.chats.all() == []
    qtbot.mouseClick(parts.window.banner.action_button(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.chats.chat_id == chat_id)


def test_the_status_line_counts_blocks_and_steps(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=8)])
    lines: list[str] = []
    parts.generation.stepped.connect(lambda _: lines.append(parts.window.status.text))
    engine_of(parts)._timer.setInterval(10)
    ask(qtbot, parts, "Count")
    until_done(qtbot, parts)
    assert any(line.startswith("block 1 · step ") and "% settled" in line for line in lines)


def test_a_block_that_did_not_settle_says_so(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=4, settled=False)])
    ask(qtbot, parts, "Hurry")
    until_done(qtbot, parts)
    assert path(parts)[-1].settled is False
    qtbot.waitUntil(lambda: parts.window.conversation.live is None)
    widget = parts.window.conversation.widget_of(path(parts)[-1].id)
    assert widget is not None
    assert any("Did not settle" in note.text() for note in widget._notes)


def test_the_draft_stands_where_the_final_text_stands(qtbot: QtBot, build_parts: Build) -> None:
    events = settling_events(ANSWER.replace("*", ""), canvas=48, steps=3)
    final = [e for e in events if isinstance(e, Denoised)][-1]
    parts = build_parts([events])
    ask(qtbot, parts, "Where?")
    until_done(qtbot, parts)
    widget = parts.window.conversation.widget_of(path(parts)[-1].id)
    assert widget is not None
    assert widget._stack is not None
    (view,) = widget._stack._views
    document = view.document()
    assert isinstance(document, QTextDocument)
    canvas = CanvasView(parts.theme)
    canvas.resize(widget.width(), 100)
    canvas.show_step(final.pieces, final.entropy, at_once=True)
    shape = canvas._flow_at(canvas.width())
    line = document.lastBlock().layout().lineAt(0)
    baseline = document.lastBlock().layout().position().y() + line.y() + line.ascent()
    last = next(glyphs[0] for glyphs in reversed(shape.glyphs) if glyphs)
    assert last.positions()[0].y() == pytest.approx(baseline, abs=0.01)
    assert shape.height == pytest.approx(document.size().height(), abs=1)


def test_nothing_is_sent_while_an_answer_is_written(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(LONG, canvas=64, steps=6)])
    engine_of(parts)._timer.setInterval(10)
    ask(qtbot, parts, "One")
    qtbot.waitUntil(lambda: parts.generation.answer is not None)
    ask(qtbot, parts, "Two")
    assert parts.window.composer.text() == "Two"
    until_done(qtbot, parts)
    assert path(parts)[0].text == "One"
    assert len(path(parts)) == 2


def test_copy_puts_markdown_on_the_clipboard(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=2)])
    ask(qtbot, parts, "Copy me")
    until_done(qtbot, parts)
    parts.window._act("copy", path(parts)[-1].id)
    assert QGuiApplication.clipboard().text() == ANSWER


def test_a_full_context_offers_to_leave_out_the_oldest(qtbot: QtBot, build_parts: Build) -> None:
    full = Failed(
        kind="context",
        message="The conversation has 9,000 tokens, the context holds 8,192.",
        advice="Leave out the oldest messages.",
        turn=0,
    )
    parts = build_parts(
        [
            settling_events("One.", canvas=8, steps=2),
            [full],
            settling_events("Two.", canvas=8, steps=2),
        ]
    )
    ask(qtbot, parts, "First")
    until_done(qtbot, parts)
    ask(qtbot, parts, "Second")
    until_done(qtbot, parts)
    button = parts.window.banner.action_button()
    assert isinstance(button, QPushButton)
    assert button.text() == "Leave out the oldest messages"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    until_done(qtbot, parts)
    request = engine_of(parts).requests[-1]
    generates = [r for r in engine_of(parts).requests if isinstance(r, Generate)]
    assert request is not None
    assert [m.text for m in generates[-1].messages] == ["Second"]
    assert path(parts)[-1].text == "Two."


def test_every_action_under_an_answer_can_be_reached_with_tab(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=2)])
    ask(qtbot, parts, "Tab")
    until_done(qtbot, parts)
    qtbot.waitUntil(lambda: parts.window.conversation.live is None)
    parts.window.composer.focus()
    reached: set[str] = set()
    for _ in range(40):
        qtbot.keyClick(QGuiApplication.focusWindow() or parts.window, Qt.Key.Key_Tab)  # type: ignore[arg-type]
        focused = parts.window.focusWidget()
        if isinstance(focused, QToolButton):
            reached.add(focused.accessibleName())
    wanted = {"Copy message", "Try again", "Watch again", "How settled", "More", "Send", "Settings"}
    assert wanted - {"Send"} <= reached


def test_every_button_has_a_name(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=2)])
    ask(qtbot, parts, "Names")
    until_done(qtbot, parts)
    for button in parts.window.findChildren(QToolButton):
        assert button.accessibleName() or button.text()
        assert button.toolTip() or button.text()


@pytest.mark.parametrize("size", [(640, 480), (1024, 640), (2560, 1440)])
def test_nothing_is_wider_than_the_window(
    qtbot: QtBot, build_parts: Build, size: tuple[int, int]
) -> None:
    parts = build_parts([settling_events(ANSWER + " " + "x" * 500, canvas=160, steps=2)], size=size)
    ask(qtbot, parts, "y" * 300)
    until_done(qtbot, parts)
    view = parts.window.conversation.viewport()
    for widget in view.findChildren(QWidget):
        if widget.isVisible() and widget.parent() is view:
            assert widget.x() >= 0
            assert widget.geometry().right() <= view.width()
    assert parts.window.sidebar.isVisible() == (size[0] >= 820)


def test_the_look_changes_with_the_settings(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts([settling_events(ANSWER, canvas=48, steps=2)])
    ask(qtbot, parts, "Dark")
    until_done(qtbot, parts)
    light = parts.window.grab().toImage().pixelColor(600, 300)
    parts.settings.change(theme="dark")
    dark = parts.window.grab().toImage().pixelColor(600, 300)
    assert light.lightness() > 200 > 60 > dark.lightness()
    line = parts.theme.line_px
    qtbot.keyClick(parts.window, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    assert parts.settings.current.zoom_percent == 110
    assert parts.theme.line_px > line
