"""From a prompt to a stored answer: one at a time, every piece on disk before the next.

A prompt is stored before the engine sees it, a block when it is committed. Steps are passed on at
most 20 times a second, the latest wins; the recording keeps every step that arrived.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from PySide6.QtCore import QObject, Signal

from sfumato.engine import protocol
from sfumato.engine.protocol import (
    Committed,
    Denoised,
    Event,
    Failed,
    Finished,
    Generate,
    Prefilled,
    SamplerConfig,
)
from sfumato.errors import GenerationError, KnownError
from sfumato.sentence import Sentence
from sfumato.services.chats import Chats
from sfumato.services.engine_client import EngineClient
from sfumato.services.model import ModelService
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken
from sfumato.services.store_calls import StoreCalls
from sfumato.services.throttle import Throttle
from sfumato.store import chats, messages, recordings
from sfumato.store.recordings import StepRecord
from sfumato.store.types import AnswerStats, Chat, Message, SamplerValues

STEP_INTERVAL_MS = 50
# The built-in guide takes a few milliseconds a step, too few to be seen: it is slowed to this pace.
GUIDE_PACE_MS = 70.0
NO_SAMPLER = SamplerValues()
EARLIER = "What was said in this conversation before, in short:\n\n"


@dataclass(slots=True)
class Answer:
    """The answer under way."""

    turn: int
    message: Message
    request: Generate
    sent: bool = False
    first_block: int = 0  # blocks it had before (Continue)
    seed: int | None = None
    tokens: int = 0
    blocks: int = 0
    steps: int = 0
    recording: list[StepRecord] = field(default_factory=list)
    unsettled: bool = False


class Generation(QObject):
    began = Signal(object)  # Answer
    prefilled = Signal(object)  # Prefilled
    stepped = Signal(object)  # Denoised, at most 20 a second
    committed = Signal(object)  # Committed
    finished = Signal(object)  # Finished
    ended = Signal(object)  # Message as it is stored now; follows every `began`
    failed = Signal(object)  # Failed
    busy_changed = Signal(bool)

    def __init__(
        self,
        client: EngineClient,
        model: ModelService,
        chats_service: Chats,
        calls: StoreCalls,
        settings: SettingsService,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._client = client
        self._model = model
        self._chats = chats_service
        self._calls = calls
        self._settings = settings
        self._answer: Answer | None = None
        self._turn = 0
        self._storing = False
        self._held = False
        self._left_out = 0  # how often the older half of the turns was left out
        self.last_failed: int | None = None  # the answer that failed last
        self._throttle = Throttle(STEP_INTERVAL_MS, self)
        self._throttle.passed.connect(self.stepped)
        client.received.connect(self._take)
        model.changed.connect(self._send_waiting)

    @property
    def busy(self) -> bool:
        return self._answer is not None or self._storing or self._held

    @property
    def answer(self) -> Answer | None:
        return self._answer

    # What a person asks for

    def send(self, text: str) -> None:
        """Store a prompt in the open conversation, or a new chat, and answer it."""
        if self.busy or not text.strip():
            return
        chat_id = self._chats.chat_id
        settings = self._settings.current
        folder = self._chats.new_folder
        self._chats.drop_draft()
        self._left_out = 0

        def store(db: sqlite3.Connection) -> Message:
            chat = (
                chats.create_chat(
                    db,
                    folder=folder,
                    system_prompt=settings.system_prompt,
                    preset_id=settings.preset_id,
                    sampler=settings.sampler,
                    thinking=settings.thinking,
                )
                if chat_id is None
                else chats.get_chat(db, chat_id)
            )
            prompt = messages.add_prompt(db, chat.id, text.strip())
            return messages.begin_answer(db, prompt.id)

        self._store_and_begin(store)

    def edit(self, message_id: int, text: str) -> None:
        """Another version of a message: a prompt is answered again, an answer just replaced."""
        if self.busy or not text.strip():
            return

        def store(db: sqlite3.Connection) -> Message:
            edited = messages.edit_message(db, message_id, text.strip())
            if edited.role == "user":
                return messages.begin_answer(db, edited.id)
            return edited

        self._store_and_begin(store)

    def regenerate(self, answer_id: int, *, shorter: bool = False) -> None:
        """A further version of an answer; `shorter` leaves the older half of the turns out."""
        message = self._chats.message(answer_id)
        if self.busy or message is None or message.parent_id is None:
            return
        prompt_id = message.parent_id
        self._left_out = self._left_out + 1 if shorter else 0
        self._store_and_begin(lambda db: messages.begin_answer(db, prompt_id))

    def answer_prompt(self, prompt_id: int) -> None:
        """Answer a prompt that has none, or once more."""
        if not self.busy:
            self._store_and_begin(lambda db: messages.begin_answer(db, prompt_id))

    def go_on(self, answer_id: int) -> None:
        """Continue an answer that was cut."""
        if not self.busy:
            self._store_and_begin(lambda db: messages.resume_answer(db, answer_id), going_on=True)

    def hold(self, held: bool) -> None:
        """While the engine does something else for the person, no answer begins."""
        self._held = held
        self.busy_changed.emit(self.busy)

    def stop(self) -> None:
        """End after the step that is being computed; what is committed stays."""
        answer = self._answer
        if answer is None:
            return
        if answer.sent and self._client.running:
            self._client.stop()
        else:
            self._end(answer, "stopped")

    def close(self) -> None:
        """The application ends: as after a Stop, but nothing is waited for."""
        if self._answer is not None:
            self._throttle.clear()
            self._end(self._answer, "stopped")

    # Beginning

    def _store_and_begin(self, store: object, going_on: bool = False) -> None:
        self._storing = True
        self.busy_changed.emit(True)

        def stored(message: Message) -> None:
            self._storing = False
            if message.chat_id == self._chats.chat_id:
                self._chats.listed.emit()
                self._chats.refresh()
            else:
                self._chats.adopt(message.chat_id)
            if message.role == "assistant" and message.state == "writing":
                self._begin(message, going_on)
            else:
                self.busy_changed.emit(False)

        def refused(error: KnownError) -> None:
            self._storing = False
            self.busy_changed.emit(False)
            self._chats.failed.emit(error)

        self._calls.submit(store, then=stored, otherwise=refused)  # type: ignore[arg-type]

    def _begin(self, message: Message, going_on: bool) -> None:
        conversation = self._calls.read(messages.load_conversation, message.chat_id)
        path = list(conversation.messages)
        at = next((i for i, m in enumerate(path) if m.id == message.id), len(path))
        path = path[: at + 1] if going_on else path[:at]
        chat = conversation.chat
        self._turn += 1
        request = Generate(
            turn=self._turn,
            messages=shortened(as_turns(chat, path), self._left_out),
            thinking=chat.thinking,
            sampler=self.sampler_of(chat),
            seed=chat.sampler.seed,
            continue_answer=going_on,
            pace_ms=GUIDE_PACE_MS if self._model.is_guide else 0.0,
        )
        answer = Answer(self._turn, message, request)
        if going_on:
            blocks = self._calls.read(messages.load_blocks, message.id)
            answer.first_block = len(blocks)
            answer.unsettled = not message.settled
        self._answer = answer
        self.began.emit(answer)
        self._send_waiting()

    def sampler_of(self, chat: Chat) -> SamplerConfig | None:
        """The model's own defaults with what was changed for this chat; None for no change."""
        changed = {
            name: value
            for name, value in msgspec.structs.asdict(chat.sampler).items()
            if value is not None and name != "seed"
        }
        if not changed:
            return None
        base = self._model.loaded.sampler if self._model.loaded else SamplerConfig()
        try:
            return msgspec.structs.replace(base, **changed)
        except ValueError:  # only together with this model's defaults are they impossible
            return None

    def _send_waiting(self) -> None:
        """The prompt goes out as soon as a model is there; without an engine, start one."""
        answer = self._answer
        if answer is None or answer.sent:
            return
        if self._model.state == "ready":
            answer.sent = True
            try:
                self._client.request(answer.request)
            except GenerationError:
                answer.sent = False
                self._model.start()
        elif self._model.state == "off":
            self._model.start()
        elif self._model.state == "failed":
            failure = self._model.failure or Failed(
                kind="crash",
                message=Sentence("EngineClient", "The engine is not running."),
                advice=Sentence("EngineClient", "Start it again; the conversation is safe."),
            )
            self._fail(answer, failure)

    # What the engine says

    def _take(self, event: Event) -> None:
        answer = self._answer
        if answer is None or getattr(event, "turn", None) != answer.turn:
            return
        match event:
            case Prefilled():
                answer.seed = event.seed
                self.prefilled.emit(event)
            case Denoised():
                self._record(answer, event)
                self._throttle.push(event)
            case Committed():
                self._throttle.clear()
                self._commit(answer, event)
                self.committed.emit(event)
            case Finished():
                self._throttle.clear()
                answer.tokens, answer.steps = event.tokens, event.steps
                self.finished.emit(event)
                self._end(answer, "stopped" if event.reason == "stopped" else "finished", event)
            case Failed():
                self._throttle.clear()
                self._fail(answer, event)

    def _record(self, answer: Answer, event: Denoised) -> None:
        if not self._settings.current.keep_recordings:
            return
        answer.recording.append(step_record(event))

    def _commit(self, answer: Answer, event: Committed) -> None:
        block = answer.first_block + event.block
        answer.blocks += 1
        answer.unsettled = answer.unsettled or not event.settled
        self._calls.submit(
            messages.append_block,
            answer.message.id,
            block,
            event.text,
            thinking=event.thinking,
            ids=event.ids,
            steps=event.steps,
            settled=event.settled,
            mean_entropy=event.mean_entropy,
            ms=event.ms,
        )
        steps, answer.recording = answer.recording, []
        if steps:
            self._calls.submit(
                recordings.save_recording,
                answer.message.id,
                block,
                steps,
                self._settings.current.recordings_limit_bytes,
                otherwise=lambda error: None,  # an answer without a recording is still an answer
            )

    def _fail(self, answer: Answer, failure: Failed) -> None:
        self.last_failed = answer.message.id
        self.failed.emit(failure)
        self._end(answer, "failed", error=spoken(failure.message))

    def _end(
        self, answer: Answer, state: str, event: Finished | None = None, error: str = ""
    ) -> None:
        if self._answer is not answer:
            return
        self._answer = None
        loaded = self._model.loaded
        stats = AnswerStats(
            tokens=event.tokens if event else answer.tokens,
            blocks=event.blocks if event else answer.blocks,
            steps=event.steps if event else answer.steps,
            seconds=event.seconds if event else 0.0,
            tokens_per_second=event.tokens_per_second if event else 0.0,
            peak_bytes=event.peak_bytes if event else 0,
            model=loaded.name if loaded else "",
            device=loaded.device if loaded else "",
            seed=answer.seed,
            reason=event.reason if event else "",
        )

        def stored(message: Message) -> None:
            self.ended.emit(message)
            self._chats.refresh(message.chat_id)
            self._chats.listed.emit()

        def refused(problem: KnownError) -> None:
            self.ended.emit(answer.message)
            self._chats.failed.emit(problem)

        self._calls.submit(
            messages.finish_answer,
            answer.message.id,
            state,
            stats,
            error=error,
            then=stored,
            otherwise=refused,
        )
        self.busy_changed.emit(False)


def step_record(event: Denoised) -> StepRecord:
    return StepRecord(
        step=event.step,
        ids=event.ids,
        pieces=event.pieces,
        entropy=event.entropy,
        accepted=event.accepted,
        mean_entropy=event.mean_entropy,
        ms=event.ms,
        noise_pieces=event.noise_pieces,
    )


def as_turns(chat: Chat, path: Sequence[Message]) -> list[protocol.Message]:
    """The conversation as the engine takes it, without answers that have no text.

    What a summary says of an earlier chat goes to the system's turn.
    """
    system = [chat.system_prompt] if chat.system_prompt.strip() else []
    turns = []
    for message in path:
        if message.role == "system":
            system.append(EARLIER + message.text)
        elif message.role == "user" or (message.role == "assistant" and message.text.strip()):
            turns.append(protocol.Message(message.role, message.text))  # type: ignore[arg-type]
    if system:
        turns.insert(0, protocol.Message("system", "\n\n".join(system)))
    return turns


def shortened(turns: list[protocol.Message], halvings: int) -> list[protocol.Message]:
    """Without the older half of the turns, once for each halving; system and last turn stay."""
    system = [turn for turn in turns if turn.role == "system"]
    rest = turns[len(system) :]
    for _ in range(halvings):
        rest = rest[len(rest) // 2 :]
        while len(rest) > 1 and rest[0].role != "user":
            rest = rest[1:]
    return system + rest
