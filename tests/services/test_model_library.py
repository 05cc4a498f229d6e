"""The list of models and its transfers, against a hub on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from download.hub_server import MIB, REPOSITORY, Content, LocalHub
from PySide6.QtCore import QLocale
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.download.catalogue import Catalogue
from sfumato.download.fit import Verdict
from sfumato.download.hub import Hub
from sfumato.download.machine import Cpu, Gpu, Machine
from sfumato.errors import KnownError
from sfumato.paths import models_dir
from sfumato.services.model_library import ModelLibrary, ModelRow

Make = Callable[..., ModelLibrary]
GB = 10**9


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        hub.files["model-Q4_K_M.gguf"] = Content(6 * MIB + 321)
        yield hub


@pytest.fixture
def make_library(
    qtbot: QtBot,
    make_services: Callable[..., Services],
    hub: LocalHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Make]:
    monkeypatch.setattr("sfumato.download.downloader.RESERVE_BYTES", 0)
    monkeypatch.setattr("sfumato.services.model_library.memory_bytes_per_second", lambda: 60e9)
    shipped = tmp_path / "models.toml"
    shipped.write_text(
        f'[[model]]\nid = "small"\nrepository = "{REPOSITORY}"\n'
        'file = "model-Q4_K_M.gguf"\nquant = "Q4_K_M"\ngood_for = "Testing."\n'
        'good_for_de = "Zum Testen."\n'
    )
    settings = make_services().settings
    made: list[ModelLibrary] = []

    def make(*, of_settings: bool = False) -> ModelLibrary:
        library = ModelLibrary(
            settings,
            catalogue=Catalogue(shipped, tmp_path / "own.toml"),
            hub=None if of_settings else lambda: Hub(hub.endpoint),
        )
        made.append(library)
        with qtbot.waitSignal(library.changed):
            library.refresh()
        return library

    yield make
    for library in made:
        library.close()


def row(library: ModelLibrary) -> ModelRow:
    return next(row for row in library.rows if row.id == "small")


def until(qtbot: QtBot, library: ModelLibrary, state: str) -> ModelRow:
    qtbot.waitUntil(lambda: row(library).state == state, timeout=30_000)
    return row(library)


def test_verdicts_are_for_the_profile_that_is_set(
    qtbot: QtBot,
    make_library: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = Gpu(0, "A card", 17 * GB, 17 * GB, "580", (8, 9), 1e12, 1e14, 1e14, 25e9)
    cpu = Cpu("a processor", 8, ("avx2",))
    machine = Machine((card,), "", cpu, 64 * GB, 32 * GB, 100 * GB)
    monkeypatch.setattr("sfumato.services.model_library.look", lambda folder: machine)
    library = make_library()
    exact = row(library)
    library._settings.change(profile="compact")
    with qtbot.waitSignal(library.changed):
        library.refresh()
    compact = row(library)
    assert exact.fit is not None
    assert compact.fit is not None
    assert (exact.fit.verdict, compact.fit.verdict) == (Verdict.PARTLY, Verdict.FITS)
    assert exact.compact_saves >= exact.fit.needed_bytes - 17 * GB
    assert compact.compact_saves == 0


def test_what_a_model_is_good_for_is_said_in_german(make_library: Make) -> None:
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    try:
        assert row(make_library()).note == "Zum Testen."
    finally:
        QLocale.setDefault(before)


def test_the_hub_of_the_settings_is_asked(qtbot: QtBot, make_library: Make, hub: LocalHub) -> None:
    library = make_library(of_settings=True)
    library._settings.change(hub=hub.endpoint)
    library.download("small")
    assert until(qtbot, library, "here").checked


def test_an_address_that_is_none_is_said_and_nothing_begins(
    qtbot: QtBot, make_library: Make
) -> None:
    library = make_library(of_settings=True)
    library._settings.change(hub="nowhere")
    with qtbot.waitSignal(library.failed) as said:
        library.download("small")
    assert "is not the address of a hub" in str(said.args[0])
    assert row(library).state == "absent"


def test_a_speed_that_is_set_holds_for_a_download_under_way(
    make_library: Make,
) -> None:
    library = make_library()
    library._settings.change(download_limit=1_000)
    library.download("small")
    (transfer,) = library._transfers.values()
    assert transfer.download.speed_limit == 1_000
    library._settings.change(download_limit=0)
    assert transfer.download.speed_limit is None


def test_a_model_is_listed_with_a_verdict(make_library: Make) -> None:
    library = make_library()
    assert row(library).state == "absent"
    assert row(library).note == "Testing."
    assert row(library).fit is not None
    assert library.machine is not None


def test_a_download_ends_here_and_checked(qtbot: QtBot, make_library: Make) -> None:
    library = make_library()
    with qtbot.waitSignal(library.arrived, timeout=30_000) as told:
        library.download("small")
        assert row(library).state == "busy"
    (path,) = told.args
    assert path.stat().st_size == 6 * MIB + 321
    assert until(qtbot, library, "here").checked


def test_a_download_closed_in_the_middle_goes_on_in_the_next_run(
    qtbot: QtBot, make_library: Make, hub: LocalHub
) -> None:
    library = make_library()
    library._settings.change(download_limit=MIB)
    library.download("small")
    qtbot.waitUntil(
        lambda: (p := row(library).progress) is not None and p.bytes > 0, timeout=30_000
    )
    library.close()
    library._settings.change(download_limit=0)
    again = make_library()
    assert row(again).state == "begun"
    assert row(again).received > 0
    with qtbot.waitSignal(again.arrived, timeout=30_000):
        again.resume("small")
    assert until(qtbot, again, "here").checked


def test_a_download_can_be_paused_and_goes_on(qtbot: QtBot, make_library: Make) -> None:
    library = make_library()
    library._settings.change(download_limit=2 * MIB)
    library.download("small")
    qtbot.waitUntil(
        lambda: (p := row(library).progress) is not None and p.bytes > 0, timeout=30_000
    )
    library.pause("small")
    qtbot.waitUntil(
        lambda: (p := row(library).progress) is not None and p.stage == "paused", timeout=30_000
    )
    with qtbot.waitSignal(library.arrived, timeout=30_000):
        library.resume("small")


def test_what_is_given_up_leaves_nothing(qtbot: QtBot, make_library: Make) -> None:
    library = make_library()
    library._settings.change(download_limit=MIB)
    library.download("small")
    qtbot.waitUntil(
        lambda: (p := row(library).progress) is not None and p.bytes > 0, timeout=30_000
    )
    library.cancel("small", keep_part=False)
    until(qtbot, library, "absent")
    assert [
        path for path in models_dir().rglob("*") if path.is_file() and "lock" not in path.name
    ] == []


def test_a_failure_is_a_sentence_at_the_model(
    qtbot: QtBot, make_library: Make, hub: LocalHub
) -> None:
    hub.files.clear()
    library = make_library()
    library.download("small")
    qtbot.waitUntil(lambda: row(library).error != "", timeout=30_000)
    assert row(library).state in ("absent", "begun")


def test_a_file_that_is_no_model_is_refused(
    qtbot: QtBot, make_library: Make, tmp_path: Path
) -> None:
    library = make_library()
    path = tmp_path / "page.gguf"
    path.write_text("<html>Not found</html>")
    with qtbot.waitSignal(library.failed) as told:
        library.import_file(path)
    assert isinstance(told.args[0], KnownError)
    assert "page.gguf" in str(told.args[0])


def test_a_removed_model_is_gone_from_the_list(qtbot: QtBot, make_library: Make) -> None:
    library = make_library()
    with qtbot.waitSignal(library.arrived, timeout=30_000):
        library.download("small")
    path = until(qtbot, library, "here").path
    assert path is not None
    library.remove(path)
    until(qtbot, library, "absent")
    assert not path.exists()


def test_a_changed_file_does_not_pass_the_check(qtbot: QtBot, make_library: Make) -> None:
    library = make_library()
    with qtbot.waitSignal(library.arrived, timeout=30_000):
        library.download("small")
    path = until(qtbot, library, "here").path
    assert path is not None
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"xxxx")
    with qtbot.waitSignal(library.failed, timeout=30_000) as told:
        library.verify(path)
    assert "changed" in str(told.args[0])
