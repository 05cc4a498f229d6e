"""The extension with CUDA: that under test if it finds a card, else one with an emulated card.

The emulated build compiles the same kernels with the C++ compiler (native/cuda/emulator/README.md);
it lies in build/emulated and is brought up to date when a test first asks for it.
"""

import ctypes
import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sfumato.engine import _native

ROOT = Path(__file__).parents[2]
DEVICE = "cuda:0"


def extension() -> ModuleType:
    if any(gpu["usable"] for gpu in _native.cuda_devices()):
        return _with_handles(_native)
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the emulator runs on x86-64 Linux")
    library = emulated_library()
    spec = importlib.util.spec_from_file_location("emulated._native", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _with_handles(module)


def _with_handles(module: ModuleType) -> ModuleType:
    """An emulated card has a seed and a size to set."""
    library = ctypes.CDLL(module.__file__)
    if hasattr(library, "sfumato_emulator_seed"):
        library.sfumato_emulator_memory.argtypes = [ctypes.c_size_t]
        module.seed = library.sfumato_emulator_seed  # type: ignore[attr-defined]
        module.memory = library.sfumato_emulator_memory  # type: ignore[attr-defined]
    return module


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"building the emulated extension needs {name}")
    return found


def emulated_library() -> Path:
    """CUDA and AMX emulated."""
    folder = ROOT / "build/emulated"
    cmake, ninja = _tool("cmake"), _tool("ninja")
    cache = folder / "CMakeCache.txt"
    if not cache.exists() or "EMULATE_AMX:BOOL=ON" not in cache.read_text():
        configure = [
            cmake, "-G", "Ninja", "-S", str(ROOT / "native"), "-B", str(folder),
            f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DPython_EXECUTABLE={sys.executable}",
            "-DSFUMATO_CUDA=EMULATE", "-DSFUMATO_EMULATE_AMX=ON",
            "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2",
        ]  # fmt: skip
        _run(configure)
    _run([ninja, "-C", str(folder), "_native"])
    (library,) = folder.glob("_native.*.so")
    return library


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
