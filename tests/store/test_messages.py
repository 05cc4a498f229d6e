import sqlite3

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sfumato.errors import StoreError
from sfumato.store import chats, messages
from sfumato.store.types import AnswerStats, Message

from .conftest import memory_database


def texts(db: sqlite3.Connection, chat_id: int) -> list[str]:
    return [message.text for message in messages.load_conversation(db, chat_id).messages]


@pytest.fixture
def answered(db: sqlite3.Connection) -> tuple[Message, Message]:
    """A prompt and its answer of two blocks."""
    chat = chats.create_chat(db)
    prompt = messages.add_prompt(db, chat.id, "Why is the sky blue?")
    answer = messages.begin_answer(db, prompt.id, model="DiffusionGemma", device="cpu", seed=7)
    messages.append_block(db, answer.id, 0, "Rayleigh ", thinking="Hm.", ids=[5, 6], steps=12)
    messages.append_block(db, answer.id, 1, "scattering.", ids=[7], steps=48, settled=False)
    return prompt, messages.finish_answer(db, answer.id, "finished", AnswerStats(tokens=3))


def test_an_answer_grows_by_its_blocks(db, answered):
    answer = messages.get_message(db, answered[1].id)
    assert (answer.text, answer.thinking, answer.state) == (
        "Rayleigh scattering.",
        "Hm.",
        "finished",
    )


def test_an_answer_with_an_unsettled_block_is_unsettled(answered):
    assert not answered[1].settled
    assert answered[1].unsettled == ((9, 20),)
    assert answered[1].unsettled_thinking == ()


def test_thinking_that_ran_out_of_steps_is_found_in_the_thinking(db, answered):
    messages.append_block(db, answered[1].id, 2, "", thinking="And so on", settled=False)
    answer = messages.get_message(db, answered[1].id)
    assert answer.unsettled == ((9, 20),)
    assert answer.unsettled_thinking == ((3, 12),)


def test_a_message_is_shown_where_its_blocks_cannot_be_read(db, answered):
    db.execute("ALTER TABLE blocks RENAME TO lost")
    answer = messages.get_message(db, answered[1].id)
    assert (answer.text, answer.unsettled) == ("Rayleigh scattering.", ())


def test_blocks_of_unknown_length_are_marked_nowhere(db, answered):
    db.execute("UPDATE blocks SET characters = 'many' WHERE position = 0")
    (answer,) = messages.load_conversation(db, answered[1].chat_id).messages[1:]
    assert answer.unsettled == ()


def test_blocks_carry_their_slices_of_the_text(db, answered):
    blocks = messages.load_blocks(db, answered[1].id)
    assert [(b.text, b.thinking, b.ids, b.settled) for b in blocks] == [
        ("Rayleigh ", "Hm.", (5, 6), True),
        ("scattering.", "", (7,), False),
    ]


def test_a_block_stored_twice_counts_once(db, answered):
    messages.append_block(db, answered[1].id, 1, "scattering.")
    assert messages.get_message(db, answered[1].id).text == "Rayleigh scattering."


def test_a_block_cannot_skip_one(db, answered):
    with pytest.raises(StoreError, match="before block 2"):
        messages.append_block(db, answered[1].id, 3, "!")


def test_regenerating_adds_a_version_and_keeps_the_first(db, answered):
    prompt, answer = answered
    second = messages.begin_answer(db, prompt.id)
    assert second.versions == (answer.id, second.id)
    assert second.version == 2
    assert texts(db, prompt.chat_id) == ["Why is the sky blue?", ""]


def test_walking_to_a_version_shows_the_conversation_as_it_was_left(db, answered):
    prompt, answer = answered
    messages.add_prompt(db, prompt.chat_id, "And at dusk?")
    other = messages.begin_answer(db, prompt.id)
    assert texts(db, prompt.chat_id) == ["Why is the sky blue?", ""]
    shown = messages.choose_version(db, answer.id)
    assert [m.text for m in shown.messages][-1] == "And at dusk?"
    shown = messages.choose_version(db, other.id)
    assert shown.messages[-1].id == other.id


def test_editing_a_prompt_makes_a_branch_and_keeps_the_old_one(db, answered):
    prompt, answer = answered
    edited = messages.edit_message(db, prompt.id, "Why is the sea blue?")
    assert texts(db, prompt.chat_id) == ["Why is the sea blue?"]
    assert edited.versions == (prompt.id, edited.id)
    shown = messages.choose_version(db, prompt.id)
    assert shown.messages[1].id == answer.id


def test_an_edited_answer_says_so(db, answered):
    edited = messages.edit_message(db, answered[1].id, "Because.")
    assert edited.edited
    assert edited.state == "finished"
    assert messages.get_message(db, answered[1].id).text == "Rayleigh scattering."


def test_an_answer_goes_on_after_it_was_stopped(db, answered):
    answer = messages.finish_answer(db, answered[1].id, "stopped")
    assert messages.resume_answer(db, answer.id).state == "writing"
    messages.append_block(db, answer.id, 2, " Indeed.")
    assert messages.finish_answer(db, answer.id, "finished").text.endswith("scattering. Indeed.")


def test_stats_survive_an_end_without_new_ones(db, answered):
    assert messages.finish_answer(db, answered[1].id, "stopped").stats.tokens == 3


def test_a_failed_answer_keeps_its_text_and_says_why(db, answered):
    answer = messages.finish_answer(db, answered[1].id, "failed", error="The card is gone.")
    assert (answer.text, answer.error) == ("Rayleigh scattering.", "The card is gone.")


def test_a_deleted_message_takes_what_follows_with_it_and_brings_it_back(db, answered):
    prompt, answer = answered
    assert messages.delete_message(db, prompt.id).messages == ()
    shown = messages.restore_message(db, prompt.id)
    assert [message.id for message in shown.messages] == [prompt.id, answer.id]


def test_a_deleted_version_is_not_counted(db, answered):
    prompt, answer = answered
    second = messages.begin_answer(db, prompt.id)
    shown = messages.delete_message(db, second.id)
    assert shown.messages[-1].versions == (answer.id,)


def test_the_first_prompt_names_the_chat(db):
    chat = chats.create_chat(db)
    messages.add_prompt(db, chat.id, "\n  Tell me " + "everything " * 20 + "\nplease")
    title = chats.get_chat(db, chat.id).title
    assert title.startswith("Tell me everything")
    assert title.endswith("everything…")
    assert len(title) <= 61


def test_a_name_given_by_hand_stays(db):
    chat = chats.create_chat(db, "Mine")
    messages.add_prompt(db, chat.id, "Hello")
    assert chats.get_chat(db, chat.id).title == "Mine"


def test_sending_empties_the_draft(db):
    chat = chats.create_chat(db)
    chats.save_draft(db, chat.id, "Hel")
    messages.add_prompt(db, chat.id, "Hello")
    assert chats.load_draft(db, chat.id) == ""


def test_a_copy_has_all_versions_and_changes_alone(db, answered):
    prompt, answer = answered
    messages.begin_answer(db, prompt.id)
    messages.choose_version(db, answer.id)
    copy = messages.duplicate_chat(db, prompt.chat_id, "Copy")
    assert [m.text for m in copy.messages] == ["Why is the sky blue?", "Rayleigh scattering."]
    assert len(copy.messages[1].versions) == 2
    assert messages.load_blocks(db, copy.messages[1].id)[0].ids == (5, 6)
    messages.edit_message(db, copy.messages[0].id, "Other")
    assert texts(db, prompt.chat_id) == ["Why is the sky blue?", "Rayleigh scattering."]


def test_a_branch_ends_where_it_was_cut(db, answered):
    prompt, answer = answered
    messages.add_prompt(db, prompt.chat_id, "And at dusk?")
    branch = messages.duplicate_chat(db, prompt.chat_id, "Branch", up_to=answer.id)
    assert [m.text for m in branch.messages] == ["Why is the sky blue?", "Rayleigh scattering."]


def test_a_message_of_another_chat_is_no_parent(db, answered):
    other = chats.create_chat(db)
    with pytest.raises(StoreError, match="another chat"):
        messages.add_prompt(db, other.id, "Hi", after=answered[1].id)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (messages.get_message, ()),
        (messages.load_blocks, ()),
        (messages.begin_answer, ()),
        (messages.append_block, (0, "text")),
        (messages.finish_answer, ("stopped",)),
        (messages.resume_answer, ()),
        (messages.edit_message, ("text",)),
        (messages.choose_version, ()),
        (messages.delete_message, ()),
        (messages.restore_message, ()),
    ],
)
def test_a_message_that_is_gone_is_an_error_in_words(db, function, arguments):
    with pytest.raises(StoreError, match="does not exist any more"):
        function(db, 99, *arguments)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("role", "tool"),
        ("state", "from the future"),
        ("text", b"\xff\x00raw"),
        ("stats", "{broken"),
        ("stats", b"\xff"),
        ("thinking", b"\xff"),
        ("created_ms", "yesterday"),
        ("error", b"\xff"),
    ],
)
def test_a_damaged_or_newer_record_is_shown_not_hidden(db, answered, column, value):
    db.execute(f"UPDATE messages SET {column} = ? WHERE id = ?", (value, answered[1].id))
    shown = messages.load_conversation(db, answered[0].chat_id)
    assert len(shown.messages) == 2
    if column in ("role", "state", "text", "thinking"):
        assert shown.messages[1].raw


def test_a_message_whose_parent_is_lost_is_still_reachable(db, answered):
    prompt, answer = answered
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("UPDATE messages SET parent_id = 77 WHERE id = ?", (answer.id,))
    messages.choose_version(db, prompt.id)
    db.execute("UPDATE chats SET chosen_id = ?", (answer.id,))
    assert texts(db, prompt.chat_id) == ["Rayleigh scattering."]


def test_a_circle_of_parents_ends(db, answered):
    prompt, answer = answered
    db.execute("UPDATE messages SET parent_id = ? WHERE id = ?", (answer.id, prompt.id))
    messages.choose_version(db, answer.id)
    messages.load_conversation(db, prompt.chat_id)


def test_half_a_surrogate_pair_is_stored_as_a_replacement(db):
    chat = chats.create_chat(db, "\ud800")
    prompt = messages.add_prompt(db, chat.id, "a\ud83d\ude00b\udc00\0c")
    assert prompt.text == "a😀b\ufffd\0c"


class Tree(RuleBasedStateMachine):
    """The stored tree against a plain one that remembers, at each fork, the last one shown."""

    @initialize()
    def begin(self) -> None:
        self.db = memory_database()
        self.chat_id = chats.create_chat(self.db).id
        self.parent: dict[int, int | None] = {}
        self.text: dict[int, str] = {}
        self.role: dict[int, str] = {}
        self.deleted: set[int] = set()
        self.shown: dict[int | None, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()

    def path(self) -> list[int]:
        found: list[int] = []
        at: int | None = None
        while children := [i for i, p in self.parent.items() if p == at and i not in self.deleted]:
            at = self.shown[at] if self.shown.get(at) in children else max(children)
            found.append(at)
        return found

    def added(self, message: Message, text: str, role: str) -> None:
        self.parent[message.id] = message.parent_id
        self.text[message.id] = text
        self.role[message.id] = role
        self.shown[message.parent_id] = message.id

    def pick(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.parent)))

    @rule(text=st.text(max_size=20))
    def send(self, text: str) -> None:
        path = self.path()
        message = messages.add_prompt(self.db, self.chat_id, text)
        assert message.parent_id == (path[-1] if path else None)
        self.added(message, message.text, "user")

    @precondition(lambda self: self.parent)
    @rule(data=st.data(), blocks=st.lists(st.text(max_size=8), max_size=3))
    def answer(self, data: st.DataObject, blocks: list[str]) -> None:
        message = messages.begin_answer(self.db, self.pick(data))
        for position, text in enumerate(blocks):
            messages.append_block(self.db, message.id, position, text)
        message = messages.finish_answer(self.db, message.id, "finished")
        assert [b.text for b in messages.load_blocks(self.db, message.id)] == blocks
        self.added(message, "".join(blocks), "assistant")

    @precondition(lambda self: self.parent)
    @rule(data=st.data(), text=st.text(max_size=20))
    def edit(self, data: st.DataObject, text: str) -> None:
        old = self.pick(data)
        message = messages.edit_message(self.db, old, text)
        assert message.parent_id == self.parent[old]
        self.added(message, message.text, self.role[old])

    @precondition(lambda self: self.parent)
    @rule(data=st.data())
    def choose(self, data: st.DataObject) -> None:
        at: int | None = self.pick(data)
        messages.choose_version(self.db, at)
        while at is not None:
            self.shown[self.parent[at]] = at
            at = self.parent[at]

    @precondition(lambda self: self.parent)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        message_id = self.pick(data)
        messages.delete_message(self.db, message_id)
        self.deleted.add(message_id)

    @precondition(lambda self: self.deleted)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        at: int | None = data.draw(st.sampled_from(sorted(self.deleted)))
        messages.restore_message(self.db, at)
        self.deleted.discard(at)
        while at is not None:
            self.shown[self.parent[at]] = at
            at = self.parent[at]

    @rule()
    def copy(self) -> None:
        copy = messages.duplicate_chat(self.db, self.chat_id, "copy")
        assert [m.text for m in copy.messages] == [self.text[i] for i in self.path()]

    @invariant()
    def shows_the_path_that_was_left(self) -> None:
        shown = messages.load_conversation(self.db, self.chat_id).messages
        assert [m.id for m in shown] == self.path()
        assert [m.text for m in shown] == [self.text[m.id] for m in shown]
        for message in shown:
            assert list(message.versions) == [
                i
                for i, parent in sorted(self.parent.items())
                if parent == message.parent_id
                and self.role[i] == message.role
                and i not in self.deleted
            ]

    @invariant()
    def loses_no_text(self) -> None:
        stored = dict(
            self.db.execute("SELECT id, text FROM messages WHERE chat_id = ?", (self.chat_id,))
        )
        assert stored == self.text


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=40, stateful_step_count=20)
