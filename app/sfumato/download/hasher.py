"""The SHA-256 of a whole file: of one that is there, and of one that still arrives."""

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path

from sfumato.download.control import Control, StopError
from sfumato.download.jobs import Jobs
from sfumato.download.part import Chunk, Part
from sfumato.errors import DownloadError
from sfumato.sentence import Sentence

_DISK_ATTEMPTS = 3


class Hasher:
    """Chunk by chunk in file order, as soon as each has arrived. When all are through, `digest` is
    there and the pass over."""

    def __init__(self, part: Part, jobs: Jobs, control: Control) -> None:
        self.hashed_bytes = 0
        self.digest = ""
        self._part = part
        self._jobs = jobs
        self._control = control

    def run(self) -> None:
        whole = hashlib.sha256()
        for chunk in self._part.chunks:
            for _ in range(_DISK_ATTEMPTS):
                self._await(chunk)
                attempt, crc, count = whole.copy(), 0, 0
                for piece in self._part.read(chunk, chunk.length):
                    attempt.update(piece)
                    if chunk.claimed_only:
                        crc = zlib.crc32(piece, crc)
                    count += len(piece)
                    if self._control.over or self._control.cancelled:
                        raise StopError
                good = not chunk.claimed_only or crc == chunk.crc32
                if good and count == chunk.length:
                    break
                self._jobs.fetch_again(chunk)
            else:
                raise DownloadError(
                    Sentence(
                        "Download",
                        "The disk does not give back what was written to {path}: choose another "
                        "folder.",
                    ).filled(path=str(self._part.path))
                )
            chunk.claimed_only = False
            whole = attempt
            self._part.settle(chunk)
            self.hashed_bytes = chunk.start + chunk.length
        with self._control.changed:
            self.digest = whole.hexdigest()
            self._control.over = True
            self._control.changed.notify_all()

    def _await(self, chunk: Chunk) -> None:
        with self._control.changed:
            while not (chunk.complete and (self._jobs.settled or not self._jobs.comparing)):
                if self._control.over or self._control.cancelled:
                    raise StopError
                self._control.changed.wait()


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda done: None) -> str:
    """SHA-256 of a file; `on_bytes` hears how much is done, and may raise to stop."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(8 << 20):
            digest.update(piece)
            done += len(piece)
            on_bytes(done)
    return digest.hexdigest()
