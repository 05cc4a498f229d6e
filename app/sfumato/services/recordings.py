"""The kept denoising of finished answers."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from sfumato.errors import StoreError
from sfumato.services.store_calls import StoreCalls
from sfumato.store import recordings
from sfumato.store.recordings import RecordingsSize, StepRecord


@dataclass(frozen=True, slots=True)
class RecordedBlock:
    """How one block came about; `steps` is never empty."""

    block: int
    steps: list[StepRecord]


class Recordings(QObject):
    failed = Signal(object)  # KnownError
    pruned = Signal()

    def __init__(self, calls: StoreCalls, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls = calls

    def has(self, message_id: int) -> bool:
        return bool(self._calls.read(recordings.recorded_blocks, message_id))

    def load(self, message_id: int) -> list[RecordedBlock]:
        """The recorded blocks of an answer in order; damaged ones are told by `failed`."""
        blocks = []
        for block in self._calls.read(recordings.recorded_blocks, message_id):
            try:
                steps = self._calls.read(recordings.load_recording, message_id, block)
            except StoreError as error:
                self.failed.emit(error)
                continue
            if steps:
                blocks.append(RecordedBlock(block, steps))
        return blocks

    def size(self) -> RecordingsSize:
        return self._calls.read(recordings.recordings_size)

    def prune(self, limit_bytes: int) -> None:
        """Drop the oldest until at most `limit_bytes` remain; 0 drops all."""
        self._calls.submit(
            recordings.prune_recordings, limit_bytes, then=lambda _: self.pruned.emit()
        )
