"""Which models there are to have: the published files, and what the user added.

`resources/models.toml` ships with Sfumato (MODEL.md 4.5). `models.toml` in the user's
configuration folder holds additions and what a hub told us about a file whose size or checksum
the shipped table does not know.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec

from sfumato import paths
from sfumato.errors import DownloadError
from sfumato.sentence import Sentence

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The quantisation as file names of the family spell it: "-Q4_K_M.gguf", ".IQ3_M.gguf".
_QUANT = re.compile(r"(?:^|[-._])((?:UD-)?(?:I?Q\d\w*|BF16|F16|MXFP4))\.gguf$", re.IGNORECASE)


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One downloadable file. `bytes` and `sha256` are None until somebody authoritative said them;
    `expected_bytes` is then our own calculation, good enough for a fit verdict."""

    id: str
    repository: str
    file: str
    revision: str = "main"
    quant: str = ""
    bytes: int | None = None
    expected_bytes: int | None = None
    sha256: str | None = None
    license: str = ""
    good_for: str = ""
    good_for_de: str = ""

    @property
    def size(self) -> int | None:
        return self.bytes if self.bytes is not None else self.expected_bytes

    def path_in(self, folder: Path) -> Path:
        """Where the file belongs: publisher/repository/file, the layout of LM Studio, so that
        files of the same name from two repositories never meet."""
        return folder.joinpath(*self.repository.split("/"), PurePosixPath(self.file).name)


class _File(msgspec.Struct, forbid_unknown_fields=False):
    model: list[Model] = []


def checked(model: Model) -> Model:
    """`model`, or DownloadError if a field could not be one of a real file on a hub."""
    name = PurePosixPath(model.file)
    if not _REPOSITORY.fullmatch(model.repository) or ".." in model.repository:
        raise DownloadError(
            Sentence(
                "Download", "“{repository}” is not the name of a repository: write OWNER/NAME."
            ).filled(repository=model.repository)
        )
    if name.is_absolute() or ".." in name.parts or name.suffix.lower() != ".gguf":
        raise DownloadError(
            Sentence("Download", "“{file}” is not the name of a GGUF file in a repository.").filled(
                file=model.file
            )
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in model.file + model.id + model.revision):
        raise DownloadError(
            Sentence("Download", "A name with control characters in it is refused.")
        )
    if model.sha256 is not None and not _SHA256.fullmatch(model.sha256):
        raise DownloadError(
            Sentence("Download", "“{sha256}” is not a SHA-256 checksum.").filled(
                sha256=model.sha256
            )
        )
    return model


def quant_of(file: str) -> str:
    """The quantisation that a file name announces, or ""."""
    found = _QUANT.search(PurePosixPath(file).name)
    return found[1].upper() if found else ""


class Catalogue:
    """The shipped models, in order, then the user's own.

    `problem` is a sentence if the user's list cannot be read. It is then left alone until something
    has to be written, and set aside as models.toml.damaged.
    """

    def __init__(self, shipped: Path | None = None, own: Path | None = None) -> None:
        self._own_path = own or paths.config_dir() / "models.toml"
        self._shipped = _read(shipped or paths.resources_dir() / "models.toml")
        self.problem = ""
        self._own: list[Model] = []
        try:
            self._own = _read(self._own_path)
        except DownloadError as error:
            self.problem = str(error)

    @property
    def models(self) -> list[Model]:
        known = {m.id: m for m in self._shipped}
        learnt = {m.id: m for m in self._own}
        merged = [_completed(m, learnt.get(m.id)) for m in self._shipped]
        return merged + [m for m in self._own if m.id not in known]

    def find(self, name: str) -> Model:
        """By id ("Q4_K_M"), by file name, or by OWNER/NAME/FILE. Raises DownloadError."""
        wanted = name.casefold()
        for m in self.models:
            if wanted in (
                m.id.casefold(),
                m.file.casefold(),
                f"{m.repository}/{m.file}".casefold(),
            ):
                return m
        known = ", ".join(m.id for m in self.models)
        raise DownloadError(
            Sentence("Download", "No model is called “{name}”: there are {known}.").filled(
                name=name, known=known
            )
        )

    def by_content(self, size: int, sha256: str) -> Model | None:
        """The model whose file has exactly this content."""
        return next(
            (m for m in self.models if m.sha256 == sha256 and m.bytes in (None, size)), None
        )

    def add(self, repository: str, file: str, revision: str = "main") -> Model:
        """Add any GGUF file of a hub repository; it gets its size and checksum when asked for."""
        quant = quant_of(file)
        model = checked(
            Model(
                id=f"{repository}/{file}",
                repository=repository,
                file=file,
                revision=revision,
                quant=quant,
                good_for="Added by you.",
            )
        )
        self._own = [m for m in self._own if m.id != model.id] + [model]
        self._write()
        return model

    def forget(self, model: Model) -> None:
        """Take an addition out of the list. The shipped ones stay."""
        self._own = [m for m in self._own if m.id != model.id]
        self._write()

    def remember(self, model: Model) -> None:
        """Keep what a hub said about size and checksum."""
        if model not in self.models:
            self._own = [m for m in self._own if m.id != model.id] + [model]
            self._write()

    def _write(self) -> None:
        self._own_path.parent.mkdir(parents=True, exist_ok=True)
        if self.problem:
            os.replace(self._own_path, f"{self._own_path}.damaged")
            self.problem = ""
        new = self._own_path.with_suffix(".new")
        new.write_text(_toml(self._own), encoding="utf-8")
        os.replace(new, self._own_path)


def _completed(shipped: Model, learnt: Model | None) -> Model:
    if learnt is None or learnt.revision != shipped.revision:
        return shipped
    return msgspec.structs.replace(
        shipped,
        bytes=learnt.bytes if shipped.bytes is None else shipped.bytes,
        sha256=learnt.sha256 if shipped.sha256 is None else shipped.sha256,
    )


def _read(path: Path) -> list[Model]:
    try:
        models = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).model
        return [checked(m) for m in models]
    except FileNotFoundError:
        return []
    except (ValueError, OSError, msgspec.ValidationError, DownloadError) as error:
        raise DownloadError(
            Sentence(
                "Download",
                "The list of models in {path} cannot be read ({error}): mend or delete that file.",
            ).filled(path=str(path), error=str(error))
        ) from None


def _toml(models: Iterable[Model]) -> str:
    # A JSON string is a TOML basic string as long as it holds no DEL, which `checked` refuses.
    lines = ["# Models that you added, and what their hubs said about them.\n"]
    for model in models:
        lines.append("[[model]]")
        for key, value in msgspec.to_builtins(model).items():
            if value is not None:
                lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        lines.append("")
    return "\n".join(lines)
