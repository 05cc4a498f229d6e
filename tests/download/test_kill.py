"""kill -9 of a real process at any point: the next one goes on from there."""

import hashlib
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest
from download.hub_server import MIB, Content, LocalHub
from sfumato.download.part import CHUNK_BYTES, unfinished

_CHILD = Path(__file__).with_name("fetch_once.py")


def start(hub: LocalHub, folder: Path, *kill: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(_CHILD), hub.endpoint, str(folder), *kill]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished_path(child: subprocess.Popen[bytes]) -> Path:
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err.decode()
    return Path(out.decode().strip())


def killed_at(hub: LocalHub, folder: Path, sent: int) -> None:
    """Start a download and kill it when the hub has sent so many bytes in all."""
    reached = threading.Event()
    hub.on_sent = lambda count: reached.set() if count >= sent else None
    child = start(hub, folder)
    assert reached.wait(60)
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL


def kill_many_times(hub: LocalHub, folder: Path, size: int, points: list[int]) -> None:
    content = hub.files["model.gguf"] = Content(size)
    lost = 0
    for number, point in enumerate(points, start=1):
        killed_at(hub, folder, point + lost)
        assert not list(folder.rglob("*.gguf"))
        lost = hub.sent_bytes - unfinished(folder)[0].received
        assert lost <= number * CHUNK_BYTES
    hub.on_sent = lambda count: None
    path = finished_path(start(hub, folder))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == content.sha256
    assert hub.sent_bytes - size <= len(points) * CHUNK_BYTES


def test_a_killed_download_goes_on_and_fetches_less_than_a_chunk_again(
    hub: LocalHub, tmp_path: Path
) -> None:
    kill_many_times(hub, tmp_path, 120 * MIB, [1, 20 * MIB + 7, 77 * MIB, 110 * MIB])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_download_survives_twenty_five_kills_at_random_points(
    hub: LocalHub, tmp_path: Path
) -> None:
    size = 600 * MIB
    points = sorted(Random(11).randrange(1, size - 20 * MIB) for _ in range(25))
    kill_many_times(hub, tmp_path, size, points)


@pytest.mark.parametrize(
    ("call", "number"),
    [
        pytest.param("os.replace", 1, id="before the journal is renewed"),
        pytest.param("os.fsync", 1, id="after the check, before the file is safe"),
        pytest.param("os.replace", 2, id="before the renaming"),
        pytest.param("os.fsync", 2, id="after the renaming"),
        pytest.param("Path.unlink", 1, id="before the journal is removed"),
    ],
)
def test_a_kill_at_a_turning_point_loses_nothing(
    hub: LocalHub, tmp_path: Path, call: str, number: int
) -> None:
    content = hub.files["model.gguf"]
    child = start(hub, tmp_path, call, str(number))
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    path = finished_path(start(hub, tmp_path))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == content.sha256
    assert hub.sent_bytes == content.size
    assert not list(tmp_path.rglob("*.part*"))
