"""The engine's model: which is loaded, how far loading is, and what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from sfumato.download.machine import Held, private_bytes
from sfumato.engine.protocol import (
    CancelLoad,
    Device,
    Event,
    Failed,
    Load,
    Loaded,
    Loading,
    Profile,
    Ready,
    Unloaded,
)
from sfumato.paths import built_in_guide
from sfumato.services.engine_client import EngineClient
from sfumato.services.settings import SettingsService

State = Literal["off", "starting", "loading", "ready", "failed"]


class ModelService(QObject):
    """`changed` follows every change of state, fraction or model."""

    changed = Signal()
    failed = Signal(object)  # Failed, when no answer is under way

    def __init__(
        self,
        client: EngineClient,
        settings: SettingsService,
        parent: QObject | None = None,
        *,
        path: Path | None = None,
        device: str | None = None,
    ) -> None:
        """`path` and `device` from the command line hold for this run only."""
        super().__init__(parent)
        self._client = client
        self._settings = settings
        self._path = path
        self._device = device
        self.state: State = "off"
        self._cancelling = False
        self.fraction = 0.0
        self.loaded: Loaded | None = None
        self.profile: Profile = settings.current.profile  # of the last load
        self.devices: list[Device] = []
        self.failure: Failed | None = None
        client.received.connect(self._take)
        client.started.connect(self.load)
        client.ended.connect(self._ended)

    @property
    def path(self) -> Path:
        chosen = self._settings.current.model_path
        return self._path or (Path(chosen) if chosen else built_in_guide())

    @property
    def is_guide(self) -> bool:
        return self.path == built_in_guide()

    @property
    def computes_on_gpu(self) -> bool:
        return self.loaded is not None and self.loaded.device.startswith("cuda")

    @property
    def held(self) -> Held | None:
        """Memory that the loaded model gives back before another one is loaded."""
        loaded = self.loaded
        if loaded is None:
            return None
        pools = sum(loaded.pools.values())
        if self.computes_on_gpu:
            names = [device.name for device in self.devices if device.id == loaded.device]
            return Held(names[0], pools) if names else None
        # Weights that are mapped, not copied, are no memory that others lack.
        process = self._client.process_id
        return Held("", min(pools, private_bytes(process))) if process else None

    @property
    def can_cancel(self) -> bool:
        """A load is under way that takes a while; the guide's does not."""
        return self.state == "loading" and not (self.is_guide or self._cancelling)

    def start(self) -> None:
        """Start the engine; the model follows when it is ready."""
        if not self._client.running:
            self._set("starting")
            self._client.start()

    def restart(self) -> None:
        self.loaded = None
        self._set("starting")
        self._client.restart()

    def choose(self, path: Path | None) -> None:
        """Load another model, None for the built-in guide, and remember it."""
        self._path = None
        self._settings.change(model_path=str(path) if path else "")
        if self._client.running:
            self.load()
        else:
            self.start()

    def cancel_load(self) -> None:
        """Give up the load under way: the built-in guide follows. A load that was faster stays."""
        if self.can_cancel:
            self._cancelling = True
            self._client.request(CancelLoad())
            self.changed.emit()

    def load(self) -> None:
        settings = self._settings.current
        self.loaded = None
        self.failure = None
        self.fraction = 0.0
        self._cancelling = False
        self.profile = settings.profile
        self._set("loading")
        self._client.request(
            Load(
                path=str(self.path),
                device=self._device or settings.device,
                context=settings.context,
                profile=self.profile,
            )
        )

    def _set(self, state: State) -> None:
        self.state = state
        self.changed.emit()

    def _take(self, event: Event) -> None:
        match event:
            case Ready():
                self.devices = event.devices
            case Loading():
                self.fraction = event.fraction
                self.changed.emit()
            case Loaded():
                self.loaded = event
                self._cancelling = False
                self._set("ready")
            case Unloaded() if self._cancelling:
                self._use_guide()
            case Failed(turn=None):
                self.failure = event
                if self.state in ("starting", "loading"):
                    self._set("failed")
                self.failed.emit(event)

    def _use_guide(self) -> None:
        if self._path is None:
            self.choose(None)
        else:  # the model of the command line was not to be remembered, so neither is its end
            self._path = built_in_guide()
            self.load()

    def _ended(self, reason: str) -> None:
        if reason:
            self.loaded = None
            self._set("failed")
        elif self.state != "starting":
            self.loaded = None
            self._set("off")
