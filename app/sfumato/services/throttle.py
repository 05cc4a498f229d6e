"""At most so many values a second, the latest wins: what arrives in between is not shown."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal


class Throttle(QObject):
    """`passed` carries the first value at once and then the latest every `interval_ms`."""

    passed = Signal(object)

    def __init__(self, interval_ms: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._interval_ms = interval_ms
        self._latest: object = None
        self._last = QElapsedTimer()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.flush)

    def push(self, value: object) -> None:
        self._latest = value
        if self._timer.isActive():
            return
        if not self._last.isValid() or self._last.elapsed() >= self._interval_ms:
            self.flush()
        else:
            self._timer.start(self._interval_ms - self._last.elapsed())

    def flush(self) -> None:
        """Let the value that waits pass now."""
        self._timer.stop()
        value, self._latest = self._latest, None
        if value is not None:
            self._last.start()
            self.passed.emit(value)

    def clear(self) -> None:
        """Forget the value that waits."""
        self._timer.stop()
        self._latest = None
