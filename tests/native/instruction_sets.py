"""The instruction sets to test: each in a child, because a process chooses when it starts.

A processor without AMX runs its kernels with emulated tiles (native/cpu/emulated_tiles.h), in the
extension's emulated build.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import child
import pytest
from gpu import emulated_library
from sfumato.engine import _native

_FEATURES = {"portable": None, "avx2": "avx2", "avxvnni": "avxvnni", "avx512vnni": "avx512vnni"}
_HAS = _native.cpu_features()

_OWN = [name for name, feature in _FEATURES.items() if feature is None or _HAS[feature]]
_TILES = _HAS["amx_int8"] or (_HAS["avx512vnni"] and sys.platform == "linux")

# All that this machine can run; the first test with emulated tiles builds them.
ISAS = [*_OWN, *([pytest.param("amx", marks=pytest.mark.timeout(1200))] if _TILES else [])]


def names(isa: str) -> dict[str, str]:
    """For the environment of a child that uses it."""
    names = {"SFUMATO_ISA": isa}
    if isa == "amx" and not _HAS["amx_int8"]:
        names["SFUMATO_NATIVE_LIBRARY"] = str(emulated_library())
    return names


_CODE = """
import pickle, sys
from sfumato.engine import _native
while True:
    name, args, options = pickle.load(sys.stdin.buffer)
    pickle.dump(getattr(_native, name)(*args, **options), sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


@contextmanager
def extension(isa: str) -> Iterator[Callable[..., Any]]:
    """Calls functions of the extension by name, in a process that uses `isa`."""
    process = subprocess.Popen(
        child.command(_CODE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child.environment(**names(isa)),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def call(name: str, *args: Any, **options: Any) -> Any:
        pickle.dump((name, args, options), stdin)
        stdin.flush()
        return pickle.load(stdout)

    assert call("instruction_set") == isa
    yield call
    process.kill()
    process.wait()
    stdin.close()
    stdout.close()
