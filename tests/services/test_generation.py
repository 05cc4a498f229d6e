"""From a prompt to a stored answer: what is on disk when, what is signalled, what goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fakes import answer_events
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.engine import protocol
from sfumato.engine.protocol import Committed, Failed, Generate, SamplerConfig
from sfumato.services.generation import shortened
from sfumato.store import messages
from sfumato.store.types import Message, SamplerValues

Make = Callable[..., Services]
LONG = " ".join(f"word{n}" for n in range(60))


def path(services: Services) -> tuple[Message, ...]:
    assert services.chats.conversation is not None
    return services.chats.conversation.messages


def until_done(qtbot: QtBot, services: Services) -> None:
    qtbot.waitUntil(lambda: not services.generation.busy and services.calls.waiting == 0)


def generates(services: Services) -> list[Generate]:
    return [request for request in services.engine.requests if isinstance(request, Generate)]


def test_a_prompt_waits_for_the_model_and_is_then_answered(
    qtbot: QtBot, make_services: Make
) -> None:
    services = make_services([answer_events("Hello there")])
    services.generation.send("Hi")
    until_done(qtbot, services)
    assert [m.text for m in path(services)] == ["Hi", "Hello there"]
    assert path(services)[1].stats.tokens == 2


def test_blocks_are_stored_as_they_are_committed(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events(LONG)])
    stored: list[int] = []

    def look(event: Committed) -> None:
        answer = services.generation.answer
        assert answer is not None
        services.calls.submit(
            messages.load_blocks, answer.message.id, then=lambda blocks: stored.append(len(blocks))
        )

    services.generation.committed.connect(look)
    services.generation.send("Long")
    until_done(qtbot, services)
    assert stored == [1, 2, 3, 4]


def test_the_recording_keeps_every_step_that_came(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events(LONG, steps=5)])
    services.generation.send("Record")
    until_done(qtbot, services)
    blocks = services.recordings.load(path(services)[-1].id)
    assert [len(block.steps) for block in blocks] == [5, 5, 5, 5]


def test_nothing_is_recorded_where_recordings_are_off(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events(LONG)])
    services.settings.change(keep_recordings=False)
    services.generation.send("Do not record")
    until_done(qtbot, services)
    assert not services.recordings.has(path(services)[-1].id)


def test_a_crash_keeps_the_blocks_and_says_why(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events(LONG)])
    failures: list[Failed] = []
    services.generation.failed.connect(failures.append)
    services.generation.committed.connect(lambda _: services.engine.hold())
    services.generation.send("Crash")
    qtbot.waitUntil(lambda: services.generation.answer is not None)
    qtbot.waitUntil(lambda: services.generation.answer.blocks == 1)  # type: ignore[union-attr]
    services.engine.crash()
    until_done(qtbot, services)
    answer = path(services)[-1]
    assert (answer.state, answer.error) == ("failed", "The engine crashed (SIGSEGV).")
    assert LONG.startswith(answer.text.strip())
    assert answer.text
    assert [f.kind for f in failures] == ["crash"]


def test_continue_appends_to_the_answer(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events("First part"), answer_events(" and the rest")])
    services.generation.send("Go")
    until_done(qtbot, services)
    services.generation.go_on(path(services)[-1].id)
    until_done(qtbot, services)
    assert path(services)[-1].text == "First part and the rest"
    assert generates(services)[-1].continue_answer
    assert generates(services)[-1].messages[-1].role == "assistant"


def test_an_edited_answer_replaces_without_asking_the_engine(
    qtbot: QtBot, make_services: Make
) -> None:
    services = make_services([answer_events("Wrong")])
    services.generation.send("Ask")
    until_done(qtbot, services)
    services.generation.edit(path(services)[-1].id, "Right")
    until_done(qtbot, services)
    assert path(services)[-1].text == "Right"
    assert path(services)[-1].edited
    assert len(generates(services)) == 1


def test_system_prompt_and_sampler_of_the_settings_reach_the_engine(
    qtbot: QtBot, make_services: Make
) -> None:
    services = make_services()
    services.settings.change(
        system_prompt="Be brief.", sampler=SamplerValues(max_steps=7, seed=3), thinking=True
    )
    services.generation.send("Hi")
    until_done(qtbot, services)
    (request,) = generates(services)
    assert request.messages[0] == protocol.Message("system", "Be brief.")
    assert request.sampler == SamplerConfig(max_steps=7)
    assert (request.seed, request.thinking) == (3, True)


def test_unchanged_settings_leave_the_models_own_sampler(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    services.generation.send("Hi")
    until_done(qtbot, services)
    assert generates(services)[0].sampler is None


def test_an_answer_without_text_is_not_told_to_the_engine(
    qtbot: QtBot, make_services: Make
) -> None:
    services = make_services([[Failed(kind="memory", message="Full.", advice="Less.", turn=0)]])
    services.generation.send("One")
    until_done(qtbot, services)
    services.generation.send("Two")
    until_done(qtbot, services)
    assert [m.text for m in generates(services)[-1].messages] == ["One", "Two"]


def test_stop_before_the_model_is_there_ends_the_answer(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    services.engine.hold()
    services.generation.send("Wait")
    qtbot.waitUntil(lambda: services.generation.answer is not None)
    services.generation.stop()
    until_done(qtbot, services)
    assert path(services)[-1].state == "stopped"


def test_events_of_another_turn_are_not_taken(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events("Mine")])
    services.generation.began.connect(
        lambda _: services.engine.received.emit(
            Failed(kind="internal", message="Old.", advice="None.", turn=99)
        )
    )
    services.generation.send("Hi")
    until_done(qtbot, services)
    assert path(services)[-1].text == "Mine"


@pytest.mark.parametrize(("halvings", "kept"), [(0, 5), (1, 3), (2, 1), (9, 1)])
def test_leaving_out_the_oldest_keeps_system_and_question(halvings: int, kept: int) -> None:
    turns = [protocol.Message("system", "s")]
    for number in range(5):
        role = "user" if number % 2 == 0 else "assistant"
        turns.append(protocol.Message(role, str(number)))  # type: ignore[arg-type]
    left = shortened(turns, halvings)
    assert left[0].role == "system"
    assert left[1].role == "user"
    assert left[-1].text == "4"
    assert len(left) - 1 == kept
