"""The models there are, those that are here, and the transfers under way.

Everything slow runs in threads of ours; what they report arrives by signals in the window's thread.
A download that is closed in the middle goes on where it was, in another run too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from PySide6.QtCore import QFile, QLocale, QObject, QTimer, Signal

from sfumato import paths
from sfumato.download.catalogue import Catalogue, Model
from sfumato.download.downloader import Download
from sfumato.download.fit import LEAST_CONTEXT, Fit, cpu_step_seconds, fit, gpu_step_seconds
from sfumato.download.hub import Hub
from sfumato.download.library import Found, Installed, Library, State
from sfumato.download.machine import Held, Machine, look, memory_bytes_per_second
from sfumato.download.network import Network, Profile, memory_needed, published
from sfumato.download.part import discard, unfinished
from sfumato.download.progress import Progress, Stage
from sfumato.engine.protocol import Device
from sfumato.errors import DownloadError, KnownError
from sfumato.sentence import Sentence
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken

log = logging.getLogger(__name__)

SHOW_MS = 250  # between two looks at the progress
JOIN_SECONDS = 5

RowState = Literal["absent", "begun", "busy", "here", "changed", "missing"]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of the list."""

    id: str
    name: str
    bytes: int | None
    note: str
    state: RowState
    path: Path | None = None
    fit: Fit | None = None
    compact_saves: int = 0  # bytes that a card would need less, were the profile not exact
    progress: Progress | None = None
    received: int = 0
    checked: bool = False
    error: str = ""


@dataclass(slots=True)
class _Transfer:
    download: Download
    thread: threading.Thread
    progress: Progress | None = None
    stopping: bool = False


@dataclass(slots=True)
class _Survey:
    """What a look at machine and disk found."""

    machine: Machine
    ram_bytes_per_second: float
    rows: list[ModelRow] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)


class ModelLibrary(QObject):
    changed = Signal()
    failed = Signal(object)  # KnownError
    arrived = Signal(object)  # Path of a model that is complete now

    _surveyed = Signal(object)
    _ended = Signal(str, object, object)
    _worked = Signal(object, object, str)

    def __init__(
        self,
        settings: SettingsService,
        parent: QObject | None = None,
        *,
        catalogue: Catalogue | None = None,
        hub: Callable[[], Hub] | None = None,
        held: Callable[[], Held | None] = lambda: None,
    ) -> None:
        """`held`: the memory of the model that is loaded; another one may have it."""
        super().__init__(parent)
        self._settings = settings
        self._catalogue = catalogue or Catalogue()
        self._library = Library(self._catalogue)
        self._hub = hub or (lambda: Hub(settings.current.hub or None))
        self._held = held
        self._pool = ThreadPoolExecutor(1, "model-library")
        self._transfers: dict[str, _Transfer] = {}
        self._errors: dict[str, str] = {}
        self._checking: dict[str, int] = {}  # path of a file being read → bytes read
        self._survey: _Survey | None = None
        self._closed = False
        settings.changed.connect(self._limit_speed)
        self._surveyed.connect(self._take_survey)
        self._ended.connect(self._take_end)
        self._worked.connect(self._take_work)
        self._timer = QTimer(self, interval=SHOW_MS)
        self._timer.timeout.connect(self.changed)

    @property
    def folder(self) -> Path:
        chosen = self._settings.current.models_folder
        return Path(chosen) if chosen else paths.models_dir()

    # What there is

    @property
    def rows(self) -> list[ModelRow]:
        """Empty until the first survey has come back."""
        if self._survey is None:
            return []
        rows = []
        for row in self._survey.rows:
            transfer = self._transfers.get(row.id)
            if transfer is not None:
                row = replace(row, state="busy", progress=transfer.progress)
            elif row.path is not None and str(row.path) in self._checking:
                read = self._checking[str(row.path)]
                progress = Progress(Stage.CHECKING, read, row.bytes or 0)
                row = replace(row, state="busy", progress=progress)
            rows.append(replace(row, error=self._errors.get(row.id, "")))
        return rows

    @property
    def found(self) -> list[Found]:
        return self._survey.found if self._survey else []

    @property
    def machine(self) -> Machine | None:
        return self._survey.machine if self._survey else None

    @property
    def recommended(self) -> str | None:
        """The first model of the catalogue that runs here and is not here yet."""
        for row in self.rows:
            if row.fit is not None and row.fit.runs:
                return row.id if row.state in ("absent", "begun") else None
        return None

    def network_of(self, model_id: str) -> Network | None:
        """Tensors and cache of a model of the catalogue; None where we have no table of it."""
        model = next((m for m in self._catalogue.models if m.id == model_id), None)
        return published(model.quant) if model else None

    def predicted_step_ms(self, path: Path, device: Device) -> float | None:
        """What a denoise step should take there, from nominal rates; None where unknown."""
        if self._survey is None:
            return None
        here = {row.path: row.id for row in self.rows if row.path}
        here |= {model.path_in(self.folder): model.id for model in self._catalogue.models}
        network = self.network_of(here[path]) if path in here else None
        if network is None:
            return None
        network = network.held(self._settings.current.profile)
        machine = self._survey.machine
        if device.id == "cpu":
            seconds = cpu_step_seconds(network, machine, self._survey.ram_bytes_per_second)
        else:
            gpu = next((g for g in machine.gpus if g.name == device.name), machine.best_gpu)
            seconds = gpu_step_seconds(network, gpu) if gpu else None
        return None if seconds is None else seconds * 1000

    def refresh(self) -> None:
        """Look at machine, disk and list again; `changed` follows."""
        if not self._closed:
            self._pool.submit(self._look, self._held(), self._settings.current.profile)

    def _look(self, held: Held | None, profile: Profile) -> None:
        try:
            machine = look(self.folder)
            if held is not None:
                machine = machine.holding(held)
            speed = memory_bytes_per_second()
            begun = {part.final: part for part in unfinished(self.folder)}
            installed = self._library.models
            here = {one.entry.model_id: one for one in installed if one.entry.model_id}
            survey = _Survey(machine, speed)
            for model in self._catalogue.models:
                network = published(model.quant)
                verdict = fit(network, machine, speed, profile) if network else None
                part = begun.get(model.path_in(self.folder))
                row = _row_of(model, here.get(model.id), verdict)
                if network is not None and machine.best_gpu is not None and profile == "exact":
                    row = replace(row, compact_saves=_compact_saves(network))
                if row.state == "absent" and part is not None:
                    row = replace(row, state="begun", received=part.received)
                survey.rows.append(row)
            survey.rows += [_imported(one) for one in installed if one.entry.model_id is None]
            survey.found = self._library.found()
            self._emit(self._surveyed, survey)
        except Exception as error:
            log.exception("the survey of the models failed")
            problem = KnownError(
                Sentence("ModelLibrary", "The models could not be listed ({error}).").filled(
                    error=str(error)
                )
            )
            self._emit(self._worked, None, problem, "")

    def _take_survey(self, survey: _Survey) -> None:
        self._survey = survey
        self.changed.emit()

    # Transfers

    def download(self, model_id: str) -> None:
        """Begin, or go on where an earlier run stopped."""
        if model_id in self._transfers or self._closed:
            return
        self._errors.pop(model_id, None)
        try:
            model, hub = self._catalogue.find(model_id), self._hub()
        except DownloadError as error:
            self.failed.emit(error)
            return
        limit = self._settings.current.download_limit or None

        def note(progress: Progress) -> None:
            transfer = self._transfers.get(model_id)
            if transfer is not None:
                transfer.progress = progress

        download = Download(model, self.folder, hub, on_progress=note, speed_limit=limit)
        thread = threading.Thread(
            target=self._run, args=(model_id, download), name=f"download-{model_id}", daemon=True
        )
        self._transfers[model_id] = _Transfer(download, thread)
        thread.start()
        self._timer.start()
        self.changed.emit()

    def _limit_speed(self) -> None:
        limit = self._settings.current.download_limit or None
        for transfer in self._transfers.values():
            if transfer.download.speed_limit != limit:
                transfer.download.speed_limit = limit

    def _run(self, model_id: str, download: Download) -> None:
        try:
            done = download.run()
            installed = self._library.add(done) if done is not None else None
            self._emit(self._ended, model_id, installed, None)
        except KnownError as error:
            self._emit(self._ended, model_id, None, error)
        except Exception as error:
            log.exception("the download of %s failed", model_id)
            self._emit(
                self._ended,
                model_id,
                None,
                DownloadError(
                    Sentence("ModelLibrary", "The download failed ({error}).").filled(
                        error=str(error)
                    )
                ),
            )

    def pause(self, model_id: str) -> None:
        if transfer := self._transfers.get(model_id):
            transfer.download.pause()

    def resume(self, model_id: str) -> None:
        if transfer := self._transfers.get(model_id):
            transfer.download.resume()
        else:
            self.download(model_id)

    def cancel(self, model_id: str, *, keep_part: bool) -> None:
        """End a transfer; what has arrived is kept for another time, or given up."""
        transfer = self._transfers.get(model_id)
        if transfer is not None:
            transfer.stopping = True
            transfer.download.cancel(keep_part)
        elif not keep_part:
            discard(self._catalogue.find(model_id).path_in(self.folder))
            self.refresh()

    def _take_end(
        self, model_id: str, installed: Installed | None, error: KnownError | None
    ) -> None:
        self._transfers.pop(model_id, None)
        if not self._transfers and not self._checking:
            self._timer.stop()
        if error is not None:
            self._errors[model_id] = spoken(error)
        self.refresh()
        self.changed.emit()
        if installed is not None:
            self.arrived.emit(installed.path)

    # Files that are here

    def verify(self, path: Path) -> None:
        """Read a model again and compare its checksum."""
        self._read_file(path, self._verify)

    def import_file(self, path: Path) -> None:
        """Use a model file where it is; it is read once for its checksum."""
        self._read_file(path, self._library.import_file)

    def _verify(self, path: Path, on_bytes: Callable[[int], None]) -> Installed:
        return self._library.verify(self._library.find(str(path)), on_bytes)

    def _read_file(
        self, path: Path, work: Callable[[Path, Callable[[int], None]], Installed]
    ) -> None:
        if str(path) in self._checking or self._closed:
            return
        self._checking[str(path)] = 0
        self._timer.start()
        self.changed.emit()

        def on_bytes(read: int) -> None:
            if self._closed:
                raise DownloadError(Sentence("ModelLibrary", "Sfumato is being closed."))
            self._checking[str(path)] = read

        def run() -> None:
            try:
                installed = work(path, on_bytes)
                self._emit(self._worked, installed, None, str(path))
            except KnownError as error:
                self._emit(self._worked, None, error, str(path))
            except Exception as error:
                log.exception("reading %s failed", path)
                problem = KnownError(
                    Sentence("ModelLibrary", "{path} could not be read ({error}).").filled(
                        path=str(path), error=str(error)
                    )
                )
                self._emit(self._worked, None, problem, str(path))

        self._pool.submit(run)

    def _take_work(self, installed: Installed | None, error: object, path: str) -> None:
        self._checking.pop(path, None)
        if not self._transfers and not self._checking:
            self._timer.stop()
        if isinstance(error, KnownError):
            self.failed.emit(error)
        if installed is not None:
            self.arrived.emit(installed.path)
        self.refresh()

    def remove(self, path: Path) -> None:
        """Take a model off the list; a downloaded file goes to the trash."""

        def to_trash(file: Path) -> bool:
            answer: object = QFile.moveToTrash(str(file))
            return bool(answer[0] if isinstance(answer, tuple) else answer)

        try:
            self._library.remove(self._library.find(str(path)), to_trash)
        except KnownError as error:
            self.failed.emit(error)
        self.refresh()

    # Ending

    def _emit(self, signal: object, *values: object) -> None:
        """From a thread of ours; the window may have gone meanwhile."""
        try:
            signal.emit(*values)  # type: ignore[attr-defined]
        except RuntimeError:
            pass

    def close(self) -> None:
        """End what is under way; downloads go on in the next run."""
        self._closed = True
        self._timer.stop()
        transfers = list(self._transfers.values())
        for transfer in transfers:
            transfer.download.cancel(True)
        for transfer in transfers:
            transfer.thread.join(JOIN_SECONDS)
        self._pool.shutdown(wait=True, cancel_futures=True)


def _compact_saves(network: Network) -> int:
    exact, compact = (memory_needed(network, LEAST_CONTEXT, p) for p in get_args(Profile))
    return exact - compact


def _row_of(model: Model, installed: Installed | None, verdict: Fit | None) -> ModelRow:
    state: RowState = "absent"
    if installed is not None:
        state = _state_of(installed)
    german = QLocale().language() is QLocale.Language.German
    return ModelRow(
        id=model.id,
        name=_name_of(model),
        bytes=model.size,
        note=(model.good_for_de if german else "") or model.good_for,
        state=state,
        path=installed.path if installed else None,
        fit=verdict,
        checked=installed is not None and installed.state is State.VERIFIED,
    )


def _name_of(model: Model) -> str:
    """`DiffusionGemma 26B-A4B · Q4_K_M`, or the file's name for another family member."""
    if model.file.lower().startswith("diffusiongemma-26b-a4b") and model.quant:
        return f"DiffusionGemma 26B-A4B · {model.quant}"
    return model.file


def _imported(installed: Installed) -> ModelRow:
    entry = installed.entry
    return ModelRow(
        id=entry.path,
        name=entry.name or installed.path.name,
        bytes=entry.bytes,
        note=str(installed.path),
        state=_state_of(installed),
        path=installed.path,
    )


def _state_of(installed: Installed) -> RowState:
    if installed.usable:
        return "here"
    return "missing" if installed.state is State.MISSING else "changed"
