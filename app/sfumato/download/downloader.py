"""One file from a hub to the disk: resumable, in several ranges at once, verified.

`Download.run()` blocks and belongs in a thread of its own; `pause`, `resume`, `cancel` and
`speed_limit` may be used from any other. Inside, a few connections fetch runs of chunks, one
thread computes the SHA-256 of the whole in file order behind them (so that little is left to check
at the end), and the caller's thread watches: progress, silence, disk.

Where a wrong byte is. A hub tells one SHA-256 for the whole file. If the disk lost something, the
CRC-32 taken of each chunk as it arrived finds it, and that chunk is fetched again. If wrong bytes
were sent, the chunk's checksum is that of the wrong bytes and only a second reading can tell:
chunks that a fault touched are fetched again first and compared with the disk, then all others,
until the whole is right; never more than the file once over. If it is still wrong, the download
stops and keeps the part, which another address may yet mend.
"""

import errno
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock
import httpx
import msgspec

from sfumato.download.backoff import Backoff, FaultError
from sfumato.download.catalogue import Model, checked
from sfumato.download.clock import Clock
from sfumato.download.control import Control, StopError
from sfumato.download.hasher import Hasher, sha256_of
from sfumato.download.hub import Hub, HubBusyError, RemoteFile
from sfumato.download.jobs import Job, Jobs
from sfumato.download.part import CHUNK_BYTES, Header, Part, discard, known_header, part_path
from sfumato.download.progress import Progress, Stage
from sfumato.download.source import Source
from sfumato.download.speed import Speed, SpeedLimit
from sfumato.download.transfer import TIMEOUT, Transfer
from sfumato.errors import DownloadError
from sfumato.sentence import Sentence

CONNECTIONS = 4
# Left free on the disk when a download starts.
RESERVE_BYTES = 2_000_000_000
_TICK_SECONDS = 0.25
_COMPARING_NOTE = Sentence("Download", "The checksum is wrong: looking for the damaged part.")


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete file with the promised SHA-256. `model` carries what the hub said about it."""

    path: Path
    model: Model
    fetched_bytes: int


class Download:
    """One transfer of `model` into `folder`; another attempt is another Download."""

    def __init__(
        self,
        model: Model,
        folder: Path,
        hub: Hub | None = None,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        connections: int = CONNECTIONS,
        speed_limit: float | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        clock: Clock | None = None,
    ) -> None:
        self.model = checked(model)
        self.path = model.path_in(folder)
        self._hub = hub or Hub()
        self._on_progress = on_progress
        self._connections = max(1, connections)
        self._chunk_bytes = chunk_bytes
        self._clock = clock or Clock()
        self._control = Control()
        self._backoff = Backoff(self._control, self._clock)
        self._speed = Speed(self._control)
        self._limit = SpeedLimit(speed_limit, self._control, self._clock)
        self._keep_part = True

    # What the window may do, from any thread.

    def pause(self) -> None:
        with self._control.changed:
            self._control.paused = True
            self._control.wake()

    def resume(self) -> None:
        """Go on after `pause`, or at once while waiting for another attempt."""
        with self._control.changed:
            self._control.paused = False
            self._backoff.reset()
            self._control.changed.notify_all()

    def cancel(self, keep_part: bool) -> None:
        """`run` returns None soon. With `keep_part` a later Download continues from there."""
        with self._control.changed:
            self._control.cancelled = True
            self._keep_part = keep_part
            self._control.wake()

    @property
    def speed_limit(self) -> float | None:
        """Bytes per second over all connections; None for no limit."""
        return self._limit.value

    @speed_limit.setter
    def speed_limit(self, value: float | None) -> None:
        self._limit.set(value)

    @property
    def fetched_bytes(self) -> int:
        """Bytes that came over the network in this run, those of failed attempts included."""
        return self._control.fetched_bytes

    def run(self) -> Downloaded | None:
        """Download, or continue. None if cancelled. Raises DownloadError in one sentence; what has
        arrived is then kept."""
        lock = lock_path(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(lock, timeout=0):
                try:
                    done = self._run()
                except StopError:
                    if not self._keep_part:
                        discard(self.path)
                    done = None
            if not part_path(self.path).exists():
                lock.unlink(missing_ok=True)
            return done
        except filelock.Timeout:
            raise DownloadError(
                Sentence(
                    "Download", "{name} is already being downloaded by another Sfumato."
                ).filled(name=self.path.name)
            ) from None
        except OSError as error:
            raise _disk_error(self.path, error) from error

    def _run(self) -> Downloaded:
        header, remote = self._content()
        self.model = msgspec.structs.replace(
            self.model, bytes=header.bytes, sha256=header.sha256, revision=header.revision
        )
        if self.path.exists():
            return self._already_there(header)
        self._check_room(header.bytes - _allocated(part_path(self.path)), RESERVE_BYTES)
        part = Part(self.path, header)
        try:
            with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
                source = Source(self._hub, self.model, header, remote)
                self._fetch_all(
                    Transfer(
                        part,
                        source,
                        client,
                        self._control,
                        self._backoff,
                        self._speed,
                        self._limit,
                    )
                )
            part.publish()
        finally:
            part.close()
        self._report(Stage.DONE, header.bytes, header.bytes)
        return Downloaded(self.path, self.model, self.fetched_bytes)

    def _content(self) -> tuple[Header, RemoteFile | None]:
        """Which content to fetch: that of the part on disk, else what the hub says."""
        known = known_header(self.path)
        if (
            known is not None
            and (known.repository, known.file) == (self.model.repository, self.model.file)
            and self.model.sha256 in (None, known.sha256)
            and self.model.bytes in (None, known.bytes)
        ):
            return known, None
        remote = self._ask_patiently()
        header = Header(
            repository=self.model.repository,
            file=self.model.file,
            revision=remote.revision,
            bytes=remote.bytes,
            sha256=remote.sha256,
            chunk_bytes=self._chunk_bytes,
        )
        return header, remote

    def _ask_patiently(self) -> RemoteFile:
        while True:
            with self._control.changed:
                while not self._control.cancelled and (
                    self._control.paused or (wait := self._backoff.seconds_left) > 0
                ):
                    stage, note = Stage.WAITING, self._backoff.note
                    if self._control.paused:
                        stage, note = Stage.PAUSED, ""
                    self._report(stage, 0, self.model.size or 0, note=note)
                    seconds = 1.0 if self._control.paused else min(1.0, wait)
                    self._clock.wait(self._control.changed, seconds)
                if self._control.cancelled:
                    raise StopError
            self._report(Stage.ASKING, 0, self.model.size or 0)
            try:
                return self._hub.ask(self.model)
            except HubBusyError as busy:
                self._backoff.after(FaultError(busy.fact, retry_after=busy.retry_after))

    def _already_there(self, header: Header) -> Downloaded:
        def report(done: int) -> None:
            if self._control.cancelled:
                raise StopError
            self._report(Stage.CHECKING, min(done, header.bytes), header.bytes)

        if sha256_of(self.path, report) != header.sha256:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{path} is already there and is not the file that {host} offers: move it "
                    "away or remove it first.",
                ).filled(path=str(self.path), host=self._hub.host)
            )
        discard(self.path)
        self._report(Stage.DONE, header.bytes, header.bytes)
        return Downloaded(self.path, self.model, 0)

    def _fetch_all(self, transfer: Transfer) -> None:
        part = transfer.part
        missing = [Job(chunk) for chunk in part.chunks if not chunk.complete]
        if self._pass(transfer, self._jobs(missing)):
            return
        for chunk in part.chunks:
            chunk.claimed_only = True
        if self._pass(transfer, self._jobs([])):  # reads everything back, fetches what was lost
            return
        suspects = [chunk for chunk in part.chunks if chunk.suspect]
        others = [chunk for chunk in part.chunks if not chunk.suspect]
        for chunks in (suspects, others):
            todo = [Job(chunk, compare=True) for chunk in chunks]
            while todo:
                jobs = self._jobs(todo, comparing=True)
                if self._pass(transfer, jobs):
                    return
                todo = jobs.later  # the mended chunk was not the only wrong one
        raise DownloadError(
            Sentence(
                "Download",
                "{name} from {host} does not have the checksum it should have, even "
                "after everything was fetched twice: try another address.",
            ).filled(name=self.path.name, host=self._hub.host)
        )

    def _jobs(self, todo: list[Job], *, comparing: bool = False) -> Jobs:
        return Jobs(todo, self._control, self._clock, comparing=comparing)

    # One pass over some chunks: connections, hasher, and this thread, which watches.

    def _pass(self, transfer: Transfer, jobs: Jobs) -> bool:
        """Whether the whole is right now."""
        control, part = self._control, transfer.part
        hasher = Hasher(part, jobs, control)
        lines = control.connect(max(1, min(self._connections, jobs.count)))
        threads = [
            threading.Thread(target=control.guarded, args=(transfer.run, line, jobs))
            for line in lines
        ]
        threads.append(threading.Thread(target=control.guarded, args=(hasher.run,)))
        for thread in threads:
            thread.start()
        try:
            self._watch(part, jobs, hasher)
        finally:
            with control.changed:
                control.over = True
                control.wake()
            for thread in threads:
                thread.join()
        if control.error is not None:
            raise control.error
        if control.cancelled:
            raise StopError
        return hasher.digest == part.header.sha256

    def _watch(self, part: Part, jobs: Jobs, hasher: Hasher) -> None:
        control = self._control
        before, fetched_before = self._clock.now(), self.fetched_bytes
        while True:
            with control.changed:
                if control.over or control.cancelled:
                    return
                self._clock.wait(control.changed, _TICK_SECONDS)
                now = self._clock.now()
                elapsed = now - before
                if elapsed < _TICK_SECONDS / 2:
                    continue
                before = now
                for line in control.lines:
                    line.look_for_stall(elapsed)
            fetched = self.fetched_bytes
            if elapsed < 8 * _TICK_SECONDS:  # else the machine slept, or the clock jumped
                self._speed.measure(fetched - fetched_before, elapsed)
            fetched_before = fetched
            self._check_room(part.header.bytes - part.received, 0)
            self._report_pass(part, jobs, hasher)

    def _report_pass(self, part: Part, jobs: Jobs, hasher: Hasher) -> None:
        total, received, speed = part.header.bytes, part.received, self._speed.value
        connected = any(line.socket for line in self._control.lines)
        if self._control.paused:
            self._speed.value = 0.0
            self._report(Stage.PAUSED, received, total)
        elif self._backoff.seconds_left > 0 and not connected:
            self._report(Stage.WAITING, received, total, note=self._backoff.note)
        elif jobs.comparing:
            self._report(Stage.CHECKING, total - jobs.missing, total, speed, note=_COMPARING_NOTE)
        elif received < total:
            eta = (total - received) / speed if speed > 1 else None
            self._report(Stage.DOWNLOADING, received, total, speed, eta)
        else:
            self._report(Stage.CHECKING, hasher.hashed_bytes, total)

    def _report(
        self,
        stage: Stage,
        done: int,
        total: int,
        speed: float = 0.0,
        eta: float | None = None,
        note: str = "",
    ) -> None:
        self._on_progress(Progress(stage, done, total, speed, eta, note))

    def _check_room(self, missing: int, reserve: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if missing > 0 and free < missing + reserve:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{name} needs {needed} more in {folder} and {free} are "
                    "free: make room, or choose another folder; what has arrived is kept.",
                ).filled(
                    name=self.path.name,
                    needed=_gb(missing + reserve),
                    folder=str(self.path.parent),
                    free=_gb(free),
                )
            )


def lock_path(final: Path) -> Path:
    return final.with_name(final.name + ".part.lock")


def _allocated(path: Path) -> int:
    """Bytes of disk that a file takes; a part with holes takes less than its size."""
    try:
        stat = path.stat()
    except OSError:
        return 0
    return stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size


def _disk_error(path: Path, error: OSError) -> DownloadError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(
            Sentence(
                "Download",
                "The disk that holds {folder} is full: make room and continue; what has "
                "arrived is kept.",
            ).filled(folder=str(path.parent))
        )
    return DownloadError(
        Sentence(
            "Download", "{folder} cannot be written ({reason}): choose another folder."
        ).filled(folder=str(path.parent), reason=reason)
    )


def _gb(count: int) -> Sentence:
    if count >= 1e8:
        return Sentence("Download", "{size} GB").filled(size=count / 1e9)
    return Sentence("Download", "{size} MB").filled(size=round(count / 1e6))
