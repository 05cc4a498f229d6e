"""Stand-ins: a model that computes nothing, and an engine that replays events.

FakeModel has the interface of `sfumato.engine._native.Model`. What it settles on depends on all ids
in its cache and on the seed, so a session that keeps the wrong prefix is found out.

FakeEngine has the interface of `services.engine_client.EngineClient`, without a process:

    engine = FakeEngine([answer_events("Hello")])   # one list of events an answer
    engine.start(); engine.request(Load(path="m.gguf")); engine.request(Generate(...))
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QTimer, Signal
from sfumato.engine.protocol import (
    VERSION,
    CancelLoad,
    Committed,
    Counted,
    CountTokens,
    Denoised,
    Device,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Prefilled,
    Ready,
    Request,
    SamplerConfig,
    Unload,
    Unloaded,
)
from sfumato.engine.tokenizer import Tokenizer
from sfumato.errors import GenerationError

Reason = Literal["end", "stopped", "length", "context"]

FAKE_CPU = Device(id="cpu", name="Fake CPU", memory_bytes=8 << 30, detail="2 cores, none")


@dataclass
class FakeStep:
    argmax: npt.NDArray[np.int32]
    canvas: npt.NDArray[np.int32]
    entropy: npt.NDArray[np.float32]
    accepted: npt.NDArray[np.bool_]
    mean_entropy: float
    settled: bool


@dataclass
class FakeModel:
    """Settles on `reply` (blocks of ids, the last with a stop token), or on noise of its own."""

    vocab: int
    reply: list[list[int]] = field(default_factory=list)
    canvas_length: int = 16
    context: int = 4096
    steps: int = 3  # until a canvas settles; 0: never
    device: str = "cpu"
    can_rewind: bool = True
    commits_late: bool = False  # with the first step of the next canvas
    before_denoise: Callable[[int], None] = lambda step: None
    cache: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    promised: float | None = None  # the temperature that the next step has to have
    pools: dict[str, int] = field(default_factory=lambda: {"weights": 1000, "kv": 200})

    @property
    def position(self) -> int:
        return len(self.cache)

    def prefill(self, ids: Sequence[int]) -> None:
        self.calls.append(f"prefill {len(ids)}")
        self.cache += ids

    def commit(self, ids: Sequence[int]) -> None:
        self.calls.append(f"commit {len(ids)}")
        self.cache += ids

    def truncate(self, position: int) -> None:
        self.calls.append(f"truncate {position}")
        if position and not self.can_rewind:
            from sfumato.engine._native import NativeError

            raise NativeError("the sliding window does not reach back so far")
        assert position <= len(self.cache)
        del self.cache[position:]

    def begin_canvas(
        self,
        *,
        start: Sequence[int] | None = None,
        pinned: Sequence[int] | None = None,
        commit: Sequence[int] | None = None,
        seed: int = 0,
        block: int = 0,
        entropy_bound: float = 0.1,
        stability_threshold: int = 1,
        confidence_threshold: float = 0.005,
    ) -> npt.NDArray[np.int32]:
        self._commit = commit
        if not self.commits_late:
            self._commit_now()
        self.calls.append("begin")
        self.start, self.pinned, self.promised = start, pinned, None
        known = [*self.cache, *(self._commit or [])]
        state = zlib.crc32(np.array([*known, seed, block], np.int64).tobytes())
        self._random = np.random.default_rng(state)
        self._step = 0
        if self.reply:
            self._settled = np.array(self.reply[min(block, len(self.reply) - 1)], np.int32)
        else:
            self._settled = self._noise()
        return self._noise()

    def denoise(self, temperature: float, *, then: float | None = None) -> FakeStep:
        self._commit_now()
        self.calls.append("denoise")
        if self.promised is not None:
            assert temperature == self.promised, "a step that has begun already is another one"
        self.promised = then
        self._step += 1
        self.before_denoise(self._step)
        done = self._step >= self.steps > 0
        share = 1.0 if done else self._step / (self._step + 2)
        known = self._random.random(self.canvas_length) < share
        draft = np.where(known, self._settled, self._noise())
        for at, id_ in enumerate(self.pinned or []):
            if id_ >= 0:
                draft[at] = id_
        entropy = np.where(known, 1e-4, 3.0).astype(np.float32)
        return FakeStep(
            argmax=draft.astype(np.int32),
            canvas=np.where(known, draft, self._noise()).astype(np.int32),
            entropy=entropy,
            accepted=known,
            mean_entropy=float(entropy.mean()),
            settled=done,
        )

    def _commit_now(self) -> None:
        if self._commit is not None:
            self.commit(self._commit)
        self._commit = None

    def _noise(self) -> npt.NDArray[np.int32]:
        # above the special ids, so that noise never ends an answer
        return self._random.integers(494, self.vocab, self.canvas_length).astype(np.int32)


def blocks_of(tokenizer: Tokenizer, text: str, canvas_length: int = 16) -> list[list[int]]:
    """An answer as the model would write it: cut into canvases, ended and padded."""
    ids = [*tokenizer.encode_markup(text + "<turn|>")]
    ids += [0] * (-len(ids) % canvas_length)
    return [ids[at : at + canvas_length] for at in range(0, len(ids), canvas_length)]


def answer_events(
    text: str, *, canvas: int = 16, steps: int = 3, thinking: str = "", settled: bool = True
) -> list[Event]:
    """What an engine says while it answers `text`, one word a position; turn 0."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    events: list[Event] = [
        Prefilled(turn=0, tokens=12, reused=0, ms=3.0, seed=7, context_left=4084)
    ]
    blocks = [words[at : at + canvas] for at in range(0, len(words), canvas)] or [[]]
    for block, kept in enumerate(blocks):
        pieces = kept + [""] * (canvas - len(kept))
        ids = [1000 + at if piece else 0 for at, piece in enumerate(pieces)]
        for step in range(1, steps + 1):
            known = [step == steps or (at * 7 + block) % steps < step for at in range(canvas)]
            cells = list(zip(ids, pieces, known, strict=True))
            events.append(
                Denoised(
                    turn=0,
                    block=block,
                    step=step,
                    max_steps=48,
                    ids=[id_ if k else 999 for id_, _, k in cells],
                    pieces=[piece if k else "~" for _, piece, k in cells],
                    noise_ids=[id_ if k else 998 for id_, _, k in cells],
                    noise_pieces=[piece if k else "#" for _, piece, k in cells],
                    entropy=bytes(2 if k else 120 for k in known),
                    accepted=bytes(known),
                    pinned=bytes(canvas),
                    mean_entropy=0.001 if all(known) else 1.5,
                    ms=20.0,
                )
            )
        events.append(
            Committed(
                turn=0,
                block=block,
                text="".join(kept),
                thinking=thinking if block == 0 else "",
                ids=ids,
                pieces=pieces,
                kept=len(kept),
                steps=steps,
                settled=settled,
                mean_entropy=0.001,
                ms=20.0 * steps,
            )
        )
    done = len(blocks)
    return [*events, _finished("end", tokens=len(words), blocks=done, steps=steps * done)]


def _finished(reason: Reason, *, tokens: int, blocks: int, steps: int) -> Finished:
    return Finished(
        turn=0,
        reason=reason,
        tokens=tokens,
        blocks=blocks,
        steps=steps,
        seconds=0.5,
        tokens_per_second=tokens / 0.5,
        peak_bytes=1 << 30,
    )


class FakeEngine(QObject):
    """Says what it is told to say; one event each time the event loop comes round.

    hold() makes it wait before its next event until release(); crash() is the end of a process.
    """

    received = Signal(object)
    started = Signal()
    ended = Signal(str)

    def __init__(self, answers: Iterable[Sequence[Event]] = (), parent: QObject | None = None):
        super().__init__(parent)
        self.requests: list[Request] = []
        self.running = False
        self.process_id: int | None = None
        self.stderr_tail = ""
        self.loaded = Loaded(
            path="guide.gguf",
            name="Built-in guide",
            parameters=12_000_000,
            device="cpu",
            placement="On the CPU (Fake CPU, 2 cores, none), as chosen.",
            context=4096,
            canvas=16,
            vocab=8192,
            pools={"weights": 12_000_000, "kv": 3_000_000, "workspace": 1_000_000},
            expected_ms_per_step=20.0,
            sampler=SamplerConfig(),
        )
        self._answers = [list(answer) for answer in answers]
        self._coming: list[Event] = []
        self._turn: int | None = None
        self._held = False
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._say_next)

    def start(self) -> None:
        if not self.running:
            self.running = True
            self._say(Ready(VERSION, [FAKE_CPU]))

    def request(self, message: Request) -> None:
        if not self.running:
            raise GenerationError("The engine is not running; start it again.")
        self.requests.append(message)
        match message:
            case Load():
                self.loaded = msgspec.structs.replace(self.loaded, path=message.path)
                self._say(self.loaded)
            case Unload() | CancelLoad():
                self._say(Unloaded())
            case CountTokens():
                self._say(Counted(message.request, 12, self.loaded.context))
            case Generate():
                self._turn = message.turn
                events = self._answers.pop(0) if self._answers else answer_events("Yes.")
                for event in events:
                    self._say(msgspec.structs.replace(event, turn=message.turn))

    def stop(self) -> None:
        if self._turn is not None:
            turn = self._turn
            self._coming = [e for e in self._coming if getattr(e, "turn", None) != turn]
            self._held = False
            self._say(
                msgspec.structs.replace(
                    _finished("stopped", tokens=0, blocks=0, steps=1), turn=turn
                )
            )

    def restart(self) -> None:
        self._end("")
        self.start()

    def close(self) -> None:
        self._end("")

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        self._timer.start()

    def crash(self, message: str = "The engine crashed (SIGSEGV).") -> None:
        turn = self._turn
        self._coming.clear()
        self.running = False
        self._turn = None
        self.received.emit(
            Failed(kind="crash", message=message, advice="Start the engine again.", turn=turn)
        )
        self.ended.emit(message)

    def _end(self, reason: str) -> None:
        if self.running:
            self.running = False
            self._coming.clear()
            self._turn = None
            self.ended.emit(reason)

    def _say(self, event: Event) -> None:
        self._coming.append(event)
        self._timer.start()

    def _say_next(self) -> None:
        if self._held or not self._coming:
            self._timer.stop()
            return
        event = self._coming.pop(0)
        if isinstance(event, Finished | Failed):
            self._turn = None
        self.received.emit(event)
        if isinstance(event, Ready):
            self.started.emit()
