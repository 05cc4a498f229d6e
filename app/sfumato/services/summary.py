"""Going on from a full context: the model sums up the earlier messages, a new chat begins there.

What does not fit the context at once is read in parts, each together with the summary so far. The
engine is the judge of what fits: a part that it refuses is tried again at half the length.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from sfumato.engine import protocol
from sfumato.engine.protocol import Committed, Denoised, Event, Failed, Finished, Generate
from sfumato.errors import GenerationError, KnownError
from sfumato.sentence import Sentence
from sfumato.services.chats import Chats
from sfumato.services.engine_client import EngineClient
from sfumato.services.generation import Generation
from sfumato.services.model import ModelService
from sfumato.services.spoken import spoken
from sfumato.services.store_calls import StoreCalls
from sfumato.store import messages
from sfumato.store.types import Conversation, Message

FIRST_TURN = 1 << 40  # answers to people count from 1, tests down from -1, summaries from here
BLOCKS = 2  # of a summary, at most
RESERVE = 200  # tokens for the instruction and the scaffolding of the turns
CHARACTERS_A_TOKEN = 3  # of which a language has at least so many; a first guess
LEAST_CHARACTERS = 200  # of a part
WORDS = 250

INSTRUCTION = (
    "Here is {what} a conversation between a person and an assistant. Sum it up so that the "
    "conversation can go on from the summary alone: what was asked and answered, which facts, "
    "names, numbers and decisions matter, and what is still open. Write in the language of the "
    f"conversation, at most {WORDS} words, and nothing but the summary.\n\n"
)
SPEAKERS = {"user": "Person", "assistant": "Assistant", "system": "Summary of what came before"}


@dataclass(slots=True)
class _Run:
    conversation: Conversation
    title: str
    text: str  # what is to be summed up
    kept: list[int]
    prompt: str
    characters: int  # of a part
    at: int = 0  # where in the text the part under way begins
    end: int = 0
    part: int = 0
    summary: str = ""
    pieces: list[str] = field(default_factory=list)  # of the summary under way
    step: int = 0
    cancelled: bool = False


class Summary(QObject):
    """`changed` follows each piece of progress; `ended` comes when the new chat is open."""

    changed = Signal()
    ended = Signal()
    failed = Signal(object)  # KnownError

    def __init__(
        self,
        client: EngineClient,
        model: ModelService,
        chats: Chats,
        generation: Generation,
        calls: StoreCalls,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._client = client
        self._model = model
        self._chats = chats
        self._generation = generation
        self._calls = calls
        self._turn = FIRST_TURN
        self._run: _Run | None = None
        client.received.connect(self._take)

    @property
    def running(self) -> bool:
        return self._run is not None

    @property
    def part(self) -> int:
        """The part that is being read; 1 is the first."""
        return self._run.part if self._run else 0

    @property
    def parts(self) -> int:
        """How many parts there will be, as far as is known."""
        run = self._run
        return run.part + -(-(len(run.text) - run.end) // run.characters) if run else 0

    @property
    def step(self) -> int:
        return self._run.step if self._run else 0

    @property
    def possible(self) -> bool:
        """The built-in guide answers from what it has learned by heart: it cannot sum up."""
        return self._model.state == "ready" and not self._model.is_guide

    def run(self, title: str) -> None:
        """Sum up the open conversation and go on in a new chat of this title."""
        conversation, loaded = self._chats.conversation, self._model.loaded
        if conversation is None or loaded is None or self._generation.busy:
            return
        room = loaded.context - RESERVE - 2 * BLOCKS * loaded.canvas
        earlier, kept, prompt = _divided(
            conversation.messages, loaded.context * CHARACTERS_A_TOKEN // 4
        )
        if not earlier:
            self.failed.emit(
                KnownError(
                    Sentence(
                        "Summary",
                        "There are no earlier messages to sum up; shorten the last one instead.",
                    )
                )
            )
        elif room * CHARACTERS_A_TOKEN < LEAST_CHARACTERS:
            self.failed.emit(
                KnownError(
                    Sentence(
                        "Summary",
                        "A context of {count} tokens is too small to sum anything up; load the"
                        " model with a longer one.",
                    ).filled(count=loaded.context)
                )
            )
        else:
            text = "\n\n".join(f"{SPEAKERS[m.role]}: {m.text.strip()}" for m in earlier)
            self._run = _Run(
                conversation, title, text, kept, prompt, characters=room * CHARACTERS_A_TOKEN
            )
            self._generation.hold(True)
            self._ask()

    def cancel(self) -> None:
        """Give it up; nothing has been changed."""
        run = self._run
        if run is not None and not run.cancelled:
            run.cancelled = True
            self._client.stop()

    # Part by part

    def _ask(self) -> None:
        run = self._run
        assert run is not None
        run.end = _end_of_part(run.text, run.at, run.characters)
        run.part += 1
        run.pieces.clear()
        run.step = 0
        whole = run.at == 0 and run.end == len(run.text)
        prompt = INSTRUCTION.format(what="" if whole else "a part of").replace("  ", " ")
        if run.summary:
            prompt += f"{SPEAKERS['system']}: {run.summary}\n\n"
        prompt += run.text[run.at : run.end]
        self._turn += 1
        try:
            self._client.request(
                Generate(
                    turn=self._turn,
                    messages=[protocol.Message("user", prompt)],
                    max_blocks=BLOCKS,
                )
            )
        except GenerationError as error:
            self._end(error)
        else:
            self.changed.emit()

    def _take(self, event: Event) -> None:
        run = self._run
        if run is None or getattr(event, "turn", None) != self._turn:
            return
        match event:
            case Denoised():
                run.step += 1
                self.changed.emit()
            case Committed():
                run.pieces.append(event.text)
            case Finished() | Failed() if run.cancelled:
                self._end()
            case Finished(reason="stopped"):  # such as by the loading of another model
                self._end()
            case Finished():
                self._take_summary(run)
            case Failed(kind="context") if run.end - run.at >= 2 * LEAST_CHARACTERS:
                run.characters = (run.end - run.at) // 2
                run.part -= 1
                self._ask()
            case Failed():
                said = (spoken(event.message), spoken(event.advice))
                self._end(KnownError(" ".join(said)))

    def _take_summary(self, run: _Run) -> None:
        run.summary = "".join(run.pieces).strip()
        run.at = run.end
        if not run.summary:
            self._end(
                KnownError(
                    Sentence(
                        "Summary",
                        "The model gave no summary; try again, or leave out the oldest messages.",
                    )
                )
            )
        elif run.at < len(run.text):
            self._ask()
        else:
            self._calls.submit(
                messages.continue_chat,
                run.conversation.chat.id,
                run.title,
                summary=run.summary,
                kept=run.kept,
                prompt=run.prompt,
                then=self._go_on,
                otherwise=self._end,
            )

    def _go_on(self, made: Conversation) -> None:
        self._end()
        self._chats.listed.emit()
        self._chats.open(made.chat.id)
        self.ended.emit()
        if made.messages[-1].role == "user":
            self._generation.answer_prompt(made.messages[-1].id)

    def _end(self, error: KnownError | None = None) -> None:
        self._run = None
        self._generation.hold(False)
        self.changed.emit()
        if error is not None:
            self.failed.emit(error)


def _divided(path: tuple[Message, ...], most_kept: int) -> tuple[list[Message], list[int], str]:
    """What is summed up, ids of the last exchange if it is kept, and the prompt that waits.

    The last exchange stays as it is if it has at most `most_kept` characters: what is said next
    often points to it.
    """
    said = [message for message in path if message.role in SPEAKERS and message.text.strip()]
    prompt = said.pop().text if said and said[-1].role == "user" else ""
    at = next((n for n in range(len(said) - 1, -1, -1) if said[n].role == "user"), len(said))
    last = said[at:]
    if at and sum(len(message.text) for message in last) <= most_kept:
        return said[:at], [message.id for message in last], prompt
    return said, [], prompt


def _end_of_part(text: str, start: int, characters: int) -> int:
    """Where a part ends: between paragraphs or words, if there is one in its second half."""
    end = start + characters
    if end >= len(text):
        return len(text)
    for gap in ("\n\n", "\n", " "):
        at = text.rfind(gap, start + characters // 2, end)
        if at > start:
            return at + len(gap)
    return end
