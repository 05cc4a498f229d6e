"""Time as a download sees it: tests run it faster."""

import threading
import time


class Clock:
    def now(self) -> float:
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until notified, but no longer than `seconds`. The condition is held."""
        condition.wait(seconds)
