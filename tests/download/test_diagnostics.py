"""The report that a user copies: why the GPU is not used, and nothing about the user."""

import getpass
from pathlib import Path

import pytest
from download.test_fit import card, machine
from sfumato import cli_doctor
from sfumato.download import diagnostics
from sfumato.download.diagnostics import masked, report, why_no_gpu


def test_a_usable_card_is_named() -> None:
    assert why_no_gpu(machine(card()), ["cuda:0"], True).startswith("The GPU can be used: RTX 3090")


def test_a_card_that_the_engine_does_not_see_is_explained_by_the_engine() -> None:
    said = why_no_gpu(machine(card()), ["cpu: only", "It was built without CUDA."], False)
    assert said.startswith("The driver has RTX 3090, but the engine cannot use it: ")
    assert said.endswith("It was built without CUDA.")


def test_a_hidden_card_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES hides RTX 3090" in why_no_gpu(machine(card()), [], False)


def test_no_card_is_said_as_the_machine_says_it() -> None:
    assert "GPU: This computer has no NVIDIA card." in report(machine(), [], False)


def test_the_report_names_neither_the_user_nor_the_home_folder(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "leonardo")
    monkeypatch.setenv("HF_HOME", "/mnt/leonardo/hf")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://leonardo:mona@proxy.example:80")
    text = report(machine(card()), [f"{own_home}/engine"], False)
    assert str(own_home) not in text
    assert "leonardo" not in text
    assert "mona" not in text
    assert "hf_secret" not in text
    assert "HF_HOME=/mnt/USER/hf" in text


def test_a_name_inside_another_word_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "max")
    assert masked("/home/max/x maximal max") == "/home/USER/x maximal USER"


def test_the_doctor_prints_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    from sfumato.cli import main

    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "Engine:\n  cpu:" in printed
    assert diagnostics.__name__ not in printed


def test_the_doctor_says_what_the_loader_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sfumato.engine.device", None)
    lines, has_gpu = cli_doctor.engine_devices()
    assert not has_gpu
    assert lines[0].startswith("The engine does not load: ")
