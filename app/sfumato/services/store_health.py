"""What a person must know about the chats on disk: damage that was repaired, no room, no right."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sfumato.errors import KnownError, StoreError
from sfumato.services.store_calls import StoreCalls
from sfumato.store import repair


class StoreHealth(QObject):
    told = Signal(str)  # sentences about the past: shown once
    failed = Signal(object)  # KnownError
    saved = Signal(str)  # path

    def __init__(self, calls: StoreCalls, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls = calls

    def tell(self) -> None:
        """Say what the start found; a repair is told once."""
        store = self._calls.store
        if store.read_only:
            self.failed.emit(KnownError(store.read_only))
            return
        reports = self._calls.read(repair.unseen_reports)
        for report_id, report in reports:
            self.told.emit(" ".join(report.sentences()))
            self._calls.submit(repair.dismiss_report, report_id)

    @property
    def unsaved(self) -> bool:
        """Something is in memory only, because the disk did not take it."""
        return self._calls.store.unsaved_count > 0

    def save_elsewhere(self, path: Path) -> None:
        """Write all chats, with what is in memory only, to another file."""
        try:
            self._calls.store.save_elsewhere(path)
        except StoreError as error:
            self.failed.emit(error)
        else:
            self.saved.emit(str(path))
