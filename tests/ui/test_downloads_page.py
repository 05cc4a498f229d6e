"""The settings of downloads: folder, hub and speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot
from sfumato.application import Parts
from sfumato.paths import models_dir
from sfumato.ui.settings_dialog import DOWNLOADS, SettingsDialog
from sfumato.ui.settings_pages.downloads_page import MEGABYTE, DownloadsPage

Build = Callable[..., Parts]


@pytest.fixture
def parts(build_parts: Build) -> Parts:
    return build_parts()


@pytest.fixture
def page(parts: Parts) -> Iterator[DownloadsPage]:
    parts.window.open_settings(DOWNLOADS)
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    shown = dialog.pages.currentWidget()
    assert isinstance(shown, DownloadsPage)
    yield shown
    dialog.close()


def test_the_folder_of_models_is_chosen_and_given_back(
    parts: Parts, page: DownloadsPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def choose(parent: object, title: str, folder: str) -> str:
        asked.append(folder)
        return str(tmp_path)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    assert not page.back.isVisible()
    page._choose_folder()
    assert asked == [str(models_dir())]
    assert parts.library.folder == tmp_path
    page.back.click()
    assert parts.library.folder == models_dir()
    assert not page.back.isVisible()


def test_a_dialog_that_is_left_changes_no_folder(
    parts: Parts, page: DownloadsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *given: "")
    page._choose_folder()
    assert parts.settings.current.models_folder == ""


def test_what_is_no_address_is_refused_in_a_sentence_and_not_kept(
    qtbot: QtBot, parts: Parts, page: DownloadsPage
) -> None:
    qtbot.keyClicks(page.address, "mirror.example")
    qtbot.keyClick(page.address, Qt.Key.Key_Return)
    assert "is not the address of a hub" in page.refusal
    assert parts.settings.current.hub == ""
    page.address.setText(" https://mirror.example ")
    qtbot.keyClick(page.address, Qt.Key.Key_Return)
    assert page.refusal == ""
    assert parts.settings.current.hub == "https://mirror.example"


def test_the_speed_is_kept_in_bytes_a_second(parts: Parts, page: DownloadsPage) -> None:
    page.limit.setCurrentText("5 MB/s")
    assert parts.settings.current.download_limit == 5 * MEGABYTE
    page.limit.setCurrentIndex(0)
    assert parts.settings.current.download_limit == 0
