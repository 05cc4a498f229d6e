"""From what is shown of a message to its Markdown: the judge is where unique words stand in it."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.shown_source import source_span
from sfumato.ui.theme import Theme


def found(theme: Theme, source: str, selected: str) -> str | None:
    """The source of what is selected in the first view that shows it."""
    stack = BlockStack(theme)
    stack.show_markdown(source)
    shown = [view.document().toRawText() for view in stack.text_views()]
    at = next(number for number, text in enumerate(shown) if selected in text)
    start = shown[at].index(selected)
    span = source_span(source, shown, at, start, start + len(selected))
    return None if span is None else source[slice(*span)]


@pytest.mark.parametrize(
    ("source", "selected", "expected"),
    [
        ("A **bold** word", "bold", "bold"),
        ("A **bold** word", "A bold word", "A **bold** word"),
        ("```python\nprint(1)\n```\nThe next", "print", "print"),
        ("```python\nprint(1)\n```\nThe next", "t(1)", "t(1)"),
        ("1. 1 apple\n2. 2 pears", "1 apple", "1 apple"),
        ("1. 1 apple\n2. 2 pears", "2 pears", "2 pears"),
        ("- one\n- two\n- one", "two", "two"),
        ("a [name](https://example.org/name) b", "name", "name"),
        ("a [name](https://example.org/name) name b", "name b", "name b"),
        ("![picture](http://x/picture.png) behind it", "behind", "behind"),
        ("1 &lt; 2 &amp; 3", "< 2 &", "&lt; 2 &amp;"),
        ("`&lt;` is written so", "is written", "is written"),
        ("| a | b |\n|---|---|\n| c | a |", "c", "c"),
        ("# Head\n\n## Head 2", "Head 2", "Head 2"),
        ("x $y_1$ z", "z", "z"),
        ("😀 שלום, 花", "花", "花"),
        ("- [x] done\n- [ ] x", "done", "done"),
        ("a \\* b", "* b", "* b"),
    ],
)
def test_signs_of_markdown_do_not_belong_to_what_is_selected(
    theme: Theme, source: str, selected: str, expected: str
) -> None:
    assert found(theme, source, selected) == expected


def test_nothing_but_space_has_no_source() -> None:
    assert source_span("a  b", ["a  b"], 0, 1, 3) is None


def test_a_text_that_is_not_shown_has_no_source() -> None:
    assert source_span("abc", ["abd"], 0, 0, 1) is None


def test_a_text_made_to_be_ambiguous_takes_no_time() -> None:
    began = time.monotonic()
    source_span("a" * 60_000, ["a" * 30_000], 0, 5, 9)
    assert time.monotonic() - began < 5


SHAPES = st.sampled_from(
    [
        "the {} the {} ",
        "{}\n\n",
        "\n",
        "- {}\n- the {}\n",
        "1. {}\n2. 2 {}\n",
        "**{}** a *{}* ",
        "# {}\n\n",
        "`{}` ",
        "```python\n{} = 13\n\nif {}:\n    the\n```\n",
        "|a|{}|\n|-|-|\n|{}|15|\n\n",
        "[{}](https://example.org/the) ",
        "$x_1^2$ ",
        "$$\ny\n$$\n",
        "> {}\n",
        "&amp; \\* {} ",
        "😀 {} שלום ",
        "- [ ] {}\n",
        "![the](http://x/y.png) {}",
        "<b>{}</b> ",
    ]
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(SHAPES, min_size=1, max_size=8), st.data())
def test_words_are_found_where_they_stand(
    theme: Theme, shapes: list[str], data: st.DataObject
) -> None:
    numbers = itertools.count(100)
    source = "\n".join(shapes)
    for _ in range(source.count("{}")):
        source = source.replace("{}", f"wörd{next(numbers)}", 1)
    stack = BlockStack(theme)
    stack.show_markdown(source)
    shown = [view.document().toRawText() for view in stack.text_views()]
    words = [f"wörd{n}" for n in range(100, next(numbers))]
    there = [(at, word) for at, text in enumerate(shown) for word in words if word in text]
    if not there:
        return
    at, first = data.draw(st.sampled_from(there))
    last = data.draw(st.sampled_from([word for view, word in there if view == at]))
    start, end = sorted((first, last), key=shown[at].index)
    span = source_span(source, shown, at, shown[at].index(start), shown[at].index(end) + len(end))
    assert span == (source.index(start), source.index(end) + len(end))
