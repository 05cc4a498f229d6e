"""Real disks: one that is too small, and files beyond 4 GiB."""

import hashlib
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from download.hub_server import MIB, REPOSITORY, Content, Fault, LocalHub
from sfumato.download import downloader
from sfumato.download.catalogue import Model
from sfumato.download.downloader import Download
from sfumato.download.hasher import sha256_of
from sfumato.download.hub import Hub

_FILL = Path(__file__).with_name("fill_disk.py")
_FETCH = Path(__file__).with_name("fetch_once.py")


def on_a_disk_of(mib: int, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace of its own, where `folder` is a small tmpfs."""
    script = f'mount -t tmpfs -o size={mib}m none "$1" && shift && exec "$@"'
    result = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(folder), *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in result.stderr or "mount:" in result.stderr:
        pytest.skip("no mount namespaces here")
    return result


def test_a_disk_that_something_else_fills_stops_the_download_and_room_lets_it_go_on(
    hub: LocalHub, tmp_path: Path
) -> None:
    content = hub.files["model.gguf"]
    result = on_a_disk_of(40, tmp_path, sys.executable, str(_FILL), hub.endpoint, str(tmp_path))
    assert result.returncode == 0, result.stderr
    said, finished = result.stdout.splitlines()
    assert " MB more in " in said or "is full: make room" in said
    assert "what has arrived is kept" in said
    sha256, fetched = finished.split()
    assert sha256 == content.sha256
    assert int(fetched) < content.size


def test_a_disk_that_is_too_small_is_refused_before_a_byte_is_fetched(
    hub: LocalHub, tmp_path: Path
) -> None:
    result = on_a_disk_of(20, tmp_path, sys.executable, str(_FETCH), hub.endpoint, str(tmp_path))
    assert "DownloadError: model.gguf needs 25 MB more" in result.stderr
    assert hub.sent_bytes == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_file_beyond_4_gib_arrives_whole_through_many_faults(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloader, "RESERVE_BYTES", 0)
    content = hub.files["model.gguf"] = Content(4500 * MIB + 1)
    hub.faults = [Fault("cut", after=70 * MIB + 13) for _ in range(20)]
    model = Model(id="test", repository=REPOSITORY, file="model.gguf")
    done = Download(model, tmp_path, Hub(hub.endpoint)).run()
    assert done is not None
    assert sha256_of(done.path) == content.sha256
    assert done.fetched_bytes == content.size


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_unmodified_client_downloads_a_file_beyond_4_gib(hub: LocalHub, tmp_path: Path) -> None:
    content = hub.files["model.gguf"] = Content(4200 * MIB)
    path = Path(
        huggingface_hub.hf_hub_download(
            REPOSITORY, "model.gguf", endpoint=hub.endpoint, local_dir=tmp_path, token=False
        )
    )
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == content.sha256
