"""Settings, throttle, token counter, one instance, the model's state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from fakes import answer_events
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.download.machine import Held
from sfumato.engine.protocol import CountTokens, Device, Failed, Load, Unloaded
from sfumato.paths import built_in_guide
from sfumato.services.motion import SystemMotion
from sfumato.services.single_instance import SingleInstance
from sfumato.services.throttle import Throttle
from sfumato.store.types import SamplerValues

Make = Callable[..., Services]


def test_a_setting_holds_at_once_and_after_a_restart(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    with qtbot.waitSignal(services.settings.changed):
        services.settings.change(theme="dark", zoom_percent=120)
    qtbot.waitUntil(lambda: services.calls.waiting == 0)
    services.store.close()
    again = make_services()
    assert (again.settings.current.theme, again.settings.current.zoom_percent) == ("dark", 120)


def test_a_preset_can_be_kept_and_dropped(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    with qtbot.waitSignal(services.settings.presets_changed):
        services.settings.add_preset("Poet", "Answer in verse.", SamplerValues(t_max=1.2))
    (preset,) = services.settings.presets()
    assert (preset.name, preset.sampler.t_max) == ("Poet", 1.2)
    with qtbot.waitSignal(services.settings.presets_changed):
        services.settings.delete_preset(preset.id)
    assert services.settings.presets() == []


def test_a_throttle_passes_the_first_and_then_the_latest(qtbot: QtBot) -> None:
    throttle = Throttle(40)
    passed: list[object] = []
    throttle.passed.connect(passed.append)
    for number in range(10):
        throttle.push(number)
    assert passed == [0]
    qtbot.waitUntil(lambda: len(passed) == 2)
    assert passed == [0, 9]


def test_a_cleared_throttle_is_silent(qtbot: QtBot) -> None:
    throttle = Throttle(10)
    passed: list[object] = []
    throttle.passed.connect(passed.append)
    throttle.push("a")
    throttle.push("b")
    throttle.clear()
    qtbot.wait(30)
    assert passed == ["a"]


def test_the_draft_is_counted_with_the_conversation(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events("Yes")])
    services.generation.send("Hi")
    qtbot.waitUntil(lambda: not services.generation.busy and services.calls.waiting == 0)
    with qtbot.waitSignal(services.counter.counted) as told:
        services.counter.count("and then")
    assert told.args == [12, 4096]
    asked = [r for r in services.engine.requests if isinstance(r, CountTokens)][-1]
    assert [m.text for m in asked.messages] == ["Hi", "Yes", "and then"]


def test_a_second_start_raises_the_first_window(qtbot: QtBot, tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert first.claim()
    with qtbot.waitSignal(first.raised):
        assert not second.claim()
    first.release()
    assert second.claim()
    second.release()


def test_another_data_folder_is_another_instance(qtbot: QtBot, tmp_path: Path) -> None:
    first, other = SingleInstance(tmp_path / "a"), SingleInstance(tmp_path / "b")
    assert first.claim()
    assert other.claim()
    first.release()
    other.release()


def test_the_guide_is_loaded_when_nothing_is_chosen(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    load = next(r for r in services.engine.requests if isinstance(r, Load))
    assert load.path == str(built_in_guide())
    assert services.model.is_guide


def test_a_chosen_model_is_remembered(qtbot: QtBot, make_services: Make, tmp_path: Path) -> None:
    services = make_services()
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    services.model.choose(tmp_path / "other.gguf")
    qtbot.waitUntil(lambda: services.model.state == "ready")
    assert services.settings.current.model_path == str(tmp_path / "other.gguf")
    services.model.choose(None)
    assert services.model.is_guide


def test_the_memory_of_a_loaded_model_is_told_by_the_name_of_its_card(
    qtbot: QtBot, make_services: Make
) -> None:
    services = make_services()
    model, engine = services.model, services.engine
    assert model.held is None
    engine.loaded = msgspec.structs.replace(engine.loaded, device="cuda:0")
    model.start()
    qtbot.waitUntil(lambda: model.state == "ready")
    model.devices = [Device("cuda:0", "RTX 4090", 24 << 30, "compute capability 8.9")]
    assert model.held == Held("RTX 4090", sum(engine.loaded.pools.values()))
    engine.hold()
    model.load()
    assert model.held is None


def test_a_load_that_is_faster_than_its_end_stays(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    services.engine.hold()
    services.model.choose(Path("/models/large.gguf"))
    services.model.cancel_load()
    services.engine.received.emit(services.engine.loaded)
    services.engine.received.emit(Unloaded())
    assert services.model.state == "ready"
    assert services.model.path == Path("/models/large.gguf")


def test_a_newer_load_is_not_ended_by_the_end_of_an_older_one(
    qtbot: QtBot, make_services: Make
) -> None:
    services = make_services()
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    services.engine.hold()
    services.model.choose(Path("/models/large.gguf"))
    services.model.cancel_load()
    services.model.choose(Path("/models/other.gguf"))
    services.engine.received.emit(Unloaded())
    assert services.model.state == "loading"
    assert services.model.path == Path("/models/other.gguf")


def test_a_model_that_cannot_be_loaded_is_told_once(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    services.model.start()
    qtbot.waitUntil(lambda: services.model.state == "ready")
    told: list[Failed] = []
    services.model.failed.connect(told.append)
    services.model.load()
    failure = Failed(kind="model_file", message="No model.", advice="Choose another.")
    services.engine.received.emit(failure)
    assert services.model.state == "failed"
    assert told == [failure]


def test_kde_asks_for_less_motion(qtbot: QtBot, tmp_path: Path) -> None:
    assert not SystemMotion(tmp_path).reduced
    (tmp_path / "kdeglobals").write_text("[KDE]\nAnimationDurationFactor=0\n")
    assert SystemMotion(tmp_path).reduced
    (tmp_path / "kdeglobals").write_text("[broken\n\x00")
    assert not SystemMotion(tmp_path).reduced
