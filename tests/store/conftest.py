"""A store in a folder of its own, a database in memory, a clock that can be set."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings
from sfumato.store import Store, database, migrations, recordings

# The machine may be busy: no example is too slow.
settings.register_profile("store", deadline=None)
settings.load_profile("store")

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder) as opened:
        yield opened


def memory_database() -> sqlite3.Connection:
    """What the functions of the store work on, without a file."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(db)
    recordings.attach_reading(db)
    return db


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = memory_database()
    yield made
    made.close()


class Clock:
    """Milliseconds that only a test moves on."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def move(self, *, days: float = 0) -> None:
        self.now_ms += int(days * DAY_MS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(1_790_000_000_000)
    fake = SimpleNamespace(time_ns=lambda: made.now_ms * 1_000_000)
    monkeypatch.setattr(database, "time", fake)
    return made


# Disks that are full or protected need a file system of their own.


class SmallDisk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        file = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with contextlib.suppress(OSError):
            while True:
                os.write(file, bytes(4096))
        os.close(file)

    def free(self) -> None:
        self._filler.unlink()

    def protect(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)

    def unprotect(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "small disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small tmpfs cannot be mounted here")
    yield SmallDisk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)
