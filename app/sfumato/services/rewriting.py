"""Rewriting a part of a finished answer: its tokens are denoised again, all others stay pinned.

Block after block that the part touches, each read with what became of the one before. Nothing is
stored until all of them are committed: then a further version of the answer appears at once, whole,
and a rewriting that is stopped, fails or dies with its process leaves everything as it was.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

from sfumato.engine import protocol
from sfumato.engine.protocol import Committed, Denoised, Event, Failed, Finished, Generate
from sfumato.errors import GenerationError, KnownError, StoreError
from sfumato.sentence import Sentence
from sfumato.services.chats import Chats
from sfumato.services.engine_client import EngineClient
from sfumato.services.gap import Gap, gaps_of
from sfumato.services.generation import (
    GUIDE_PACE_MS,
    STEP_INTERVAL_MS,
    Generation,
    as_turns,
    step_record,
)
from sfumato.services.model import ModelService
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken
from sfumato.services.store_calls import StoreCalls
from sfumato.services.throttle import Throttle
from sfumato.store import messages, recordings
from sfumato.store.recordings import StepRecord
from sfumato.store.types import AnswerStats, Block, Conversation, Message, NewBlock

FIRST_TURN = 1 << 41  # answers count from 1, summaries from 1 << 40
_WORDS = re.compile(r"\s*\S+|\s+")


@dataclass(slots=True)
class Rewrite:
    """The rewriting under way."""

    message: Message
    conversation: Conversation
    blocks: list[Block]
    gaps: list[Gap]
    words: str  # what the new text must begin with; "" for nothing
    at: int = 0  # the gap that is being written
    step: int = 0
    steps: int = 0
    seed: int | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    made: dict[int, NewBlock] = field(default_factory=dict)  # by the number of the block
    recorded: dict[int, list[StepRecord]] = field(default_factory=dict)
    recording: list[StepRecord] = field(default_factory=list)  # of the gap that is being written
    stopped: bool = False

    @property
    def gap(self) -> Gap:
        return self.gaps[self.at]

    @property
    def tokens(self) -> int:
        return sum(gap.end - gap.first for gap in self.gaps)

    def text_of(self, block: Block) -> str:
        made = self.made.get(block.position)
        return block.text if made is None else made.text

    @property
    def before(self) -> str:
        """The text of the blocks before the one that is being written."""
        position = self.gap.block.position
        return "".join(self.text_of(block) for block in self.blocks[:position])

    @property
    def after(self) -> str:
        return "".join(block.text for block in self.blocks[self.gap.block.position + 1 :])

    @property
    def text(self) -> str:
        return "".join(map(self.text_of, self.blocks))


class Rewriting(QObject):
    """`began` is always followed by `ended`; between them, `stepped`."""

    began = Signal(object)  # Rewrite
    stepped = Signal(object)  # Denoised, at most 20 a second
    ended = Signal(object)  # the new version, a Message; None: there is none
    unchanged = Signal()  # the model wrote the same words again
    failed = Signal(object)  # KnownError

    def __init__(
        self,
        client: EngineClient,
        model: ModelService,
        chats: Chats,
        generation: Generation,
        calls: StoreCalls,
        settings: SettingsService,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._client = client
        self._model = model
        self._chats = chats
        self._generation = generation
        self._calls = calls
        self._settings = settings
        self._turn = FIRST_TURN
        self._run: Rewrite | None = None
        self._throttle = Throttle(STEP_INTERVAL_MS, self)
        self._throttle.passed.connect(self.stepped)
        client.received.connect(self._take)

    @property
    def under_way(self) -> Rewrite | None:
        return self._run

    # What can be rewritten

    def plan(self, message: Message, start: int, end: int) -> list[Gap]:
        """The gaps for characters [start, end) of an answer. Raises KnownError: why there are none.

        Positions count characters of `message.text`.
        """
        loaded = self._model.loaded
        if loaded is None:
            raise KnownError(
                Sentence("Rewriting", "No model is loaded that could rewrite this; load one.")
            )
        if self._generation.busy:
            raise KnownError(
                Sentence("Rewriting", "Something else is being written; wait until it is done.")
            )
        blocks = self._blocks(message)
        if message.stats.model != loaded.name:
            raise KnownError(
                Sentence(
                    "Rewriting",
                    "This answer is of another model, {model}; load that one to rewrite it.",
                ).filled(model=message.stats.model or "?")
            )
        gaps = gaps_of(blocks, lambda block: self._pieces(message.id, block), start, end)
        if not gaps:
            raise KnownError(Sentence("Rewriting", "Select words of an answer to rewrite them."))
        ids = [id_ for gap in gaps for id_ in gap.block.ids]
        if len(ids) != len(gaps) * loaded.canvas or max(ids) >= loaded.vocab:
            raise KnownError(
                Sentence(
                    "Rewriting",
                    "The tokens of this answer are not those of the model that is loaded; load the"
                    " model that wrote it.",
                )
            )
        return gaps

    def _blocks(self, message: Message) -> list[Block]:
        try:
            blocks = self._calls.read(messages.load_blocks, message.id)
        except StoreError:
            blocks = []
        known = not message.raw and "".join(block.text for block in blocks) == message.text
        if not (blocks and known and all(block.ids for block in blocks)):
            raise KnownError(
                Sentence(
                    "Rewriting",
                    "No tokens are kept of this answer, because it was edited or imported; try the"
                    " answer again to have a new one.",
                )
            )
        return blocks

    def _pieces(self, message_id: int, block: Block) -> list[str] | None:
        """What the recording says that the committed tokens of a block show."""
        try:
            steps = self._calls.read(recordings.load_recording, message_id, block.position)
        except StoreError:
            return None
        if not steps or tuple(steps[-1].ids) != block.ids:
            return None
        return steps[-1].pieces

    # Rewriting

    def run(self, message_id: int, start: int, end: int, words: str = "") -> None:
        """Write characters [start, end) of an answer anew, beginning with `words`."""
        message, conversation = self._chats.message(message_id), self._chats.conversation
        if message is None or conversation is None:
            return
        try:
            gaps = self.plan(message, start, end)
            blocks = self._blocks(message)
        except KnownError as error:
            self.failed.emit(error)
            return
        words = " ".join(words.split())
        if words and gaps[0].text[:1].isspace():
            words = gaps[0].text[:1] + words
        self._run = Rewrite(message, conversation, blocks, gaps, words)
        self._generation.hold(True)
        self.began.emit(self._run)
        self._ask()

    def stop(self) -> None:
        """Give it up; nothing has been changed."""
        run = self._run
        if run is not None and not run.stopped:
            run.stopped = True
            self._client.stop()

    def _ask(self) -> None:
        run = self._run
        assert run is not None
        chat, path = run.conversation.chat, run.conversation.messages
        at = next(number for number, m in enumerate(path) if m.id == run.message.id)
        turns = as_turns(chat, path[:at])
        before = run.before
        if before:
            turns.append(protocol.Message("assistant", before))
        run.step = 0
        run.recording = []
        self._turn += 1
        try:
            self._client.request(
                Generate(
                    turn=self._turn,
                    messages=turns,
                    thinking=chat.thinking or bool(run.message.thinking.strip()),
                    sampler=self._generation.sampler_of(chat),
                    max_blocks=1,
                    pinned=run.gap.pinned,
                    words=run.words if run.at == 0 else "",
                    continue_answer=bool(before),
                    pace_ms=GUIDE_PACE_MS if self._model.is_guide else 0.0,
                )
            )
        except GenerationError as error:
            self._end(error)

    def _take(self, event: Event) -> None:
        run = self._run
        if run is None or getattr(event, "turn", None) != self._turn:
            return
        match event:
            case protocol.Prefilled():
                run.seed = event.seed if run.seed is None else run.seed
            case Denoised():
                run.step = event.step
                if self._settings.current.keep_recordings:
                    run.recording.append(step_record(event))
                self._throttle.push(event)
            case Committed():
                self._throttle.clear()
                self._keep(run, event)
            case Failed() if not run.stopped:
                self._end(KnownError(" ".join((spoken(event.message), spoken(event.advice)))))
            case Finished() if not (run.stopped or event.reason == "stopped"):
                run.steps += event.steps
                run.seconds += event.seconds
                run.peak_bytes = event.peak_bytes
                self._go_on(run)
            case Finished() | Failed():
                self._end()

    def _keep(self, run: Rewrite, event: Committed) -> None:
        run.made[run.gap.block.position] = NewBlock(
            text=event.text,
            thinking=event.thinking,
            ids=tuple(event.ids),
            steps=event.steps,
            settled=event.settled,
            mean_entropy=event.mean_entropy,
            ms=event.ms,
            kept=event.kept,
        )
        run.recorded[run.gap.block.position] = run.recording

    def _go_on(self, run: Rewrite) -> None:
        gap = run.gap
        made = run.made[gap.block.position]
        cut = gap.has_text_behind or gap.block.position + 1 < len(run.blocks)
        if made.thinking != gap.block.thinking or (cut and made.kept < gap.end):
            self._end(
                KnownError(
                    Sentence(
                        "Rewriting",
                        "The model ended the answer within the selection, so nothing was changed;"
                        " try once more or select more.",
                    )
                )
            )
        elif run.at + 1 < len(run.gaps):
            run.at += 1
            self._ask()
        elif run.text == run.message.text:
            self._end()
            self.unchanged.emit()
        elif not run.text.strip():
            self._end(
                KnownError(
                    Sentence(
                        "Rewriting",
                        "The model wrote nothing there, so nothing was changed; try once more.",
                    )
                )
            )
        else:
            self._store(run)

    def _store(self, run: Rewrite) -> None:
        loaded, old = self._model.loaded, run.message.stats
        stats = AnswerStats(
            tokens=run.tokens,
            blocks=len(run.gaps),
            steps=run.steps,
            seconds=run.seconds,
            tokens_per_second=run.tokens / run.seconds if run.seconds > 0 else 0.0,
            peak_bytes=run.peak_bytes,
            model=old.model,
            device=loaded.device if loaded else old.device,
            seed=run.seed,
            reason=old.reason,
            rewritten=True,
        )
        limit = self._settings.current.recordings_limit_bytes

        def store(db: sqlite3.Connection) -> Message:
            made = messages.add_rewritten(db, run.message.id, run.made, stats)
            for block, steps in run.recorded.items():
                if steps:
                    recordings.save_recording(db, made.id, block, steps, limit)
            return made

        def stored(made: Message) -> None:
            self._end(made=made)
            self._chats.refresh(made.chat_id)
            self._chats.listed.emit()

        self._calls.submit(store, then=stored, otherwise=self._end)

    def _end(self, error: KnownError | None = None, made: Message | None = None) -> None:
        self._throttle.clear()
        self._run = None
        self._generation.hold(False)
        self.ended.emit(made)
        if error is not None:
            self.failed.emit(error)


def in_words(text: str) -> list[str]:
    """Text in pieces as short as tokens; joined, they are the text."""
    return _WORDS.findall(text)
