"""Notes to a person who looks elsewhere, and a window that hides in the tray."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QElapsedTimer
from PySide6.QtWidgets import QApplication, QCheckBox, QSystemTrayIcon
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.application import Parts
from sfumato.engine.protocol import Failed
from sfumato.ui import tray as tray_module
from sfumato.ui.main_window import LONG_ANSWER_MS
from sfumato.ui.settings_dialog import SettingsDialog

Build = Callable[..., Parts]
Notes = list[tuple[str, str]]
offscreen_has_none = pytest.mark.qt_log_ignore(
    "systemTrayWindowChanged", r"does not support raise\(\)", extend=True
)


@pytest.fixture
def with_tray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The offscreen desktop has no tray; here it says that it has."""
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: True))
    yield
    QApplication.setQuitOnLastWindowClosed(True)


def until_done(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    told: Notes = []
    monkeypatch.setattr(
        tray_module.Tray, "notify", lambda self, title, text: told.append((title, text))
    )
    return told


def ask_elsewhere(
    qtbot: QtBot, parts: Parts, monkeypatch: pytest.MonkeyPatch, *, seconds: float, active: bool
) -> None:
    """Ask something that seems to take so long, while the window is in the background or not."""
    monkeypatch.setattr(parts.window, "isActiveWindow", lambda: active)
    monkeypatch.setattr(QElapsedTimer, "elapsed", lambda _: int(seconds * 1000))
    parts.generation.send("A long question")
    until_done(qtbot, parts)


def test_the_end_of_a_long_answer_is_told_in_the_background(
    qtbot: QtBot, build_parts: Build, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = build_parts([settling_events("Yes.", canvas=8, steps=2)])
    ask_elsewhere(qtbot, parts, monkeypatch, seconds=LONG_ANSWER_MS / 1000, active=False)
    assert notes == [("A long question", "The answer is ready.")]


def test_a_failure_is_told_as_one(
    qtbot: QtBot, build_parts: Build, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Failed(kind="device", message="No.", advice="Again.", turn=0)
    parts = build_parts([[failed]])
    ask_elsewhere(qtbot, parts, monkeypatch, seconds=60, active=False)
    assert notes == [("A long question", "The answer could not be finished.")]


@pytest.mark.parametrize(
    ("seconds", "active", "wanted"), [(60, True, True), (2, False, True), (60, False, False)]
)
def test_nobody_is_told_what_they_see_know_or_do_not_want(
    qtbot: QtBot,
    build_parts: Build,
    notes: Notes,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    active: bool,
    wanted: bool,
) -> None:
    parts = build_parts([settling_events("Yes.", canvas=8, steps=2)])
    parts.settings.change(notify_when_done=wanted)
    ask_elsewhere(qtbot, parts, monkeypatch, seconds=seconds, active=active)
    assert notes == []


def test_without_a_tray_the_desktop_is_told_directly(
    build_parts: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: Notes = []
    monkeypatch.setattr(
        tray_module.notification, "send", lambda title, text, **_: told.append((title, text))
    )
    build_parts().window.tray.notify("Title", "Text")
    assert told == [("Title", "Text")]


def test_closing_quits_where_no_tray_was_asked_for(build_parts: Build, with_tray: None) -> None:
    parts = build_parts()
    assert not parts.window.tray.kept
    assert parts.window.close()


@offscreen_has_none
def test_closing_hides_the_window_in_the_tray_and_a_click_brings_it_back(
    build_parts: Build, with_tray: None
) -> None:
    parts = build_parts()
    parts.settings.change(tray=True)
    assert not parts.window.close()
    assert not parts.window.isVisible()
    assert parts.model.state != "off"
    parts.window.tray._activated(QSystemTrayIcon.ActivationReason.Trigger)
    assert parts.window.isVisible()


@offscreen_has_none
def test_the_tray_offers_to_show_to_begin_and_to_quit(
    qtbot: QtBot, build_parts: Build, with_tray: None
) -> None:
    parts = build_parts()
    parts.settings.change(tray=True)
    parts.window.close()
    show, new, leave = parts.window.tray.menu().actions()
    assert [action.text() for action in (show, new, leave)] == ["Show Sfumato", "New chat", "Quit"]
    new.trigger()
    assert parts.window.isVisible()
    leave.trigger()
    assert not parts.window.isVisible()
    assert not parts.window.tray._icon.isVisible()


def test_a_desktop_without_a_tray_never_hides_the_window(build_parts: Build) -> None:
    parts = build_parts()
    parts.settings.change(tray=True)
    assert parts.window.close()


def test_the_settings_say_when_there_is_no_tray(build_parts: Build) -> None:
    parts = build_parts()
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    box = dialog.findChild(QCheckBox, "tray")
    assert isinstance(box, QCheckBox)
    assert not box.isEnabled()
    dialog.close()
