"""`sfumato models …` as a user types it, against the local hub."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from download.hub_server import MIB, REPOSITORY, Content, Fault, LocalHub
from sfumato.cli import main
from sfumato.cli_models import bar, duration
from sfumato.download.library import Library
from sfumato.download.progress import Progress, Stage
from tiny_model import write_tiny_model


@pytest.fixture
def address(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return hub.endpoint


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_list_shows_the_published_models_with_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = lines(capsys)
    assert [row["id"] for row in rows] == ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16"]
    assert all(row["state"] == "not here" for row in rows)
    assert all(isinstance(row["fit"], dict) and row["fit"]["sentence"] for row in rows)


def test_a_file_of_any_repository_is_downloaded_and_listed(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "download", REPOSITORY, "model.gguf"]) == 0
    *progress, result = lines(capsys)
    assert progress[0]["stage"] == "asking"
    assert progress[-1]["stage"] == "done"
    assert result["state"] == "verified"
    assert main(["models", "list", "--json"]) == 0
    last = lines(capsys)[-1]
    assert (last["id"], last["state"]) == (f"{REPOSITORY}/model.gguf", "verified")
    assert main(["models", "verify", "--json"]) == 0
    assert lines(capsys)[-1]["state"] == "verified"


def test_an_unfinished_download_is_shown_with_its_share_and_can_be_removed(
    hub: LocalHub, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.faults = [Fault("cut", after=5 * MIB), *(Fault("html") for _ in range(99))]
    from download.conftest import FastClock

    monkeypatch.setattr("sfumato.download.downloader.Clock", FastClock)
    assert main(["models", "download", REPOSITORY, "model.gguf"]) == 2
    assert "answers with a web page instead of the file" in capsys.readouterr().err
    assert main(["models", "list"]) == 0
    assert "20 % downloaded" in capsys.readouterr().out
    assert main(["models", "remove", "model.gguf"]) == 0
    assert "Deleted the unfinished download" in capsys.readouterr().out
    main(["models", "list"])
    assert "downloaded" not in capsys.readouterr().out


def test_an_import_is_listed_and_removed_and_the_file_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = write_tiny_model(tmp_path / "tiny.gguf")
    assert main(["models", "import", str(tiny)]) == 0
    assert main(["models", "show", str(tiny)]) == 0
    assert "Fits" in (shown := capsys.readouterr().out) or "CPU only" in shown
    assert main(["models", "remove", "tiny.gguf"]) == 0
    assert "the file stays where it is" in capsys.readouterr().out
    assert tiny.exists()
    assert Library().models == []


def test_a_downloaded_model_goes_to_the_trash(
    own_home: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["models", "download", REPOSITORY, "model.gguf"])
    assert main(["models", "remove", "model.gguf"]) == 0
    assert "model.gguf is in the trash" in capsys.readouterr().out
    assert Library().models == []
    assert list(own_home.rglob("Trash/files/model*.gguf"))


def test_a_damaged_model_fails_verification_with_a_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = write_tiny_model(tmp_path / "tiny.gguf")
    main(["models", "import", str(tiny)])
    with tiny.open("rb+") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    assert main(["models", "verify"]) == 2
    assert "tiny.gguf has changed since it was checked" in capsys.readouterr().err


def test_ctrl_c_keeps_the_part_and_the_same_command_goes_on(
    hub: LocalHub, address: str, tmp_path: Path
) -> None:
    hub.files["model.gguf"] = Content(60 * MIB)
    command = [sys.executable, "-m", "sfumato", "models", "download", REPOSITORY, "model.gguf"]
    child = subprocess.Popen(
        [*command, "--limit", "30"],
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
        stdout=subprocess.DEVNULL,
    )
    import signal
    import threading

    reached = threading.Event()
    hub.on_sent = lambda sent: reached.set() if sent > 20 * MIB else None
    assert reached.wait(60)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130
    assert said == "sfumato: stopped; the same command goes on from here\n"
    hub.on_sent = lambda sent: None
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert hub.sent_bytes - 60 * MIB <= 16 * MIB


def test_the_bar_says_the_most_important_first() -> None:
    text = bar(Progress(Stage.DOWNLOADING, 5_000_000_000, 16_800_000_000, 42e6, 281.0))
    assert text == " 29.8 %  ███████░░░░░░░░░░░░░░░░░  5.00 of 16.80 GB  42.0 MB/s  5 min left"
    assert bar(Progress(Stage.CHECKING, 1, 2)).endswith("checking")
    assert bar(Progress(Stage.WAITING, 1, 2, note="x answers 503: trying again in 5 s.")).endswith(
        "x answers 503: trying again in 5 s."
    )
    assert bar(Progress(Stage.ASKING, 0, 0)) == "asking"


@pytest.mark.parametrize(
    ("seconds", "text"), [(7, "7 s"), (89, "89 s"), (100, "2 min"), (7260, "2 h 1 min")]
)
def test_durations_are_rounded_to_what_matters(seconds: float, text: str) -> None:
    assert duration(seconds) == text
