"""Messages on screen: nothing is loaded, nothing freezes, code and text can be copied."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QTextCursor
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from sfumato.store.types import AnswerStats, Message
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.code_block import CodeBlock
from sfumato.ui.markdown import MAX_MESSAGE, Code
from sfumato.ui.message_widget import MessageWidget
from sfumato.ui.prose_view import ProseView, TableView
from sfumato.ui.theme import Theme


def message(
    text: str, *, role: str = "assistant", thinking: str = "", **changes: object
) -> Message:
    values: dict[str, object] = {
        "id": 1, "chat_id": 1, "parent_id": None, "role": role, "state": "finished", "text": text,
        "thinking": thinking, "created_ms": 0, "settled": True, "edited": False, "error": "",
        "stats": AnswerStats(), "deleted_ms": None, "versions": (1,),
    }  # fmt: skip
    values.update(changes)
    return Message(**values)  # type: ignore[arg-type]


def show(qtbot: QtBot, theme: Theme, shown: Message) -> MessageWidget:
    widget = MessageWidget(theme, shown, recorded=True)
    qtbot.addWidget(widget)
    widget.resize(700, widget.height_for(700))
    widget.show()
    return widget


def test_no_file_is_read_for_a_message(qtbot: QtBot, theme: Theme, tmp_path: Path) -> None:
    picture = tmp_path / "secret.png"
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    assert image.save(str(picture))
    view = ProseView(theme)
    qtbot.addWidget(view)
    # As bad as it gets: markup that the Markdown of a message can never become.
    view.show_html(f'<p>x<img src="{picture}"><img src="file://{picture}"></p>')
    view.resize(200, 200)
    view.show()
    shot = view.grab().toImage()
    reds = [
        (x, y)
        for x in range(0, shot.width(), 4)
        for y in range(0, shot.height(), 4)
        if shot.pixelColor(x, y).red() > 200 and shot.pixelColor(x, y).green() < 60
    ]
    assert reds == []


def test_a_link_is_told_with_its_text(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown("See [bank.com](https://evil.example/x).")
    (view,) = stack.findChildren(ProseView)
    with qtbot.waitSignal(stack.link_clicked) as told:
        view.anchorClicked.emit(QUrl("https://evil.example/x"))
    assert told.args == ["https://evil.example/x", "bank.com"]


def test_what_is_copied_is_plain_text(qtbot: QtBot, theme: Theme) -> None:
    view = ProseView(theme)
    qtbot.addWidget(view)
    view.show_html("<p>some <b>bold</b> text</p>")
    view.selectAll()
    data = view.createMimeDataFromSelection()
    assert data.text() == "some bold text"
    assert not data.hasHtml()


def test_text_can_be_selected_with_the_keyboard(qtbot: QtBot, theme: Theme) -> None:
    widget = show(qtbot, theme, message("Select these words"))
    (view,) = widget.findChildren(ProseView)
    view.setFocus()
    view.moveCursor(QTextCursor.MoveOperation.Start)
    for _ in range(6):
        qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.textCursor().selectedText() == "Select"


def test_code_is_copied_as_it_is(qtbot: QtBot, theme: Theme) -> None:
    block = CodeBlock(theme, Code("python", "if x:\n    y()\n\tz()"))
    qtbot.addWidget(block)
    qtbot.mouseClick(block._copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "if x:\n    y()\n\tz()"


def test_every_line_of_code_has_room(qtbot: QtBot, theme: Theme) -> None:
    text = "\n".join(f"line {n}" for n in range(200))
    block = CodeBlock(theme, Code("python", text))
    qtbot.addWidget(block)
    block.resize(600, block.height_for(600))
    block.show()
    assert block._text.blockCount() == 200
    assert block._text.verticalScrollBar().maximum() == 0


def test_long_lines_of_code_scroll_sideways(qtbot: QtBot, theme: Theme) -> None:
    block = CodeBlock(theme, Code("", "x" * 400 + "\ny"))
    qtbot.addWidget(block)
    block.resize(400, block.height_for(400))
    block.show()
    assert block._text.horizontalScrollBar().maximum() > 0
    assert block._text.verticalScrollBar().maximum() == 0


def test_a_wide_table_keeps_to_the_column_and_scrolls(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    head = "|".join(f"column {n}" for n in range(14))
    stack.show_markdown(f"|{head}|\n|{'-|' * 14}\n|{head}|")
    stack.resize(500, stack.height_for(500))
    stack.show()
    (view,) = stack.findChildren(TableView)
    assert view.width() <= 500
    assert view.horizontalScrollBar().maximum() > 0
    assert view.horizontalScrollBar().value() == 0


def lines_of_cells(view: TableView) -> list[int]:
    document = view.document()
    blocks = [document.findBlockByNumber(n) for n in range(document.blockCount())]
    return [block.layout().lineCount() for block in blocks if block.text()]


def test_a_table_breaks_no_line_before_it_must(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    for columns in (2, 14):
        head = "|".join(f"Column {n}" for n in range(columns))
        stack.show_markdown(f"|{head}|\n|{'-|' * columns}\n|{head}|")
        stack.resize(600, stack.height_for(600))
        (view,) = stack.findChildren(TableView)
        assert set(lines_of_cells(view)) == {1}


def test_a_table_with_long_cells_wraps_them_rather_than_scroll(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown(f"|one|two|three|\n|-|-|-|\n|{'many words ' * 12}|{'more ' * 20}|few|")
    stack.resize(600, stack.height_for(600))
    stack.show()
    (view,) = stack.findChildren(TableView)
    assert view.horizontalScrollBar().maximum() == 0
    assert lines_of_cells(view)[-1] == 1
    assert max(lines_of_cells(view)) > 1


@pytest.mark.parametrize(
    "text",
    [
        "a" * MAX_MESSAGE,
        "a " * (MAX_MESSAGE // 2),
        "a\n\n" * 5000,
        "```\n" + "a(" * 60_000 + "\n```",
        "|" + "a|" * 900 + "\n|" + "-|" * 900,
        "> " * 2000 + "x",
        "\u202e" * 5000,
        "👩‍👩‍👧‍👦" * 5000,
    ],
    ids=lambda text: repr(text[:4]) + str(len(text)),
)
def test_no_message_freezes_the_window(qtbot: QtBot, theme: Theme, text: str) -> None:
    start = time.perf_counter()
    widget = show(qtbot, theme, message(text))
    widget.grab()
    assert time.perf_counter() - start < 6


def test_thinking_is_folded_until_it_is_asked_for(qtbot: QtBot, theme: Theme) -> None:
    widget = show(qtbot, theme, message("The answer", thinking="The thought"))
    before = widget.height_for(700)
    assert "The thought" not in [view.toPlainText() for view in widget.findChildren(ProseView)]
    assert widget._thinking is not None
    qtbot.mouseClick(widget._thinking, Qt.MouseButton.LeftButton)
    assert widget.height_for(700) > before
    assert "The thought" in [view.toPlainText() for view in widget.findChildren(ProseView)]


def test_a_damaged_message_is_shown_as_it_is(qtbot: QtBot, theme: Theme) -> None:
    widget = show(qtbot, theme, message("**raw** <b>text</b>", role="tool", raw=True))
    assert [v.toPlainText() for v in widget.findChildren(ProseView)] == ["**raw** <b>text</b>"]


def test_a_prompt_is_never_read_as_markup(qtbot: QtBot, theme: Theme) -> None:
    widget = show(qtbot, theme, message("# not <b>a</b> heading", role="user"))
    assert [v.toPlainText() for v in widget.findChildren(ProseView)] == ["# not <b>a</b> heading"]


def test_an_edit_can_be_given_up(qtbot: QtBot, theme: Theme) -> None:
    widget = show(qtbot, theme, message("Original", role="user"))
    told: list[object] = []
    widget.edited.connect(lambda *args: told.append(args))
    widget.begin_edit()
    assert widget._editor is not None
    widget._editor.setPlainText("Changed")
    widget.close_open_part()
    assert not widget.has_open_part
    assert told == []


def test_unchanged_blocks_keep_their_widgets(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown("one\n\n```\ncode\n```\n\ntail")
    before: list[QWidget] = list(stack._views)
    stack.show_markdown("one\n\n```\ncode\n```\n\ntail that grew")
    assert stack._views == before
    assert "tail that grew" in before[2].toPlainText()  # type: ignore[attr-defined]


def test_a_rule_is_a_hairline_in_the_colour_of_lines(qtbot: QtBot, theme: Theme) -> None:
    view = ProseView(theme)
    qtbot.addWidget(view)
    view.show_html("<p>one</p><hr /><p>two</p>")
    rule = view.document().findBlockByNumber(1)
    assert rule.blockFormat().background().color() == theme.colors.line
