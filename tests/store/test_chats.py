import pytest
from sfumato.errors import StoreError
from sfumato.store import chats, messages, recordings
from sfumato.store.recordings import StepRecord
from sfumato.store.types import SamplerValues

STEP = StepRecord(1, [1], ["a"], b"\x01", b"\x00", 0.1, 1.0)


def titles(db) -> list[str]:
    return [chat.title for chat in chats.list_chats(db)]


def test_the_most_recently_used_chat_comes_first(db):
    first = chats.create_chat(db, "first")
    chats.create_chat(db, "second")
    messages.add_prompt(db, first.id, "Hello")
    assert titles(db) == ["first", "second"]


def test_a_clock_set_back_does_not_shuffle_the_list(db, clock):
    chats.create_chat(db, "before")
    clock.move(days=-400)
    chats.create_chat(db, "after")
    assert titles(db) == ["after", "before"]


def test_pinned_chats_come_first(db):
    pinned = chats.create_chat(db, "pinned")
    chats.create_chat(db, "other")
    chats.pin_chat(db, pinned.id, True)
    assert titles(db) == ["pinned", "other"]


def test_a_chat_keeps_what_its_answers_are_made_with(db):
    chat = chats.create_chat(db)
    sampler = SamplerValues(t_max=0.6, seed=0)
    changed = chats.configure_chat(
        db, chat.id, system_prompt="Be terse.", preset_id=None, sampler=sampler, thinking=True
    )
    assert (changed.system_prompt, changed.sampler, changed.thinking) == (
        "Be terse.",
        sampler,
        True,
    )


def test_sampler_values_that_cannot_be_read_count_as_the_models_own(db):
    chat = chats.create_chat(db)
    db.execute('UPDATE chats SET sampler = \'{"t_max": "hot"}\'')
    assert chats.get_chat(db, chat.id).sampler == SamplerValues()


def test_a_chat_that_is_gone_is_an_error_in_words(db):
    with pytest.raises(StoreError, match="does not exist any more"):
        messages.load_conversation(db, 5)


def test_a_draft_is_kept_per_chat_and_for_the_chat_to_come(db):
    chat = chats.create_chat(db)
    chats.save_draft(db, chat.id, "one")
    chats.save_draft(db, chats.NEW_CHAT, "two")
    chats.save_draft(db, chat.id, "one more")
    assert chats.load_draft(db, chat.id) == "one more"
    assert chats.load_draft(db, chats.NEW_CHAT) == "two"


def test_a_deleted_chat_can_be_restored_for_30_days(db, clock):
    chat = chats.create_chat(db, "gone")
    messages.add_prompt(db, chat.id, "Hello")
    chats.delete_chat(db, chat.id)
    assert titles(db) == []
    clock.move(days=29.9)
    chats.purge_deleted(db)
    assert [c.title for c in chats.list_deleted_chats(db)] == ["gone"]
    assert chats.restore_chat(db, chat.id).deleted_ms is None
    assert len(messages.load_conversation(db, chat.id).messages) == 1


def test_after_30_days_everything_of_a_deleted_chat_is_gone(db, clock):
    chat = chats.create_chat(db)
    prompt = messages.add_prompt(db, chat.id, "Hello")
    answer = messages.begin_answer(db, prompt.id)
    messages.append_block(db, answer.id, 0, "Hi")
    recordings.save_recording(db, answer.id, 0, [STEP], 1000)
    chats.save_draft(db, chat.id, "draft")
    chats.delete_chat(db, chat.id)
    clock.move(days=30.1)
    chats.purge_deleted(db)
    recordings.remove_orphans(db)
    for table in ("chats", "messages", "blocks", "drafts", "recordings.recordings"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_after_30_days_a_deleted_message_goes_with_what_followed(db, clock):
    chat = chats.create_chat(db)
    kept = messages.add_prompt(db, chat.id, "kept")
    doomed = messages.add_prompt(db, chat.id, "doomed")
    at = messages.begin_answer(db, doomed.id).id
    for _ in range(1500):  # deeper than SQLite lets triggers recurse
        at = messages._insert(db, chat.id, at, "user", "finished", "deep")
    messages.delete_message(db, doomed.id)
    clock.move(days=31)
    assert chats.purge_deleted(db) == 1502
    assert [row[0] for row in db.execute("SELECT id FROM messages")] == [kept.id]


def test_a_chat_deleted_while_the_clock_ran_ahead_keeps_its_30_days(db, clock):
    clock.move(days=3000)
    chat = chats.create_chat(db, "kept")
    chats.delete_chat(db, chat.id)
    clock.move(days=-3000)
    chats.purge_deleted(db)
    clock.move(days=29)
    chats.purge_deleted(db)
    assert [c.title for c in chats.list_deleted_chats(db)] == ["kept"]
    clock.move(days=2)
    assert chats.purge_deleted(db) == 1


def test_emptying_the_bin_takes_deleted_chats_only(db):
    chat = chats.create_chat(db)
    with pytest.raises(StoreError, match="delete it first"):
        chats.purge_chat(db, chat.id)
    chats.delete_chat(db, chat.id)
    chats.purge_chat(db, chat.id)
    assert chats.list_deleted_chats(db) == []
