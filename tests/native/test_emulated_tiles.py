"""Emulated tiles judge the AMX kernels and are judged: against plain sums, by planted faults."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("c++"),
    reason="the tiles need x86-64 Linux and a C++ compiler",
)


def build(folder: Path, *flags: str) -> Path:
    program = folder / "check"
    command = [
        "c++", "-std=c++20", "-O1", "-I", str(NATIVE), *flags, "-o", str(program),
        str(HERE / "tile_check.cpp"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def run(program: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), what], capture_output=True, text=True)


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("tiles"), "-DSFUMATO_EMULATE_AMX")


@pytest.mark.parametrize("what", ["products", "zeros"])
def test_instructions_do_what_the_manual_says(what: str, check: Path) -> None:
    done = run(check, what)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stdout + done.stderr


@pytest.mark.parametrize("what", ["products", "zeros"])
def test_a_processor_with_tiles_agrees(what: str, tmp_path: Path) -> None:
    if "amx_int8" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AMX")
    done = run(build(tmp_path, "-mamx-tile", "-mamx-int8"), what)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("released", "no tile configuration"),
        ("shapes", "shapes do not fit"),
        ("rows", "a tile that is too large"),
    ],
)
def test_a_fault_ends_the_program_with_its_name(what: str, words: str, check: Path) -> None:
    done = run(check, what)
    assert done.returncode < 0
    assert words in done.stderr
