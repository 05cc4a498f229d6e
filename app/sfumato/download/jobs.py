"""The chunks of one pass that are still to fetch, handed out to the connections."""

from sfumato.download.backoff import Backoff
from sfumato.download.clock import Clock
from sfumato.download.control import Control
from sfumato.download.part import Chunk, Part
from sfumato.download.speed import Speed

# Chunks asked for in one request: long enough that a round trip does not matter.
_RUN_CHUNKS = 8


class Job:
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


class Jobs:
    """`later`: jobs left for another pass because a chunk was `mended` in this one. `comparing`:
    the pass looks for a wrong chunk; its connections take one chunk at a time."""

    def __init__(
        self, todo: list[Job], control: Control, clock: Clock, *, comparing: bool = False
    ) -> None:
        self.later: list[Job] = []
        self.comparing = comparing
        self.mended = False
        self._todo = todo
        self._under_way = 0
        self._control = control
        self._clock = clock

    @property
    def count(self) -> int:
        return len(self._todo)

    @property
    def settled(self) -> bool:
        """Nothing is left to fetch and nothing under way."""
        return not self._todo and not self._under_way

    @property
    def missing(self) -> int:
        """Bytes, those left for later included."""
        return sum(job.missing for job in [*self._todo, *self.later])

    def interrupted(self, claimed: list[Job]) -> bool:
        if self._control.halted:
            return True
        return self.mended and claimed[0].buffer is not None

    def claim(self, connections: int, speed: Speed, backoff: Backoff) -> list[Job]:
        """Neighbouring chunks to fetch in one request, for one of `connections`, as soon as there
        are any and it is time; [] when the pass is over."""
        with self._control.changed:
            while True:
                if self._control.over or self._control.cancelled:
                    return []
                wait = backoff.seconds_left
                if self._control.paused or not self._todo or (self._under_way and speed.is_fast):
                    self._control.changed.wait()
                elif wait > 0:
                    self._clock.wait(self._control.changed, wait)
                else:
                    break
            # Shorter requests towards the end, so that all connections have work until then.
            fair = len(self._todo) // (4 * (1 if speed.is_fast else connections))
            most = 1 if self.comparing else max(1, min(_RUN_CHUNKS, fair))
            count = 1
            while count < most and (
                self._todo[count].chunk.index == self._todo[0].chunk.index + count
                and self._todo[count].position == 0
            ):
                count += 1
            claimed, self._todo = self._todo[:count], self._todo[count:]
            self._under_way += 1
            return claimed

    def give_back(self, part: Part, claimed: list[Job]) -> None:
        """What a request did not bring waits for the next."""
        with self._control.changed:
            self._under_way -= 1
            rest = [job for job in claimed if job.missing]
            for job in rest:
                if job.buffer is None and job.chunk.received > job.recorded:
                    part.record(job.chunk)
                    job.recorded = job.chunk.received
            if self.mended:
                self.later += [job for job in rest if job.buffer is not None]
                rest = [job for job in rest if job.buffer is None]
            self._todo = sorted([*self._todo, *rest], key=lambda job: job.chunk.index)
            self._control.changed.notify_all()

    def fetch_again(self, chunk: Chunk) -> None:
        """The disk lost it."""
        with self._control.changed:
            chunk.received, chunk.crc32 = 0, 0
            self._todo.insert(0, Job(chunk))
            self._control.changed.notify_all()

    def postpone(self) -> None:
        """A wrong chunk was mended: look at the whole before anything more is compared."""
        with self._control.changed:
            self.mended = True
            self.later += self._todo
            self._todo = []
            self._control.wake()
