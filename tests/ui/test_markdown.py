"""What a message may show, and that nothing of it reaches disk, network or a script."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfumato.ui.markdown import (
    MAX_MESSAGE,
    Code,
    Math,
    Plain,
    Prose,
    Table,
    misleading,
    parse,
    safe_target,
    shown_address,
)


def prose(text: str) -> str:
    return "".join(block.html for block in parse(text) if isinstance(block, Prose))


def test_blocks_come_in_order() -> None:
    kinds = [
        type(b) for b in parse("# T\n\ntext\n\n```py\nx\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n$$\nx\n$$")
    ]
    assert kinds == [Prose, Code, Table, Math]


def test_html_is_text() -> None:
    assert "&lt;script&gt;" in prose("<script>alert(1)</script>")
    assert "&lt;img" in prose("a <img src=x> b")


@pytest.mark.parametrize("source", ["![x](file:///etc/passwd)", "![x](//host/share/x.png)"])
def test_an_image_is_its_address_in_words(source: str) -> None:
    shown = prose(source)
    assert "<img" not in shown
    assert source[5:-1] in shown


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "vbscript:x",
        "//host/x",
        "sfumato:x",
        "http:",
        "HTTP://",
    ],
)
def test_only_web_and_mail_addresses_become_links(address: str) -> None:
    assert safe_target(address) == ""
    assert "<a " not in prose(f"[x]({address})")


def test_a_bare_address_is_a_link() -> None:
    assert '<a href="https://example.org/a?b=1">' in prose("see https://example.org/a?b=1.")


def test_a_newline_is_kept() -> None:
    assert "<br" in prose("one\ntwo")


def test_code_keeps_its_language_and_loses_invisible_characters() -> None:
    (block,) = parse("```python\na\u202e\u200bb\n```")
    assert block == Code("python", "ab", 2)


def test_formulas_show_their_source() -> None:
    assert "a_b*c*" in prose("$a_b*c*$")
    assert parse("\\[ y = 2 \\]") == [Math("y = 2")]


def test_prices_are_not_formulas() -> None:
    assert "<code>" not in prose("It costs $5 and then $10.")


def test_items_of_a_task_list_are_marked() -> None:
    shown = prose("- [ ] a\n- [x] b\n- c")
    assert '<li class="unchecked">a</li>' in shown
    assert '<li class="checked">b</li>' in shown
    assert "<li>c</li>" in shown


@pytest.mark.parametrize(
    ("text", "address", "lies"),
    [
        ("bank.com", "https://evil.example/", True),
        ("https://bank.com", "https://bank.com/login", False),
        ("www.bank.com", "https://bank.com", False),
        ("click here", "https://evil.example/", False),
    ],
)
def test_a_link_that_names_another_place_is_misleading(text: str, address: str, lies: bool) -> None:
    assert misleading(text, address) is lies


def test_a_foreign_host_is_shown_as_punycode_too() -> None:
    assert "xn--" in shown_address("https://аpple.com/")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "*" * 50_000,
        "`" * 100_000,
        ">" * 20_000,
        "a" * 200_000,
        "$" * 50_000,
        "|a" * 60_000,
        "- " * 50_000,
        "\\(" * 60_000,
        "_a" * 60_000,
        "![[" * 1200,
        "<" * 100_000,
        "|a|b|\n|-|-|\n" + "|x|y|\n" * 20_000,
        "a" * (MAX_MESSAGE + 1),
    ],
    ids=lambda text: repr(text[:6]),
)
def test_hostile_text_is_parsed_in_time(text: str) -> None:
    start = time.perf_counter()
    blocks = parse(text)
    assert time.perf_counter() - start < 3
    assert blocks


def test_a_huge_table_is_plain_text() -> None:
    assert isinstance(parse("|a|b|\n|-|-|\n" + "|x|y|\n" * 2000)[0], Plain)


def test_no_line_is_longer_than_a_layout_can_take() -> None:
    (block,) = parse("[" + "a" * 300_000)
    assert isinstance(block, Plain)
    assert max(map(len, block.text.split("\n"))) <= 10_000


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab \n`*_[]()<>!|-#$\\:/.&\"'", max_size=120))
def test_no_text_makes_markup_of_its_own(text: str) -> None:
    for block in parse(text):
        if isinstance(block, Prose | Table):
            for forbidden in ("<script", "<img", "<style", "<iframe", "javascript:", "onclick"):
                assert forbidden not in block.html
