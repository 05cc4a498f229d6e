"""How fast the bytes come, and how fast they may."""

from collections.abc import Callable

from sfumato.download.clock import Clock
from sfumato.download.control import Control
from sfumato.download.line import Line

# Bytes a second beyond which one connection is enough: more of them would only take processor time
# from it and from the hasher. The first goes alone until its speed is known.
FAST = 300e6
_SMOOTHING_SECONDS = 5.0


class Speed:
    """Bytes a second of late, over all connections."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.value = 0.0
        self.is_fast = True

    def measure(self, count: int, elapsed: float) -> None:
        """`count` bytes came in the last `elapsed` seconds."""
        weight = min(1.0, elapsed / _SMOOTHING_SECONDS) if self.value else 1.0
        self.value += weight * (count / elapsed - self.value)
        with self._control.changed:
            if self.is_fast and self.value < FAST:
                self._control.changed.notify_all()
            self.is_fast = self.value >= FAST


class SpeedLimit:
    """Bytes a second over all connections; None for no limit."""

    def __init__(self, value: float | None, control: Control, clock: Clock) -> None:
        self.value = value
        self._control = control
        self._clock = clock
        self._allowed_at = 0.0

    def set(self, value: float | None) -> None:
        with self._control.changed:
            self.value = value
            self._allowed_at = 0.0
            self._control.changed.notify_all()

    def wait(self, line: Line, count: int, interrupted: Callable[[], bool]) -> None:
        """Until the `count` bytes that `line` brought were allowed to come."""
        limit = self.value
        if not limit:
            return
        with self._control.changed:
            self._allowed_at = max(self._allowed_at, self._clock.now()) + count / limit
            until = self._allowed_at
            line.throttled = True
            while limit == self.value and not interrupted():
                wait = until - self._clock.now()
                if wait <= 0:
                    break
                self._clock.wait(self._control.changed, wait)
            line.throttled = False
