"""What a person must know about the chats on disk: damage that was repaired, no room, no right."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sfumato.errors import KnownError, StoreError
from sfumato.services.spoken import spoken
from sfumato.services.store_calls import StoreCalls
from sfumato.store import repair


class StoreHealth(QObject):
    told = Signal(str)  # sentences about repairs, until `dismiss`
    failed = Signal(object)  # KnownError
    saved = Signal(str)  # path

    def __init__(self, calls: StoreCalls, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls = calls
        self._told: list[int] = []

    def tell(self) -> None:
        """Say what the start found; a repair is told until it has been seen."""
        store = self._calls.store
        if store.read_only:
            self.failed.emit(KnownError(store.read_only))
            return
        reports = self._calls.read(repair.unseen_reports)
        self._told = [report_id for report_id, _ in reports]
        if reports:
            self.told.emit(
                "\n".join(" ".join(map(spoken, report.sentences())) for _, report in reports)
            )

    def dismiss(self) -> None:
        """The person has seen what was told."""
        for report_id in self._told:
            self._calls.submit(repair.dismiss_report, report_id)
        self._told = []

    @property
    def unsaved(self) -> bool:
        """Something is in memory only, because the disk did not take it."""
        return self._calls.store.unsaved_count > 0

    def problem_with_closing(self) -> str:
        """Store what waits in memory, now; "" or why that cannot be done. Waits for the disk."""
        store = self._calls.store
        try:
            store.retry_unsaved()
        except StoreError as error:
            return spoken(error) if store.unsaved_count else ""
        return ""

    def save_elsewhere(self, path: Path) -> bool:
        """Write all chats, with what is in memory only, to another file."""
        try:
            self._calls.store.save_elsewhere(path)
        except StoreError as error:
            self.failed.emit(error)
            return False
        self.saved.emit(str(path))
        return True
