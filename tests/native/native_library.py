"""Loads, when imported, the build of the extension that SFUMATO_NATIVE_LIBRARY names, if any."""

import importlib.util
import os
import sys

if library := os.environ.get("SFUMATO_NATIVE_LIBRARY"):
    spec = importlib.util.spec_from_file_location("sfumato.engine._native", library)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
