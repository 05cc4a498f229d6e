"""Which tokens of an answer a part of its text is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sfumato.errors import KnownError
from sfumato.services.gap import gaps_of
from sfumato.store.types import Block


def block_of(text: str, tokens: int, position: int = 0, thinking: str = "") -> Block:
    return Block(
        position=position,
        text=text,
        thinking=thinking,
        ids=tuple(range(1000, 1000 + tokens)),
        steps=3,
        settled=True,
        mean_entropy=0.0,
        ms=1.0,
    )


PIECES = ["Hello", " there", ",", " wide", " world", "", ""]


def gaps(start: int, end: int, pieces: Sequence[str] = PIECES, **options: object) -> list:  # type: ignore[type-arg]
    text = "".join(pieces)
    block = block_of(text, len(pieces), **options)  # type: ignore[arg-type]
    return gaps_of([block], lambda _: pieces, start, end)


def test_a_word_is_its_token_with_the_space_before_it() -> None:
    (gap,) = gaps(6, 11)
    assert (gap.first, gap.end, gap.text) == (1, 2, " there")


def test_a_part_of_a_token_is_the_whole_token() -> None:
    (gap,) = gaps(8, 16)
    assert (gap.first, gap.end, gap.text) == (1, 4, " there, wide")


def test_all_positions_outside_the_gap_are_pinned_to_what_they_are() -> None:
    (gap,) = gaps(6, 11)
    assert gap.pinned == [1000, -1, 1002, 1003, 1004, 1005, 1006]


def test_the_end_of_the_answer_and_its_padding_stay_pinned() -> None:
    (gap,) = gaps(0, len("".join(PIECES)))
    assert gap.pinned == [-1] * 5 + [1005, 1006]
    assert not gap.has_text_behind


def test_nothing_but_space_has_no_gap() -> None:
    assert gaps(5, 6) == []


def test_a_selection_across_blocks_has_a_gap_in_each() -> None:
    first, second = ["One", " two"], [" three", " four"]
    blocks = [block_of("One two", 2), block_of(" three four", 2, position=1)]
    found = gaps_of(blocks, lambda b: second if b.position else first, 4, 12)
    assert [(g.block.position, g.first, g.end, g.text) for g in found] == [
        (0, 1, 2, " two"),
        (1, 0, 1, " three"),
    ]


def test_the_answer_behind_a_thought_is_found() -> None:
    pieces = ["thought\n", "wide", " world", "wide", " world", ""]
    block = block_of("wide world", 6, thinking="wide world")
    (gap,) = gaps_of([block], lambda _: pieces, 0, 4)
    assert (gap.first, gap.end) == (3, 4)


def test_a_later_block_with_a_thought_is_refused() -> None:
    with pytest.raises(KnownError, match="together with a thought"):
        gaps(0, 5, position=1, thinking="Hm.")


@pytest.mark.parametrize("pieces", [None, PIECES[:-1]])
def test_without_a_recording_that_fits_it_is_refused(pieces: Sequence[str] | None) -> None:
    block = block_of("".join(PIECES), len(PIECES))
    with pytest.raises(KnownError, match="recording of this answer is gone"):
        gaps_of([block], lambda _: pieces, 0, 5)


def test_a_text_that_its_tokens_do_not_show_is_refused() -> None:
    with pytest.raises(KnownError, match="cannot be found among the tokens"):
        gaps_of([block_of("Other", len(PIECES))], lambda _: PIECES, 0, 5)


LETTERS = st.text(st.sampled_from(" \nab1*é花😀\u200d`"), min_size=1, max_size=5)
# A character made of byte tokens shows at the last of them.
IN_BYTES = st.sampled_from("é花😀").map(lambda c: [""] * (len(c.encode()) - 1) + [c])
TOKENS = st.lists(st.one_of(LETTERS.map(lambda t: [t]), IN_BYTES), min_size=1, max_size=30)


@given(TOKENS, st.integers(0, 4), st.data())
def test_a_gap_holds_what_was_selected_in_whole_tokens(
    tokens: list[list[str]], padding: int, data: st.DataObject
) -> None:
    pieces = [piece for token in tokens for piece in token] + [""] * padding
    shown = "".join(pieces)
    text = shown.strip()
    if not text:
        return
    lead = len(shown) - len(shown.lstrip())
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    found = gaps_of([block_of(text, len(pieces))], lambda _: pieces, start, end)
    if not text[start:end].strip():
        assert found == []
        return
    (gap,) = found
    assert text[start:end] in gap.text
    assert "".join(pieces[gap.first : gap.end]).strip() == gap.text.strip()
    # Every token of the gap says something of the selection, or is a byte of what does.
    at = 0
    for token in tokens:
        begin = len("".join(pieces[:at])) - lead
        touched = begin < end and begin + len("".join(token)) > start
        for position in range(at, at + len(token)):
            assert (gap.first <= position < gap.end) == touched
        at += len(token)
