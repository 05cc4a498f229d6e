"""Shared by all tests: offscreen Qt, folders of its own for every test, nothing of the user's."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# A run in a shell's background starts with Ctrl+C ignored, and so would the programs under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the real user's chats, models or settings."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("DATA", "CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("HF_HOME", str(home / "huggingface"))
    return home


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every use of the network fails, here and in child processes, and fails the test."""
    folder = Path(__file__).with_name("no_network")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "sitecustomize", raising=False)
    import sitecustomize

    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), inherited))))
    monkeypatch.setenv("SFUMATO_NO_NETWORK", "1")
    sitecustomize.forbid(True)
    yield
    sitecustomize.forbid(False)
    assert sitecustomize.FORBIDDEN == []
