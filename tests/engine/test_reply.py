"""Committed ids → thought and answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfumato.engine.reply import Portion, Reply
from sfumato.engine.tokenizer import Tokenizer

END, EOS, TOOL_RESPONSE, PAD = 106, 1, 50, 0


def read(gemma: Tokenizer, markup: str, canvas: int = 256) -> tuple[Reply, list[Portion]]:
    """The reply that commits `markup`, a turn's end and padding in blocks of `canvas` ids."""
    reply = Reply(gemma)
    ids = [*gemma.encode_markup(markup), END]
    ids += [PAD] * (-len(ids) % canvas)
    return reply, [reply.commit(ids[at : at + canvas]) for at in range(0, len(ids), canvas)]


@pytest.mark.parametrize("canvas", [1, 2, 3, 16, 256])
@pytest.mark.parametrize(
    ("markup", "thinking", "text"),
    [
        ("Hello!", "", "Hello!"),
        ("<|channel>thought\nhmm\n<channel|>Hello!", "hmm", "Hello!"),
        ("<|channel>thought\n<channel|>Hello!", "", "Hello!"),
        ("<|channel><channel|>Hello!", "", "Hello!"),
        ("<|channel>hmm<channel|>Hello!", "hmm", "Hello!"),
        ("<|channel>thought\nline\n\nline<channel|>\n\nHello!", "line\n\nline", "Hello!"),
        ("<|channel>thoughtful<channel|>Hello!", "thoughtful", "Hello!"),
        ("Hello<channel|> there", "", "Hello there"),
        ("Hello<|channel>", "", "Hello"),
        ("Hello <|channel>thought\nhmm\n<channel|>there", "hmm", "Hello there"),
        ("<|channel>thought\na\n<channel|><|channel>thought\nb\n<channel|>c", "a\nb", "c"),
        ("<|channel><|channel>thought\nhmm<channel|>c", "hmm", "c"),
        ("<pad><mask>Hel<pad>lo<unk>", "", "Hello"),
        ("🦙", "", "🦙"),
        ("<|channel>thought\n🦙<channel|>🦙", "🦙", "🦙"),
        ("", "", ""),
        ("\n\n", "", ""),
        ("<|channel>thought\n", "", ""),
        ("```\n<br>\n```", "", "```\n<br>\n```"),
    ],
)
def test_a_reply_is_parted_into_thought_and_answer(
    gemma: Tokenizer, canvas: int, markup: str, thinking: str, text: str
) -> None:
    reply, portions = read(gemma, markup, canvas)

    assert reply.thinking.strip() == thinking
    assert reply.text.strip() == text
    assert "".join(portion.text for portion in portions) == reply.text
    assert "".join(portion.thinking for portion in portions) == reply.thinking
    assert [portion.ended for portion in portions] == [False] * (len(portions) - 1) + [True]


def test_one_block_leaves_no_space_at_its_ends(gemma: Tokenizer) -> None:
    _, [portion] = read(gemma, "<|channel>thought\nhmm \n<channel|>\n Hello!\n")

    assert (portion.thinking, portion.text) == ("hmm", "Hello!")


@pytest.mark.parametrize("stop", [END, EOS, TOOL_RESPONSE])
def test_nothing_behind_a_stop_token_is_read(gemma: Tokenizer, stop: int) -> None:
    hello = gemma.encode_text("Hello")

    assert Reply(gemma).commit([*hello, stop, *hello, END]) == Portion("", "Hello", 1, True)


def test_a_block_without_a_stop_token_goes_on(gemma: Tokenizer) -> None:
    reply = Reply(gemma)

    assert reply.commit(gemma.encode_text("Hello ")) == Portion("", "Hello ", 2, False)
    assert reply.commit([*gemma.encode_text("there"), END]) == Portion("", "there", 1, True)
    assert reply.text == "Hello there"
    with pytest.raises(ValueError, match="ended"):
        reply.commit([END])


def test_an_empty_reply_is_empty(gemma: Tokenizer) -> None:
    assert Reply(gemma).commit([END, *[PAD] * 255]) == Portion("", "", 0, True)


def test_a_thought_that_is_never_closed_was_the_answer(gemma: Tokenizer) -> None:
    ids = [*gemma.encode_markup("<|channel>thought\nParis."), END]

    assert Reply(gemma).commit(ids) == Portion("", "Paris.", len(ids) - 1, True)


def test_an_unclosed_thought_of_several_blocks_is_the_answer_in_full(gemma: Tokenizer) -> None:
    reply = Reply(gemma)
    first = reply.commit(gemma.encode_markup("<|channel>thought\nThe capital"))
    second = reply.commit([*gemma.encode_text(" is Paris."), END])

    assert (first.thinking, first.text) == ("The capital", "")
    assert (second.thinking, second.text) == ("", "The capital is Paris.")


def test_an_unclosed_thought_after_an_answer_stays_a_thought(gemma: Tokenizer) -> None:
    ids = [*gemma.encode_markup("Paris.<|channel>thought\nSure?"), END]
    portion = Reply(gemma).commit(ids)

    assert (portion.thinking, portion.text) == ("Sure?", "Paris.")


def test_a_thought_that_is_cut_off_stays_a_thought(gemma: Tokenizer) -> None:
    reply = Reply(gemma)
    reply.commit(gemma.encode_markup("<|channel>thought\nThe capital"))

    assert reply.in_thought
    assert (reply.thinking, reply.text) == ("The capital", "")


def test_a_character_across_two_blocks_appears_with_the_second(gemma: Tokenizer) -> None:
    reply = Reply(gemma)
    ids = gemma.encode_text("🦙")

    assert reply.commit(ids[:2]).text == ""
    assert reply.commit([*ids[2:], END]).text == "🦙"


def test_half_a_character_at_the_end_is_shown_as_broken(gemma: Tokenizer) -> None:
    assert Reply(gemma).commit([*gemma.encode_text("🦙")[:2], END]).text == "\ufffd"


def test_a_continued_answer_keeps_its_leading_space(gemma: Tokenizer) -> None:
    ids = [*gemma.encode_text("\n\nSecond"), END]

    assert Reply(gemma, continued=True).commit(ids).text == "\n\nSecond"
    assert Reply(gemma).commit(ids).text == "Second"


# 0..5 control tokens, 48..52 tool markers, 100 and 101 a thought's, 106 the end, bytes, words
ids_of_interest = st.one_of(
    st.sampled_from([0, 1, 2, 50, 100, 101, 106, 107, 45518, 236743, 478, 397]),
    st.integers(-2, 262150),
)


@settings(max_examples=1000, deadline=None)
@given(blocks=st.lists(st.lists(ids_of_interest, max_size=12), max_size=5), continued=st.booleans())
def test_any_ids_can_be_read_and_portions_add_up(
    gemma: Tokenizer, blocks: list[list[int]], continued: bool
) -> None:
    reply = Reply(gemma, continued=continued)
    portions = []
    for block in blocks:
        portion = reply.commit(block)
        portions.append(portion)
        assert gemma.stop_ids.isdisjoint(block[: portion.kept])
        if portion.ended:
            assert block[portion.kept] in gemma.stop_ids
            break
    assert reply.text == "".join(portion.text for portion in portions)
    assert reply.thinking == "".join(portion.thinking for portion in portions)
    for marker in ("<|channel>", "<channel|>", "<turn|>", "<pad>"):
        assert marker not in reply.text
