import json
import sqlite3

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sfumato.errors import StoreError
from sfumato.store import chats, export, messages
from sfumato.store.types import AnswerStats, SamplerValues

from .conftest import memory_database


@pytest.fixture
def talk(db) -> int:
    chat = chats.create_chat(
        db, "Sky", folder="Work", system_prompt="Be terse.", sampler=SamplerValues(t_max=0.7)
    )
    prompt = messages.add_prompt(db, chat.id, "Why?\n日本")
    first = messages.begin_answer(db, prompt.id, model="DiffusionGemma")
    messages.append_block(db, first.id, 0, "Because", thinking="Hm.", steps=12, ms=9.5)
    messages.append_block(db, first.id, 1, " so.", settled=False)
    messages.finish_answer(db, first.id, "finished", AnswerStats(tokens=4, model="DiffusionGemma"))
    messages.begin_answer(db, prompt.id)
    messages.choose_version(db, first.id)
    return chat.id


def comparable(data: bytes) -> object:
    """An export with the ids of its messages counted from 0."""
    document = json.loads(data)
    del document["exported_ms"]
    for chat in document["chats"]:
        order = {message["id"]: at for at, message in enumerate(chat["messages"])}
        order[None] = None
        chat["chosen_id"] = order[chat["chosen_id"]]
        for message in chat["messages"]:
            for key in ("id", "parent_id", "chosen_id"):
                message[key] = order[message[key]]
    return document


def test_what_was_exported_comes_back_the_same(db, talk):
    data = export.to_json(db, [talk])
    other = memory_database()
    report = export.from_json(other, data)
    assert (report.messages, report.raw) == (3, 0)
    again = export.to_json(other)
    expected = json.dumps(comparable(data)).replace('"writing"', '"interrupted"')
    assert json.dumps(comparable(again)) == expected


def test_an_import_adds_and_replaces_nothing(db, talk):
    export.from_json(db, export.to_json(db, [talk]))
    assert [chat.title for chat in chats.list_chats(db)] == ["Sky", "Sky"]


def test_an_imported_answer_keeps_its_blocks(db, talk):
    report = export.from_json(db, export.to_json(db, [talk]))
    answer = messages.load_conversation(db, report.chat_ids[0]).messages[1]
    assert [block.text for block in messages.load_blocks(db, answer.id)] == ["Because", " so."]
    assert not answer.settled


def test_unknown_fields_survive_import_and_export(db):
    data = {
        "format": "sfumato-chats",
        "version": 1,
        "mood": "?",
        "chats": [
            {
                "title": "t",
                "colour": {"r": 1},
                "messages": [{"id": 1, "role": "user", "text": "x", "rating": 5}],
            }
        ],
    }
    export.from_json(db, json.dumps(data).encode())
    chat = json.loads(export.to_json(db))["chats"][0]
    assert chat["colour"] == {"r": 1}
    assert chat["messages"][0]["rating"] == 5


def test_a_message_that_cannot_be_understood_is_imported_as_raw_text(db):
    data = {
        "format": "sfumato-chats",
        "version": 1,
        "chats": [
            {"messages": [{"id": 1, "role": "user", "text": "x"}, {"id": 2, "text": [1]}, "loose"]}
        ],
    }
    report = export.from_json(db, json.dumps(data).encode())
    assert report.raw == 2
    shown = messages.load_conversation(db, report.chat_ids[0]).messages
    assert [message.raw for message in shown] == [False, True, True]
    assert shown[2].text == "loose"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"PK\x03\x04", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 100_000, "no JSON"),
        (b"[]", "no chats of Sfumato"),
        (b'{"format": "other", "chats": []}', "no chats of Sfumato"),
        (b'{"format": "sfumato-chats", "version": 1, "chats": {}}', "no chats of Sfumato"),
        (b'{"format": "sfumato-chats", "version": 2, "chats": []}', "newer"),
        (b'{"format": "sfumato-chats", "version": "1", "chats": []}', "newer"),
        (b'{"format": "sfumato-chats", "version": 1, "chats": [7]}', "nothing was imported"),
        (
            b'{"format": "sfumato-chats", "version": 1, "chats": [{"messages": 7}]}',
            "nothing was imported",
        ),
    ],
)
def test_what_is_no_export_is_refused_in_a_sentence(db, data, words):
    with pytest.raises(StoreError, match=words):
        export.from_json(db, data)


def test_a_refused_import_leaves_nothing_behind(store):
    good_then_bad = b'{"format": "sfumato-chats", "version": 1, "chats": [{"title": "a"}, 7]}'
    with pytest.raises(StoreError):
        store.write(export.from_json, good_then_bad)
    assert store.read(chats.list_chats) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([1e308, 2**63, -1, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(0, 4) | JSON,
        "parent_id": st.none() | st.integers(0, 4) | JSON,
        "chosen_id": st.integers(0, 4) | JSON,
        "role": st.sampled_from(["user", "assistant"]) | JSON,
        "text": st.text(max_size=9) | JSON,
        **dict.fromkeys(
            ("state", "thinking", "created_ms", "settled", "edited", "error", "stats"), JSON
        ),
        "blocks": st.lists(
            st.dictionaries(st.sampled_from(["characters", "steps", "ms", "settled"]), JSON) | JSON
        )
        | JSON,
    },
)
CHAT = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE | JSON, max_size=6)},
    optional=dict.fromkeys(
        (
            *("title", "folder", "pinned", "sampler", "thinking", "chosen_id", "created_ms"),
            *("updated_ms", "system_prompt", "extra", "deleted_ms"),
        ),
        JSON,
    ),
)


HUGE = [
    {
        "created_ms": number,
        "messages": [
            {
                "role": "user",
                "text": "x",
                "id": number,
                "created_ms": number,
                "stats": {"tokens": number},
                "blocks": [{"ms": number, "characters": number}],
            }
        ],
    }
    for number in (10**400, 2**64, 2**62, -(2**62), 1e308)
]


@example(HUGE)
@given(st.lists(CHAT, max_size=3))
def test_any_chats_are_imported_or_refused_and_can_be_shown_and_exported_again(found):
    db = memory_database()
    data = json.dumps({"format": "sfumato-chats", "version": 1, "chats": found}).encode()
    db.execute("BEGIN")
    try:
        report = export.from_json(db, data)
    except StoreError:
        return
    db.execute("COMMIT")  # foreign keys hold
    assert report.messages == sum(len(chat["messages"]) for chat in found)
    for chat_id in report.chat_ids:
        conversation = messages.load_conversation(db, chat_id)
        for message in conversation.messages:
            messages.load_blocks(db, message.id)
        export.to_markdown(conversation)
    again = export.from_json(db, export.to_json(db))
    assert again.messages == report.messages
    db.close()


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(data):
    db = sqlite3.connect(":memory:")
    with pytest.raises(StoreError):
        export.from_json(db, data)
    db.close()


def test_markdown_has_the_path_that_is_shown(db, talk):
    text = export.to_markdown(messages.load_conversation(db, talk))
    assert text.startswith("# Sky\n\n> Be terse.\n\n## You · 20")
    assert "Why?\n日本" in text
    assert "## DiffusionGemma · " in text
    assert "Because so." in text
