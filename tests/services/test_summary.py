"""Going on from a full context: what is summed up, what stays, and that nothing is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from fakes import answer_events
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.engine.protocol import Event, Failed, Generate
from sfumato.errors import KnownError
from sfumato.services.generation import EARLIER, as_turns
from sfumato.services.summary import Summary, _divided, _end_of_part
from sfumato.store import chats, messages
from sfumato.store.types import AnswerStats, Message

Make = Callable[..., Services]
TOO_LONG = Failed(kind="context", message="Too long.", advice="Shorten it.", turn=0)


def started(
    qtbot: QtBot,
    make: Make,
    tmp_path: Path,
    answers: list[list[Event]],
    said: list[tuple[str, str]],
) -> tuple[Services, Summary, int]:
    """A conversation with a model that is not the guide; an empty answer waits for its text."""
    services = make(answers)
    services.model.start()
    services.model.choose(tmp_path / "real.gguf")
    qtbot.waitUntil(lambda: services.model.state == "ready")

    def fill(db):  # type: ignore[no-untyped-def]
        chat = chats.create_chat(db, "Planets", folder="School", system_prompt="Be brief.")
        for prompt, answer in said:
            asked = messages.add_prompt(db, chat.id, prompt)
            given = messages.begin_answer(db, asked.id)
            if answer:
                messages.append_block(db, given.id, 0, answer)
            messages.finish_answer(db, given.id, "finished" if answer else "failed")
        return chat.id

    chat_id = services.store.write(fill)
    services.chats.open(chat_id)
    summary = Summary(
        services.engine,  # type: ignore[arg-type]
        services.model,
        services.chats,
        services.generation,
        services.calls,
    )
    return services, summary, chat_id


def settle(qtbot: QtBot, services: Services, summary: Summary) -> None:
    qtbot.waitUntil(
        lambda: not summary.running and not services.generation.busy and services.calls.waiting == 0
    )


def prompts(services: Services) -> list[str]:
    """What the engine was asked, the last turn of each."""
    return [r.messages[-1].text for r in services.engine.requests if isinstance(r, Generate)]


THREE = [("Mars?", "It is red."), ("Venus?", "It is hot."), ("Which is nearer?", "")]


def test_a_new_chat_begins_with_the_summary_and_answers_the_prompt_that_waits(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    answers = [answer_events("Mars is red."), answer_events("Venus.")]
    services, summary, old_id = started(qtbot, make_services, tmp_path, answers, THREE)
    summary.run("Planets (continued)")
    settle(qtbot, services, summary)
    conversation = services.chats.conversation
    assert conversation is not None
    assert conversation.chat.title == "Planets (continued)"
    assert (conversation.chat.folder, conversation.chat.system_prompt) == ("School", "Be brief.")
    assert [(m.role, m.text) for m in conversation.messages] == [
        ("system", "Mars is red."),
        ("user", "Venus?"),
        ("assistant", "It is hot."),
        ("user", "Which is nearer?"),
        ("assistant", "Venus."),
    ]
    assert len(services.store.read(messages.load_conversation, old_id).messages) == 6


def test_the_model_reads_the_summary_with_the_system_prompt(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    answers = [answer_events("Mars is red."), answer_events("Venus.")]
    services, summary, _ = started(qtbot, make_services, tmp_path, answers, THREE)
    summary.run("More")
    settle(qtbot, services, summary)
    asked = [r for r in services.engine.requests if isinstance(r, Generate)]
    assert "Person: Mars?\n\nAssistant: It is red." in asked[0].messages[-1].text
    assert "Venus" not in asked[0].messages[-1].text
    system, *rest = asked[1].messages
    assert (system.role, system.text) == ("system", f"Be brief.\n\n{EARLIER}Mars is red.")
    assert [turn.text for turn in rest] == ["Venus?", "It is hot.", "Which is nearer?"]


def test_what_does_not_fit_is_read_in_parts_each_with_the_summary_so_far(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    words = [f"word{n}" for n in range(4000)]
    said = [("Count", " ".join(words)), ("Go on?", "Yes."), ("Do", "")]
    answers = [answer_events(f"Sum {n}.") for n in range(1, 9)]
    services, summary, _ = started(qtbot, make_services, tmp_path, answers, said)
    parts: set[tuple[int, int]] = set()
    summary.changed.connect(lambda: parts.add((summary.part, summary.parts)))
    summary.run("More")
    settle(qtbot, services, summary)
    asked = [text for text in prompts(services) if "Sum it up" in text]
    assert len(asked) > 1
    for before, text in itertools.pairwise(range(len(asked))):
        assert f"Sum {before + 1}." in asked[text]
    read = " ".join(asked)
    assert all(word in read for word in words)
    assert (1, len(asked)) in parts
    conversation = services.chats.conversation
    assert conversation is not None
    assert conversation.messages[0].text == f"Sum {len(asked)}."


def test_a_part_that_the_engine_refuses_is_halved(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    said = [("Long", "talk " * 1600), ("Go on?", "Yes."), ("Do", "")]
    answers: list[list[Event]] = [
        [TOO_LONG],
        [TOO_LONG],
        *(answer_events("Sum.") for _ in range(9)),
    ]
    services, summary, _ = started(qtbot, make_services, tmp_path, answers, said)
    summary.run("More")
    settle(qtbot, services, summary)
    asked = [text for text in prompts(services) if "Sum it up" in text]
    assert len(asked[0]) > 1.8 * len(asked[1]) > 2.5 * len(asked[2])
    conversation = services.chats.conversation
    assert conversation is not None
    assert conversation.messages[0].text == "Sum."


def test_cancelling_changes_nothing_and_the_next_question_works(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services, summary, old_id = started(qtbot, make_services, tmp_path, [], THREE)
    services.engine.hold()
    summary.run("More")
    assert services.generation.busy
    summary.cancel()
    settle(qtbot, services, summary)
    assert [chat.id for chat in services.chats.all()] == [old_id]
    services.generation.send("Still there?")
    settle(qtbot, services, summary)
    conversation = services.chats.conversation
    assert conversation is not None
    assert conversation.messages[-1].text == "Yes."


def test_half_a_summary_is_none(qtbot: QtBot, make_services: Make, tmp_path: Path) -> None:
    services, summary, old_id = started(qtbot, make_services, tmp_path, [], THREE)
    services.engine.hold()
    summary.run("More")
    services.engine.stop()  # as the loading of another model does
    settle(qtbot, services, summary)
    assert [chat.id for chat in services.chats.all()] == [old_id]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([TOO_LONG] * 12, "Too long"),
        ([answer_events(" ")], "no summary"),
        ([[msgspec.structs.replace(TOO_LONG, kind="memory", message="No memory.")]], "No memory"),
    ],
)
def test_a_failure_is_one_sentence_and_changes_nothing(
    qtbot: QtBot,
    make_services: Make,
    tmp_path: Path,
    answer: list[list[Event]],
    words: str,
) -> None:
    answers = [[event] if isinstance(event, Failed) else event for event in answer]
    services, summary, old_id = started(qtbot, make_services, tmp_path, answers, THREE)
    told: list[KnownError] = []
    summary.failed.connect(told.append)
    summary.run("More")
    settle(qtbot, services, summary)
    assert words in str(told[0])
    assert services.chats.chat_id == old_id
    assert len(services.chats.all()) == 1


def test_an_engine_that_dies_is_a_failure_and_not_a_hang(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services, summary, _ = started(qtbot, make_services, tmp_path, [], THREE)
    services.engine.hold()
    told: list[KnownError] = []
    summary.failed.connect(told.append)
    summary.run("More")
    services.engine.crash()
    settle(qtbot, services, summary)
    assert "crashed" in str(told[0])


def test_one_long_prompt_has_nothing_earlier_to_sum_up(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services, summary, _ = started(qtbot, make_services, tmp_path, [], [("All of it", "")])
    told: list[KnownError] = []
    summary.failed.connect(told.append)
    summary.run("More")
    assert "no earlier messages" in str(told[0])
    assert not services.generation.busy


def test_the_guide_is_not_asked_to_sum_up(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services, summary, _ = started(qtbot, make_services, tmp_path, [], THREE)
    assert summary.possible
    services.model.choose(None)
    qtbot.waitUntil(lambda: services.model.state == "ready")
    assert not summary.possible


def message(number: int, role: str, text: str) -> Message:
    return Message(
        id=number,
        chat_id=1,
        parent_id=None,
        role=role,
        state="finished",
        text=text,
        thinking="",
        created_ms=0,
        settled=True,
        edited=False,
        error="",
        stats=AnswerStats(),
        deleted_ms=None,
        versions=(number,),
    )


def test_an_answer_that_filled_the_context_is_the_last_exchange(qtbot: QtBot) -> None:
    path = (message(1, "user", "a"), message(2, "assistant", "b"), message(3, "user", "c"))
    path += (message(4, "assistant", "d"),)
    earlier, kept, prompt = _divided(path, 100)
    assert ([m.id for m in earlier], kept, prompt) == ([1, 2], [3, 4], "")


def test_a_last_exchange_that_is_too_long_is_summed_up_with_the_rest() -> None:
    path = (message(1, "user", "a"), message(2, "assistant", "b"), message(3, "user", "c"))
    path += (message(4, "assistant", "d" * 200), message(5, "user", "e"))
    earlier, kept, prompt = _divided(path, 100)
    assert ([m.id for m in earlier], kept, prompt) == ([1, 2, 3, 4], [], "e")


def test_an_earlier_summary_is_summed_up_too(qtbot: QtBot) -> None:
    path = (message(1, "system", "Before."), message(2, "user", "a"), message(3, "assistant", "b"))
    path += (message(4, "user", "c"), message(5, "assistant", "d"), message(6, "user", "e"))
    earlier, kept, _ = _divided(path, 100)
    assert ([m.id for m in earlier], kept) == ([1, 2, 3], [4, 5])


def test_a_summary_reaches_the_model_without_a_system_prompt() -> None:
    chat = chats.Chat(id=1, title="", created_ms=0, updated_ms=0)
    turns = as_turns(chat, [message(1, "system", "Before."), message(2, "user", "a")])
    assert [(turn.role, turn.text) for turn in turns] == [
        ("system", EARLIER + "Before."),
        ("user", "a"),
    ]


@pytest.mark.parametrize("text", ["a b c d e f g h " * 40, "x" * 999, "line\n" * 90, "日本" * 300])
def test_parts_are_whole_and_each_as_long_as_allowed_at_most(text: str) -> None:
    at, found = 0, []
    while at < len(text):
        end = _end_of_part(text, at, 100)
        assert 0 < end - at <= 100
        found.append(text[at:end])
        at = end
    assert "".join(found) == text
