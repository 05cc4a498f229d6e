"""The list of models: what can be done with each, and what is said when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from machines import SMALL, WITH_CARD, WITHOUT_CARD
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot
from sfumato.application import Parts
from sfumato.download.fit import fit
from sfumato.download.machine import Machine
from sfumato.download.network import published
from sfumato.download.progress import Progress, Stage
from sfumato.engine.protocol import Failed, Load
from sfumato.services.model_library import ModelLibrary, ModelRow
from sfumato.ui.models_page import ModelCard
from sfumato.ui.settings_dialog import SettingsDialog
from sfumato.ui.settings_pages.downloads_page import DownloadsPage

LARGE = Path("/models/large.gguf")

Open = Callable[..., Parts]


@pytest.fixture
def open_page(
    qtbot: QtBot, build_parts: Callable[..., Parts], monkeypatch: pytest.MonkeyPatch
) -> Open:
    """The page on a computer, with one model of the catalogue in a state."""
    monkeypatch.setattr("sfumato.services.model_library.memory_bytes_per_second", lambda: 60e9)

    def make(
        machine: Machine, state: str = "here", progress: Progress | None = None, error: str = ""
    ) -> Parts:
        network = published("Q4_K_M")
        assert network is not None
        row = ModelRow(
            "Q4_K_M",
            "DiffusionGemma 26B-A4B · Q4_K_M",
            16_801_070_304,
            "",
            state,  # type: ignore[arg-type]
            LARGE if state == "here" else None,
            fit(network, machine, 60e9),
            compact_saves=1_500_000_000 if machine.gpus else 0,
            progress=progress,
            error=error,
        )
        monkeypatch.setattr("sfumato.services.model_library.look", lambda folder: machine)
        monkeypatch.setattr(ModelLibrary, "rows", property(lambda library: [row]))
        parts = build_parts()
        qtbot.waitUntil(lambda: parts.model.state == "ready")
        parts.window.toggle_models()
        qtbot.waitUntil(lambda: parts.library.machine is not None)
        return parts

    return make


def card_of(parts: Parts) -> ModelCard:
    card = parts.window.models_page.card("Q4_K_M")
    assert card is not None
    return card


def answer(name: str, told: list[str]) -> None:
    """Press a button of the question that comes up."""

    def press() -> None:
        (box,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        told.append(f"{box.text()} {box.informativeText()}")
        next(button for button in box.buttons() if button.text() == name).click()

    QTimer.singleShot(0, press)


def press(qtbot: QtBot, parts: Parts, what: str) -> None:
    button = card_of(parts).button(what)
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def loads(parts: Parts) -> list[str]:
    requests = parts.client.requests  # type: ignore[attr-defined]
    return [request.path for request in requests if isinstance(request, Load)]


def test_a_model_that_fits_is_used_without_a_question(qtbot: QtBot, open_page: Open) -> None:
    parts = open_page(WITHOUT_CARD)
    assert not card_of(parts).button("use_anyway").isVisible()
    press(qtbot, parts, "use")
    assert loads(parts)[-1] == str(LARGE)


def test_a_model_that_will_not_fit_is_loaded_after_the_numbers_were_told(
    qtbot: QtBot, open_page: Open
) -> None:
    parts = open_page(SMALL)
    assert not card_of(parts).button("use").isVisible()
    told: list[str] = []
    answer("Load anyway", told)
    press(qtbot, parts, "use_anyway")
    assert "needs 19.8 GB of main memory, 9.0 GB free" in told[0]
    assert loads(parts)[-1] == str(LARGE)


def test_whoever_is_warned_may_leave_it(qtbot: QtBot, open_page: Open) -> None:
    parts = open_page(SMALL)
    before = loads(parts)
    answer("Cancel", [])
    press(qtbot, parts, "use_anyway")
    assert loads(parts) == before
    assert parts.model.is_guide


def test_a_load_that_fails_says_why_at_its_model(qtbot: QtBot, open_page: Open) -> None:
    parts = open_page(WITHOUT_CARD)
    parts.client.hold()  # type: ignore[attr-defined]
    press(qtbot, parts, "use")
    parts.client.received.emit(
        Failed(
            kind="memory",
            message="There is not enough memory: the weights need 17.2 GB, 8.0 GB are free.",
            advice="Close other programs.",
        )
    )
    assert "17.2 GB, 8.0 GB are free. Close other programs." in card_of(parts).error
    assert card_of(parts).button("use").isVisible()
    parts.window.close_models()
    banner = parts.window.banner
    assert "17.2 GB" in banner.sentence
    parts.client.release()  # type: ignore[attr-defined]
    qtbot.mouseClick(banner.action_button(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    assert parts.model.is_guide


def test_no_card_is_squeezed_by_the_others(qtbot: QtBot, open_page: Open) -> None:
    parts = open_page(WITHOUT_CARD, "absent")
    (row,) = parts.library.rows
    rows = [replace(row, id=f"{at}", state="begun", received=4_200_000_000) for at in range(8)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelLibrary, "rows", property(lambda library: rows))
        parts.library.changed.emit()
        cards = [parts.window.models_page.card(one.id) for one in rows]
        button = cards[-1].button("resume") if cards[-1] else None
        assert button is not None
        qtbot.waitUntil(lambda: button.height() >= button.minimumSizeHint().height())
        heights = {card.button("resume").height() for card in cards if card}
    assert heights == {button.height()}


@pytest.mark.parametrize(
    ("state", "stage", "buttons", "figures"),
    [
        ("absent", None, {"download"}, ""),
        ("busy", Stage.DOWNLOADING, {"pause", "cancel"}, "4.2 GB of 16.8 GB · 31.0 MB/s"),
        ("busy", Stage.PAUSED, {"resume", "cancel"}, "Paused at 4.2 GB of 16.8 GB"),
        ("busy", Stage.CHECKING, set(), "Checking, 4.2 GB of 16.8 GB"),
        ("here", None, {"use", "check", "remove"}, ""),
    ],
)
def test_each_state_offers_what_can_be_done(
    open_page: Open, state: str, stage: Stage | None, buttons: set[str], figures: str
) -> None:
    progress = None
    if stage is not None:
        rate = 31e6 if stage is Stage.DOWNLOADING else 0.0
        progress = Progress(stage, 4_200_000_000, 16_801_070_304, rate)
    card = card_of(open_page(WITHOUT_CARD, state, progress))
    assert {what for what in card.offers if card.button(what).isVisible()} == buttons
    assert card.figures == figures


def test_without_a_card_nothing_is_said_of_the_profile(open_page: Open) -> None:
    parts = open_page(WITHOUT_CARD)
    assert not parts.window.models_page.profile.isVisible()
    assert "Compact" not in card_of(parts).verdict


def test_the_profile_is_chosen_there_and_kept_for_the_next_load(
    qtbot: QtBot, open_page: Open
) -> None:
    parts = open_page(WITH_CARD)
    choice = parts.window.models_page.profile
    qtbot.waitUntil(choice.isVisible)
    assert card_of(parts).verdict.endswith("Compact needs 1.5 GB less.")
    qtbot.keyClicks(choice.box, "C")
    assert parts.settings.current.profile == "compact"
    assert "experts of 8 bits are rounded to 5" in choice.note
    press(qtbot, parts, "use")
    assert parts.client.requests[-1].profile == "compact"  # type: ignore[attr-defined]


def test_a_loaded_model_is_loaded_again_for_another_profile_and_tells_its_error(
    qtbot: QtBot, open_page: Open
) -> None:
    parts = open_page(WITH_CARD)
    choice = parts.window.models_page.profile
    assert parts.model.loaded is not None
    parts.model.loaded = msgspec.structs.replace(parts.model.loaded, device="cuda:0")
    parts.model.changed.emit()
    qtbot.waitUntil(choice.isVisible)
    assert not choice.again.isVisible()
    parts.settings.change(profile="compact")
    assert choice.box.currentText() == "Compact"
    qtbot.mouseClick(choice.again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.model.loaded = msgspec.structs.replace(
        parts.model.loaded, device="cuda:0", rounding_error=0.0193
    )
    parts.model.changed.emit()
    assert choice.note.endswith("The error measured in the model in use: 1.9 %.")
    assert not choice.again.isVisible()


def test_a_download_that_failed_offers_another_address(qtbot: QtBot, open_page: Open) -> None:
    parts = open_page(WITHOUT_CARD, "begun", error="The hub cannot be reached.")
    press(qtbot, parts, "address")
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    assert isinstance(dialog.pages.currentWidget(), DownloadsPage)
    dialog.close()


def test_a_download_that_did_not_fail_offers_no_other_address(open_page: Open) -> None:
    assert not card_of(open_page(WITHOUT_CARD, "begun")).button("address").isVisible()
