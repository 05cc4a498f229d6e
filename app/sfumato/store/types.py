"""What the store hands out: frozen values, safe to pass between threads. Times are UTC."""

from __future__ import annotations

from typing import Literal

import msgspec

from sfumato.sentence import Sentence

Role = Literal["user", "assistant", "system"]

# writing      blocks are still being appended
# finished     the model ended its turn (a prompt is finished from the start)
# stopped      the user stopped it; what was committed stays
# failed       the engine failed; `error` says why
# interrupted  the application ended while it was being written
# A repair leaves the state "damaged" on a message whose text lost its end: no State, shown raw.
State = Literal["writing", "finished", "stopped", "failed", "interrupted"]

Spans = tuple[tuple[int, int], ...]  # [start, end) in a text, in order

ROLES: tuple[str, ...] = ("user", "assistant", "system")
STATES: tuple[str, ...] = ("writing", "finished", "stopped", "failed", "interrupted")


class SamplerValues(msgspec.Struct, frozen=True, kw_only=True):
    """What a person changed of the sampler; None leaves the model's own default."""

    max_steps: int | None = None
    t_min: float | None = None
    t_max: float | None = None
    entropy_bound: float | None = None  # nats
    stability_threshold: int | None = None
    confidence_threshold: float | None = None  # nats
    seed: int | None = None  # None: a new one each time


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    title: str
    created_ms: int
    updated_ms: int
    folder: str = ""  # "" is no folder
    pinned: bool = False
    system_prompt: str = ""
    preset_id: int | None = None  # the preset it was begun with
    sampler: SamplerValues = SamplerValues()
    thinking: bool = False
    deleted_ms: int | None = None


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    collapsed: bool = False


class AnswerStats(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer was made."""

    tokens: int = 0
    blocks: int = 0
    steps: int = 0
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    peak_bytes: int = 0
    model: str = ""
    device: str = ""
    seed: int | None = None
    reason: str = ""  # end | stopped | length | context
    rewritten: bool = False  # a part of another version was: tokens and steps are of that part


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message, and its place among its versions: siblings with the same parent and role."""

    id: int
    chat_id: int
    parent_id: int | None
    role: str  # a Role; another word comes from a newer version and is shown raw
    state: str  # a State
    text: str
    thinking: str
    created_ms: int
    settled: bool  # False: a block of it ran out of steps
    edited: bool  # text written by hand in place of the model's
    error: str  # one sentence, where state is failed
    stats: AnswerStats
    deleted_ms: int | None
    versions: tuple[int, ...]  # ids of all versions, oldest first, this one included
    raw: bool = False  # damaged or from a newer version: show the text as it is, without Markdown
    unsettled: Spans = ()  # in text: the blocks that ran out of steps
    unsettled_thinking: Spans = ()  # the same in thinking

    @property
    def version(self) -> int:
        """1 for the first: "2/3" is f"{version}/{len(versions)}"."""
        return self.versions.index(self.id) + 1


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A chat and the messages of its active path, first to last."""

    chat: Chat
    messages: tuple[Message, ...]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One committed block of an answer."""

    position: int  # 0 is the first
    text: str
    thinking: str
    ids: tuple[int, ...]
    steps: int
    settled: bool
    mean_entropy: float  # nats
    ms: float


class NewBlock(msgspec.Struct, frozen=True, kw_only=True):
    """What takes the place of a block in another version of its answer."""

    text: str
    thinking: str
    ids: tuple[int, ...]
    kept: int  # ids before the first stop token
    steps: int
    settled: bool
    mean_entropy: float  # nats
    ms: float


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    chat_id: int
    message_id: int | None  # None: the title matched
    role: str  # "" for a title
    chat_title: str
    snippet: str
    matches: tuple[tuple[int, int], ...]  # [start, end) of each match in snippet
    created_ms: int


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A named system prompt with sampler values."""

    id: int
    name: str
    system_prompt: str = ""
    sampler: SamplerValues = SamplerValues()


class RepairReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found damaged, and what became of it."""

    at_ms: int
    what: Literal["chats", "recordings"]
    problem: str  # what was wrong with the file, as SQLite says it
    moved_to: str  # folder or file where the damaged original lies, untouched
    backup: str = ""  # the backup it was restored from; "" if there was none
    backup_ms: int | None = None
    chats: int = 0  # in the repaired database
    messages: int = 0
    salvaged_messages: int = 0  # of these, read from the damaged file and in no backup

    def sentences(self) -> list[Sentence]:
        """For the window, in order: what happened, what is there now, where the original is."""
        kept = Sentence("Store", "The damaged file is kept at {path}.").filled(path=self.moved_to)
        if self.what == "recordings":
            return [
                Sentence(
                    "Store",
                    "The recordings of past answers were damaged ({problem}) "
                    "and have been set aside; the answers themselves are untouched.",
                ).filled(problem=self.problem),
                kept,
            ]
        lines = [
            Sentence(
                "Store", "The chat database was damaged ({problem}) and has been repaired."
            ).filled(problem=self.problem)
        ]
        if self.backup:
            restored = Sentence("Store", "It was restored from the backup {backup}.")
            lines.append(restored.filled(backup=self.backup))
        lines.append(
            Sentence(
                "Store",
                "It now holds {chats} chats with {messages} messages; "
                "{salvaged} messages were read from the damaged file.",
            ).filled(chats=self.chats, messages=self.messages, salvaged=self.salvaged_messages)
        )
        return [*lines, kept]


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    chat_ids: tuple[int, ...]
    messages: int
    raw: int  # messages that could not be understood and are shown as they are
