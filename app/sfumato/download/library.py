"""The models on this computer: downloaded by us, imported from elsewhere, or found in the folders
of other programs, which are read and never changed.

What is known of each file is kept in `models.json`: its SHA-256 holds as long as size and time of
change stay what they were. A partial download has another name and is never among them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from sfumato import paths
from sfumato.download.catalogue import Catalogue, Model, quant_of
from sfumato.download.downloader import Downloaded
from sfumato.download.hasher import sha256_of
from sfumato.errors import DownloadError, ModelFileError
from sfumato.sentence import Sentence

FAMILY = b"diffusion-gemma"  # general.architecture, the first key of every file of the family
_HEAD_BYTES = 4096
_INSPECT_SECONDS = 120
_SHA256_NAME = re.compile(r"(?:sha256-)?([0-9a-f]{64})")
# What other files begin with, and what they are.
_OTHERS = (
    (b"PK\x03\x04", Sentence("Download", "a ZIP archive")),
    (b"\x1f\x8b", Sentence("Download", "a compressed archive")),
    (b"7z\xbc\xaf", Sentence("Download", "a compressed archive")),
    (b"<!", Sentence("Download", "a web page")),
    (b"<html", Sentence("Download", "a web page")),
    (b"%PDF", Sentence("Download", "a PDF document")),
    (b"version https://git-lfs", Sentence("Download", "only a pointer to a file (Git LFS)")),
)


class Origin(StrEnum):
    DOWNLOADED = "downloaded"
    IMPORTED = "imported"


class State(StrEnum):
    VERIFIED = "verified"
    UNKNOWN = "unknown"  # complete as far as its header tells, of no published checksum
    CHANGED = "changed"  # size or time differ from when we looked
    MISSING = "missing"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What we know of a file. `model_id`: the model of the catalogue with this very content."""

    path: str
    bytes: int
    changed_ns: int
    sha256: str
    origin: Origin
    name: str = ""
    quant: str = ""
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Installed:
    entry: Entry
    state: State

    @property
    def path(self) -> Path:
        return Path(self.entry.path)

    @property
    def usable(self) -> bool:
        return self.state in (State.VERIFIED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Found:
    """A model in a folder of another program. `sha256` is what its name claims, not yet checked."""

    path: Path
    bytes: int
    program: str
    quant: str
    sha256: str | None = None


class _Record(msgspec.Struct):
    version: int = 1
    models: list[Entry] = []


OnBytes = Callable[[int], None]


class Library:
    def __init__(self, catalogue: Catalogue | None = None, record: Path | None = None) -> None:
        self._catalogue = catalogue or Catalogue()
        self._path = record or paths.data_dir() / "models.json"

    @property
    def models(self) -> list[Installed]:
        """Every model that was downloaded or imported, in the order of their coming."""
        return [Installed(entry, _state(entry)) for entry in self._read()]

    def find(self, name: str) -> Installed:
        """By catalogue id, file name or path. Raises DownloadError."""
        models = self.models
        for installed in models:
            entry = installed.entry
            if name in (entry.path, entry.model_id, installed.path.name) or (
                Path(name).absolute() == installed.path
            ):
                return installed
        have = ", ".join(m.entry.model_id or m.path.name for m in models) or "none yet"
        raise DownloadError(
            Sentence("Download", "No model “{name}” is on this computer: there are {have}.").filled(
                name=name, have=have
            )
        )

    def add(self, done: Downloaded) -> Installed:
        """Take in a finished download, and remember what the hub said about it."""
        self._catalogue.remember(done.model)
        assert done.model.sha256 is not None
        return self._keep(
            _entry(
                done.path,
                done.model.sha256,
                Origin.DOWNLOADED,
                name=done.model.file,
                model=done.model,
            )
        )

    def import_file(self, path: Path, on_bytes: OnBytes = lambda done: None) -> Installed:
        """Use a file where it is. It is inspected by a child process, then its checksum is taken;
        `on_bytes` hears of that and may raise to stop. Raises ModelFileError in a sentence."""
        path = path.expanduser().absolute()
        check_kind(path)
        said = inspect(path)
        sha256 = sha256_of(path, on_bytes)
        model = self._catalogue.by_content(path.stat().st_size, sha256)
        name = str(said.get("name") or path.stem)
        return self._keep(_entry(path, sha256, Origin.IMPORTED, name=name, model=model))

    def verify(self, installed: Installed, on_bytes: OnBytes = lambda done: None) -> Installed:
        """Read the whole file again. Raises DownloadError if it is not what it was."""
        entry = installed.entry
        try:
            sha256 = sha256_of(installed.path, on_bytes)
        except OSError as error:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{path} cannot be read ({reason}): check the disk, or remove the model "
                    "from the list.",
                ).filled(path=str(installed.path), reason=error.strerror or str(error))
            ) from None
        if sha256 != entry.sha256:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{file} has changed since it was checked (SHA-256 {found}… instead of "
                    "{wanted}…): remove it and download it again.",
                ).filled(file=installed.path.name, found=sha256[:12], wanted=entry.sha256[:12])
            )
        changed_ns = installed.path.stat().st_mtime_ns
        return self._keep(msgspec.structs.replace(entry, changed_ns=changed_ns))

    def remove(self, installed: Installed, to_trash: Callable[[Path], bool]) -> None:
        """Take a model off the list. A file that we downloaded goes to the trash by `to_trash`,
        which says whether it did; one that was imported stays where it is."""
        path = installed.path
        if installed.entry.origin is Origin.DOWNLOADED and path.exists() and not to_trash(path):
            raise DownloadError(
                Sentence(
                    "Download",
                    "{path} cannot be moved to the trash: delete it in the file manager.",
                ).filled(path=str(path))
            )
        self._write([e for e in self._read() if e.path != installed.entry.path])

    def found(self) -> list[Found]:
        """Models of the family in the folders of other programs that are not on the list yet."""
        known = {Path(entry.path).resolve() for entry in self._read()}
        found: dict[Path, Found] = {}
        for program, path, file in _elsewhere():
            try:
                real = path.resolve(strict=True)
                if real in known or real in found or not is_family(real):
                    continue
                size = real.stat().st_size
            except OSError:
                continue
            claim = _SHA256_NAME.fullmatch(real.name)
            sha256 = claim[1] if claim else None
            model = self._catalogue.by_content(size, sha256) if sha256 else None
            quant = model.quant if model else quant_of(file) or self._quant_by_size(size)
            found[real] = Found(path, size, program, quant, sha256)
        return list(found.values())

    def _quant_by_size(self, size: int) -> str:
        return next((m.quant for m in self._catalogue.models if m.size == size), "")

    def _keep(self, entry: Entry) -> Installed:
        entries = self._read()
        if any(e.path == entry.path for e in entries):
            entries = [entry if e.path == entry.path else e for e in entries]
        else:
            entries.append(entry)
        self._write(entries)
        return Installed(entry, _state(entry))

    def _read(self) -> list[Entry]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Record).models
        except FileNotFoundError:
            return []
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # The models themselves are safe: set the list aside and begin another.
            os.replace(self._path, self._path.with_suffix(".damaged"))
            return []

    def _write(self, entries: list[Entry]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(_Record(models=entries)), indent=1))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)


def check_kind(path: Path) -> None:
    """Refuse, in a sentence, what does not begin like a model file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except IsADirectoryError:
        raise ModelFileError(
            Sentence("Download", "{file} is a folder: choose the GGUF file in it.").filled(
                file=path.name
            )
        ) from None
    except OSError as error:
        raise ModelFileError(
            Sentence("Download", "{path} cannot be read ({reason}): choose another file.").filled(
                path=str(path), reason=error.strerror or str(error)
            )
        ) from None
    if head[:4] == b"GGUF":
        return
    if size == 0:
        empty = Sentence("Download", "{file} is empty: download it again.")
        raise ModelFileError(empty.filled(file=path.name))
    if head[8:9] == b"{":
        what = Sentence("Download", "a safetensors file")
    else:
        other = Sentence("Download", "something else")
        what = next((name for start, name in _OTHERS if head.startswith(start)), other)
    raise ModelFileError(
        Sentence(
            "Download", "{file} is not a model in GGUF format but {what}: choose the GGUF file."
        ).filled(file=path.name, what=what)
    )


def is_family(path: Path) -> bool:
    """Whether the first bytes look like a DiffusionGemma file. No proof: `inspect` is."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head[:4] == b"GGUF" and FAMILY in head


def inspect(path: Path) -> dict[str, Any]:
    """What `sfumato inspect --json` says of a model file, read by a process of its own: a hostile
    file may take that one down. Raises ModelFileError with its sentence."""
    program = (
        [sys.executable]
        if getattr(sys, "frozen", False)
        else [sys.executable, "-P", "-m", "sfumato"]
    )
    try:
        child = subprocess.run(
            [*program, "inspect", "--json", str(path)],
            capture_output=True,
            timeout=_INSPECT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelFileError(
            Sentence(
                "Download",
                "{file} keeps its reader busy for too long: it is not a model that can be used.",
            ).filled(file=path.name)
        ) from None
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines()
        if child.returncode == 2 and lines:
            raise ModelFileError(lines[-1].removeprefix("sfumato: "))
        raise ModelFileError(
            Sentence(
                "Download", "{file} brings its reader down: it is damaged; choose another file."
            ).filled(file=path.name)
        )
    said: dict[str, Any] = msgspec.json.decode(child.stdout)
    return said


def _entry(path: Path, sha256: str, origin: Origin, *, name: str, model: Model | None) -> Entry:
    stat = path.stat()
    return Entry(
        path=str(path),
        bytes=stat.st_size,
        changed_ns=stat.st_mtime_ns,
        sha256=sha256,
        origin=origin,
        name=name,
        quant=(model.quant if model else "") or quant_of(path.name),
        model_id=model.id if model else None,
    )


def _state(entry: Entry) -> State:
    try:
        stat = Path(entry.path).stat()
    except OSError:
        return State.MISSING
    if (stat.st_size, stat.st_mtime_ns) != (entry.bytes, entry.changed_ns):
        return State.CHANGED
    return State.UNKNOWN if entry.model_id is None else State.VERIFIED


def _elsewhere() -> Iterator[tuple[str, Path, str]]:
    """(program, path, file name) of the models in the folders of other programs."""
    hub = os.environ.get("HF_HUB_CACHE")
    home = os.environ.get("HF_HOME")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(hub) if hub else (Path(home) if home else caches / "huggingface") / "hub"
    for path in _files(cache, "models--*/snapshots/*/*.gguf", "models--*/snapshots/*/*/*.gguf"):
        yield "Hugging Face", path, path.name

    for folder in (Path.home() / ".lmstudio/models", caches / "lm-studio/models"):
        for path in _files(folder, "*.gguf", "*/*.gguf", "*/*/*.gguf"):
            yield "LM Studio", path, path.name

    chosen = os.environ.get("OLLAMA_MODELS")
    ollama = [Path(chosen)] if chosen else []
    ollama += [Path.home() / ".ollama/models", Path("/usr/share/ollama/.ollama/models")]
    for folder in ollama:
        for path in _files(folder, "blobs/sha256-*"):
            yield "Ollama", path, ""


def _files(folder: Path, *patterns: str) -> list[Path]:
    try:
        return sorted(path for pattern in patterns for path in folder.glob(pattern))
    except OSError:
        return []
