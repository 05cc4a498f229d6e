"""The window speaks German completely, and English with proper plurals."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QLocale
from PySide6.QtWidgets import QApplication
from sfumato.application import translate
from sfumato.paths import resources_dir
from sfumato.ui.welcome import Welcome

UI = Path(__file__).parents[2] / "app" / "sfumato" / "ui"


@pytest.fixture
def german(fonts: None, qapp: QApplication) -> Iterator[None]:
    before = QLocale()
    installed = translate(qapp, "de")
    yield
    for translator in installed:
        qapp.removeTranslator(translator)
    QLocale.setDefault(before)


def test_german_is_spoken(german: None) -> None:
    assert QCoreApplication.translate("Composer", "Send") == "Senden"
    assert QCoreApplication.translate("StatusLine", "%n step(s)", "", 3) == "3 Schritte"


def test_english_counts_one_and_many(fonts: None) -> None:
    counted = [QCoreApplication.translate("StatusLine", "%n step(s)", "", n) for n in (1, 2)]
    assert counted == ["1 step", "2 steps"]


def test_the_guide_is_asked_in_english(german: None, theme: object) -> None:
    welcome = Welcome(theme)  # type: ignore[arg-type]
    welcome.show_guide()
    assert welcome.buttons()[0].text() == "What is Sfumato?"


def test_every_text_of_the_window_has_a_german_one(tmp_path: Path) -> None:
    shipped = resources_dir() / "translations" / "sfumato_de.ts"
    copy = tmp_path / "sfumato_de.ts"
    copy.write_bytes(shipped.read_bytes())
    tool = Path(sys.executable).with_name("pyside6-lupdate")
    sources = [str(path) for path in sorted(UI.rglob("*.py"))]
    subprocess.run([tool, *sources, "-ts", copy], check=True, capture_output=True)
    unfinished = [
        message.findtext("source")
        for message in ElementTree.parse(copy).iter("message")
        if message.find("translation").get("type") == "unfinished"  # type: ignore[union-attr]
    ]
    assert unfinished == []
