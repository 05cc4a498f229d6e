"""An advisory lock on a file: one process writes the store. The system frees it when we die."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sfumato.sentence import Sentence
from sfumato.store.database import StoreInUseError


class ProcessLock:
    """Held from construction to `release`.

    Raises StoreInUseError where another process has it, OSError where the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._file)
        except OSError as error:
            os.close(self._file)
            raise StoreInUseError(
                Sentence(
                    "Store",
                    "Another Sfumato is using the chats in {folder}; go to its window, or "
                    "close it first.",
                ).filled(folder=str(path.parent))
            ) from error

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of one name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
