"""One connection, as the watchdog sees it."""

import contextlib
import socket

# A connection that brings less than this in 30 seconds is replaced.
STALL_SECONDS = 30.0
STALL_BYTES = 3_000


class Line:
    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.fetched_bytes = 0
        self.throttled = False
        self.stalled = False
        self._fetched_when_looked_at = 0
        self._silent_seconds = 0.0

    def open(self, connected: socket.socket) -> None:
        self.socket = connected
        self._listen_afresh()

    def close(self) -> None:
        self.socket, self.stalled = None, False

    def drop(self) -> None:
        """Wake the thread that reads from it."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own: that one takes the TLS state from under the reader.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def look_for_stall(self, elapsed: float) -> None:
        """`elapsed` seconds after the last look: drop the line if it is silent for too long."""
        self._silent_seconds += elapsed
        recent = self.fetched_bytes - self._fetched_when_looked_at
        if self.socket is not None and not self.throttled:
            if self._silent_seconds < STALL_SECONDS:
                return
            if recent < STALL_BYTES:
                self.stalled = True
                self.drop()
        self._listen_afresh()

    def _listen_afresh(self) -> None:
        self._silent_seconds, self._fetched_when_looked_at = 0.0, self.fetched_bytes
