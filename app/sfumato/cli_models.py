"""`sfumato models list|show|download|import|verify|remove`."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from sfumato import paths
from sfumato.download.catalogue import Catalogue, Model
from sfumato.download.downloader import Download
from sfumato.download.fit import CONTEXTS, fit
from sfumato.download.hub import Hub
from sfumato.download.library import Installed, Library, State
from sfumato.download.machine import look, memory_bytes_per_second
from sfumato.download.network import Network, inspected, memory_needed, published
from sfumato.download.part import discard, unfinished
from sfumato.download.progress import Progress, Stage
from sfumato.errors import DownloadError

_REPORT_SECONDS = 1.0  # between two lines of JSON
_BAR_CELLS = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)

    def action(name: str, what: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=what, description=f"Sfumato: {what}.")
        added.add_argument(
            "--json",
            action="store_true",
            help="JSON, one object a line; progress is, wherever stdout is no terminal",
        )
        return added

    action("list", "the models there are, which are here, and which fit this computer")
    show = action("show", "everything about one model, and the memory it takes")
    show.add_argument("model", metavar="MODEL", help="an id of the list, or a file")
    get = action("download", "download a model, or go on with a download")
    get.add_argument("model", metavar="MODEL", help="an id of the list, or OWNER/NAME on a hub")
    get.add_argument("file", metavar="FILE", nargs="?", help="with OWNER/NAME: the GGUF file there")
    get.add_argument("--folder", type=Path, metavar="DIR", help="another folder for models")
    get.add_argument("--endpoint", metavar="URL", help="a mirror instead of huggingface.co")
    get.add_argument("--limit", type=_rate, metavar="MB/S", help="megabytes per second at most")
    bring = action("import", "use a model file that is already on this computer")
    bring.add_argument("path", metavar="FILE", type=Path)
    check = action("verify", "read models again and compare their checksums")
    check.add_argument("model", metavar="MODEL", nargs="*", help="all if none is named")
    away = action("remove", "move a model to the trash; an imported file stays where it is")
    away.add_argument("model", metavar="MODEL")


def run(args: argparse.Namespace) -> int:
    catalogue = Catalogue()
    if catalogue.problem:
        print(f"sfumato: {catalogue.problem}", file=sys.stderr)
    library = Library(catalogue)
    actions: dict[str, Callable[[argparse.Namespace, Catalogue, Library], int]] = {
        "list": _list,
        "show": _show,
        "download": _download,
        "import": _import,
        "verify": _verify,
        "remove": _remove,
    }
    if args.action in ("download", "import", "verify") and not sys.stdout.isatty():
        args.json = True  # for whoever reads the progress
    return actions[args.action](args, catalogue, library)


def _list(args: argparse.Namespace, catalogue: Catalogue, library: Library) -> int:
    machine, speed = look(), memory_bytes_per_second()
    here = {m.entry.model_id: m for m in library.models if m.entry.model_id}
    begun = {u.final: u for u in unfinished(paths.models_dir())}
    rows: list[dict[str, Any]] = []
    for model in catalogue.models:
        network = published(model.quant)
        verdict = fit(network, machine, speed) if network else None
        part = begun.get(model.path_in(paths.models_dir()))
        state = "not here"
        if installed := here.get(model.id):
            state = installed.state.value
        elif part is not None:
            state = f"{100 * part.received // part.header.bytes} % downloaded"
        rows.append(
            {
                "id": model.id,
                "bytes": model.size,
                "state": state,
                "path": str(installed.path) if installed else None,
                "good_for": model.good_for,
                "fit": asdict(verdict) if verdict else None,
            }
        )
    rows += [
        {
            "id": m.path.name,
            "bytes": m.entry.bytes,
            "state": m.state.value,
            "path": str(m.path),
            "good_for": "Imported by you.",
            "fit": None,
        }
        for m in library.models
        if m.entry.model_id is None
    ]
    found = library.found()
    if args.json:
        for row in rows:
            print(json.dumps(row))
        for other in found:
            print(json.dumps({"found": str(other.path), **asdict(other), "path": str(other.path)}))
        return 0
    for row in rows:
        size = f"{row['bytes'] / 1e9:.1f} GB" if row["bytes"] else "size unknown"
        print(f"{row['id']:<10} {size:>10}   {row['state']}")
        print(f"           {row['good_for']}")
        if row["fit"]:
            print(f"           {row['fit']['sentence']}")
        if row["path"]:
            print(f"           {row['path']}")
    for other in found:
        print(f"\nFound in the folder of {other.program}: {other.path}")
        print("           sfumato models import uses it where it is.")
    return 0


def _show(args: argparse.Namespace, catalogue: Catalogue, library: Library) -> int:
    network: Network | None
    if args.model.endswith(".gguf") and Path(args.model).exists():
        from sfumato.download.library import inspect

        said = inspect(Path(args.model).absolute())
        network = inspected(said)
        facts: dict[str, Any] = {"file": said["file"], "name": said["name"], "bytes": said["bytes"]}
    else:
        model = catalogue.find(args.model)
        network = published(model.quant)
        facts = msgspec.to_builtins(model)
    if network is not None:
        verdict = fit(network, look(), memory_bytes_per_second())
        facts["fit"] = asdict(verdict)
        contexts = [c for c in reversed(CONTEXTS) if c <= network.context_length]
        facts["memory"] = {str(c): memory_needed(network, c) for c in contexts}
    if args.json:
        print(json.dumps(facts))
        return 0
    for key, value in facts.items():
        if key == "fit":
            print(f"{'fit':<15} {value['sentence']}")
        elif key == "memory":
            print("memory          for a conversation of")
            for context, count in value.items():
                print(f"{int(context):>15,} tokens: {count / 1e9:.1f} GB")
        elif value is not None:
            print(
                f"{key.replace('_', ' '):<15} {value:,}"
                if type(value) is int
                else f"{key.replace('_', ' '):<15} {value}"
            )
    return 0


def _download(args: argparse.Namespace, catalogue: Catalogue, library: Library) -> int:
    model = _wanted(args, catalogue)
    meter = Meter(model.path_in(Path()).name, args.json)
    download = Download(
        model,
        args.folder or paths.models_dir(),
        Hub(args.endpoint),
        on_progress=meter,
        speed_limit=args.limit,
    )
    try:
        done = download.run()
    except KeyboardInterrupt:
        meter.end()
        print("sfumato: stopped; the same command goes on from here", file=sys.stderr)
        raise
    finally:
        meter.end()
    assert done is not None  # nobody cancels it here
    _report(args, library.add(done))
    return 0


def _wanted(args: argparse.Namespace, catalogue: Catalogue) -> Model:
    if args.file is None:
        return catalogue.find(args.model)
    try:
        return catalogue.find(f"{args.model}/{args.file}")
    except DownloadError:
        return catalogue.add(args.model, args.file)


def _import(args: argparse.Namespace, catalogue: Catalogue, library: Library) -> int:
    size = args.path.stat().st_size if args.path.is_file() else 0
    meter = Meter(args.path.name, args.json)
    try:
        installed = library.import_file(args.path, meter.checking(size))
    finally:
        meter.end()
    _report(args, installed)
    return 0


def _verify(args: argparse.Namespace, catalogue: Catalogue, library: Library) -> int:
    chosen = [library.find(name) for name in args.model] or library.models
    failed = 0
    for installed in chosen:
        meter = Meter(installed.path.name, args.json)
        try:
            checked = library.verify(installed, meter.checking(installed.entry.bytes))
        except DownloadError as error:
            meter.end()
            failed += 1
            print(f"sfumato: {error}", file=sys.stderr)
            if args.json:
                print(json.dumps({"path": str(installed.path), "error": str(error)}))
        else:
            meter.end()
            _report(args, checked)
    if not chosen and not args.json:
        print("There is no model to verify yet.")
    return 2 if failed else 0


def _remove(args: argparse.Namespace, catalogue: Catalogue, library: Library) -> int:
    part = _part_of(args.model, catalogue)
    if part is not None:
        discard(part)
        print(f"Deleted the unfinished download of {part.name}.")
        return 0
    installed = library.find(args.model)
    library.remove(installed, _to_trash)
    stays = installed.path.exists()
    print(
        f"{installed.path} is off the list; the file stays where it is."
        if stays
        else f"{installed.path.name} is in the trash."
    )
    return 0


def _part_of(name: str, catalogue: Catalogue) -> Path | None:
    try:
        final = catalogue.find(name).path_in(paths.models_dir())
    except DownloadError:
        return None
    return final if any(u.final == final for u in unfinished(paths.models_dir())) else None


def _to_trash(path: Path) -> bool:
    from PySide6.QtCore import QFile

    return QFile(str(path)).moveToTrash()


def _report(args: argparse.Namespace, installed: Installed) -> None:
    if args.json:
        print(json.dumps({**msgspec.to_builtins(installed.entry), "state": installed.state.value}))
        return
    known = {
        State.VERIFIED: f"verified: it is {installed.entry.model_id}",
        State.UNKNOWN: "ready; its checksum is not a published one, so its source is your word",
    }
    print(f"{installed.path}: {known.get(installed.state, installed.state.value)}")


class Meter:
    """Progress on stdout: a bar that is redrawn on a terminal, a JSON object a second elsewhere."""

    def __init__(self, name: str, as_json: bool) -> None:
        self._name = name
        self._bar = not as_json
        self._last = float("-inf")
        self._stage: Stage | None = None
        self._drawn = False

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._bar:
            width = shutil.get_terminal_size().columns - 1
            line = f"{self._name}  {bar(progress)}"
            sys.stdout.write("\r" + line[:width].ljust(width))
            sys.stdout.flush()
            self._drawn = True
        elif progress.stage is not self._stage or now - self._last >= _REPORT_SECONDS:
            print(json.dumps({"model": self._name, **asdict(progress)}), flush=True)
            self._last = now
        self._stage = progress.stage

    def checking(self, total: int) -> Callable[[int], None]:
        """What a checksum reports its bytes to."""
        return lambda done: self(Progress(Stage.CHECKING, min(done, total), total))

    def end(self) -> None:
        if self._drawn:
            print()
            self._drawn = False


def bar(progress: Progress) -> str:
    """One line, the most important first: it may be cut off on the right."""
    if not progress.total:
        return progress.note or progress.stage.value
    share = progress.bytes / progress.total
    cells = round(share * _BAR_CELLS)
    parts = [
        f"{100 * share:5.1f} %",
        "█" * cells + "░" * (_BAR_CELLS - cells),
        f"{progress.bytes / 1e9:.2f} of {progress.total / 1e9:.2f} GB",
    ]
    if progress.stage is Stage.DOWNLOADING:
        parts.append(f"{progress.bytes_per_second / 1e6:.1f} MB/s")
        if progress.eta_seconds is not None:
            parts.append(f"{duration(progress.eta_seconds)} left")
    else:
        parts.append(progress.note or progress.stage.value)
    return "  ".join(parts)


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _rate(text: str) -> float:
    value = float(text) * 1e6
    if not value > 0:
        raise ValueError(text)
    return value
