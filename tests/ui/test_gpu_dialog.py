"""Why is my GPU not used? What the dialog says and what it copies."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from machines import WITH_CARD, WITHOUT_CARD
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot
from sfumato.application import Parts
from sfumato.download.machine import Machine
from sfumato.engine.protocol import Device
from sfumato.ui.gpu_dialog import GpuDialog

Build = Callable[..., Parts]
Open = Callable[..., tuple[Parts, GpuDialog]]

REFUSED = Device(
    id="cuda:0",
    name="NVIDIA GeForce RTX 4090",
    memory_bytes=24 << 30,
    detail="compute capability 8.9, CUDA 11.4",
    usable=False,
    reason="its driver serves CUDA 11.4 and 12.0 is needed",
)


@pytest.fixture
def open_dialog(qtbot: QtBot, build_parts: Build, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setattr("sfumato.services.model_library.memory_bytes_per_second", lambda: 60e9)

    def make(machine: Machine, *devices: Device, gpu: bool = False) -> tuple[Parts, GpuDialog]:
        monkeypatch.setattr("sfumato.services.model_library.look", lambda folder: machine)
        parts = build_parts()
        qtbot.waitUntil(lambda: parts.model.state == "ready")
        parts.model.devices = [*parts.model.devices, *devices]
        if gpu:
            assert parts.model.loaded is not None
            parts.model.loaded = msgspec.structs.replace(
                parts.model.loaded, device="cuda:0", placement="On NVIDIA GeForce RTX 4090."
            )
        parts.window.explain_gpu()
        dialog = parts.window.findChildren(GpuDialog)[-1]
        qtbot.waitUntil(lambda: bool(dialog.report))
        return parts, dialog

    return make


def test_without_a_card_it_says_so(open_dialog: Open) -> None:
    _, dialog = open_dialog(WITHOUT_CARD)
    assert dialog.answer == "This computer has no NVIDIA card."


def test_a_card_the_engine_refuses_is_explained_in_the_engines_words(open_dialog: Open) -> None:
    _, dialog = open_dialog(WITH_CARD, REFUSED)
    assert "RTX 4090" in dialog.answer
    assert REFUSED.reason in dialog.answer
    assert REFUSED.reason in dialog.report


def test_an_engine_without_cuda_is_named_as_the_reason(open_dialog: Open) -> None:
    _, dialog = open_dialog(WITH_CARD)
    assert "built without CUDA" in dialog.answer


def test_a_gpu_that_is_used_is_said_to_be(open_dialog: Open) -> None:
    device = msgspec.structs.replace(REFUSED, usable=True, reason="")
    _, dialog = open_dialog(WITH_CARD, device, gpu=True)
    assert dialog.answer == "On NVIDIA GeForce RTX 4090."


def test_it_tells_the_measured_rounding_and_what_lies_in_main_memory(open_dialog: Open) -> None:
    parts, dialog = open_dialog(WITH_CARD, gpu=True)
    assert dialog.fact("Rounding") == dialog.fact("In main memory") == ""
    assert parts.model.loaded is not None
    parts.model.loaded = msgspec.structs.replace(
        parts.model.loaded, rounding_error=0.0193, main_memory=2_140_000_000
    )
    parts.model.changed.emit()
    assert "measured while loading: 1.9 %" in dialog.fact("Rounding")
    assert dialog.fact("In main memory").startswith("2.1 GB of experts")
    assert "2.1 GB of experts stay in main memory" in dialog.report
    assert "an error of 1.9%" in dialog.report


def test_the_versions_and_the_driver_are_in_the_report(open_dialog: Open) -> None:
    _, dialog = open_dialog(WITH_CARD)
    for part in ("Sfumato 0.", "PySide6-Essentials", "driver 580.95.05", "compute capability 8.9"):
        assert part in dialog.report


def test_what_is_copied_names_neither_home_nor_user(
    open_dialog: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "leonardo")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/media/leonardo/cuda/lib64")
    _, dialog = open_dialog(WITH_CARD)
    dialog.copy()
    copied = QGuiApplication.clipboard().text()
    assert copied == dialog.report
    assert "/media/USER/cuda" in copied
    assert "leonardo" not in copied
    assert str(Path.home()) not in copied


def test_a_restarted_engine_is_asked_again(qtbot: QtBot, open_dialog: Open) -> None:
    parts, dialog = open_dialog(WITH_CARD, REFUSED)
    dialog._restart()
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    assert REFUSED.reason not in dialog.answer
