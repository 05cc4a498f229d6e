"""The window speaks German completely, and English with proper plurals."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines import WITHOUT_CARD
from PySide6.QtCore import QCoreApplication, QLocale
from PySide6.QtWidgets import QApplication
from sfumato.application import translate
from sfumato.download.fit import fit
from sfumato.download.network import published
from sfumato.paths import resources_dir
from sfumato.ui.spoken import spoken
from sfumato.ui.welcome import Welcome

APP = Path(__file__).parents[2] / "app" / "sfumato"


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
    layers = (APP / "ui", APP / "services", APP / "download", APP / "store")
    sources = [str(path) for layer in layers for path in sorted(layer.rglob("*.py"))]
    # A Sentence stands for a call of translate(context, pattern).
    options = ["-tr-function-alias", "translate+=Sentence", *sources, "-ts", copy]
    subprocess.run([tool, *options], check=True, capture_output=True)
    unfinished = [
        message.findtext("source")
        for message in ElementTree.parse(copy).iter("message")
        if message.find("translation").get("type") == "unfinished"  # type: ignore[union-attr]
    ]
    assert unfinished == []


def test_a_sentence_has_the_same_facts_in_german() -> None:
    messages = ElementTree.parse(resources_dir() / "translations" / "sfumato_de.ts").iter("message")
    facts = re.compile(r"\{\w+\}|%\d")
    for message in messages:
        source, german = message.findtext("source"), message.findtext("translation")
        if german and german.strip():
            assert sorted(facts.findall(source or "")) == sorted(facts.findall(german)), source


def test_a_verdict_is_said_in_german(german: None) -> None:
    network = published("Q4_K_M")
    assert network is not None
    assert spoken(fit(network, WITHOUT_CARD).sentence) == (
        "Dieser Rechner hat keine NVIDIA-Karte: nur CPU."
    )
    assert str(fit(network, WITHOUT_CARD).sentence) == (
        "This computer has no NVIDIA card: CPU only."
    )


def test_what_is_no_sentence_is_said_as_it_is(german: None) -> None:
    assert spoken("Needs {nothing}.") == "Needs {nothing}."
