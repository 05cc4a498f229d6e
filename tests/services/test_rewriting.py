"""Rewriting a part of an answer: what is asked of the engine, what is stored, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from fakes import answer_events
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.engine.protocol import Committed, Denoised, Event, Failed, Generate
from sfumato.errors import KnownError
from sfumato.services.rewriting import Rewriting
from sfumato.store import messages, recordings
from sfumato.store.types import Message

Make = Callable[..., Services]
TEXT = "One two three four five."
LONG = " ".join(f"w{n}" for n in range(24))  # two blocks


@dataclass
class Started:
    services: Services
    rewriting: Rewriting
    failures: list[str]
    unchanged: list[bool]
    ends: list[Message | None]

    def path(self) -> tuple[Message, ...]:
        conversation = self.services.chats.conversation
        assert conversation is not None
        return conversation.messages

    @property
    def answer(self) -> Message:
        return self.path()[-1]

    def asked(self) -> list[Generate]:
        """What the engine was asked after the answer itself."""
        return [r for r in self.services.engine.requests if isinstance(r, Generate)][1:]

    def blocks(self, message: Message) -> list[tuple[str, tuple[int, ...]]]:
        stored = self.services.store.read(messages.load_blocks, message.id)
        return [(block.text, block.ids) for block in stored]

    def recording(self, message: Message, block: int) -> list[recordings.StepRecord] | None:
        return self.services.store.read(recordings.load_recording, message.id, block)


def changed(events: Sequence[Event], words: dict[int, str], ids: dict[int, int]) -> list[Event]:
    """The events of an answer with other words and ids at some positions."""
    made: list[Event] = []
    for event in events:
        if isinstance(event, Denoised | Committed):
            pieces, all_ids = list(event.pieces), list(event.ids)
            for at, word in words.items():
                pieces[at] = word
            for at, id_ in ids.items():
                all_ids[at] = id_
            event = msgspec.structs.replace(event, pieces=pieces, ids=all_ids)
            if isinstance(event, Committed):
                event = msgspec.structs.replace(event, text="".join(pieces))
        made.append(event)
    return made


def start(qtbot: QtBot, make: Make, *answers: Sequence[Event], prompt: str = "Count!") -> Started:
    services = make(list(answers))
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    rewriting = Rewriting(
        services.engine,  # type: ignore[arg-type]
        services.model,
        services.chats,
        services.generation,
        services.calls,
        services.settings,
    )
    started = Started(services, rewriting, [], [], [])
    rewriting.failed.connect(lambda error: started.failures.append(str(error.args[0])))
    rewriting.unchanged.connect(lambda: started.unchanged.append(True))
    rewriting.ended.connect(started.ends.append)
    services.generation.send(prompt)
    settle(qtbot, started)
    return started


def settle(qtbot: QtBot, started: Started) -> None:
    services = started.services
    qtbot.waitUntil(lambda: not services.generation.busy and services.calls.waiting == 0)


def rewrite(qtbot: QtBot, started: Started, selected: str, words: str = "") -> None:
    at = started.answer.text.index(selected)
    started.rewriting.run(started.answer.id, at, at + len(selected), words)
    settle(qtbot, started)


THREE = changed(answer_events(TEXT), {2: "drei "}, {2: 2002})


def test_everything_but_the_selection_is_pinned(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT), THREE)
    ids = started.blocks(started.answer)[0][1]
    rewrite(qtbot, started, "three")
    (request,) = started.asked()
    assert request.pinned == [-1 if at == 2 else id_ for at, id_ in enumerate(ids)]
    assert request.max_blocks == 1
    assert request.seed is None
    assert [(m.role, m.text) for m in request.messages] == [("user", "Count!")]
    assert not request.continue_answer


def test_the_result_is_a_version_and_the_earlier_one_is_kept(
    qtbot: QtBot, make_services: Make
) -> None:
    started = start(qtbot, make_services, answer_events(TEXT), THREE)
    old = started.answer
    rewrite(qtbot, started, "three")
    new = started.answer
    assert new.text == "One two drei four five."
    assert new.versions == (old.id, new.id)
    assert new.state == "finished"
    assert (new.stats.rewritten, new.stats.tokens) == (True, 1)
    assert started.services.store.read(messages.get_message, old.id).text == TEXT
    assert started.blocks(new)[0][1] == tuple(
        2002 if at == 2 else id_ for at, id_ in enumerate(started.blocks(old)[0][1])
    )
    assert started.failures == []


def test_a_rewritten_answer_has_a_recording_and_can_be_rewritten_again(
    qtbot: QtBot, make_services: Make
) -> None:
    again = changed(THREE, {0: "Eins "}, {0: 2000})
    started = start(qtbot, make_services, answer_events(TEXT), THREE, again)
    rewrite(qtbot, started, "three")
    steps = started.recording(started.answer, 0)
    assert steps is not None
    assert steps[-1].pieces[2] == "drei "
    rewrite(qtbot, started, "One")
    assert started.answer.text == "Eins two drei four five."
    assert len(started.answer.versions) == 3


def test_words_are_given_to_the_engine(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT), THREE)
    rewrite(qtbot, started, "three", "  drei \n vier ")
    assert started.asked()[0].words == "drei vier"


def one_block(events: Sequence[Event], block: int) -> list[Event]:
    """What an engine says that was asked for this block alone."""
    said = [
        msgspec.structs.replace(event, block=0)
        for event in events
        if isinstance(event, Denoised | Committed) and event.block == block
    ]
    return [events[0], *said, events[-1]]


def test_a_selection_in_a_later_block_is_read_with_the_text_before(
    qtbot: QtBot, make_services: Make
) -> None:
    later = changed(one_block(answer_events(LONG), 1), {2: "neu "}, {2: 2002})
    started = start(qtbot, make_services, answer_events(LONG), later)
    old = started.answer
    first = started.blocks(old)[0][0]
    assert not LONG.endswith(first)
    rewrite(qtbot, started, "w18")
    (request,) = started.asked()
    assert request.continue_answer
    assert (request.messages[-1].role, request.messages[-1].text) == ("assistant", first)
    assert started.failures == []
    assert started.answer.text == LONG.replace("w18", "neu")
    assert started.recording(started.answer, 0) == started.recording(old, 0)
    assert started.blocks(started.answer)[0] == started.blocks(old)[0]


def test_a_selection_across_blocks_is_rewritten_block_by_block(
    qtbot: QtBot, make_services: Make
) -> None:
    first = changed(one_block(answer_events(LONG), 0), {15: "NEU "}, {15: 2015})
    second = changed(one_block(answer_events(LONG), 1), {0: "NEUER "}, {0: 2000})
    started = start(qtbot, make_services, answer_events(LONG), first, second)
    rewrite(qtbot, started, "w15 w16", "NEU")
    one, two = started.asked()
    assert started.failures == []
    assert started.answer.text == LONG.replace("w15 w16", "NEU NEUER")
    assert (one.words, two.words) == ("NEU", "")
    # The second is read with what became of the first.
    assert two.messages[-1].text.endswith(" NEU ")


def test_the_same_words_again_are_no_version(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT), answer_events(TEXT))
    old = started.answer
    rewrite(qtbot, started, "three")
    assert started.answer == old
    assert started.unchanged == [True]
    assert started.ends == [None]


def test_an_answer_that_would_lose_its_end_is_not_stored(qtbot: QtBot, make_services: Make) -> None:
    cut = [
        msgspec.structs.replace(event, kept=2, text="One two")
        if isinstance(event, Committed)
        else event
        for event in THREE
    ]
    started = start(qtbot, make_services, answer_events(TEXT), cut)
    rewrite(qtbot, started, "three")
    assert started.answer.text == TEXT
    assert "ended the answer within the selection" in started.failures[0]


def test_the_last_words_may_become_fewer(qtbot: QtBot, make_services: Make) -> None:
    shorter = [
        msgspec.structs.replace(event, kept=4, text="One two three four")
        if isinstance(event, Committed)
        else event
        for event in THREE
    ]
    started = start(qtbot, make_services, answer_events(TEXT), shorter)
    rewrite(qtbot, started, "five.")
    assert started.answer.text == "One two three four"


def test_stopped_it_changes_nothing(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT), THREE)
    started.services.engine.hold()
    started.rewriting.run(started.answer.id, 8, 13)
    assert started.services.generation.busy
    started.rewriting.stop()
    settle(qtbot, started)
    assert started.answer.text == TEXT
    assert started.answer.versions == (started.answer.id,)
    assert started.failures == []
    assert started.ends == [None]


def test_a_crash_is_one_sentence_and_changes_nothing(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT), THREE)
    started.services.engine.hold()
    started.rewriting.run(started.answer.id, 8, 13)
    started.services.engine.crash()
    settle(qtbot, started)
    assert started.answer.text == TEXT
    assert "SIGSEGV" in started.failures[0]


def test_a_refusal_of_the_engine_is_told(qtbot: QtBot, make_services: Make) -> None:
    refusal = Failed(kind="request", message="Too many words.", advice="Fewer.", turn=0)
    started = start(qtbot, make_services, answer_events(TEXT), [refusal])
    rewrite(qtbot, started, "three", "a b c d")
    assert started.failures == ["Too many words. Fewer."]
    assert started.answer.text == TEXT


def refused(started: Started, message: Message | None = None) -> str:
    chosen = message or started.answer
    with pytest.raises(KnownError) as told:
        started.rewriting.plan(chosen, 0, 3)
    return str(told.value.args[0])


def test_an_edited_answer_is_refused(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    started.services.generation.edit(started.answer.id, "Other words.")
    settle(qtbot, started)
    assert "edited or imported" in refused(started)


def test_an_imported_answer_is_refused(qtbot: QtBot, make_services: Make, tmp_path: Path) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    services = started.services
    path = tmp_path / "chats.json"
    services.chats.export_to(path)
    assert json.loads(path.read_text())
    with qtbot.waitSignal(services.chats.imported) as told:
        services.chats.import_from(path)
    services.chats.open(told.args[0].chat_ids[0])
    assert started.answer.text == TEXT
    assert refused(started)


def test_an_answer_without_its_recording_is_refused(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    started.services.recordings.prune(0)
    settle(qtbot, started)
    assert "recording of this answer is gone" in refused(started)


def test_an_answer_of_another_model_is_refused_by_name(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    services = started.services
    services.engine.loaded = msgspec.structs.replace(services.engine.loaded, name="Another")
    services.model.load()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    assert "another model, Built-in guide;" in refused(started)


@pytest.mark.parametrize("change", [{"canvas": 32}, {"vocab": 1001}])
def test_tokens_that_the_model_does_not_have_are_refused(
    qtbot: QtBot, make_services: Make, change: dict[str, int]
) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    services = started.services
    services.engine.loaded = msgspec.structs.replace(services.engine.loaded, **change)
    services.model.load()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    assert "not those of the model" in refused(started)


def test_without_a_model_it_is_refused(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    started.services.engine.crash()
    assert "No model is loaded" in refused(started)


def test_while_something_else_is_written_it_is_refused(qtbot: QtBot, make_services: Make) -> None:
    started = start(qtbot, make_services, answer_events(TEXT))
    started.services.generation.hold(True)
    assert "Something else" in refused(started)
    started.services.generation.hold(False)
