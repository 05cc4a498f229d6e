"""The window speaks German completely, and English with proper plurals."""

from __future__ import annotations

import ast
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
from sfumato.engine.failure import failure
from sfumato.engine.model_file import ModelFile
from sfumato.engine.protocol import Failed, FrameReader, decode_event, encode
from sfumato.engine.session import ContextFullError
from sfumato.errors import ModelFileError, StoreError
from sfumato.paths import resources_dir
from sfumato.sentence import Sentence
from sfumato.services.spoken import spoken
from sfumato.store import Store, chats
from sfumato.store.types import RepairReport
from sfumato.ui.welcome import Welcome

APP = Path(__file__).parents[2] / "app" / "sfumato"
ERRORS = {
    "KnownError",
    "ModelFileError",
    "ModelLoadError",
    "GenerationError",
    "ContextFullError",
    "StoreError",
    "NotStoredError",
    "StoreDamagedError",
    "StoreReadOnlyError",
    "StoreInUseError",
    "DownloadError",
    "HubBusyError",
    "FaultError",
}


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
    layers = [APP / name for name in ("ui", "services", "download", "store", "engine")]
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


def test_the_way_out_of_an_engine_error_stands_apart_in_german_too() -> None:
    contexts = ElementTree.parse(resources_dir() / "translations" / "sfumato_de.ts").iter("context")
    (engine,) = (context for context in contexts if context.findtext("name") == "Engine")
    for message in engine.iter("message"):
        source, german = message.findtext("source"), message.findtext("translation")
        assert ("; " in (source or "")) == ("; " in (german or "")), source


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


def test_a_number_in_a_sentence_is_written_in_german(german: None) -> None:
    full = ContextFullError(
        Sentence(
            "Engine",
            "A context of {context} tokens has no room for a block of {canvas} and a question; "
            "choose at least {least}.",
        ).filled(context=1024, canvas=1000, least=2000)
    )
    assert spoken(full) == (
        "Ein Kontext von 1.024 Token hat keinen Platz für einen Block von 1.000 und eine Frage; "
        "wählen Sie mindestens 2.000."
    )


def test_what_the_engine_says_is_said_in_german_on_the_other_side_of_the_pipe(german: None) -> None:
    path = "/no/such/model.gguf"
    with pytest.raises(ModelFileError) as raised:
        ModelFile.open(path)
    (body,) = FrameReader().feed(encode(failure(raised.value, path=path)))
    told = decode_event(body)
    assert isinstance(told, Failed)
    assert (told.message, told.advice) == (
        "model.gguf does not exist.",
        "Choose the model file again.",
    )
    assert (spoken(told.message), spoken(told.advice)) == (
        "model.gguf gibt es nicht.",
        "Wählen Sie die Modelldatei neu.",
    )


def test_an_error_of_the_store_is_said_in_german(german: None, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as raised, Store.open(tmp_path) as store:
        store.read(chats.get_chat, 7)
    assert spoken(raised.value).startswith("Das Gespräch 7 gibt es nicht mehr")


def test_a_repair_is_told_in_german(german: None) -> None:
    report = RepairReport(at_ms=1, what="chats", problem="torn", moved_to="/x", messages=12_000)
    assert "12.000 Nachrichten" in " ".join(map(spoken, report.sentences()))


def test_no_error_is_raised_with_words_that_no_translation_finds() -> None:
    """Every error that a person may meet is raised with a Sentence, or passes one on."""
    plain = []
    for path in sorted(APP.rglob("*.py")):
        if path.name.startswith(("cli", "bench")):  # they speak English only
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id in ERRORS and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                plain.append(f"{path.name}:{node.lineno}")
    assert plain == []
