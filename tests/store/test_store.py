import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sfumato.errors import StoreError
from sfumato.store import Store, chats, database, messages, search
from sfumato.store.database import NotStoredError, StoreInUseError, StoreReadOnlyError

from .conftest import SmallDisk


def test_what_was_written_is_there_after_a_restart(folder):
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat, "kept")
    with Store.open(folder) as store:
        assert store.read(chats.get_chat, chat.id) == chat


def test_every_commit_waits_for_the_disk(store):
    def pragmas(db):
        return [db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous")]

    assert store.write(lambda db: db.execute("PRAGMA foreign_keys").fetchone()) == (1,)
    assert pragmas(store._database) == ["wal", 2]  # 2 is FULL


def test_writes_are_done_in_turn(store):
    chat = store.write(chats.create_chat)
    futures = [store.submit(chats.save_draft, chat.id, f"{n}") for n in range(50)]
    for future in futures:
        future.result()
    assert store.read(chats.load_draft, chat.id) == "49"


def test_a_reader_sees_one_state_while_another_thread_writes(store):
    chat = store.write(chats.create_chat)

    def count_twice(db) -> tuple[int, int]:
        first = len(messages.load_conversation(db, chat.id).messages)
        store.write(messages.add_prompt, chat.id, "Hello")
        return first, len(messages.load_conversation(db, chat.id).messages)

    assert store.read(count_twice) == (0, 0)


def test_any_thread_can_read(store):
    chat = store.write(chats.create_chat, "kept")
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(store.read(chats.get_chat, chat.id).title))
    thread.start()
    thread.join()
    assert seen == ["kept"]


def test_a_function_that_fails_leaves_nothing_behind(store):
    def half(db) -> None:
        chats.create_chat(db, "half")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        store.write(half)
    assert store.read(chats.list_chats) == []
    store.write(chats.create_chat, "next")


def test_closing_finishes_what_was_submitted(folder):
    store = Store.open(folder)
    for n in range(20):
        store.submit(chats.create_chat, f"{n}")
    store.close()
    with Store.open(folder) as again:
        assert len(again.read(chats.list_chats)) == 20


def test_closing_leaves_one_file_without_a_log(folder):
    with Store.open(folder) as store:
        store.write(chats.create_chat)
    assert not (folder / "chats.db-wal").exists()


def test_what_was_purged_is_in_no_byte_of_the_file(folder):
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat, "secret title")
        store.write(messages.add_prompt, chat.id, "secret prompt")
        store.write(chats.delete_chat, chat.id)
        store.write(chats.purge_chat, chat.id)
    assert b"secret" not in (folder / "chats.db").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="folders of Windows belong to their user anyway")
def test_the_folder_is_for_its_owner_only(store, folder):
    assert folder.stat().st_mode & 0o077 == 0


def test_a_second_store_on_the_folder_is_refused(store, folder):
    with pytest.raises(StoreInUseError, match="go to its window"):
        Store.open(folder)


@pytest.mark.parametrize(
    "name", ["Ünïcødé 日本 🎨", "per%20cent #hash ?query=1&mode=ro;'\"", "long/" + "x" * 200]
)
def test_any_folder_name_will_do(tmp_path, name):
    folder = tmp_path / name
    with Store.open(folder) as store:
        store.write(chats.create_chat, "kept")
    with Store.open(folder) as store:
        assert len(store.read(chats.list_chats)) == 1
        assert store.backup is not None
        store.backup.result()
    assert (folder / "chats.db").exists()


def test_a_symbolic_link_to_the_folder_will_do(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Store.open(tmp_path / "link") as store:
        store.write(chats.create_chat, "kept")
    assert (tmp_path / "real" / "chats.db").exists()


def test_a_name_too_long_for_the_database_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(StoreError, match="too long"):
        Store.open(tmp_path / "/".join("x" * 200 for _ in range(4)))


def test_a_file_in_the_place_of_the_folder_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreError, match="cannot be written"):
        Store.open(tmp_path / "data")


def test_a_damaged_search_index_is_made_again_when_it_stops_a_write(store):
    chat = store.write(chats.create_chat, "title")
    store.write(messages.add_prompt, chat.id, "needle in a haystack")
    store.write(lambda db: db.execute("UPDATE text_index_data SET block = x'00'"))
    store.write(messages.add_prompt, chat.id, "thread")
    assert len(store.read(search.search, "needle")) == 1
    assert len(store.read(search.search, "thread")) == 1


def write_until_full(store: Store, chat_id: int) -> list[str]:
    """The texts that were acknowledged."""
    stored: list[str] = []
    try:
        while True:
            text = f"{len(stored)} " + "x" * 3000
            store.write(messages.add_prompt, chat_id, text)
            stored.append(text)
    except NotStoredError:
        return stored


def test_on_a_full_disk_everything_acknowledged_stays_readable(disk):
    with Store.open(disk.path / "data") as store:
        chat = store.write(chats.create_chat)
        disk.fill()
        stored = write_until_full(store, chat.id)
        shown = store.read(messages.load_conversation, chat.id)
        assert [message.text for message in shown.messages] == stored
        disk.free()
    with Store.open(disk.path / "data") as store:
        shown = store.read(messages.load_conversation, chat.id)
        assert [message.text for message in shown.messages] == stored


def begin_an_answer(store: Store) -> int:
    chat = store.write(chats.create_chat)
    prompt = store.write(messages.add_prompt, chat.id, "Hello")
    answer = store.write(messages.begin_answer, prompt.id)
    store.write(messages.append_block, answer.id, 0, "stored, ")
    return answer.id


LONG = "in memory" + "y" * 100_000


def fail_to_append(store: Store, disk: SmallDisk) -> int:
    answer_id = begin_an_answer(store)
    disk.fill()
    with pytest.raises(NotStoredError, match="full"):
        store.write(messages.append_block, answer_id, 1, LONG)
    for draft in ("a" * 50_000, "b" * 50_000):
        with pytest.raises(NotStoredError):
            store.write(chats.save_draft, 0, draft)
    return answer_id


def test_on_a_full_disk_a_block_waits_in_memory_until_there_is_room(disk):
    with Store.open(disk.path / "data") as store:
        answer_id = fail_to_append(store, disk)
        assert store.unsaved_count == 2
        with pytest.raises(NotStoredError):
            store.retry_unsaved()
        disk.free()
        store.retry_unsaved()
        assert store.unsaved_count == 0
        assert store.read(messages.get_message, answer_id).text == "stored, " + LONG
        assert store.read(chats.load_draft, 0) == "b" * 50_000


def test_on_a_full_disk_the_next_write_that_succeeds_stores_what_waited_first(disk):
    with Store.open(disk.path / "data") as store:
        answer_id = fail_to_append(store, disk)
        disk.free()
        store.write(messages.append_block, answer_id, 2, "!")
        assert store.read(messages.get_message, answer_id).text == "stored, " + LONG + "!"


def test_what_waits_in_memory_is_stored_at_the_end_if_there_is_room(disk):
    with Store.open(disk.path / "data") as store:
        answer_id = fail_to_append(store, disk)
        disk.free()
    with Store.open(disk.path / "data") as store:
        assert store.read(messages.get_message, answer_id).text == "stored, " + LONG


def test_a_block_in_memory_whose_message_is_gone_does_not_stop_later_writes(disk):
    with Store.open(disk.path / "data") as store:
        answer_id = fail_to_append(store, disk)
        disk.free()
        other = database.connect(store.path)
        other.execute("DELETE FROM messages WHERE id = ?", (answer_id,))
        other.close()
        store.write(chats.create_chat, "next")
        assert store.unsaved_count == 0
        assert store.read(chats.load_draft, 0) == "b" * 50_000


def test_on_a_full_disk_everything_can_be_saved_elsewhere(disk, tmp_path):
    with Store.open(disk.path / "data") as store:
        answer_id = fail_to_append(store, disk)
        (tmp_path / "rescued").mkdir()
        store.save_elsewhere(tmp_path / "rescued" / "chats.db")
    with Store.open(tmp_path / "rescued") as rescued:
        assert rescued.read(messages.get_message, answer_id).text == "stored, " + LONG
        assert rescued.read(chats.load_draft, 0) == "b" * 50_000


def test_saving_elsewhere_in_a_place_that_does_not_exist_is_refused(store, tmp_path):
    with pytest.raises(StoreError):
        store.save_elsewhere(tmp_path / "nowhere" / "chats.db")


def test_on_a_full_disk_a_backup_fails_and_leaves_no_part(disk, clock):
    folder = disk.path / "data"
    with Store.open(folder) as store:
        store.write(chats.create_chat, "x" * 200_000)
    Store.open(folder).close()
    clock.move(days=2)
    disk.fill()
    with Store.open(folder) as store:
        if store.backup is not None:
            with pytest.raises(StoreError):
                store.backup.result()
        assert len(store.read(chats.list_chats)) == 1
    assert len(list((folder / "backups").iterdir())) == 1


def test_a_full_disk_at_the_start_still_shows_the_chats(disk):
    folder = disk.path / "data"
    with Store.open(folder) as store:
        store.write(chats.create_chat, "kept")
    disk.fill()
    with Store.open(folder) as store:
        assert [chat.title for chat in store.read(chats.list_chats)] == ["kept"]


def test_a_protected_disk_shows_the_chats_and_says_why_nothing_is_saved(disk):
    folder = disk.path / "data"
    with Store.open(folder) as store:
        store.write(chats.create_chat, "kept")
    disk.protect()
    try:
        with Store.open(folder) as store:
            assert "write-protected" in store.read_only
            assert [chat.title for chat in store.read(chats.list_chats)] == ["kept"]
            with pytest.raises(StoreReadOnlyError):
                store.write(chats.create_chat)
    finally:
        disk.unprotect()


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may write protected files; act as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_protected_file_shows_the_chats_and_stays_as_it_is(
    tmp_path: Path, request: pytest.FixtureRequest
):
    folder = tmp_path / "data"
    with Store.open(folder) as store:
        store.write(chats.create_chat, "kept")
    path = folder / database.FILE_NAME
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    path.chmod(0o444)
    folder.chmod(0o555)
    before = hashlib.sha256(path.read_bytes()).digest()
    make: Callable[[str], None] = request.getfixturevalue
    make("unprivileged")
    with Store.open(folder) as store:
        assert store.read_only
        assert [chat.title for chat in store.read(chats.list_chats)] == ["kept"]
    assert hashlib.sha256(path.read_bytes()).digest() == before
