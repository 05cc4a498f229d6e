import shutil
import sqlite3
from pathlib import Path

import pytest
from sfumato.errors import StoreError
from sfumato.store import Store, backups, chats, database, messages, repair, search, settings
from sfumato.store.types import RepairReport

from . import damage


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "data"
    with Store.open(folder) as store:
        texts = damage.fill(store)
    return folder, texts


@pytest.fixture
def filled(original, folder):
    """The folder of a closed store, and its texts by message id."""
    shutil.copytree(original[0], folder)
    return folder, dict(original[1])


def back_up(folder) -> None:
    db = database.connect_reading(damage.path_of(folder))
    backups.make_backup(db, folder / "backups", "daily")
    db.close()


def only_report(store) -> RepairReport:
    ((_, report),) = store.read(repair.unseen_reports)
    return report


DAMAGES = {
    "cut to a half": damage.truncate(0.5),
    "cut to a few bytes": damage.truncate(0.0001),
    "cut within a page": damage.truncate(0.77),
    "no schema": damage.zero_pages(0, 1),
    "a hole": damage.zero_pages(20, 10),
    "zeros only": damage.zero_everything,
    "nothing at all": damage.truncate(0.0),
    "another file": lambda folder: damage.path_of(folder).write_bytes(b"PK\x03\x04" * 9999),
    "no file": lambda folder: damage.path_of(folder).unlink(),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_with_a_backup_nothing_of_it_is_lost(filled, how):
    folder, texts = filled
    back_up(folder)
    DAMAGES[how](folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        assert store.read(chats.load_draft, 0) == "Not yet sent"
        assert store.read(settings.load).theme == "dark"
        assert only_report(store).backup


@pytest.mark.parametrize("how", ["no schema", "a hole", "cut to a half", "cut within a page"])
def test_without_a_backup_what_can_be_read_is_salvaged(filled, how):
    folder, texts = filled
    DAMAGES[how](folder)
    with Store.open(folder) as store:
        found = damage.stored_texts(store)
        whole = {i for i, text in found.items() if texts[i] == text}
        assert len(whole) > len(texts) * 0.3
        for message_id in found.keys() - whole:
            assert texts[message_id].startswith(found[message_id].rstrip("\ufffd"))
            assert store.read(messages.get_message, message_id).raw
        report = only_report(store)
        assert (report.backup, report.messages) == ("", len(found))
        assert report.salvaged_messages == len(found)


def test_a_lost_schema_costs_nothing_but_itself(filled):
    folder, texts = filled
    DAMAGES["no schema"](folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts


def test_what_came_after_the_backup_is_salvaged_too(folder):
    with Store.open(folder) as store:
        texts = damage.fill(store)
        back_up(folder)
        texts |= damage.fill(store, seed=2)
        growing = max(texts)
        store.write(
            messages.append_block, growing, len(store.read(messages.load_blocks, growing)), "!"
        )
        texts[growing] += "!"
    DAMAGES["no schema"](folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        assert only_report(store).salvaged_messages == 120


def test_what_is_only_in_the_log_is_salvaged_too(filled, tmp_path):
    folder, texts = filled
    with Store.open(folder) as store:
        assert store.backup is not None
        store.backup.result()
        texts |= damage.fill(store, count=5, seed=3)
        damage.copy_in_use(store, tmp_path / "copy")
    folder = tmp_path / "copy"
    log = (folder / "chats.db-wal").read_bytes()
    damage.zero_pages(0, 10_000)(folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        assert (Path(only_report(store).moved_to) / "chats.db-wal").read_bytes() == log


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count", [1, 40])
def test_flipped_bits_never_stop_the_start_nor_hide_a_message_silently(filled, count, seed):
    folder, texts = filled
    back_up(folder)
    damage.flip_bits(count, seed)(folder)
    with Store.open(folder) as store:
        found = damage.stored_texts(store)
        assert found.keys() == texts.keys()
        store.write(chats.create_chat, "It goes on")
        if store.read(repair.unseen_reports):
            assert only_report(store).problem


def test_the_damaged_file_is_kept_untouched(filled):
    folder, _ = filled
    DAMAGES["a hole"](folder)
    before = damage.path_of(folder).read_bytes()
    with Store.open(folder) as store:
        moved_to = only_report(store).moved_to
    assert Path(moved_to).parent == folder / "damaged"
    assert damage.path_of(Path(moved_to)).read_bytes() == before


def test_the_report_is_told_until_it_was_seen(filled):
    folder, _ = filled
    DAMAGES["a hole"](folder)
    Store.open(folder).close()
    with Store.open(folder) as store:
        ((report_id, report),) = store.read(repair.unseen_reports)
        assert any("damaged" in sentence for sentence in report.sentences())
        store.write(repair.dismiss_report, report_id)
    with Store.open(folder) as store:
        assert store.read(repair.unseen_reports) == []


def test_a_repaired_database_can_be_searched_and_continued(filled):
    folder, _ = filled
    DAMAGES["no schema"](folder)
    with Store.open(folder) as store:
        assert store.read(search.search, "answer 17")
        chat = store.read(chats.list_chats)[0]
        before = store.read(messages.load_conversation, chat.id).messages
        prompt = store.write(messages.add_prompt, chat.id, "Go on")
        assert prompt.parent_id == before[-1].id
    with Store.open(folder) as store:
        assert store.read(repair.unseen_reports)


def test_messages_without_their_chat_come_back_in_a_recovered_one(folder):
    with Store.open(folder) as store:
        texts = damage.fill(store)
    db = sqlite3.connect(damage.path_of(folder))
    db.execute("DELETE FROM chats WHERE id = 2")
    db.execute("DELETE FROM messages WHERE id IN (5, 6)")
    db.commit()
    db.close()
    DAMAGES["no schema"](folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store).keys() == texts.keys() - {5, 6}
        assert repair.RECOVERED_TITLE in [chat.title for chat in store.read(chats.list_chats)]


def test_a_database_without_its_log_opens(filled, tmp_path):
    folder, texts = filled
    with Store.open(folder) as store:
        damage.fill(store, count=5, seed=3)
        damage.copy_in_use(store, tmp_path / "copy")
    (tmp_path / "copy" / "chats.db-wal").unlink()
    with Store.open(tmp_path / "copy") as store:
        assert damage.stored_texts(store) == texts


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_log_that_was_cut_costs_no_more_than_its_end(filled, tmp_path, share):
    folder, texts = filled
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat)
        for n in range(20):
            store.write(messages.add_prompt, chat.id, f"{n}")
        damage.copy_in_use(store, tmp_path / "copy")
    log = tmp_path / "copy" / "chats.db-wal"
    log.write_bytes(log.read_bytes()[: int(log.stat().st_size * share)])
    with Store.open(tmp_path / "copy") as store:
        found = damage.stored_texts(store)
        assert texts.items() <= found.items()
        later = [text for message_id, text in sorted(found.items()) if message_id not in texts]
        assert later == [f"{n}" for n in range(len(later))]


def test_of_a_text_that_differs_from_its_backup_the_backup_is_believed(filled):
    folder, texts = filled
    back_up(folder)
    path = damage.path_of(folder)
    path.write_bytes(path.read_bytes().replace(b"Prompt 3 ", b"Prampt 3 "))
    DAMAGES["no schema"](folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts


def test_an_index_that_hides_messages_is_noticed(filled):
    folder, texts = filled
    db = sqlite3.connect(damage.path_of(folder))
    db.execute("DROP INDEX messages_by_chat")
    db.execute("CREATE INDEX messages_by_chat ON messages (chat_id) WHERE id = 1")
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = replace(sql, ' WHERE id = 1', '') WHERE rootpage")
    db.commit()
    db.close()
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        assert "messages_by_chat" in only_report(store).problem


def test_damage_that_a_read_meets_is_said_and_repaired_by_the_next_start(filled):
    folder, texts = filled
    back_up(folder)
    with Store.open(folder) as store:
        damage.zero_pages(1, 10_000)(folder)
        with pytest.raises(database.StoreDamagedError, match="restart Sfumato"):
            store.read(messages.load_conversation, 1)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        assert only_report(store).backup


def test_a_search_index_that_a_search_finds_damaged_is_made_again_by_the_next_start(filled):
    folder, texts = filled
    with Store.open(folder) as store:
        store.write(lambda db: db.execute("UPDATE text_index_data SET block = x'00' WHERE id > 10"))
        with pytest.raises(database.StoreDamagedError, match="restart Sfumato"):
            store.read(search.search, "answer 17")
    with Store.open(folder) as store:
        assert store.read(search.search, "answer 17")
        assert damage.stored_texts(store) == texts
        assert "malformed" in only_report(store).problem


def test_another_applications_database_is_not_taken_for_ours(folder):
    folder.mkdir()
    db = sqlite3.connect(damage.path_of(folder))
    db.execute("CREATE TABLE moz_places (id)")
    db.close()
    before = damage.path_of(folder).read_bytes()
    with Store.open(folder) as store:
        report = only_report(store)
        assert "not a database of Sfumato" in report.problem
    assert (
        damage.path_of(folder / "damaged" / report.moved_to.split("/")[-1]).read_bytes() == before
    )


def test_a_damaged_database_of_a_newer_version_is_left_to_that_version(filled):
    folder, _ = filled
    db = sqlite3.connect(damage.path_of(folder))
    db.execute("INSERT INTO migrations VALUES ('m999_teleport', 1)")
    db.commit()
    db.close()
    DAMAGES["a hole"](folder)
    before = damage.path_of(folder).read_bytes()
    with pytest.raises(StoreError, match="newer Sfumato"):
        Store.open(folder)
    assert damage.path_of(folder).read_bytes() == before


def test_a_repair_on_a_full_disk_waits_for_room(disk):
    folder = disk.path / "data"
    with Store.open(folder) as store:
        texts = damage.fill(store, count=20)
    DAMAGES["no schema"](folder)
    before = damage.path_of(folder).read_bytes()
    disk.fill()
    with pytest.raises(StoreError, match="could not be repaired"):
        Store.open(folder)
    assert damage.path_of(folder).read_bytes() == before
    disk.free()
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts


def test_a_repair_that_cannot_be_done_leaves_the_damaged_file(filled, monkeypatch):
    folder, _ = filled
    DAMAGES["a hole"](folder)
    before = damage.path_of(folder).read_bytes()

    def fails(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "sync_file", fails)
    with pytest.raises(StoreError, match="could not be repaired"):
        Store.open(folder)
    assert damage.path_of(folder).read_bytes() == before
    monkeypatch.undo()
    with Store.open(folder) as store:
        assert only_report(store)


@pytest.mark.parametrize("how", ["zeros only", "cut to a half", "another file"])
def test_damaged_recordings_cost_no_chat(filled, how):
    folder, texts = filled
    (folder / "elsewhere").mkdir()
    path = folder / "recordings.db"
    path.rename(folder / "elsewhere" / database.FILE_NAME)
    DAMAGES[how](folder / "elsewhere")
    (folder / "elsewhere" / database.FILE_NAME).rename(path)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        assert only_report(store).what == "recordings"
