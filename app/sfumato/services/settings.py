"""The settings in force: read once, changed in one place, stored at once."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal

from sfumato.services.store_calls import StoreCalls
from sfumato.store import presets, settings
from sfumato.store.settings import Settings
from sfumato.store.types import Preset, SamplerValues


class SettingsService(QObject):
    """`changed` carries the new Settings; `presets_changed` says that the list is another."""

    changed = Signal(object)
    presets_changed = Signal()

    def __init__(self, calls: StoreCalls, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls = calls
        self._current = calls.read(settings.load)

    @property
    def current(self) -> Settings:
        return self._current

    def change(self, **values: Any) -> None:
        """Take over the given fields of Settings."""
        new = msgspec.structs.replace(self._current, **values)
        if new == self._current:
            return
        self._current = new
        self.changed.emit(new)
        self._calls.submit(settings.save, new)

    def presets(self) -> list[Preset]:
        return self._calls.read(presets.list_presets)

    def add_preset(self, name: str, system_prompt: str, sampler: SamplerValues) -> None:
        self._calls.submit(
            presets.add_preset,
            name,
            system_prompt=system_prompt,
            sampler=sampler,
            then=lambda _: self.presets_changed.emit(),
        )

    def delete_preset(self, preset_id: int) -> None:
        self._calls.submit(
            presets.delete_preset, preset_id, then=lambda _: self.presets_changed.emit()
        )
