"""What ran out of steps is underlined with dots, and nothing else of the message is different."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QTextCharFormat, QTextDocument
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.application import Parts
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.code_block import CodeBlock
from sfumato.ui.markdown import Marks, Prose, parse
from sfumato.ui.message_widget import MessageWidget
from sfumato.ui.theme import Theme
from sfumato.ui.unsettled import parse_marked

DOTTED = QTextCharFormat.UnderlineStyle.DotLine
SNIPPETS = st.sampled_from(
    [
        "one two ",
        "three",
        "\n\n",
        "\n",
        "- four\n- five\n",
        "1. six\n2. seven\n",
        "**eight** nine ",
        "# ten\n\n",
        "`eleven` ",
        "```python\ntwelve = 13\n\nif x:\n    y\n```\n",
        "|a|b|\n|-|-|\n|fourteen|15|\n\n",
        "[sixteen](https://example.org/path) ",
        "$x_1^2$ ",
        "$$\ny\n$$\n",
        "> seventeen\n",
        "&amp; \\* ",
        "\ue000",
        "😀 שלום ",
        "- [ ] task\n",
        "![image](http://x/y.png) ",
    ]
)
quietly = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def documents(stack: BlockStack) -> list[QTextDocument]:
    found = []
    for view in stack._views:
        edit = view._text if isinstance(view, CodeBlock) else view
        if isinstance(edit, QTextEdit | QPlainTextEdit):
            found.append(edit.document())
    return found


def underlined(stack: BlockStack) -> str:
    """The text with a dotted underline, lines joined by spaces."""
    parts = []
    for document in documents(stack):
        block = document.begin()
        while block.isValid():
            fragments = block.begin()
            while not fragments.atEnd():
                piece = fragments.fragment()
                if piece.charFormat().underlineStyle() == DOTTED:
                    parts.append(piece.text())
                fragments += 1
            parts.append(" ")
            block = block.next()
    return " ".join("".join(parts).split())


def shown(stack: BlockStack) -> list[str]:
    return [document.toPlainText() for document in documents(stack)]


@pytest.fixture
def stack(qtbot: QtBot, theme: Theme) -> BlockStack:
    made = BlockStack(theme)
    qtbot.addWidget(made)
    return made


def span_of(text: str, part: str) -> tuple[tuple[int, int], ...]:
    at = text.index(part)
    return ((at, at + len(part)),)


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("One two three.", "One two three.", "One two three."),
        ("One two three.", " two", "two "),
        ("One two three.", " two three.", "two three."),
        ("Un**settled words** here", "settled words**", "settled words "),
        ("First.\n\n- an item\n- another", "n item\n- another", "n item another"),
        ("Look:\n\n```python\na = 1\nb = 2\n```\n", " 1\nb", "1 b ="),
        ("|a|b|\n|-|-|\n|one|two|", "one|two|", "one two"),
        ("# Title\n\nText", "Title\n\nText", "Title Text"),
        ("A [link](https://example.org) end", "k](https://example.org) end", "k end"),
        ("1. six\n2. seven", "1. six\n2. seven", "six seven"),
    ],
)
def test_the_unsettled_part_is_underlined(
    stack: BlockStack, text: str, part: str, expected: str
) -> None:
    stack.show_markdown(text, span_of(text, part))
    assert underlined(stack) == expected.strip()


def test_parts_that_touch_are_one(stack: BlockStack) -> None:
    text = "aa bb cc dd"
    stack.show_markdown(text, ((0, 5), (5, 8)))
    assert underlined(stack) == "aa bb cc"


def test_without_a_harmless_place_all_of_it_is_underlined(stack: BlockStack) -> None:
    text = "Text\n\n$$\nx+y\n$$"
    stack.show_markdown(text, ((8, len(text)),))
    assert underlined(stack) == "Text"


def test_an_unsettled_end_without_words_underlines_nothing(stack: BlockStack) -> None:
    text = "alpha \n\n- "
    stack.show_markdown(text, ((5, len(text)),))
    assert underlined(stack) == ""


def test_a_message_that_ends_in_spaces_after_unsettled_words_keeps_its_beginning(
    stack: BlockStack,
) -> None:
    stack.show_markdown("alpha beta gamma \n\n", ((5, 16),))
    assert underlined(stack) == "beta gamma"


@quietly
@given(snippets=st.lists(SNIPPETS, max_size=12), edges=st.lists(st.integers(-5, 200), max_size=6))
def test_nothing_is_shown_otherwise_than_without_marks(
    stack: BlockStack, snippets: list[str], edges: list[int]
) -> None:
    text = "".join(snippets)
    edges.sort()
    spans = tuple(zip(edges[::2], edges[1::2], strict=False))
    stack.show_markdown(text)
    plain = shown(stack)
    stack.show_markdown(text, spans)
    assert shown(stack) == plain


@quietly
@given(
    words=st.lists(st.sampled_from(["alpha", "beta,", "**gamma**", "`delta`", "\n\n", "\n- "])),
    cut=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_whole_words_of_running_text_are_underlined_exactly(
    stack: BlockStack, words: list[str], cut: tuple[int, int]
) -> None:
    first, last = sorted(min(at, len(words)) for at in cut)
    before, part = " ".join(["", *words[:first]]), " ".join(["", *words[first:last]])
    after = " ".join(["", *words[last:]])
    text = before + part + after
    stack.show_markdown(text, ((len(before), len(before) + len(part)),))
    if all(text_shown for text_shown in shown(stack)):
        wanted = re.findall(r"[a-z]+", part)
        assert re.findall(r"[a-z]+", underlined(stack)) == wanted


def test_a_settled_message_is_parsed_as_ever() -> None:
    assert parse_marked("One two", ()) is parse("One two")
    assert parse_marked("One two", ((3, 3), (9, 12))) == parse("One two")


def test_a_text_full_of_private_characters_keeps_them_all() -> None:
    text = "\ue000\ue001 word"
    (block,) = parse_marked(text, ((0, 3),))
    assert isinstance(block, Prose)
    assert block.marks == Marks("\ue002", True)
    assert block.html.count("\ue000") == 1


def test_copied_code_holds_no_sign(stack: BlockStack) -> None:
    text = "```python\na = 1\nb = 2\n```"
    stack.show_markdown(text, ((15, len(text)),))
    (code,) = stack._views
    assert isinstance(code, CodeBlock)
    assert code._code.text == "a = 1\nb = 2"
    assert code._text.toPlainText() == "a = 1\nb = 2"


@pytest.mark.parametrize("dark", [False, True])
def test_dots_can_be_told_from_the_ground(theme: Theme, dark: bool) -> None:
    theme.apply(choice="dark" if dark else "light")
    ground, dots = theme.colors.ground, theme.colors.secondary
    lighter, darker = sorted((luminance(ground), luminance(dots)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(color: object) -> float:
    channels = (color.redF(), color.greenF(), color.blueF())  # type: ignore[attr-defined]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_block_that_ran_out_of_steps_is_underlined_from_its_commit_on(
    qtbot: QtBot, build_parts: Callable[..., Parts]
) -> None:
    answer = "Words that never became stable."
    parts = build_parts([settling_events(answer, canvas=16, steps=4, settled=False)])
    live: list[str] = []
    parts.generation.committed.connect(
        lambda _: live.append(underlined(parts.window.conversation.live._stack))  # type: ignore[union-attr]
    )
    parts.generation.send("Show me")
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)
    qtbot.waitUntil(lambda: parts.window.conversation.live is None)
    assert live == [answer]
    assert parts.chats.conversation is not None
    message = parts.chats.conversation.messages[-1]
    assert message.unsettled == ((0, len(answer)),)
    widget = parts.window.conversation.widget_of(message.id)
    assert isinstance(widget, MessageWidget)
    assert widget._stack is not None
    assert underlined(widget._stack) == answer
    assert any("underlined with dots" in note.text() for note in widget._notes)
