"""kill -9 at random moments, in real processes: nothing that was acknowledged is lost.

On a RAM disk where there is one: a killed process leaves what it wrote to the system, so waiting
for a real disk would prove no more. (Against a power cut stands `synchronous = FULL`.)
"""

import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sfumato.store import Store, backups, chats, database, messages, migrations, repair, search
from sfumato.store.types import AnswerStats, NewBlock

from . import damage

RUNS = 25
V1 = Path(__file__).parents[1] / "vectors" / "store" / "chats_v1.db"

CONTEXT = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
CONTEXT.set_forkserver_preload(["pytest", "sfumato.store"])

Child = Callable[[Connection, Path], None]


@pytest.fixture
def folder(ram: Path) -> Path:
    return ram / "data"


@pytest.fixture
def ram(tmp_path: Path) -> Iterator[Path]:
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as name:
        yield Path(name)


def run_and_kill(child: Child, folder: Path, acknowledgements: int, delay_s: float) -> list[Any]:
    """What the child acknowledged until it was killed, `delay_s` after that many."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=child, args=(theirs, folder))
    process.start()
    theirs.close()
    received: list[Any] = []
    try:
        while len(received) < acknowledgements:
            received.append(ours.recv())
        process.join(delay_s)
    finally:
        process.kill()
        process.join()
    try:
        while True:
            received.append(ours.recv())
    except EOFError:
        ours.close()
    return received


def moments(seed: int, most_acknowledgements: int, most_delay_s: float) -> Iterator[Any]:
    rng = random.Random(seed)
    for _ in range(RUNS):
        yield rng.randint(1, most_acknowledgements), rng.random() * most_delay_s


def moments_of_opening(seed: int, folder: Path) -> Iterator[Any]:
    """From before the first change of a copy of `folder` to after the last."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder.parent) as trial:
        shutil.copytree(folder, trial, dirs_exist_ok=True)
        run_and_kill(open_store, Path(trial), 2, 0)
    duration_s = time.perf_counter() - start
    yield 1, 0.0
    yield from itertools.islice(moments(seed, 1, duration_s), RUNS - 2)
    yield 2, 0.0


def save_prompts(pipe: Connection, folder: Path) -> None:
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat)
        for n in itertools.count():
            text = f"{n} " + "word " * (n * 37 % 400)
            prompt = store.write(messages.add_prompt, chat.id, text)
            pipe.send((prompt.id, text))


def test_a_kill_while_prompts_are_saved_loses_none_that_was_acknowledged(folder):
    expected: dict[int, str] = {}
    for acknowledgements, delay_s in moments(1, 12, 0.01):
        expected |= dict(run_and_kill(save_prompts, folder, acknowledgements, delay_s))
        with Store.open(folder) as store:
            assert expected.items() <= damage.stored_texts(store).items()
            assert store.read(repair.unseen_reports) == []


def commit_blocks(pipe: Connection, folder: Path) -> None:
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat)
        prompt = store.write(messages.add_prompt, chat.id, "Hello")
        answer = store.write(messages.begin_answer, prompt.id)
        for position in itertools.count():
            text = f"[{position}]" + "word " * (position * 37 % 300)
            store.write(messages.append_block, answer.id, position, text, ids=range(256))
            pipe.send((answer.id, text))


def test_a_kill_while_blocks_are_committed_loses_at_most_the_one_not_acknowledged(folder):
    for acknowledgements, delay_s in moments(2, 12, 0.01):
        blocks = run_and_kill(commit_blocks, folder, acknowledgements, delay_s)
        text = "".join(text for _, text in blocks)
        with Store.open(folder) as store:
            answer = store.read(messages.get_message, blocks[0][0])
            assert answer.text.startswith(text)
            assert answer.state == "interrupted"
            stored = store.read(messages.load_blocks, answer.id)
            assert len(stored) - len(blocks) in (0, 1)
            assert "".join(block.text for block in stored) == answer.text


def open_store(pipe: Connection, folder: Path) -> None:
    pipe.send("begun")
    with Store.open(folder):
        pipe.send("opened")
        threading.Event().wait()


@pytest.fixture
def large_v1(ram: Path) -> Path:
    """A folder with the first schema and enough text for a migration to take a while."""
    folder = ram / "large"
    folder.mkdir()
    path = folder / database.FILE_NAME
    shutil.copy(V1, path)
    db = sqlite3.connect(path)
    db.executemany(
        "INSERT INTO messages (chat_id, parent_id, role, state, created_ms, text)"
        " VALUES (4, 309, 'user', 'finished', 1, ?)",
        [(f"extra {n} " + "many words more " * 60,) for n in range(1500)],
    )
    db.commit()
    db.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    db.close()
    return folder


def test_a_kill_during_a_migration_leaves_the_old_or_the_new_schema_whole(large_v1, ram):
    steps_met = set()
    for run, (acknowledgements, delay_s) in enumerate(moments_of_opening(3, large_v1)):
        folder = ram / f"run {run}"
        shutil.copytree(large_v1, folder)
        run_and_kill(open_store, folder, acknowledgements, delay_s)
        db = database.connect(folder / database.FILE_NAME)
        steps_met |= set(db.execute("SELECT count(*) FROM migrations"))
        db.close()
        with Store.open(folder) as store:
            ids = store.read(lambda db: db.execute("SELECT id FROM messages").fetchall())
            assert len(ids) == 1809
            assert len(store.read(search.search, "extra 1499")) == 1
            assert store.read(repair.unseen_reports) == []
        found = backups.list_backups(folder / "backups")
        assert found[-1].reason == "migration"
        assert [backups.fault(backup.path) for backup in found] == [""] * len(found)
    # Each step is a transaction of its own: a kill may leave any number of them.
    all_steps = len(migrations.MIGRATIONS)
    assert {(1,), (all_steps,)} <= steps_met <= {(count,) for count in range(1, all_steps + 1)}


def back_up_for_ever(pipe: Connection, folder: Path) -> None:
    db = database.connect_reading(folder / database.FILE_NAME)
    while True:
        pipe.send(backups.make_backup(db, folder / "backups", "daily").name)


def test_a_kill_during_a_backup_leaves_good_backups_only(folder):
    with Store.open(folder) as store:
        texts = damage.fill(store)
    for acknowledgements, delay_s in moments(4, 2, 0.04):
        names = run_and_kill(back_up_for_ever, folder, acknowledgements, delay_s)
        found = backups.list_backups(folder / "backups")
        assert found[0].path.name >= names[-1]
        for backup in found:
            assert backups.fault(backup.path) == ""
    copy = database.connect(found[0].path, immutable=True)
    assert dict(copy.execute("SELECT id, text FROM messages")) == texts
    copy.close()


def test_a_kill_during_a_repair_costs_nothing(folder, ram):
    with Store.open(folder) as store:
        texts = damage.fill(store)
    damage.zero_pages(0, 1)(folder)
    damaged = damage.path_of(folder).read_bytes()
    for run, (acknowledgements, delay_s) in enumerate(moments_of_opening(5, folder)):
        copy = ram / f"run {run}"
        shutil.copytree(folder, copy)
        run_and_kill(open_store, copy, acknowledgements, delay_s)
        with Store.open(copy) as store:
            assert damage.stored_texts(store) == texts
            assert len(store.read(repair.unseen_reports)) == 1
        kept = list((copy / "damaged").glob(f"*/{database.FILE_NAME}"))
        assert [path.read_bytes() for path in kept] == [damaged]


STEPS = {"sqlite3.connect", "open", "os.rename", "os.remove", "os.mkdir", "shutil.copyfile"}


def die_at_step(folder: Path, step: int) -> None:
    """Open the store, and kill ourselves right before the given file operation of it."""
    steps = itertools.count()

    def before(event: str, arguments: object) -> None:
        if event in STEPS and str(folder) in repr(arguments) and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(before)
    Store.open(folder).close()


@pytest.mark.parametrize("case", ["repair", "migration"])
def test_a_kill_between_any_two_file_operations_costs_nothing(case, folder, large_v1, ram):
    if case == "repair":
        with Store.open(folder) as store:
            texts = damage.fill(store, count=20)
        with Store.open(folder) as store:
            store.backup.result()
        damage.zero_pages(0, 1)(folder)
    else:
        folder = large_v1
        db = database.connect(folder / database.FILE_NAME)
        texts = dict(db.execute("SELECT id, text FROM messages"))
        db.close()
    deaths = 0
    for step in itertools.count():
        copy = ram / f"step {step}"
        shutil.copytree(folder, copy)
        process = CONTEXT.Process(target=die_at_step, args=(copy, step))
        process.start()
        process.join()
        with Store.open(copy) as store:
            found = store.read(lambda db: db.execute("SELECT id, text FROM messages").fetchall())
            assert dict(found) == texts, step
            assert len(store.read(repair.unseen_reports)) == (case == "repair"), step
        shutil.rmtree(copy)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        deaths += 1
    assert deaths > 5


def hold_the_store(pipe: Connection, folder: Path) -> None:
    with Store.open(folder) as store:
        store.write(chats.create_chat, "kept")
        pipe.send("open")
        threading.Event().wait()


def test_two_processes_cannot_have_the_store_and_a_killed_one_lets_go(folder):
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=hold_the_store, args=(theirs, folder))
    process.start()
    theirs.close()
    ours.recv()
    with pytest.raises(database.StoreInUseError, match="Another Sfumato"):
        Store.open(folder)
    process.kill()
    process.join()
    with Store.open(folder) as store:
        assert [chat.title for chat in store.read(chats.list_chats)] == ["kept"]


def rewrite_answers(pipe: Connection, folder: Path) -> None:
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat)
        prompt = store.write(messages.add_prompt, chat.id, "Hello")
        answer = store.write(messages.begin_answer, prompt.id)
        for position in range(3):
            store.write(messages.append_block, answer.id, position, f"[{position}]", ids=range(256))
        store.write(messages.finish_answer, answer.id, "finished")
        pipe.send((chat.id, answer.id, "[0][1][2]"))
        for n in itertools.count():
            made = NewBlock(
                text=f"<{n}>",
                thinking="",
                ids=tuple(range(n, n + 256)),
                kept=256,
                steps=3,
                settled=True,
                mean_entropy=0.0,
                ms=1.0,
            )
            new = store.write(messages.add_rewritten, answer.id, {1: made}, AnswerStats())
            pipe.send((chat.id, new.id, f"[0]<{n}>[2]"))


def test_a_kill_while_answers_are_rewritten_leaves_whole_versions_only(folder):
    for acknowledgements, delay_s in moments(9, 12, 0.01):
        versions = run_and_kill(rewrite_answers, folder, acknowledgements, delay_s)
        with Store.open(folder) as store:
            (_, first, _), (_, newest, _) = versions[0], versions[-1]
            for _, message_id, text in versions:
                answer = store.read(messages.get_message, message_id)
                assert (answer.text, answer.state) == (text, "finished")
            stored = store.read(messages.get_message, first).versions
            assert len(stored) - len(versions) in (0, 1)
            for message_id in stored:
                blocks = store.read(messages.load_blocks, message_id)
                assert [len(block.ids) for block in blocks] == [256] * 3
            assert newest in stored
