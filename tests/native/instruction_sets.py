"""The instruction sets to test: each in a child, because a process chooses when it starts.

A processor without AMX runs its kernels with emulated tiles (native/cpu/emulated_tiles.h), in the
extension's emulated build.
"""

import sys

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
