"""Processes that use one instruction set each: it is chosen when a process starts.

A processor without AMX runs its kernels with emulated tiles (native/cpu/emulated_tiles.h), in the
extension's emulated build.
"""

import os
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

# The first lines of such a process.
LOAD = """
import importlib.util, os, sys
if library := os.environ.get("SFUMATO_NATIVE_LIBRARY"):
    spec = importlib.util.spec_from_file_location("sfumato.engine._native", library)
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
"""


def environment(isa: str) -> dict[str, str]:
    """Of a process that begins with LOAD."""
    names = {**os.environ, "SFUMATO_ISA": isa}
    if isa == "amx" and not _HAS["amx_int8"]:
        names["SFUMATO_NATIVE_LIBRARY"] = str(emulated_library())
    return names
