import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sfumato.store import Store, salvage

from . import damage


def write(folder: Path, data: bytes, log: bytes) -> Path:
    path = folder / "chats.db"
    path.write_bytes(data)
    path.with_name("chats.db-wal").write_bytes(log)
    return path


@given(data=st.binary(max_size=300), log=st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(tmp_path_factory, data, log):
    path = write(
        tmp_path_factory.getbasetemp(), b"SQLite format 3\0" + data, b"7\x7f\x06\x82" + log
    )
    salvage.read_database(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[bytes, bytes]:
    """A database and its log, both with messages."""
    folder = tmp_path_factory.mktemp("salvage")
    with Store.open(folder) as store:
        damage.fill(store, count=8)
    with Store.open(folder) as store:
        damage.fill(store, count=8, seed=2)
        copy = damage.copy_in_use(store, folder / "copy")
    return (copy / "chats.db").read_bytes(), (copy / "chats.db-wal").read_bytes()


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_is_read_without_an_error(files, tmp_path, seed):
    rng = random.Random(seed)
    damaged = [bytearray(data) for data in files]
    for data in damaged:
        for _ in range(rng.choice([1, 100, 5000])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        for _ in range(rng.choice([0, 3])):  # whole stretches of another page
            at, source = rng.randrange(len(data)), rng.randrange(len(data))
            data[at : at + 500] = data[source : source + 500]
        del data[rng.randrange(len(data) // 2, len(data)) :]
    salvage.read_database(write(tmp_path, *map(bytes, damaged)))


def test_every_row_of_a_sound_file_and_its_log_is_found(files, tmp_path):
    path = write(tmp_path, *files)
    found = salvage.read_database(path)
    db = sqlite3.connect(path)
    for table, rows in found.tables.items():
        stored = db.execute(f"SELECT * FROM {table}").fetchall()
        assert sorted(rows.values(), key=repr) == sorted(stored, key=repr), table
    db.close()
    assert found.cut_messages == set()


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_long_and_short_rows_of_any_page_size_are_found(tmp_path, page_size):
    path = tmp_path / "chats.db"
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA page_size = {page_size}")
    db.execute("CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    rows = [(f"{length}", "é" * length) for length in (*range(0, 1200, 7), 5000, 70_000, 300_000)]
    db.executemany("INSERT INTO settings VALUES (?, ?)", rows)
    db.commit()
    db.close()
    found = salvage.read_database(path).tables["settings"]
    assert sorted(found.values()) == sorted(rows)
