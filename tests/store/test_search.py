import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sfumato.store import chats, messages, search

from .conftest import memory_database


@pytest.fixture
def sky(db):
    chat = chats.create_chat(db, "Questions of colour")
    messages.add_prompt(db, chat.id, "Why is the sky blue? Déjà vu, said the café owner.")
    return chat


def found(db, query: str) -> list[str]:
    return [hit.snippet for hit in search.search(db, query)]


def test_words_are_found_by_their_beginnings_in_any_order(db, sky):
    assert len(found(db, "blu wh")) == 1


def test_accents_and_case_do_not_matter(db, sky):
    assert len(found(db, "CAFE deja")) == 1


def test_titles_come_before_messages(db, sky):
    chats.create_chat(db, "Sky")
    hits = search.search(db, "sky")
    assert [hit.message_id is None for hit in hits] == [True, False]


def test_a_snippet_marks_its_matches(db, sky):
    (hit,) = search.search(db, "sky")
    assert [hit.snippet[start:end] for start, end in hit.matches] == ["sky"]


def test_a_snippet_of_a_long_message_is_short(db, sky):
    messages.add_prompt(db, sky.id, "word " * 5000 + "needle " + "word " * 5000)
    assert len(found(db, "needle")[0]) < 200


def test_the_newest_message_comes_first(db, sky):
    messages.add_prompt(db, sky.id, "The sky again")
    assert found(db, "sky")[0] == "The sky again"


def test_what_a_message_gained_is_found_and_what_it_lost_is_not(db, sky):
    prompt = messages.add_prompt(db, sky.id, "Go on")
    answer = messages.begin_answer(db, prompt.id)
    messages.append_block(db, answer.id, 0, "alpha ")
    messages.append_block(db, answer.id, 1, "omega")
    assert found(db, "omega alpha")
    chats.rename_chat(db, sky.id, "Other")
    assert not found(db, "colour")


def test_deleted_chats_and_messages_are_not_found(db, sky):
    prompt = messages.add_prompt(db, sky.id, "unique")
    messages.delete_message(db, prompt.id)
    assert not found(db, "unique")
    chats.delete_chat(db, sky.id)
    assert not found(db, "sky")
    assert not found(db, "colour")


def test_words_inside_japanese_and_chinese_are_found(db, sky):
    messages.add_prompt(db, sky.id, "春についての俳句を書いてください")
    (hit,) = search.search(db, "俳句")
    assert [hit.snippet[start:end] for start, end in hit.matches] == ["俳句"]
    chats.rename_chat(db, sky.id, "俳句")
    assert len(search.search(db, "俳句")) == 2


def test_no_more_hits_than_asked_for(db, sky):
    for _ in range(20):
        messages.add_prompt(db, sky.id, "sky")
    assert len(search.search(db, "sky", limit=7)) == 7


def test_a_rebuilt_index_finds_the_same(db, sky):
    before = search.search(db, "s")
    search.rebuild(db)
    assert search.search(db, "s") == before


DB = memory_database()
messages.add_prompt(DB, chats.create_chat(DB, "*").id, 'a"b*c% NEAR(x) 日本')


@example("\0㐀")
@given(st.text() | st.text(alphabet='ab"*%_\\()- 日NEARANDOT\0\ufdd0'))
def test_any_text_is_a_valid_query(query):
    for hit in search.search(DB, query):
        assert all(0 <= start < end <= len(hit.snippet) for start, end in hit.matches)
