"""What the threads of one download share: whether to go on, and the lines that can be dropped to
tell them."""

import threading
from collections.abc import Callable

from sfumato.download.line import Line


class StopError(Exception):
    """The user paused or cancelled, or another thread failed."""


class Control:
    def __init__(self) -> None:
        # Guards everything that the threads share, here and in what they work on; notified
        # whenever any of it changes.
        self.changed = threading.Condition()
        self.paused = False
        self.cancelled = False
        self.over = False  # the threads of this pass shall end
        self.error: BaseException | None = None
        self.lines: list[Line] = []
        self._fetched_before = 0

    @property
    def halted(self) -> bool:
        return self.paused or self.cancelled or self.over

    @property
    def fetched_bytes(self) -> int:
        """Bytes that came over the network, those of failed attempts included."""
        return self._fetched_before + sum(line.fetched_bytes for line in self.lines)

    def connect(self, count: int) -> list[Line]:
        """The lines of a new pass."""
        self._fetched_before = self.fetched_bytes
        self.lines = [Line() for _ in range(count)]
        self.over = False
        return self.lines

    def guarded(self, work: Callable[..., None], *args: object) -> None:
        """What a thread runs: its failure ends the pass."""
        try:
            work(*args)
        except StopError:
            pass
        except BaseException as error:
            with self.changed:
                self.error = self.error or error
                self.over = True
                self.wake()

    def wake(self) -> None:
        """Tell all threads that something changed, those too that wait for bytes."""
        for line in self.lines:
            line.drop()
        self.changed.notify_all()
