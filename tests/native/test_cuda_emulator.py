"""The emulator that judges the kernels is judged: against plain loops, and by planted faults."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("c++"),
        reason="the emulator needs x86-64 Linux and a C++ compiler",
    ),
]


def build(folder: Path, *flags: str) -> Path:
    program = folder / "check"
    command = [
        "c++", "-std=c++20", "-O1", "-fno-strict-aliasing", *flags,
        "-I", str(NATIVE / "cuda/emulator"), "-I", str(NATIVE), "-o", str(program),
        "-x", "c++", str(HERE / "emulator_check.cu"), str(NATIVE / "cuda/emulator/emulator.cpp"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("emulator"))


@pytest.fixture(scope="module")
def watched_check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By the address sanitizer."""
    ask = ["c++", "-print-file-name=libasan.so"]
    if "/" not in subprocess.run(ask, capture_output=True, text=True).stdout:
        pytest.skip("this compiler has no libasan")
    return build(tmp_path_factory.mktemp("watched"), "-fsanitize=address", "-g")


def run(program: Path, what: str, seed: int = 1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), what],
        capture_output=True,
        text=True,
        env={"SFUMATO_EMULATOR_SEED": str(seed), "ASAN_OPTIONS": "detect_leaks=0"},
    )


@pytest.mark.parametrize("what", ["products", "copies"])
def test_instructions_do_what_the_manual_says(what: str, check: Path) -> None:
    done = run(check, what)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stdout + done.stderr


def test_streams_keep_the_order_that_events_ask_for(check: Path) -> None:
    for seed in range(1, 6):
        done = run(check, "streams", seed)
        assert (done.returncode, done.stdout) == (0, "ok\n"), done.stdout + done.stderr


def test_a_missing_event_shows(check: Path) -> None:
    assert all(run(check, "hurry", seed).returncode == 0 for seed in (1, 2, 3))


def test_a_missing_barrier_shows(check: Path) -> None:
    assert all(run(check, "race", seed).returncode == 0 for seed in (1, 2, 3))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("deadlock", "wait for each other in vain"),
        ("overrun", "beyond its shared memory"),
        ("forgotten", "was not joined"),
        ("outside", "outside the capture"),
        ("host in a body", "a host function in the body of a condition"),
    ],
)
def test_a_fault_ends_the_program_with_its_name(what: str, words: str, check: Path) -> None:
    done = run(check, what)
    assert done.returncode < 0
    assert words in done.stderr


@pytest.mark.parametrize("what", ["products", "copies", "streams"])
def test_the_address_sanitizer_takes_no_switch_for_a_fault(what: str, watched_check: Path) -> None:
    done = run(watched_check, what)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.mark.parametrize(
    ("what", "kernel"), [("overread", "overread_kernel"), ("beyond", "sum_kernel")]
)
def test_the_address_sanitizer_ends_what_reads_beyond_its_memory(
    what: str, kernel: str, watched_check: Path
) -> None:
    done = run(watched_check, what)
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr
    assert kernel in done.stderr
