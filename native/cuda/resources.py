"""What each kernel takes on each architecture: registers, shared memory, spills; needs nvcc.

python native/cuda/resources.py                compiles everything, writes resources.csv
python native/cuda/resources.py --log LOG      the same from the output of a build with -Xptxas -v
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE / "resources.csv"
ARCHITECTURES = (80, 86, 89, 90, 120, 121)
FLAGS = ["-std=c++20", "-O3", "--expt-relaxed-constexpr", "-diag-suppress=554"]
RECORDED_WITH = "13.0"  # nvcc; another one allots registers otherwise
COLUMNS = ("kernel", "architecture", "registers", "shared", "stack", "spill_stores", "spill_loads")

Key = tuple[str, int]  # kernel, architecture
Row = tuple[int, int, int, int, int]  # the other columns


def compile_file(source: Path, architecture: int) -> str:
    """What ptxas says of one file; raises RuntimeError with the compiler's words."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "nvcc", *FLAGS, f"-arch=sm_{architecture}", "-cubin", "-Xptxas", "-v",
            "-I", str(HERE.parent), "-o", str(Path(folder) / "out.cubin"), str(source),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stderr


def compiler_version() -> str:
    said = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"release (\d+\.\d+)", said)
    return found[1] if found else "unknown"


def parse(text: str) -> dict[Key, Row]:
    """Rows of ptxas -v output."""
    rows: dict[Key, Row] = {}
    names: list[Key] = []
    current: Key | None = None
    frame = (0, 0, 0)
    for line in text.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)' for 'sm_(\d+)a?'", line):
            current = (found[1], int(found[2]))
            names.append(current)
        elif found := re.search(r"(\d+) bytes stack frame, (\d+) .* stores, (\d+) .* loads", line):
            frame = (int(found[1]), int(found[2]), int(found[3]))
        elif (found := re.search(r"Used (\d+) registers", line)) and current:
            shared = re.search(r"(\d+) bytes smem", line)
            rows[current] = (int(found[1]), int(shared[1]) if shared else 0, *frame)
            current = None
    return dict(zip(_demangled(names), (rows[name] for name in names), strict=True))


def _demangled(names: list[Key]) -> list[Key]:
    text = "\n".join(name for name, _ in names)
    done = subprocess.run(["c++filt"], input=text, capture_output=True, text=True, check=True)
    return [
        (_short(long), key[1]) for long, key in zip(done.stdout.splitlines(), names, strict=True)
    ]


def _short(name: str) -> str:
    """The name and its template arguments: gate_up_kernel<12, 3>."""
    name = re.sub(r"\((?:anonymous namespace|sfumato::DType)\)(?:::)?", "", name)
    name = re.sub(r"(?:void |sfumato::|cuda::)", "", name)
    return name[: name.index("(")].strip()


def read_table() -> dict[Key, Row]:
    with TABLE.open(newline="", encoding="utf-8") as lines:
        return {
            (row["kernel"], int(row["architecture"])): tuple(int(row[c]) for c in COLUMNS[2:])
            for row in csv.DictReader(lines)
        }


def write_table(rows: dict[Key, Row]) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows((*key, *row) for key, row in sorted(rows.items()))


def main(arguments: Iterable[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path)
    args = parser.parse_args(list(arguments))
    if args.log:
        write_table(parse(args.log.read_text("utf-8")))
        return
    jobs = [(source, a) for source in sorted(HERE.glob("*.cu")) for a in ARCHITECTURES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = pool.map(lambda job: compile_file(*job), jobs)
    write_table({key: row for text in texts for key, row in parse(text).items()})


if __name__ == "__main__":
    main(sys.argv[1:])
