"""What the README promises about a person's chats, one test a promise.

The other files of this folder look at each more closely.
"""

import sqlite3

import pytest
from sfumato.store import Store, backups, chats, database, messages, repair
from sfumato.store.database import NotStoredError, StoreReadOnlyError

from . import damage


def test_1_a_sent_prompt_and_a_draft_are_on_disk_when_the_call_returns(store, tmp_path):
    chat = store.write(chats.create_chat)
    store.write(messages.add_prompt, chat.id, "Why is the sky blue?")
    store.submit(chats.save_draft, chat.id, "And at du").result()
    with Store.open(damage.copy_in_use(store, tmp_path / "copy")) as left:
        (prompt,) = left.read(messages.load_conversation, chat.id).messages
        assert prompt.text == "Why is the sky blue?"
        assert left.read(chats.load_draft, chat.id) == "And at du"


def test_2_a_committed_block_is_on_disk_and_only_the_unfinished_one_is_lost(store, tmp_path):
    chat = store.write(chats.create_chat)
    prompt = store.write(messages.add_prompt, chat.id, "Why?")
    answer = store.write(messages.begin_answer, prompt.id)
    store.write(messages.append_block, answer.id, 0, "Because ")
    store.write(messages.append_block, answer.id, 1, "of ")
    with Store.open(damage.copy_in_use(store, tmp_path / "copy")) as left:
        cut_off = left.read(messages.get_message, answer.id)
        assert (cut_off.text, cut_off.state) == ("Because of ", "interrupted")


def test_3_deleting_can_be_undone_for_30_days(folder, clock):
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat, "gone")
        prompt = store.write(messages.add_prompt, chat.id, "Hello")
        store.write(messages.delete_message, prompt.id)
        store.write(chats.delete_chat, chat.id)
    clock.move(days=29)
    with Store.open(folder) as store:
        assert store.read(chats.list_chats) == []
        store.write(chats.restore_chat, chat.id)
        assert len(store.write(messages.restore_message, prompt.id).messages) == 1
        store.write(chats.delete_chat, chat.id)
    clock.move(days=31)
    with Store.open(folder) as store:
        assert store.read(chats.list_deleted_chats) == []


def test_4_a_newer_or_damaged_record_is_shown_as_raw_text(store):
    chat = store.write(chats.create_chat)
    prompt = store.write(messages.add_prompt, chat.id, "Why?")
    answer = store.write(messages.begin_answer, prompt.id)
    store.write(messages.append_block, answer.id, 0, "Because")
    store.write(lambda db: db.execute("ALTER TABLE messages ADD COLUMN mood TEXT DEFAULT 'good'"))
    store.write(lambda db: db.execute("UPDATE messages SET role = 'oracle', stats = '{' || x'ff'"))
    shown = store.read(messages.load_conversation, chat.id).messages
    assert [(message.text, message.raw) for message in shown] == [("Why?", True), ("Because", True)]
    store.write(messages.edit_message, answer.id, "Therefore")
    assert store.read(lambda db: db.execute("SELECT DISTINCT mood FROM messages").fetchall()) == [
        ("good",)
    ]


def test_5_a_newer_schema_opens_read_only_and_a_migration_leaves_a_backup(folder):
    Store.open(folder).close()
    db = sqlite3.connect(folder / database.FILE_NAME)
    db.execute("INSERT INTO migrations VALUES ('m999_teleport', 1)")
    db.commit()
    with Store.open(folder) as store:
        assert "newer Sfumato" in store.read_only
        with pytest.raises(StoreReadOnlyError):
            store.write(chats.create_chat)
    db.execute("DELETE FROM migrations WHERE name IN ('m999_teleport', 'm002_search')")
    for name in ("title_index", "text_index"):
        for trigger in ("insert", "update", "delete"):
            db.execute(f"DROP TRIGGER {name}_{trigger}")
        db.execute(f"DROP TABLE {name}")
    db.commit()
    db.close()
    with Store.open(folder) as store:
        assert store.read_only == ""
        store.write(chats.create_chat)
    assert [b.reason for b in backups.list_backups(folder / "backups")] == ["migration"]


def test_6_seven_daily_and_four_weekly_backups_are_kept_and_all_are_good(folder, clock):
    for day in range(60):
        clock.move(days=1.01)
        with Store.open(folder) as store:
            store.write(chats.create_chat, f"{day}")
    found = backups.list_backups(folder / "backups")
    assert len(found) == 11
    assert {(found[0].made - backup.made).days for backup in found[:7]} == set(range(7))
    assert (found[0].made - found[-1].made).days > 28
    assert [backups.fault(backup.path) for backup in found] == [""] * 11


def test_7_a_damaged_database_is_set_aside_salvaged_restored_and_told(folder):
    with Store.open(folder) as store:
        texts = damage.fill(store, count=20)
    with Store.open(folder) as store:
        assert store.backup is not None
        store.backup.result()
        texts |= damage.fill(store, count=5, seed=2)
    damage.zero_pages(0, 1)(folder)
    with Store.open(folder) as store:
        assert damage.stored_texts(store) == texts
        ((_, report),) = store.read(repair.unseen_reports)
        assert report.salvaged_messages == 10
        assert report.backup
        assert report.moved_to.startswith(str(folder / "damaged"))
        assert all(sentence.endswith(".") for sentence in report.sentences())


def test_8_on_a_full_disk_the_text_stays_in_memory_and_can_be_saved_elsewhere(disk, tmp_path):
    with Store.open(disk.path / "data") as store:
        chat = store.write(chats.create_chat)
        prompt = store.write(messages.add_prompt, chat.id, "Why?")
        answer = store.write(messages.begin_answer, prompt.id)
        disk.fill()
        with pytest.raises(NotStoredError, match="save it elsewhere"):
            store.write(messages.append_block, answer.id, 0, "long " * 100_000)
        assert store.unsaved_count == 1
        store.save_elsewhere(tmp_path / "chats.db")
    with Store.open(tmp_path) as store:
        assert store.read(messages.get_message, answer.id).text == "long " * 100_000
