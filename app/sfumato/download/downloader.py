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

import contextlib
import errno
import hashlib
import random
import re
import shutil
import socket
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from pathlib import Path
from urllib.parse import urlsplit

import filelock
import httpcore
import httpx
import msgspec

from sfumato import __version__
from sfumato.download.catalogue import Model, checked
from sfumato.download.hub import Hub, HubBusyError, RemoteFile, first_line, seconds
from sfumato.download.part import (
    CHUNK_BYTES,
    Chunk,
    Header,
    Part,
    discard,
    known_header,
    part_path,
)
from sfumato.errors import DownloadError

CONNECTIONS = 4
# Left free on the disk when a download starts.
RESERVE_BYTES = 2_000_000_000
# A connection that brings less than this in 30 seconds is replaced.
STALL_SECONDS = 30.0
STALL_BYTES = 3_000
# Attempts in a row that bring less than STALL_BYTES before we give up. With the back-off
# below that is about five minutes.
FRUITLESS_ATTEMPTS = 9
_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
_LONGEST_RETRY_AFTER = 300.0
_TICK_SECONDS = 0.25
# Chunks asked for in one request: long enough that a round trip does not matter.
_RUN_CHUNKS = 8
# Bytes a second beyond which one connection is enough: more of them would only take processor time
# from it and from the hasher. The first goes alone until its speed is known.
_FAST = 300e6
# Between two journal records of a chunk: what a kill can lose on each connection.
_RECORD_BYTES = 1 << 20
_TIMEOUT = httpx.Timeout(STALL_SECONDS, connect=15.0)
# What one read of a connection may bring. The 64 KiB of httpcore make a fast line wait for Python:
# a read costs the same whatever it brings.
READ_BYTES = 512 << 10
httpcore.HTTP11Connection.READ_NUM_BYTES = READ_BYTES
_SMOOTHING_SECONDS = 5.0
# Answers with the whole file, in a row, before we believe that the server has no ranges.
WHOLE_ANSWERS = 4
_DISK_ATTEMPTS = 3
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Stage(StrEnum):
    ASKING = "asking"
    DOWNLOADING = "downloading"
    WAITING = "waiting"
    PAUSED = "paused"
    CHECKING = "checking"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """`bytes` of `total` are on disk (while checking: are checked). `note` says in a sentence what
    is being waited for."""

    stage: Stage
    bytes: int
    total: int
    bytes_per_second: float = 0.0
    eta_seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete file with the promised SHA-256. `model` carries what the hub said about it."""

    path: Path
    model: Model
    fetched_bytes: int


class Clock:
    """Time as a download sees it."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until notified, but no longer than `seconds`. The condition is held."""
        condition.wait(seconds)


class _StopError(Exception):
    """The user paused or cancelled, or another thread failed."""


class _FaultError(Exception):
    """A connection that did not bring what was asked for. `ask_again`: where the bytes are must be
    asked anew. `retry_after`: seconds that the server wants us to wait."""

    def __init__(
        self, fact: str, *, ask_again: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(fact)
        self.ask_again = ask_again
        self.retry_after = retry_after


class _Line:
    """One connection, as the watchdog sees it."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.fetched_bytes = 0
        self.fetched_when_looked_at = 0
        self.silent_seconds = 0.0
        self.throttled = False
        self.stalled = False

    def drop(self) -> None:
        """Wake the thread that reads from it."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own: that one takes the TLS state from under the reader.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class _Job:
    """A chunk to fetch: onto the disk, or into a buffer to be compared with the disk."""

    def __init__(self, chunk: Chunk, *, compare: bool = False) -> None:
        self.chunk = chunk
        self.buffer = bytearray() if compare else None
        self.recorded = chunk.received

    @property
    def position(self) -> int:
        return self.chunk.received if self.buffer is None else len(self.buffer)

    @property
    def missing(self) -> int:
        return self.chunk.length - self.position


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
        self._speed_limit = speed_limit
        self._chunk_bytes = chunk_bytes
        self._clock = clock or Clock()

        # Guards everything below; notified whenever any of it changes.
        self._changed = threading.Condition()
        self._paused = False
        self._cancelled = False
        self._keep_part = True
        self._over = False  # the threads of this pass shall end
        self._error: BaseException | None = None

        self._lines: list[_Line] = []
        self._todo: list[_Job] = []
        self._later: list[_Job] = []
        self._under_way = 0
        self._comparing = False
        self._mended = False
        self._hashed_bytes = 0
        self._digest = ""

        self._remote: RemoteFile | None = None
        self._etag: str | None = None
        self._asking = threading.Lock()
        self._client: httpx.Client
        self._whole_answers = 0
        self._not_before = 0.0
        self._fruitless = 0
        self._fetched_at_fault = 0
        self._fetched_before = 0
        self._note = ""
        self._allowed_at = 0.0
        self._speed = 0.0
        self._is_fast = True

    # What the window may do, from any thread.

    def pause(self) -> None:
        with self._changed:
            self._paused = True
            self._wake()

    def resume(self) -> None:
        """Go on after `pause`, or at once while waiting for another attempt."""
        with self._changed:
            self._paused = False
            self._not_before = 0.0
            self._fruitless = 0
            self._changed.notify_all()

    def cancel(self, keep_part: bool) -> None:
        """`run` returns None soon. With `keep_part` a later Download continues from there."""
        with self._changed:
            self._cancelled = True
            self._keep_part = keep_part
            self._wake()

    @property
    def speed_limit(self) -> float | None:
        """Bytes per second over all connections; None for no limit."""
        return self._speed_limit

    @speed_limit.setter
    def speed_limit(self, value: float | None) -> None:
        with self._changed:
            self._speed_limit = value
            self._allowed_at = 0.0
            self._changed.notify_all()

    @property
    def fetched_bytes(self) -> int:
        """Bytes that came over the network in this run, those of failed attempts included."""
        return self._fetched_before + sum(line.fetched_bytes for line in self._lines)

    def run(self) -> Downloaded | None:
        """Download, or continue. None if cancelled. Raises DownloadError in one sentence; what has
        arrived is then kept."""
        lock = lock_path(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(lock, timeout=0):
                try:
                    done = self._run()
                except _StopError:
                    if not self._keep_part:
                        discard(self.path)
                    done = None
            if not part_path(self.path).exists():
                lock.unlink(missing_ok=True)
            return done
        except filelock.Timeout:
            raise DownloadError(
                f"{self.path.name} is already being downloaded by another Sfumato."
            ) from None
        except OSError as error:
            raise _disk_error(self.path, error) from error

    def _run(self) -> Downloaded:
        header = self._header()
        self.model = msgspec.structs.replace(
            self.model, bytes=header.bytes, sha256=header.sha256, revision=header.revision
        )
        if self.path.exists():
            return self._already_there(header)
        self._check_room(header.bytes - _allocated(part_path(self.path)), RESERVE_BYTES)
        part = Part(self.path, header)
        try:
            with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as self._client:
                self._fetch_all(part)
            part.publish()
        finally:
            part.close()
        self._report(Stage.DONE, header.bytes, header.bytes)
        return Downloaded(self.path, self.model, self.fetched_bytes)

    def _header(self) -> Header:
        """Which content to fetch: that of the part on disk, else what the hub says."""
        known = known_header(self.path)
        if (
            known is not None
            and (known.repository, known.file) == (self.model.repository, self.model.file)
            and self.model.sha256 in (None, known.sha256)
            and self.model.bytes in (None, known.bytes)
        ):
            return known
        remote = self._remote = self._ask_patiently()
        return Header(
            repository=self.model.repository,
            file=self.model.file,
            revision=remote.revision,
            bytes=remote.bytes,
            sha256=remote.sha256,
            chunk_bytes=self._chunk_bytes,
        )

    def _already_there(self, header: Header) -> Downloaded:
        def report(done: int) -> None:
            if self._cancelled:
                raise _StopError
            self._report(Stage.CHECKING, min(done, header.bytes), header.bytes)

        if sha256_of(self.path, report) != header.sha256:
            raise DownloadError(
                f"{self.path} is already there and is not the file that {self._hub.host} offers: "
                "move it away or remove it first."
            )
        discard(self.path)
        self._report(Stage.DONE, header.bytes, header.bytes)
        return Downloaded(self.path, self.model, 0)

    def _fetch_all(self, part: Part) -> None:
        self._pass(part, [_Job(chunk) for chunk in part.chunks if not chunk.complete])
        if self._digest == part.header.sha256:
            return
        for chunk in part.chunks:
            chunk.claimed_only = True
        self._pass(part, [])  # reads everything back, and fetches what the disk lost
        if self._digest == part.header.sha256:
            return
        self._comparing = True
        self._note = "The checksum is wrong: looking for the damaged part."
        suspects = [chunk for chunk in part.chunks if chunk.suspect]
        others = [chunk for chunk in part.chunks if not chunk.suspect]
        for chunks in (suspects, others):
            jobs = [_Job(chunk, compare=True) for chunk in chunks]
            while jobs:
                self._pass(part, jobs)
                if self._digest == part.header.sha256:
                    return
                jobs = self._later  # the mended chunk was not the only wrong one
        raise DownloadError(
            f"{self.path.name} from {self._hub.host} does not have the checksum it should have, "
            "even after everything was fetched twice: try another address."
        )

    # One pass over some chunks: connections, hasher, and this thread, which watches.

    def _pass(self, part: Part, jobs: list[_Job]) -> None:
        self._todo, self._later = jobs, []
        self._mended = self._over = False
        self._hashed_bytes, self._digest = 0, ""
        self._lines = [_Line() for _ in range(max(1, min(self._connections, len(jobs))))]
        threads = [
            threading.Thread(target=self._guarded, args=(self._connection, part, line))
            for line in self._lines
        ]
        threads.append(threading.Thread(target=self._guarded, args=(self._hash, part)))
        for thread in threads:
            thread.start()
        try:
            self._watch(part)
        finally:
            with self._changed:
                self._over = True
                self._wake()
            for thread in threads:
                thread.join()
            self._fetched_before = self.fetched_bytes
            self._lines = []
        if self._error is not None:
            raise self._error
        if self._cancelled:
            raise _StopError

    def _guarded(self, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except _StopError:
            pass
        except BaseException as error:
            with self._changed:
                self._error = self._error or error
                self._over = True
                self._wake()

    def _wake(self) -> None:
        for line in self._lines:
            line.drop()
        self._changed.notify_all()

    def _interrupted(self, jobs: list[_Job]) -> bool:
        if self._paused or self._cancelled or self._over:
            return True
        return self._mended and jobs[0].buffer is not None

    def _watch(self, part: Part) -> None:
        before, fetched_before = self._clock.now(), self.fetched_bytes
        while True:
            with self._changed:
                if self._over or self._cancelled or self._digest:
                    return
                self._clock.wait(self._changed, _TICK_SECONDS)
                now = self._clock.now()
                elapsed = now - before
                if elapsed < _TICK_SECONDS / 2:
                    continue
                before = now
                self._look_for_stalls(elapsed)
            fetched = self.fetched_bytes
            if elapsed < 8 * _TICK_SECONDS:  # else the machine slept, or the clock jumped
                rate = (fetched - fetched_before) / elapsed
                weight = min(1.0, elapsed / _SMOOTHING_SECONDS) if self._speed else 1.0
                self._speed += weight * (rate - self._speed)
                with self._changed:
                    if self._is_fast and self._speed < _FAST:
                        self._changed.notify_all()
                    self._is_fast = self._speed >= _FAST
            fetched_before = fetched
            self._check_room(part.header.bytes - part.received, 0)
            self._report_pass(part, now)

    def _look_for_stalls(self, elapsed: float) -> None:
        for line in self._lines:
            line.silent_seconds += elapsed
            recent = line.fetched_bytes - line.fetched_when_looked_at
            if line.socket is not None and not line.throttled:
                if line.silent_seconds < STALL_SECONDS:
                    continue
                if recent < STALL_BYTES:
                    line.stalled = True
                    line.drop()
            line.silent_seconds, line.fetched_when_looked_at = 0.0, line.fetched_bytes

    def _report_pass(self, part: Part, now: float) -> None:
        total, received = part.header.bytes, part.received
        if self._paused:
            self._speed = 0.0
            self._report(Stage.PAUSED, received, total)
        elif now < self._not_before and not any(line.socket for line in self._lines):
            self._report(Stage.WAITING, received, total, note=self._note)
        elif self._comparing:
            left = sum(job.missing for job in [*self._todo, *self._later])
            self._report(Stage.CHECKING, total - left, total, self._speed, note=self._note)
        elif received < total:
            eta = (total - received) / self._speed if self._speed > 1 else None
            self._report(Stage.DOWNLOADING, received, total, self._speed, eta)
        else:
            self._report(Stage.CHECKING, self._hashed_bytes, total)

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
                f"{self.path.name} needs {_gb(missing + reserve)} more in {self.path.parent} and "
                f"{_gb(free)} are free: make room, or choose another folder; "
                "what has arrived is kept."
            )

    # Where the bytes are.

    def _ask_patiently(self) -> RemoteFile:
        while True:
            with self._changed:
                while not self._cancelled and (
                    self._paused or (wait := self._not_before - self._clock.now()) > 0
                ):
                    stage, note = Stage.WAITING, self._note
                    if self._paused:
                        stage, note = Stage.PAUSED, ""
                    self._report(stage, 0, self.model.size or 0, note=note)
                    self._clock.wait(self._changed, 1.0 if self._paused else min(1.0, wait))
                if self._cancelled:
                    raise _StopError
            self._report(Stage.ASKING, 0, self.model.size or 0)
            try:
                return self._hub.ask(self.model)
            except HubBusyError as busy:
                self._back_off(_FaultError(str(busy), retry_after=busy.retry_after))

    def _where(self, header: Header) -> RemoteFile:
        with self._asking:
            if self._remote is None:
                try:
                    remote = self._hub.ask(self.model)
                except HubBusyError as busy:
                    raise _FaultError(str(busy), retry_after=busy.retry_after) from None
                if (remote.sha256, remote.bytes) != (header.sha256, header.bytes):
                    raise DownloadError(
                        f"{self._hub.host} now offers another {self.path.name} than the one that "
                        "was begun: cancel this download and start it again."
                    )
                self._remote = remote
            return self._remote

    # The connections.

    def _connection(self, part: Part, line: _Line) -> None:
        with part.path.open("rb+", buffering=0) as file:
            while jobs := self._claim():
                try:
                    self._fetch(part, line, file, jobs)
                except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                    if not self._interrupted(jobs):
                        self._back_off(_fault_of(error, line, self._bytes_host()), jobs)
                except _FaultError as fault:
                    self._back_off(fault, jobs)
                except _StopError:
                    pass
                finally:
                    with self._changed:
                        line.socket, line.stalled = None, False
                    self._give_back(part, jobs)

    def _claim(self) -> list[_Job]:
        """Neighbouring chunks to fetch in one request; [] when the pass is over."""
        with self._changed:
            while True:
                if self._over or self._cancelled or self._digest:
                    return []
                wait = self._not_before - self._clock.now()
                if self._paused or not self._todo or (self._under_way and self._is_fast):
                    self._changed.wait()
                elif wait > 0:
                    self._clock.wait(self._changed, wait)
                else:
                    break
            # Shorter requests towards the end, so that all connections have work until then.
            fair = len(self._todo) // (4 * (1 if self._is_fast else self._connections))
            most = 1 if self._comparing else max(1, min(_RUN_CHUNKS, fair))
            count = 1
            while count < most and (
                self._todo[count].chunk.index == self._todo[0].chunk.index + count
                and self._todo[count].position == 0
            ):
                count += 1
            jobs, self._todo = self._todo[:count], self._todo[count:]
            self._under_way += 1
            return jobs

    def _give_back(self, part: Part, jobs: list[_Job]) -> None:
        """What a request did not bring waits for the next."""
        with self._changed:
            self._under_way -= 1
            rest = [job for job in jobs if job.missing]
            for job in rest:
                if job.buffer is None and job.chunk.received > job.recorded:
                    part.record(job.chunk)
                    job.recorded = job.chunk.received
            if self._mended:
                self._later += [job for job in rest if job.buffer is not None]
                rest = [job for job in rest if job.buffer is None]
            self._todo = sorted([*self._todo, *rest], key=lambda job: job.chunk.index)
            self._changed.notify_all()

    def _fetch(self, part: Part, line: _Line, file: FileIO, jobs: list[_Job]) -> None:
        if jobs[0].buffer is None:
            part.confirm(jobs[0].chunk)
        start = jobs[0].chunk.start + jobs[0].position
        end = jobs[-1].chunk.start + jobs[-1].chunk.length
        remote = self._where(part.header)
        headers = {
            "Range": f"bytes={start}-{end - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": f"sfumato/{__version__}",
        }
        if self._etag is not None:
            headers["If-Range"] = self._etag
        if token := self._hub.token_for(remote.url):
            headers["Authorization"] = f"Bearer {token}"
        with self._client.stream("GET", remote.url, headers=headers) as response:
            with self._changed:
                stream = response.extensions["network_stream"]
                line.socket = stream.get_extra_info("socket")
                line.silent_seconds, line.fetched_when_looked_at = 0.0, line.fetched_bytes
                if self._interrupted(jobs):
                    raise _StopError
            self._check_answer(response, start, part.header.bytes)
            file.seek(start)
            self._store(part, line, file, jobs, response)

    def _check_answer(self, response: httpx.Response, start: int, total: int) -> None:
        """Raises _FaultError unless these are the bytes from `start` on of the right file."""
        host, status = response.url.host, response.status_code
        if status in (408, 429) or status >= 500:
            raise _FaultError(f"{host} answers {status}", retry_after=seconds(response.headers))
        if "html" in response.headers.get("content-type", ""):
            raise _FaultError(
                f"{host} answers with a web page instead of the file (a login page?)",
                ask_again=True,
            )
        if status == 200:
            # The file changed since, or the server cannot do ranges.
            self._whole_answers += 1
            if self._whole_answers >= WHOLE_ANSWERS:
                raise DownloadError(
                    f"{host} sends whole files only, so a download from there could not be "
                    "continued: choose another address."
                )
            raise _FaultError(f"{host} sends the whole file instead of a part", ask_again=True)
        if status != 206:
            raise _FaultError(f"{host} answers {status}", ask_again=True)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _FaultError(f"{host} changes the file on the way", ask_again=True)
        said = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if said is None or int(said[1]) != start or int(said[2]) != total:
            raise _FaultError(f"{host} sends another part than the one asked for", ask_again=True)
        etag = response.headers.get("etag")
        with self._changed:
            if etag is not None and not etag.startswith("W/"):
                if self._etag is not None and self._etag != etag:
                    raise _FaultError(f"{host} says that the file has changed", ask_again=True)
                self._etag = etag
            self._whole_answers = 0

    def _store(
        self, part: Part, line: _Line, file: FileIO, jobs: list[_Job], response: httpx.Response
    ) -> None:
        waiting = iter(jobs)
        job = next(waiting)
        for piece in response.iter_raw():
            line.fetched_bytes += len(piece)
            rest = memoryview(piece)
            while rest:
                if not job.missing:
                    return  # more than we asked for
                taken = rest[: job.missing]
                rest = rest[len(taken) :]
                self._take(part, line, file, job, taken)
                if not job.missing:
                    job = next(waiting, job)
            self._throttle(line, len(piece), jobs)
            if self._interrupted(jobs):
                raise _StopError
        if job.missing:
            raise _FaultError(f"{response.url.host} ends too early")

    def _take(self, part: Part, line: _Line, file: FileIO, job: _Job, data: memoryview) -> None:
        chunk = job.chunk
        if job.buffer is None:
            _write(file, data)
            chunk.crc32 = zlib.crc32(data, chunk.crc32)
            chunk.received += len(data)
            if chunk.complete or chunk.received >= job.recorded + _RECORD_BYTES:
                part.record(chunk)
                job.recorded = chunk.received
        else:
            job.buffer += data
        if not job.missing:
            if job.buffer is not None:
                self._compare(part, line, file, job)
            with self._changed:
                self._changed.notify_all()

    def _compare(self, part: Part, line: _Line, file: FileIO, job: _Job) -> None:
        """Put what was fetched again in place if the disk holds something else."""
        assert job.buffer is not None
        chunk = job.chunk
        on_disk = bytearray()
        for piece in part.read(chunk, chunk.length):
            on_disk += piece
        if on_disk != job.buffer:
            file.seek(chunk.start)
            _write(file, memoryview(job.buffer))
            chunk.crc32 = zlib.crc32(job.buffer)
            part.record(chunk)
            with self._changed:
                self._mended = True
                line.socket = None  # this connection has done its work; the others are dropped
                self._later += self._todo
                self._todo = []
                self._wake()
        job.buffer = None  # done: what counts now is on the disk

    def _throttle(self, line: _Line, count: int, jobs: list[_Job]) -> None:
        limit = self._speed_limit
        if not limit:
            return
        with self._changed:
            self._allowed_at = max(self._allowed_at, self._clock.now()) + count / limit
            until = self._allowed_at
            line.throttled = True
            while limit == self._speed_limit and not self._interrupted(jobs):
                wait = until - self._clock.now()
                if wait <= 0:
                    break
                self._clock.wait(self._changed, wait)
            line.throttled = False

    def _back_off(self, fault: _FaultError, jobs: Sequence[_Job] = ()) -> None:
        """Set the time of the next attempt, for all connections. Raises DownloadError when too
        many attempts in a row brought nothing."""
        with self._changed:
            if fault.ask_again:
                self._remote = self._etag = None
            for job in jobs:
                if job.missing:
                    job.chunk.suspect = True
                    break
            now = self._clock.now()
            if now < self._not_before and fault.retry_after is None:
                return  # one broken network, seen by several connections
            if self.fetched_bytes - self._fetched_at_fault >= STALL_BYTES:
                self._fruitless = 0
            self._fetched_at_fault = self.fetched_bytes
            self._fruitless += 1
            if self._fruitless > FRUITLESS_ATTEMPTS:
                raise DownloadError(
                    f"{fault}, again and again: what has arrived is kept; try again later, "
                    "or set the address of a mirror."
                )
            index = min(self._fruitless, len(_BACKOFF_SECONDS)) - 1
            delay = _BACKOFF_SECONDS[index] * random.uniform(0.5, 1.0)
            if fault.retry_after is not None:
                delay = max(delay, min(fault.retry_after, _LONGEST_RETRY_AFTER))
            self._not_before = max(self._not_before, now + delay)
            self._note = f"{fault}: trying again in {max(1, round(delay))} s."

    def _bytes_host(self) -> str:
        remote = self._remote
        return (urlsplit(remote.url).hostname if remote else None) or self._hub.host

    # The hasher.

    def _hash(self, part: Part) -> None:
        """SHA-256 of the whole, chunk by chunk in file order, as soon as each has arrived."""
        whole = hashlib.sha256()
        for chunk in part.chunks:
            for _ in range(_DISK_ATTEMPTS):
                self._await(chunk)
                attempt, crc, count = whole.copy(), 0, 0
                for piece in part.read(chunk, chunk.length):
                    attempt.update(piece)
                    if chunk.claimed_only:
                        crc = zlib.crc32(piece, crc)
                    count += len(piece)
                    if self._over or self._cancelled:
                        raise _StopError
                good = not chunk.claimed_only or crc == chunk.crc32
                if good and count == chunk.length:
                    break
                with self._changed:
                    chunk.received, chunk.crc32 = 0, 0
                    self._todo.insert(0, _Job(chunk))
                    self._changed.notify_all()
            else:
                raise DownloadError(
                    f"The disk does not give back what was written to {part.path}: "
                    "choose another folder."
                )
            chunk.claimed_only = False
            whole = attempt
            part.settle(chunk)
            self._hashed_bytes = chunk.start + chunk.length
        with self._changed:
            self._digest = whole.hexdigest()
            self._changed.notify_all()

    def _await(self, chunk: Chunk) -> None:
        with self._changed:
            while not (
                chunk.complete and not (self._comparing and (self._todo or self._under_way))
            ):
                if self._over or self._cancelled:
                    raise _StopError
                self._changed.wait()


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda done: None) -> str:
    """SHA-256 of a file; `on_bytes` hears how much is done, and may raise to stop."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(8 << 20):
            digest.update(piece)
            done += len(piece)
            on_bytes(done)
    return digest.hexdigest()


def lock_path(final: Path) -> Path:
    return final.with_name(final.name + ".part.lock")


def _write(file: FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


def _allocated(path: Path) -> int:
    """Bytes of disk that a file takes; a part with holes takes less than its size."""
    try:
        stat = path.stat()
    except OSError:
        return 0
    return stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size


def _fault_of(error: Exception, line: _Line, host: str) -> _FaultError:
    if line.stalled or isinstance(error, httpx.ReadTimeout):
        return _FaultError(f"{host} has sent next to nothing for {STALL_SECONDS:.0f} seconds")
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.TooManyRedirects):
        return _FaultError(f"{host} sends us astray ({first_line(error)})", ask_again=True)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return _FaultError(f"{host} cannot be reached ({first_line(error)})", ask_again=True)
    return _FaultError(f"The connection to {host} broke")


def _disk_error(path: Path, error: OSError) -> DownloadError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(
            f"The disk that holds {path.parent} is full: make room and continue; "
            "what has arrived is kept."
        )
    return DownloadError(f"{path.parent} cannot be written ({reason}): choose another folder.")


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
