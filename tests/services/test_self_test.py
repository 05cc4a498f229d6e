"""The self-test over an engine that replays events: what is asked, measured and said."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from fakes import answer_events
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.engine.protocol import Denoised, Device, Event, Failed, Generate, Load
from sfumato.services.self_test import STEPS, Predict, Report, SelfTest, duration

GPU = Device(
    id="cuda:0", name="NVIDIA GeForce RTX 4090", memory_bytes=24 << 30, detail="compute 8.9"
)
MakeServices = Callable[..., Services]


def make_test(services: Services, predict: Predict | None = None) -> SelfTest:
    return SelfTest(
        services.engine,  # type: ignore[arg-type]
        services.model,
        services.generation,
        predict or (lambda path, device: None),
    )


def run(qtbot: QtBot, test: SelfTest) -> Report:
    with qtbot.waitSignal(test.ended) as told:
        test.run()
    report = told.args[0]
    assert isinstance(report, Report)
    return report


def use_gpu(services: Services) -> None:
    services.engine.loaded = msgspec.structs.replace(services.engine.loaded, device="cuda:0")
    services.model.devices = [Device("cpu", "Some CPU", 1 << 30, "AVX2"), GPU]


def at_pace(*step_ms: float) -> list[Event]:
    """Three steps that took so long."""
    events = answer_events("Out of the mist.", steps=len(step_ms))
    steps = iter(step_ms)
    return [
        msgspec.structs.replace(e, ms=next(steps)) if isinstance(e, Denoised) else e for e in events
    ]


def ready(qtbot: QtBot, services: Services) -> None:
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")


def settle(qtbot: QtBot, services: Services) -> None:
    """Let everything that is to be stored be stored."""
    qtbot.waitUntil(lambda: not services.generation.busy and services.calls.waiting == 0)


def test_it_loads_the_model_and_takes_three_steps_of_one_block(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    services = make_services()
    report = run(qtbot, make_test(services))
    load, generate = [r for r in services.engine.requests if isinstance(r, Load | Generate)]
    assert isinstance(load, Load)
    assert isinstance(generate, Generate)
    assert report.works
    assert generate.max_blocks == 1
    assert generate.sampler is not None
    assert generate.sampler.max_steps == STEPS
    assert generate.sampler.confidence_threshold == 0.0


def test_the_device_is_the_one_the_engine_reports(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    services = make_services([at_pace(30, 30, 30)])
    ready(qtbot, services)
    use_gpu(services)
    services.model.load()
    report = run(qtbot, make_test(services, lambda path, device: 25.0))
    assert report.device == "cuda:0"
    assert report.sentence == (
        "It works: 30 ms per step on NVIDIA GeForce RTX 4090; about 25 ms was predicted."
    )
    assert report.advice == ""


def test_the_median_of_the_steps_counts(qtbot: QtBot, make_services: MakeServices) -> None:
    report = run(qtbot, make_test(make_services([at_pace(900, 31, 33)])))
    assert report.ms_per_step == 33


def test_a_step_that_never_arrived_is_made_up_for_by_the_sum(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    events = [e for e in at_pace(20, 20, 20) if not (isinstance(e, Denoised) and e.step < 3)]
    report = run(qtbot, make_test(make_services([events])))
    assert report.works
    assert report.ms_per_step == pytest.approx(20)


def test_much_slower_than_predicted_is_said_with_a_likely_cause(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    services = make_services([at_pace(130, 130, 130)])
    ready(qtbot, services)
    use_gpu(services)
    services.model.load()
    report = run(qtbot, make_test(services, lambda path, device: 25.0))
    assert report.works
    assert "about 25 ms was predicted" in report.sentence
    assert "slow" in report.advice


def test_a_gpu_that_is_left_aside_is_explained_with_the_engines_words(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    services = make_services()
    ready(qtbot, services)
    services.model.devices = [*services.model.devices, GPU]
    report = run(qtbot, make_test(services))
    assert "on the CPU" in report.sentence
    assert report.advice == services.engine.loaded.placement


def test_numbers_that_are_none_fail_the_test(qtbot: QtBot, make_services: MakeServices) -> None:
    events = [
        msgspec.structs.replace(e, mean_entropy=math.nan) if hasattr(e, "mean_entropy") else e
        for e in answer_events("Fog.")
    ]
    report = run(qtbot, make_test(make_services([events])))
    assert not report.works
    assert "computes wrongly" in report.sentence


def test_a_load_that_fails_is_the_result(qtbot: QtBot, make_services: MakeServices) -> None:
    services = make_services()
    ready(qtbot, services)
    services.engine.hold()
    services.model.choose(Path("/nowhere/model.gguf"))
    test = make_test(services)
    test.run()
    assert test.stage == "loading"
    with qtbot.waitSignal(test.ended) as told:
        services.engine.received.emit(
            Failed(kind="memory", message="Too large by 3 GB.", advice="Choose a smaller file.")
        )
    assert told.args == [Report(False, "Too large by 3 GB.", "Choose a smaller file.")]


def test_an_engine_that_dies_during_the_test_is_the_result(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    services = make_services()
    ready(qtbot, services)
    test = make_test(services)
    services.engine.hold()
    test.run()
    assert test.stage == "reading"
    with qtbot.waitSignal(test.ended) as told:
        services.engine.crash("The engine crashed (SIGSEGV).")
    assert not told.args[0].works
    assert "SIGSEGV" in told.args[0].sentence
    assert not test.running


def test_it_waits_for_the_answer_under_way(qtbot: QtBot, make_services: MakeServices) -> None:
    services = make_services([answer_events("A long story."), at_pace(20, 20, 20)])
    ready(qtbot, services)
    services.generation.send("Tell me a story.")
    test = make_test(services)
    test.run()
    assert test.stage == "waiting"
    with qtbot.waitSignal(test.ended) as told:
        pass
    assert told.args[0].works
    turns = [r.turn for r in services.engine.requests if isinstance(r, Generate)]
    assert turns == [1, -1]
    settle(qtbot, services)


def test_nothing_of_a_test_reaches_the_chats(qtbot: QtBot, make_services: MakeServices) -> None:
    services = make_services()
    run(qtbot, make_test(services))
    assert services.chats.all() == []
    assert services.generation.answer is None


def test_a_prompt_sent_during_a_test_is_answered_after_it(
    qtbot: QtBot, make_services: MakeServices
) -> None:
    services = make_services([at_pace(20, 20, 20), answer_events("Here I am.")])
    ready(qtbot, services)
    test = make_test(services)
    services.engine.hold()
    test.run()
    services.generation.send("Hello?")
    with qtbot.waitSignals([test.ended, services.generation.ended]):
        services.engine.release()
    assert test.report is not None
    assert test.report.works
    conversation = services.chats.conversation
    assert conversation is not None
    assert conversation.messages[-1].text == "Here I am."
    settle(qtbot, services)


@pytest.mark.parametrize(
    ("ms", "said"), [(3.04, "3.0 ms"), (31.4, "31 ms"), (999.0, "999 ms"), (1240.0, "1.2 s")]
)
def test_durations_are_said_shortly(ms: float, said: str) -> None:
    assert duration(ms) == said
