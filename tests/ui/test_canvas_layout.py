"""Where tokens stand: no token outside, none lost, newlines kept, whatever the pieces are."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sfumato.engine.protocol import entropy_to_byte
from sfumato.ui.canvas_layout import (
    CONTROL,
    CONTROL_PIECES,
    LONGEST_TOKEN,
    cell_text,
    flow,
    grid,
    ink_level,
    printable,
    readable,
    settled_share,
)
from sfumato.ui.theme import Theme

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [" the", "\n", "\n\n", "    ", "ing", " שלום", "花", "👩‍👩‍👧", "<pad>", ","]
        ),
        st.sampled_from(sorted(CONTROL_PIECES)),
        st.sampled_from(["<0xE2>", "<0x82>", "<0xAC>", "<0x00>", "\u202e", "\x00", "\t", "\ufffd"]),
        st.text(max_size=12),
        st.just("w" * 300),
    ),
    max_size=64,
)
any_layout = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@any_layout
@given(pieces=PIECES, width=st.integers(40, 900))
def test_no_token_stands_outside_and_none_is_lost(
    theme: Theme, pieces: list[str], width: int
) -> None:
    texts = readable(pieces)
    shape = flow(texts, width, theme.text_font(), theme.line_px, 12)
    assert len(texts) == len(pieces) == len(shape.rects) == len(shape.glyphs)
    for text, rects, glyphs in zip(texts, shape.rects, shape.glyphs, strict=True):
        for rect in rects:
            assert rect.left() >= -0.01
            assert rect.right() <= width + 0.01
            assert rect.top() >= 0
            assert rect.bottom() <= shape.height + 0.01
        if any(not c.isspace() and unicodedata.category(c)[0] in "LNP" for c in text):
            assert rects
            assert glyphs


@any_layout
@given(pieces=st.lists(st.sampled_from([" word", "\n", "long er", "."]), min_size=1, max_size=40))
def test_a_newline_ends_the_line(theme: Theme, pieces: list[str]) -> None:
    shape = flow(readable(pieces), 4000, theme.text_font(), 20, 10)
    tops = [rects[0].top() if rects else None for rects in shape.rects]
    line = None
    broken = True
    for piece, top in zip(pieces, tops, strict=True):
        if piece == "\n":
            broken = True
        elif broken:
            assert line is None or top is None or top > line
            line, broken = top, False
        else:
            assert top == line


@any_layout
@given(piece=st.text(max_size=40))
def test_a_printed_piece_holds_nothing_that_disturbs_its_neighbours(piece: str) -> None:
    text = printable(piece)
    assert len(text) <= 4 * LONGEST_TOKEN
    for character in text:
        assert (
            character == "\n"
            or character in "\u200c\u200d"
            or (unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
        )


def test_indentation_is_kept(theme: Theme) -> None:
    shape = flow(readable(["if", " x", ":", "\n", "    ", "y"]), 600, theme.mono_font(), 20, 10)
    assert shape.rects[5][0].left() > shape.rects[0][0].left() + 20


def test_bytes_of_one_character_are_shown_as_that_character() -> None:
    assert readable(["a", "<0xE2>", "<0x82>", "<0xAC>", "b"]) == ["a", "€", "", "", "b"]


def test_half_a_character_is_a_dot() -> None:
    assert readable(["<0xE2>", "<0x82>", "x"]) == [CONTROL, CONTROL, "x"]


def test_tokens_that_steer_the_model_are_not_text() -> None:
    assert readable(["<turn|>", "<pad>", "<b>"]) == ["", "", "<b>"]
    assert cell_text("<pad>") == "pad"


def test_a_draft_goes_on_behind_the_text_before_it(theme: Theme) -> None:
    font = theme.text_font()
    whole = flow(["The whole ", "sentence"], 500, font, 20, 10)
    tail = flow(["sentence"], 500, font, 20, 10, prefix="The whole ")
    assert tail.rects[0][0] == whole.rects[1][0]


def test_right_to_left_words_do_not_reorder_what_is_around_them(theme: Theme) -> None:
    shape = flow(["one ", "שלום", " two"], 800, theme.text_font(), 20, 10)
    lefts = [rects[0].left() for rects in shape.rects]
    assert lefts == sorted(lefts)


@given(count=st.integers(1, 256), width=st.integers(100, 3000))
def test_cells_fill_the_width_and_do_not_overlap(count: int, width: int) -> None:
    shape = grid(count, width, 40, 28)
    assert len(shape.cells) == count
    assert all(cell.left() >= 0 and cell.right() <= width + 0.01 for cell in shape.cells)
    for a, b in zip(shape.cells, shape.cells[1:], strict=False):
        assert b.left() >= a.right() - 0.01 or b.top() >= a.bottom() - 0.01


@pytest.mark.parametrize(("piece", "shown"), [(" the", "the"), ("\n", "⏎"), ("  ", "␣␣")])
def test_a_cell_shows_what_is_hard_to_see(piece: str, shown: str) -> None:
    assert cell_text(piece) == shown


def test_certainty_is_ink_and_doubt_is_smoke() -> None:
    assert ink_level(entropy_to_byte(0.0)) == 1.0
    assert ink_level(entropy_to_byte(6.0)) == 0.0
    levels = [ink_level(value) for value in range(256)]
    assert levels == sorted(levels, reverse=True)


def test_a_share_of_settled_positions() -> None:
    assert settled_share(bytes([0, 0, 0, 255])) == 0.75
