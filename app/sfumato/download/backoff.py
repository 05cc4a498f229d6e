"""When to try again after a fault, and when to give up."""

import random

from sfumato.download.clock import Clock
from sfumato.download.control import Control
from sfumato.download.line import STALL_BYTES
from sfumato.errors import DownloadError
from sfumato.sentence import Sentence

# Attempts in a row that bring less than STALL_BYTES before we give up. With the delays below that
# is about five minutes.
FRUITLESS_ATTEMPTS = 9
_DELAY_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
_LONGEST_RETRY_AFTER = 300.0


class FaultError(Exception):
    """A connection that did not bring what was asked for. `ask_again`: where the bytes are must be
    asked anew. `retry_after`: seconds that the server wants us to wait."""

    def __init__(
        self, fact: Sentence, *, ask_again: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(fact)
        self.fact = fact
        self.ask_again = ask_again
        self.retry_after = retry_after


class Backoff:
    """The time of the next attempt, for all connections together."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._not_before = 0.0
        self._fruitless = 0
        self._fetched_at_fault = 0
        self.note = ""  # in a sentence, what is waited for

    @property
    def seconds_left(self) -> float:
        """Until the next attempt; nothing to wait for if not positive."""
        return self._not_before - self._clock.now()

    def reset(self) -> None:
        """The next attempt is now, and the first."""
        self._not_before = 0.0
        self._fruitless = 0

    def after(self, fault: FaultError) -> None:
        """Set the time of the next attempt. Raises DownloadError when too many in a row brought
        nothing."""
        with self._control.changed:
            now = self._clock.now()
            if now < self._not_before and fault.retry_after is None:
                return  # one broken network, seen by several connections
            fetched = self._control.fetched_bytes
            if fetched - self._fetched_at_fault >= STALL_BYTES:
                self._fruitless = 0
            self._fetched_at_fault = fetched
            self._fruitless += 1
            if self._fruitless > FRUITLESS_ATTEMPTS:
                raise DownloadError(
                    Sentence(
                        "Download",
                        "{fault}, again and again: what has arrived is kept; try again later, or "
                        "set the address of a mirror.",
                    ).filled(fault=fault.fact)
                )
            index = min(self._fruitless, len(_DELAY_SECONDS)) - 1
            delay = _DELAY_SECONDS[index] * random.uniform(0.5, 1.0)
            if fault.retry_after is not None:
                delay = max(delay, min(fault.retry_after, _LONGEST_RETRY_AFTER))
            self._not_before = max(self._not_before, now + delay)
            self.note = Sentence("Download", "{fault}: trying again in {seconds} s.").filled(
                fault=fault.fact, seconds=max(1, round(delay))
            )
