"""The connections of a download: each fetches runs of chunks onto the disk until none is left."""

import zlib
from dataclasses import dataclass
from io import FileIO

import httpcore
import httpx

from sfumato.download.backoff import Backoff, FaultError
from sfumato.download.control import Control, StopError
from sfumato.download.hub import first_line
from sfumato.download.jobs import Job, Jobs
from sfumato.download.line import STALL_SECONDS, Line
from sfumato.download.part import Part
from sfumato.download.source import Source
from sfumato.download.speed import Speed, SpeedLimit
from sfumato.sentence import Sentence

TIMEOUT = httpx.Timeout(STALL_SECONDS, connect=15.0)
# Between two journal records of a chunk: what a kill can lose on each connection.
_RECORD_BYTES = 1 << 20
# What one read of a connection may bring. The 64 KiB of httpcore make a fast line wait for Python:
# a read costs the same whatever it brings.
READ_BYTES = 512 << 10
httpcore.HTTP11Connection.READ_NUM_BYTES = READ_BYTES


@dataclass(frozen=True, slots=True)
class Transfer:
    """`part` from `source`, over `client`, as fast as `limit` allows."""

    part: Part
    source: Source
    client: httpx.Client
    control: Control
    backoff: Backoff
    speed: Speed
    limit: SpeedLimit

    def run(self, line: Line, jobs: Jobs) -> None:
        """One connection, until the pass is over."""
        with self.part.path.open("rb+", buffering=0) as file:
            while claimed := jobs.claim(len(self.control.lines), self.speed, self.backoff):
                try:
                    self._fetch(line, file, jobs, claimed)
                except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                    if not jobs.interrupted(claimed):
                        self._back_off(_fault_of(error, line, self.source.host), claimed)
                except FaultError as fault:
                    self._back_off(fault, claimed)
                except StopError:
                    pass
                finally:
                    with self.control.changed:
                        line.close()
                    jobs.give_back(self.part, claimed)

    def _back_off(self, fault: FaultError, claimed: list[Job]) -> None:
        with self.control.changed:
            if fault.ask_again:
                self.source.forget()
            for job in claimed:
                if job.missing:
                    job.chunk.suspect = True
                    break
            self.backoff.after(fault)

    def _fetch(self, line: Line, file: FileIO, jobs: Jobs, claimed: list[Job]) -> None:
        if claimed[0].buffer is None:
            self.part.confirm(claimed[0].chunk)
        start = claimed[0].chunk.start + claimed[0].position
        end = claimed[-1].chunk.start + claimed[-1].chunk.length
        url, headers = self.source.request(start, end)
        with self.client.stream("GET", url, headers=headers) as response:
            with self.control.changed:
                line.open(response.extensions["network_stream"].get_extra_info("socket"))
                if jobs.interrupted(claimed):
                    raise StopError
            self.source.check(response, start)
            file.seek(start)
            self._store(line, file, jobs, claimed, response)

    def _store(
        self, line: Line, file: FileIO, jobs: Jobs, claimed: list[Job], response: httpx.Response
    ) -> None:
        waiting = iter(claimed)
        job = next(waiting)
        for piece in response.iter_raw():
            line.fetched_bytes += len(piece)
            rest = memoryview(piece)
            while rest:
                if not job.missing:
                    return  # more than we asked for
                taken = rest[: job.missing]
                rest = rest[len(taken) :]
                self._take(line, file, jobs, job, taken)
                if not job.missing:
                    job = next(waiting, job)
            self.limit.wait(line, len(piece), lambda: jobs.interrupted(claimed))
            if jobs.interrupted(claimed):
                raise StopError
        if job.missing:
            raise FaultError(
                Sentence("Download", "{host} ends too early").filled(host=response.url.host)
            )

    def _take(self, line: Line, file: FileIO, jobs: Jobs, job: Job, data: memoryview) -> None:
        chunk = job.chunk
        if job.buffer is None:
            _write(file, data)
            chunk.crc32 = zlib.crc32(data, chunk.crc32)
            chunk.received += len(data)
            if chunk.complete or chunk.received >= job.recorded + _RECORD_BYTES:
                self.part.record(chunk)
                job.recorded = chunk.received
        else:
            job.buffer += data
        if not job.missing:
            if job.buffer is not None:
                self._compare(line, file, jobs, job)
            with self.control.changed:
                self.control.changed.notify_all()

    def _compare(self, line: Line, file: FileIO, jobs: Jobs, job: Job) -> None:
        """Put what was fetched again in place if the disk holds something else."""
        assert job.buffer is not None
        chunk = job.chunk
        on_disk = bytearray()
        for piece in self.part.read(chunk, chunk.length):
            on_disk += piece
        if on_disk != job.buffer:
            file.seek(chunk.start)
            _write(file, memoryview(job.buffer))
            chunk.crc32 = zlib.crc32(job.buffer)
            self.part.record(chunk)
            with self.control.changed:
                line.socket = None  # this connection has done its work; the others are dropped
                jobs.postpone()
        job.buffer = None  # done: what counts now is on the disk


def _write(file: FileIO, data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


def _fault_of(error: Exception, line: Line, host: str) -> FaultError:
    if line.stalled or isinstance(error, httpx.ReadTimeout):
        return FaultError(
            Sentence("Download", "{host} has sent next to nothing for {seconds} seconds").filled(
                host=host, seconds=round(STALL_SECONDS)
            )
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.TooManyRedirects):
        return FaultError(
            Sentence("Download", "{host} sends us astray ({error})").filled(
                host=host, error=first_line(error)
            ),
            ask_again=True,
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return FaultError(
            Sentence("Download", "{host} cannot be reached ({error})").filled(
                host=host, error=first_line(error)
            ),
            ask_again=True,
        )
    return FaultError(Sentence("Download", "The connection to {host} broke").filled(host=host))
