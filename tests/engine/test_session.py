"""One conversation over one model: prefix, blocks, stops, ends (engine/session.py)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeModel, blocks_of
from sfumato.engine import canvas as canvas_module
from sfumato.engine._native import CancelledError
from sfumato.engine.protocol import (
    Committed,
    Denoised,
    Event,
    Finished,
    Generate,
    Load,
    Message,
    Prefilled,
    entropy_to_byte,
)
from sfumato.engine.sampler import SamplerConfig
from sfumato.engine.session import ContextFullError, Session, load
from sfumato.engine.template import encode_prompt
from sfumato.engine.tokenizer import Tokenizer
from sfumato.errors import GenerationError, ModelLoadError
from tiny_model import write_tiny_model

HELLO = [Message("user", "hello")]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return write_tiny_model(folder / "tiny.gguf", tokenizer=True, types="Q4_0")


@pytest.fixture(scope="module")
def tokenizer(model_path: Path) -> Iterator[Tokenizer]:
    with Tokenizer.open(model_path) as opened:
        yield opened


def session_of(tokenizer: Tokenizer, model: FakeModel) -> Session:
    return Session(model, tokenizer, SamplerConfig())  # type: ignore[arg-type]


def fake_model(tokenizer: Tokenizer, reply: str | None = "Hello there.", **options) -> FakeModel:
    blocks = [] if reply is None else blocks_of(tokenizer, reply)
    return FakeModel(tokenizer.size, blocks, **options)


def ask(session: Session, messages: Sequence[Message] = HELLO, **options) -> list[Event]:
    request = Generate(turn=1, messages=list(messages), seed=7, **options)
    return list(session.answer(request))


def of_type(events: Sequence[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in of_type(events, Committed))


def test_an_answer_is_prefilled_denoised_committed_finished(tokenizer):
    events = ask(session_of(tokenizer, fake_model(tokenizer, "Hello there.")))
    kinds = [type(event).__name__ for event in events]
    assert kinds == ["Prefilled", "Denoised", "Denoised", "Denoised", "Committed", "Finished"]


def test_an_answer_of_several_blocks_is_the_whole_text(tokenizer):
    text = "A longer answer, of more than three canvases, without a gap."
    events = ask(session_of(tokenizer, fake_model(tokenizer, text)))
    assert text_of(events) == text
    assert [event.block for event in of_type(events, Committed)] == [0, 1, 2, 3]


def test_steps_are_counted_from_one_in_each_block(tokenizer):
    events = ask(session_of(tokenizer, fake_model(tokenizer, "More than one canvas.")))
    steps = [(event.block, event.step) for event in of_type(events, Denoised)]
    assert steps == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]


def test_the_last_block_is_not_committed_to_the_cache(tokenizer):
    model = fake_model(tokenizer, "More than one canvas.")
    ask(session_of(tokenizer, model))
    assert model.calls.count("commit 16") == 1


def test_an_empty_reply_is_a_reply(tokenizer):
    events = ask(session_of(tokenizer, fake_model(tokenizer, "")))
    (committed,) = of_type(events, Committed)
    assert (committed.text, committed.kept) == ("", 0)
    assert events[-1].reason == "end"
    assert events[-1].tokens == 0


def test_the_thought_is_apart_from_the_answer(tokenizer):
    reply = "<|channel>thought\nhm, a greeting\n<channel|>Hello"
    events = ask(session_of(tokenizer, fake_model(tokenizer, reply)), thinking=True)
    thinking = "".join(event.thinking for event in of_type(events, Committed))
    assert (thinking.strip(), text_of(events)) == ("hm, a greeting", "Hello")


def test_a_block_that_runs_out_of_steps_is_committed_as_unsettled(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, steps=0))
    events = ask(session, sampler=SamplerConfig(max_steps=4), max_blocks=1)
    (committed,) = of_type(events, Committed)
    assert (committed.settled, committed.steps) == (False, 4)


def test_tokens_are_those_before_the_stop_token(tokenizer):
    events = ask(session_of(tokenizer, fake_model(tokenizer, "0123456789 0123456789")))
    finished = events[-1]
    assert finished.tokens == sum(event.kept for event in of_type(events, Committed)) == 21
    assert finished.tokens_per_second == finished.tokens / finished.seconds


def test_an_answer_ends_after_max_blocks(tokenizer):
    events = ask(session_of(tokenizer, fake_model(tokenizer, None)), max_blocks=3)
    assert (events[-1].reason, events[-1].blocks) == ("length", 3)


@pytest.mark.parametrize("room", range(33, 49))
def test_an_answer_ends_where_the_context_is_full(tokenizer, room):
    prompt = len(encode_prompt(tokenizer, HELLO, thinking=False))
    model = fake_model(tokenizer, None, context=prompt + room)
    events = ask(session_of(tokenizer, model))
    assert events[-1].reason == "context"
    assert events[-1].blocks == room // 16
    assert model.position + 16 <= model.context


def test_a_conversation_that_does_not_fit_is_refused_with_numbers(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, context=64))
    with pytest.raises(ContextFullError, match=r"takes 2\d\d tokens .* 16, .* holds 64; start"):
        ask(session, [Message("user", "x" * 200)])


def test_a_refused_conversation_leaves_the_session_usable(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, context=64))
    with pytest.raises(ContextFullError):
        ask(session, [Message("user", "x" * 200)])
    assert text_of(ask(session)) == "Hello there."


# Prefix


def test_the_same_conversation_is_not_prefilled_twice(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer))
    first, second = ask(session)[0], ask(session)[0]
    assert (first.reused, second.reused) == (0, first.tokens)


def conversation(turns: int, session: Session, **options) -> list[list[Event]]:
    """So many questions, each with the earlier answers before it."""
    messages, answers = [], []
    for turn in range(turns):
        messages.append(Message("user", f"question {turn}, and more of it"))
        answers.append(ask(session, messages, **options))
        messages.append(Message("assistant", text_of(answers[-1])))
    return answers


def ids_of(events: Sequence[Event]) -> list[list[int]]:
    return [event.ids for event in of_type(events, Committed)]


@pytest.mark.parametrize("can_rewind", [True, False], ids=["rewinds", "cannot rewind"])
def test_three_turns_give_the_ids_of_fresh_sessions(tokenizer, can_rewind):
    """FakeModel's ids depend on everything in its cache."""
    session = session_of(tokenizer, fake_model(tokenizer, None, can_rewind=can_rewind))
    messages = []
    for turn, events in enumerate(conversation(3, session, max_blocks=2)):
        messages.append(Message("user", f"question {turn}, and more of it"))
        fresh = ask(session_of(tokenizer, fake_model(tokenizer, None)), messages, max_blocks=2)
        assert ids_of(events) == ids_of(fresh)
        messages.append(Message("assistant", text_of(events)))


def test_a_later_turn_reuses_everything_up_to_the_last_answer(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer))
    first, second, third = conversation(3, session)
    scaffold = len(tokenizer.encode_markup("<|channel>thought\n<channel|>"))
    assert second[0].reused == first[0].tokens - scaffold
    assert third[0].reused == second[0].tokens - scaffold


def test_a_ring_that_cannot_rewind_is_filled_again(tokenizer):
    model = fake_model(tokenizer, can_rewind=False)
    _, second = conversation(2, session_of(tokenizer, model))
    assert second[0].reused == 0
    assert model.cache == encode_prompt(
        tokenizer,
        [
            Message("user", "question 0, and more of it"),
            Message("assistant", "Hello there."),
            Message("user", "question 1, and more of it"),
        ],
        thinking=False,
    )


def test_after_a_failed_pass_nothing_is_reused(tokenizer):
    model = fake_model(tokenizer)
    session = session_of(tokenizer, model)
    ask(session)
    prefill = model.prefill

    def fail_half_way(ids: Sequence[int]) -> None:
        prefill(ids[:3])
        raise RuntimeError("half-way")

    model.prefill = fail_half_way  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="half-way"):
        ask(session, [Message("user", "another")])
    model.prefill = prefill  # type: ignore[method-assign]
    assert ask(session)[0].reused == 0
    assert model.cache == encode_prompt(tokenizer, HELLO, thinking=False)


def test_an_answer_is_continued_with_the_cache_of_its_prompt(tokenizer):
    model = fake_model(tokenizer, " there.")
    session = session_of(tokenizer, model)
    first = ask(session)[0]
    messages = [*HELLO, Message("assistant", "Hello")]
    events = ask(session, messages, continue_answer=True)
    assert events[0].reused == first.tokens
    assert text_of(events) == " there."


# Stopping


@pytest.mark.parametrize("at", [1, 2, 4, 5])
def test_stop_is_honoured_before_the_next_step(tokenizer, at):
    model = fake_model(tokenizer, "More than one canvas.")
    session = session_of(tokenizer, model)
    events = []
    request = Generate(turn=1, messages=HELLO, seed=7)
    for event in session.answer(request, lambda: len(of_type(events, Denoised)) >= at):
        events.append(event)
    assert model.calls.count("denoise") == at
    assert (events[-1].reason, events[-1].steps) == ("stopped", at)


def test_stop_keeps_the_blocks_that_are_committed(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, "0123456789ABCDEF and more"))
    events = []
    for event in session.answer(
        Generate(turn=1, messages=HELLO), lambda: len(of_type(events, Committed)) == 1
    ):
        events.append(event)
    assert events[-1].reason == "stopped"
    assert text_of(events) == "0123456789ABCDEF"
    assert events[-1].tokens == 16


def test_a_canvas_that_settled_when_stop_came_is_kept(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, "Hello there."))
    events = []
    for event in session.answer(
        Generate(turn=1, messages=HELLO), lambda: len(of_type(events, Denoised)) == 3
    ):
        events.append(event)
    assert text_of(events) == "Hello there."


def test_stop_ends_a_long_prefill_between_two_slices(tokenizer):
    model = fake_model(tokenizer)
    request = Generate(turn=1, messages=[Message("user", "x" * 2000)])
    events = list(session_of(tokenizer, model).answer(request, lambda: len(model.calls) == 2))
    assert [type(event) for event in events] == [Finished]
    assert model.calls == ["prefill 512", "prefill 512"]


def test_a_closed_answer_leaves_the_session_usable(tokenizer):
    model = fake_model(tokenizer, None)
    session = session_of(tokenizer, model)
    events = session.answer(Generate(turn=1, messages=HELLO, seed=7, max_blocks=2))
    while not isinstance(next(events), Committed):
        pass
    next(events)
    events.close()
    fresh = ask(session_of(tokenizer, fake_model(tokenizer, None)), max_blocks=2)
    assert ids_of(ask(session, max_blocks=2)) == ids_of(fresh)


@pytest.mark.parametrize("commits_late", [False, True])
@pytest.mark.parametrize("steps", [3, 4])
def test_what_is_reused_is_what_the_cache_took_before_the_stop(tokenizer, commits_late, steps):
    """A block settles in three steps; a late commit comes with the fourth."""
    model = fake_model(tokenizer, "0123456789ABCDEF and more", commits_late=commits_late)
    session = session_of(tokenizer, model)
    calls = ["begin", *["denoise"] * 3, "begin", *["denoise"] * (steps - 3)]

    def stopped() -> bool:
        return [call for call in model.calls if call in ("begin", "denoise")] == calls

    prompt, *_ = session.answer(Generate(turn=1, messages=HELLO), stopped)
    taken = 0 if commits_late and steps == 3 else 16
    assert model.position == prompt.tokens + taken
    messages = [*HELLO, Message("assistant", "0123456789ABCDEF")]
    assert ask(session, messages, continue_answer=True)[0].reused == prompt.tokens + taken


@pytest.mark.parametrize("max_steps", [1, 4])
def test_every_step_but_the_last_says_what_comes_then(tokenizer, max_steps):
    """FakeModel refuses a step at another temperature than was said."""
    model = fake_model(tokenizer, None, steps=0)
    sampler = SamplerConfig(max_steps=max_steps)
    events = ask(session_of(tokenizer, model), sampler=sampler, max_blocks=2)
    assert len(of_type(events, Denoised)) == 2 * max_steps
    assert model.promised is None


def test_a_paced_step_begins_when_it_is_asked_for(tokenizer, monkeypatch):
    monkeypatch.setattr("sfumato.engine.session.time.sleep", lambda seconds: None)
    model = fake_model(tokenizer, "Hello.")
    promised = []
    model.before_denoise = lambda step: promised.append(model.promised)
    ask(session_of(tokenizer, model), pace_ms=500.0)
    assert promised == [None] * 3


def test_a_paced_answer_takes_its_time_for_each_step(tokenizer, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("sfumato.engine.session.time.sleep", pauses.append)
    steps = of_type(
        ask(session_of(tokenizer, fake_model(tokenizer, "Hello.")), pace_ms=500.0), Denoised
    )
    assert len(pauses) == len(steps)
    assert all(0.0 < pause <= 0.5 for pause in pauses)


# Start canvas, pins, seeds


def test_start_and_pins_belong_to_the_first_block(tokenizer):
    model = fake_model(tokenizer, "More than one canvas.")
    pinned = [-1] * 15 + [500]
    events = ask(session_of(tokenizer, model), start=[-1] * 16, pinned=pinned)
    steps = of_type(events, Denoised)
    assert {step.pinned for step in steps if step.block == 0} == {bytes(15) + b"\1"}
    assert {step.pinned for step in steps if step.block == 1} == {bytes(16)}
    assert (model.start, model.pinned) == (None, None)


def test_words_are_pinned_from_the_first_free_position_on(tokenizer):
    words = tokenizer.encode_text(" hello there")
    model = fake_model(tokenizer, "A canvas.")
    events = ask(session_of(tokenizer, model), words=" hello there", pinned=[500, 501] + [-1] * 14)
    expected = [500, 501, *words]
    assert of_type(events, Committed)[0].ids[: len(expected)] == expected
    flags = b"\1" * len(expected) + bytes(16 - len(expected))
    assert {step.pinned for step in of_type(events, Denoised)} == {flags}


def test_words_without_room_are_refused_with_numbers(tokenizer):
    count = len(tokenizer.encode_text(" hello there"))
    pinned = [500] * 15 + [-1]
    with pytest.raises(GenerationError, match=f"take {count} tokens and there is room for 1;"):
        ask(session_of(tokenizer, fake_model(tokenizer)), words=" hello there", pinned=pinned)


@pytest.mark.parametrize("name", ["start", "pinned"])
def test_a_canvas_of_another_length_is_refused(tokenizer, name):
    with pytest.raises(GenerationError, match="has 3 cells, not 16"):
        ask(session_of(tokenizer, fake_model(tokenizer)), **{name: [1, 2, 3]})


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([], {}),
        ([*HELLO, Message("assistant", "Hi")], {}),
        (HELLO, {"continue_answer": True}),
        (HELLO, {"max_blocks": 0}),
    ],
)
def test_a_request_without_a_question_is_refused(tokenizer, messages, options):
    with pytest.raises(GenerationError):
        ask(session_of(tokenizer, fake_model(tokenizer)), messages, **options)


def test_another_seed_gives_another_answer(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, None))
    one, other = (
        list(session.answer(Generate(turn=1, messages=HELLO, max_blocks=1, seed=seed)))
        for seed in (1, 2)
    )
    assert ids_of(one) != ids_of(other)


def test_a_random_seed_is_told_and_repeats_the_answer(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer, None))
    first = list(session.answer(Generate(turn=1, messages=HELLO, max_blocks=1)))
    (prefilled,) = of_type(first, Prefilled)
    again = list(
        session.answer(Generate(turn=1, messages=HELLO, max_blocks=1, seed=prefilled.seed))
    )
    assert ids_of(first) == ids_of(again)


# Values


def test_pieces_of_a_step_join_to_its_text(tokenizer):
    events = ask(session_of(tokenizer, fake_model(tokenizer, "é and all")))
    last = of_type(events, Denoised)[-1]
    assert "".join(last.pieces) == "é and all"
    assert len(last.pieces) == len(last.noise_pieces) == len(last.entropy) == 16


def test_entropy_becomes_bytes_as_the_protocol_says():
    nats = np.array([0.0, -1e-9, 1e-5, 0.005, 0.1, 1.0, 3.3, 12.4, 12.5, 40.0], np.float32)
    assert list(canvas_module._to_bytes(nats)) == [entropy_to_byte(float(n)) for n in nats]


def test_tokens_are_counted_as_they_are_prefilled(tokenizer):
    session = session_of(tokenizer, fake_model(tokenizer))
    assert session.count_tokens(HELLO) == ask(session)[0].tokens


# Over the real engine: a small model with random weights


def open_session(path: Path, **options) -> Session:
    return load(Load(path=str(path), device="cpu", **options))[0]


def test_a_loaded_model_says_what_it_is(model_path):
    session, loaded = load(Load(path=str(model_path), device="cpu", context=100))
    assert (loaded.name, loaded.canvas, loaded.context) == ("tiny", 16, 100)
    assert loaded.placement.endswith("as chosen.")
    assert loaded.pools["weights"] > 0
    assert loaded.expected_ms_per_step > 0
    session.close()


def test_a_compact_model_says_how_far_it_is_from_its_file(tmp_path):
    types = {"ffn_down_exps": "Q8_0", "*": "F32"}
    path = write_tiny_model(tmp_path / "eight.gguf", tokenizer=True, types=types)
    exact, compact = (
        load(Load(path=str(path), device="cpu", profile=profile))
        for profile in ("exact", "compact")
    )
    assert exact[1].rounding_error == 0.0
    assert 0.01 < compact[1].rounding_error < 0.05
    assert compact[1].pools["weights"] < exact[1].pools["weights"]
    assert ask(compact[0])[-1].reason
    for session, _ in (exact, compact):
        session.close()


def test_the_context_is_at_most_that_of_the_model(model_path):
    assert load(Load(path=str(model_path), context=1 << 20))[1].context == 4096


def test_a_context_without_room_is_refused(model_path):
    with pytest.raises(ModelLoadError, match="context of 31 tokens has no room for a block of 16"):
        open_session(model_path, context=31)


def test_a_load_tells_its_progress_up_to_the_end(model_path):
    fractions: list[float] = []
    load(Load(path=str(model_path)), lambda fraction: fractions.append(fraction) or True)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("after", range(4))
def test_a_load_is_given_up_as_soon_as_progress_says_so(model_path, after):
    calls = 0

    def progress(fraction: float) -> bool:
        nonlocal calls
        calls += 1
        return calls <= after

    with pytest.raises(CancelledError):
        load(Load(path=str(model_path)), progress)
    assert calls == after + 1


def test_three_turns_reuse_the_prefix_and_give_the_ids_of_fresh_sessions(model_path):
    session = open_session(model_path)
    messages: list[Message] = []
    previous = 4
    for turn in range(3):
        messages.append(Message("user", f"question {turn}, hello the user" * (turn + 1)))
        events = ask(session, messages, max_blocks=3)
        fresh = ask(open_session(model_path), messages, max_blocks=3)
        assert ids_of(events) == ids_of(fresh)
        assert events[0].reused >= previous - 4  # all but the empty thought
        previous = events[0].tokens
        messages.append(Message("assistant", text_of(events)))


def test_an_edited_first_message_gives_the_ids_of_a_fresh_session(model_path):
    session = open_session(model_path)
    conversation(2, session, max_blocks=2)
    edited = [Message("user", "question 1, and something else")]
    fresh = ask(open_session(model_path), edited, max_blocks=2)
    assert ids_of(ask(session, edited, max_blocks=2)) == ids_of(fresh)


def test_a_stopped_answer_leaves_no_trace_in_the_next(model_path):
    session = open_session(model_path)
    for stop_at in range(1, 9):
        events = []
        request = Generate(turn=1, messages=HELLO, seed=3)
        for event in session.answer(request, lambda: len(events) >= stop_at):  # noqa: B023
            events.append(event)
    fresh = ask(open_session(model_path), max_blocks=2)
    assert ids_of(ask(session, max_blocks=2)) == ids_of(fresh)


def test_pinned_words_are_in_every_draft_and_in_the_text(model_path, tokenizer):
    word = tokenizer.encode_text("hello")
    pinned = [-1] * 16
    pinned[4 : 4 + len(word)] = word
    events = ask(open_session(model_path), pinned=pinned, max_blocks=1)
    for event in [*of_type(events, Denoised), *of_type(events, Committed)]:
        assert event.ids[4 : 4 + len(word)] == word
    assert of_type(events, Denoised)[0].pinned == bytes(id_ >= 0 for id_ in pinned)


def test_a_canvas_that_is_pinned_throughout_settles(model_path):
    events = ask(open_session(model_path), pinned=[500] * 16, max_blocks=1)
    (committed,) = of_type(events, Committed)
    assert committed.ids == [500] * 16
    assert committed.settled


@pytest.mark.parametrize("room", range(14, 52))
def test_the_context_can_be_filled_to_the_last_token(model_path, tokenizer, room):
    """Nothing that the session lets pass is too much for the engine."""
    question = [Message("user", "a question that is longer than two canvases")]
    context = len(encode_prompt(tokenizer, question, thinking=False)) + room
    session = open_session(model_path, context=context)
    if room < 16:
        with pytest.raises(ContextFullError):
            ask(session, question)
    else:
        finished = ask(session, question, sampler=SamplerConfig(max_steps=2))[-1]
        assert finished.reason in ("context", "end")
