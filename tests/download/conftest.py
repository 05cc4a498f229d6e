"""A local hub, a fast clock, and downloads from the one with the other."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from download.hub_server import MIB, REPOSITORY, Content, LocalHub
from sfumato.download.catalogue import Model
from sfumato.download.clock import Clock
from sfumato.download.downloader import Download
from sfumato.download.hub import Hub
from sfumato.download.progress import Progress


class FastClock(Clock):
    """Runs thirty times as fast, and can jump: half a minute of silence is a second, which a busy
    machine does not reach by itself."""

    def __init__(self, factor: float = 30.0) -> None:
        self._factor = factor
        self._jumped = 0.0

    def now(self) -> float:
        return time.monotonic() * self._factor + self._jumped

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds / self._factor)

    def jump(self, seconds: float) -> None:
        self._jumped += seconds


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    # It reads HF_ENDPOINT once, when imported, and follows redirects to that address for ever: not
    # to one that a test sets, whose port the store of a later test may get.
    import huggingface_hub.constants  # noqa: F401

    with LocalHub() as hub:
        hub.files["model.gguf"] = Content(24 * MIB + 12345)
        yield hub


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def model() -> Model:
    return Model(id="test", repository=REPOSITORY, file="model.gguf")


@pytest.fixture
def download(
    hub: LocalHub, clock: FastClock, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Download]:
    """download(connections=1, ...) prepares a transfer of the hub's file, in chunks of 1 MiB."""
    monkeypatch.setattr("sfumato.download.downloader.RESERVE_BYTES", 0)

    def prepare(**options: object) -> Download:
        settings: dict[str, object] = {"chunk_bytes": MIB, "clock": clock, **options}
        return Download(model, tmp_path, Hub(hub.endpoint), **settings)  # type: ignore[arg-type]

    return prepare


class Heard(list[Progress]):
    """Collects progress, and calls `then` when a condition first holds."""

    def __init__(
        self,
        when: Callable[[Progress], bool] = lambda progress: False,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._when, self._then, self._done = when, then, False

    def __call__(self, progress: Progress) -> None:
        self.append(progress)
        if not self._done and self._when(progress):
            self._done = True
            self._then()
