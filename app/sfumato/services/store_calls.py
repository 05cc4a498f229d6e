"""Calls on the store whose results arrive in the window's thread, so that no disk delays it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from sfumato.errors import KnownError
from sfumato.sentence import Sentence
from sfumato.store.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")


class StoreCalls(QObject):
    """`failed` carries the KnownError of any call that was not given an answer of its own."""

    failed = Signal(object)
    _arrived = Signal(object, object)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self._waiting = 0
        self._closed = False
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def waiting(self) -> int:
        """Calls whose results have not been delivered yet."""
        return self._waiting

    def close(self) -> None:
        """The application ends: what was submitted is still written, but nobody hears of it."""
        self._closed = True

    def read(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """In this thread: for reads that take a few milliseconds at most."""
        return self.store.read(function, *args, **kwargs)

    def submit(
        self,
        function: Callable[..., T],
        *args: Any,
        then: Callable[[T], object] | None = None,
        otherwise: Callable[[KnownError], object] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write; `then` gets the result, `otherwise` the error, both in this thread.

        `function` takes the database first; it runs in one transaction, in turn.
        """
        self._waiting += 1
        future: Future[T] = self.store.submit(function, *args, **kwargs)
        future.add_done_callback(lambda done: self._hand_over(done, (then, otherwise)))

    def _hand_over(self, future: Future[Any], answers: object) -> None:
        try:
            self._arrived.emit(future, answers)
        except RuntimeError:  # the window is gone; the write itself is done
            pass

    def _deliver(
        self,
        future: Future[Any],
        answers: tuple[Callable[[Any], object] | None, Callable[[KnownError], object] | None],
    ) -> None:
        self._waiting -= 1
        if self._closed:
            return
        then, otherwise = answers
        error = future.exception()
        if error is None:
            if then is not None:
                then(future.result())
        elif isinstance(error, KnownError):
            (otherwise or self.failed.emit)(error)
        elif isinstance(error, sqlite3.Error):
            log.error("store", exc_info=error)
            (otherwise or self.failed.emit)(
                KnownError(
                    Sentence("Chats", "The chat could not be stored ({error}).").filled(
                        error=str(error)
                    )
                )
            )
        else:
            raise error
