"""The two engines that benches compare, each in its process, on random weights of one shape."""

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfumato.engine.random_model import Shape, write_random_model

HERE = Path(__file__).parent


class Engine:
    """A child process that takes one word a line and answers with one JSON object."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self._answer()

    def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def ms(self, line: str) -> float:
        return float(self.ask(line)["ms"])

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def random_models(kept: Path | None, name: str, shape: Shape, layers: int) -> Iterator[list[Path]]:
    """Our file and llama.cpp's of the same shape and types; those in `kept` stay there."""
    with tempfile.TemporaryDirectory(prefix="sfumato-bench-") as temporary:
        folder = kept or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for side, architecture in (("own", "diffusion-gemma"), ("llama", "gemma4")):
            path = folder / f"{name}-{layers}-{side}.gguf"
            if not path.exists():
                print(f"writing {path.name} …", file=sys.stderr, flush=True)
                write_random_model(path, layers=layers, shape=shape, architecture=architecture)
            paths.append(path)
        yield paths


def own_engine(path: Path, *options: str) -> Engine:
    return Engine(sys.executable, str(HERE / "own_step.py"), str(path), *options)


LLAMA_OPTIONS = {"plain": (), "repack": ("--repack",)}


def add_llama_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--llama-python", default=sys.executable, help="an interpreter with another llama.cpp build"
    )
    parser.add_argument(
        "--llama",
        choices=sorted(LLAMA_OPTIONS),
        help="its plain kernels or those on interleaved weights, else whichever are faster",
    )


def llama_engine(
    args: argparse.Namespace, path: Path, line: str, *options: str
) -> tuple[Engine, str]:
    """llama.cpp, having done `line` once, and the name of its configuration."""
    command = (args.llama_python, str(HERE / "llama_step.py"), str(path), *options)
    configuration = args.llama or _faster_llama(command, line)
    engine = Engine(*command, *LLAMA_OPTIONS[configuration])
    engine.ms(line)
    return engine, configuration


def _faster_llama(command: tuple[str, ...], line: str) -> str:
    times = {}
    for name, options in LLAMA_OPTIONS.items():
        engine = Engine(*command, *options)
        times[name] = min(engine.ms(line) for _ in range(3))
        engine.close()
        print(f"llama.cpp, {name}: {times[name]:,.0f} ms", file=sys.stderr, flush=True)
    return min(times, key=lambda name: times[name])


def times(own_ms: list[float], llama_ms: list[float]) -> dict[str, float]:
    """Median, least and most of both sides, as columns of the results."""
    return {
        f"{side}_{name}": round(of(ms), 1)
        for side, ms in (("own", own_ms), ("llama", llama_ms))
        for name, of in (("ms", statistics.median), ("min_ms", min), ("max_ms", max))
    }


def append(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(result), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(result)


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    except OSError:
        pass
    return platform.processor() or platform.machine()
