"""One conversation over one loaded model: prompt → prefill → denoise* → commit → …"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from sfumato.engine import device
from sfumato.engine._native import CancelledError, Model, NativeError
from sfumato.engine.canvas import Canvas
from sfumato.engine.model_file import ModelFile
from sfumato.engine.protocol import (
    Committed,
    Denoised,
    Event,
    Finished,
    Generate,
    Load,
    Loaded,
    Message,
    Prefilled,
)
from sfumato.engine.reply import Reply
from sfumato.engine.sampler import SamplerConfig
from sfumato.engine.template import encode_prompt
from sfumato.engine.tokenizer import Tokenizer
from sfumato.errors import GenerationError, ModelLoadError
from sfumato.sentence import Sentence

# A prompt is prefilled in slices of so many tokens; between two of them it can be stopped.
PREFILL_TOKENS = 512
# A step is tried after a load where it costs little: on a GPU, or with weights up to so many bytes.
TRIED_BYTES = 1 << 30
# Slower than this a paced step is never made: it could not be stopped in time.
MAX_PACE_MS = 1000.0

Reason = Literal["end", "stopped", "length", "context"]


class ContextFullError(GenerationError):
    """The conversation and one canvas do not fit into the KV cache."""


class Session:
    """Answers conversations. What two of them share at their start is prefilled once."""

    def __init__(self, model: Model, tokenizer: Tokenizer, sampler: SamplerConfig) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._sampler = sampler
        self._cached: list[int] = []  # ids whose keys and values the model holds

    @property
    def context(self) -> int:
        return self._model.context

    def count_tokens(self, messages: Sequence[Message], *, thinking: bool = False) -> int:
        return len(encode_prompt(self._tokenizer, messages, thinking=thinking))

    def answer(
        self, request: Generate, stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[Event]:
        """Answer a conversation, canvas by canvas; ends with Finished.

        `stopped` is asked between any two native calls; closing the iterator stops as well. What
        is committed stays. Raises GenerationError before the first event if the request cannot be
        answered (ContextFullError: it is too long), and NativeError where the device fails.
        """
        prompt = self._prompt(request)
        run = _Run(request, request.sampler or self._sampler, self._pinned(request))
        reused = self._keep_common_prefix(prompt)
        if not self._prefill(prompt[reused:], stopped):
            yield run.finished("stopped", self._peak_bytes())
            return
        yield run.prefilled(len(prompt), reused, self.context)
        reply = Reply(self._tokenizer, continued=request.continue_answer)
        while True:
            for canvas in self._denoise(run, stopped):
                yield self._denoised(run, canvas)
            if not run.block_done:
                yield run.finished("stopped", self._peak_bytes())
                return
            yield self._committed(run, canvas, reply)
            reason = self._reason_to_end(run, reply, stopped)
            if reason:
                yield run.finished(reason, self._peak_bytes())
                return
            run.uncommitted = canvas.draft  # nobody needs the keys of a last block

    def _prompt(self, request: Generate) -> list[int]:
        """Ids of the conversation. Raises GenerationError where it cannot be answered."""
        for name, ids in (("start", request.start), ("pinned", request.pinned)):
            if ids is not None and len(ids) != self._model.canvas_length:
                length = self._model.canvas_length
                raise GenerationError(
                    Sentence("Engine", "The {name} canvas has {cells} cells, not {length}.").filled(
                        name=name, cells=len(ids), length=length
                    )
                )
        if not request.messages or (request.messages[-1].role == "assistant") != (
            request.continue_answer
        ):
            raise GenerationError(
                Sentence("Engine", "There is nothing to answer; write a message first.")
            )
        if request.max_blocks < 1:
            raise GenerationError(
                Sentence("Engine", "An answer of {blocks} blocks is not possible.").filled(
                    blocks=request.max_blocks
                )
            )
        prompt = encode_prompt(
            self._tokenizer,
            request.messages,
            thinking=request.thinking,
            continue_answer=request.continue_answer,
        )
        if len(prompt) + self._model.canvas_length > self.context:
            raise ContextFullError(
                Sentence(
                    "Engine",
                    "The conversation takes {tokens} tokens and a block of the answer "
                    "{canvas}, but the context holds {context}; start a new chat, shorten "
                    "the messages, or load the model with a longer context.",
                ).filled(tokens=len(prompt), canvas=self._model.canvas_length, context=self.context)
            )
        return prompt

    def _pinned(self, request: Generate) -> list[int] | None:
        """[canvas] ids with the request's words in place; raises GenerationError without room."""
        if not request.words:
            return request.pinned
        pinned = list(request.pinned or [-1] * self._model.canvas_length)
        free = [at for at, id_ in enumerate(pinned) if id_ < 0]
        ids = self._tokenizer.encode_text(request.words)
        if len(ids) > len(free):
            raise GenerationError(
                Sentence(
                    "Engine",
                    "The words take {tokens} tokens and there is room for {room}; write fewer "
                    "words or select more text.",
                ).filled(tokens=len(ids), room=len(free))
            )
        for at, id_ in zip(free, ids, strict=False):
            pinned[at] = id_
        return pinned

    def _keep_common_prefix(self, prompt: list[int]) -> int:
        """Forget what the cache holds beyond its common prefix with `prompt`; its length."""
        common = 0
        for cached, wanted in zip(self._cached, prompt, strict=False):
            if cached != wanted:
                break
            common += 1
        if common < self._model.position:
            try:
                self._model.truncate(common)
            except NativeError:  # a sliding layer has already forgotten what it would need there
                common = 0
                self._model.truncate(0)
        self._cached = prompt[:common]
        return common

    def _prefill(self, ids: list[int], stopped: Callable[[], bool]) -> bool:
        """Append `ids` to the cache; False if it was stopped in between."""
        for start in range(0, len(ids), PREFILL_TOKENS):
            if stopped():
                return False
            self._append(ids[start : start + PREFILL_TOKENS])
        return not stopped()

    def _append(self, ids: list[int]) -> None:
        cached, self._cached = self._cached, []  # unknown, should the pass fail half-way
        self._model.prefill(ids)
        self._cached = cached + ids

    def _follow_commit(self, run: "_Run") -> None:
        """The cache takes a block when the next canvas begins or with its first step."""
        if run.uncommitted and self._model.position > len(self._cached):
            self._cached = self._cached + run.uncommitted
            run.uncommitted = []

    def _denoise(self, run: "_Run", stopped: Callable[[], bool]) -> Iterator[Canvas]:
        """Refine the next block until it settles or runs out of steps."""
        self._model.begin_canvas(
            start=run.start,
            pinned=run.pinned,
            commit=run.uncommitted or None,
            seed=run.seed,
            block=run.block,
            entropy_bound=run.sampler.entropy_bound,
            stability_threshold=run.sampler.stability_threshold,
            confidence_threshold=run.sampler.confidence_threshold,
        )
        self._follow_commit(run)
        began = time.perf_counter()
        for step in range(run.sampler.max_steps):
            if stopped():
                return
            temperature, then = run.temperatures(step)
            canvas = Canvas.after(self._model.denoise(temperature, then=then))
            self._follow_commit(run)
            done = time.perf_counter()
            run.step_done((done - began) * 1e3, canvas.settled)
            yield canvas
            time.sleep(max(0.0, run.pace_ms / 1e3 - (time.perf_counter() - began)))
            if canvas.settled:
                return
            began = time.perf_counter() if then is None else done

    def _denoised(self, run: "_Run", canvas: Canvas) -> Denoised:
        return Denoised(
            turn=run.turn,
            block=run.block,
            step=run.block_steps,
            max_steps=run.sampler.max_steps,
            ids=canvas.draft,
            pieces=self._tokenizer.pieces(canvas.draft),
            noise_ids=canvas.noise,
            noise_pieces=self._tokenizer.pieces(canvas.noise),
            entropy=canvas.entropy,
            accepted=canvas.accepted,
            pinned=run.pinned_flags(len(canvas.draft)),
            mean_entropy=canvas.mean_entropy,
            ms=run.step_ms,
        )

    def _committed(self, run: "_Run", canvas: Canvas, reply: Reply) -> Committed:
        portion = reply.commit(canvas.draft)
        committed = Committed(
            turn=run.turn,
            block=run.block,
            text=portion.text,
            thinking=portion.thinking,
            ids=canvas.draft,
            pieces=self._tokenizer.pieces(canvas.draft),
            kept=portion.kept,
            steps=run.block_steps,
            settled=canvas.settled,
            mean_entropy=canvas.mean_entropy,
            ms=run.block_ms,
        )
        run.committed(portion.kept)
        return committed

    def _reason_to_end(
        self, run: "_Run", reply: Reply, stopped: Callable[[], bool]
    ) -> Reason | None:
        if reply.ended:
            return "end"
        if stopped():
            return "stopped"
        if run.block == run.max_blocks:
            return "length"
        # room for the keys of this block and for the next canvas
        if self._model.position + 2 * self._model.canvas_length > self.context:
            return "context"
        return None

    def _peak_bytes(self) -> int:
        if self._model.device == "cpu":
            return device.peak_bytes()
        return sum(self._model.pools.values())

    def try_step(self) -> float:
        """Milliseconds of one denoise step on an empty cache, the faster of two."""
        times = []
        for _ in range(2):
            self._model.begin_canvas()
            started = time.perf_counter()
            self._model.denoise(self._sampler.t_max)
            times.append((time.perf_counter() - started) * 1e3)
        return min(times)

    def close(self) -> None:
        """Free the model's memory; the session answers nothing more."""
        self._tokenizer.close()
        del self._model


class _Run:
    """What one answer has done so far."""

    def __init__(self, request: Generate, sampler: SamplerConfig, pinned: list[int] | None) -> None:
        self.turn = request.turn
        self.sampler = sampler
        self.seed = secrets.randbelow(1 << 31) if request.seed is None else request.seed
        self.max_blocks = request.max_blocks
        self.pace_ms = min(request.pace_ms, MAX_PACE_MS)
        self.block = 0  # as many are committed
        self.block_steps = 0
        self.block_ms = 0.0
        self.block_done = False
        self.uncommitted: list[int] = []  # the block before, which the cache does not hold yet
        self.step_ms = 0.0
        self.steps = 0
        self.tokens = 0
        self._first = (request.start, pinned)
        self._began = time.perf_counter()

    @property
    def start(self) -> list[int] | None:
        return self._first[0] if self.block == 0 else None

    @property
    def pinned(self) -> list[int] | None:
        return self._first[1] if self.block == 0 else None

    def pinned_flags(self, canvas_length: int) -> bytes:
        if self.pinned is None:
            return bytes(canvas_length)
        return bytes(id_ >= 0 for id_ in self.pinned)

    def temperatures(self, step: int) -> tuple[float, float | None]:
        """Of a step, and of the one after it where that may begin at once."""
        last = step + 1 == self.sampler.max_steps or self.pace_ms > 0
        return (
            self.sampler.temperature(step),
            None if last else self.sampler.temperature(step + 1),
        )

    def step_done(self, ms: float, settled: bool) -> None:
        self.step_ms = ms
        self.block_ms += ms
        self.block_steps += 1
        self.steps += 1
        self.block_done = settled or self.block_steps == self.sampler.max_steps

    def committed(self, kept: int) -> None:
        self.tokens += kept
        self.block += 1
        self.block_steps = 0
        self.block_ms = 0.0
        self.block_done = False

    def prefilled(self, tokens: int, reused: int, context: int) -> Prefilled:
        return Prefilled(
            turn=self.turn,
            tokens=tokens,
            reused=reused,
            ms=(time.perf_counter() - self._began) * 1e3,
            seed=self.seed,
            context_left=context - tokens,
        )

    def finished(self, reason: Reason, peak_bytes: int) -> Finished:
        seconds = time.perf_counter() - self._began
        return Finished(
            turn=self.turn,
            reason=reason,
            tokens=self.tokens,
            blocks=self.block,
            steps=self.steps,
            seconds=seconds,
            tokens_per_second=self.tokens / seconds if seconds > 0 else 0.0,
            peak_bytes=peak_bytes,
        )


def load(
    request: Load, progress: Callable[[float], bool] = lambda _: True
) -> tuple[Session, Loaded]:
    """Open a model file on a device.

    `progress` gets the fraction of weight bytes that are in place; when it returns False the load
    is given up with CancelledError. Raises ModelFileError, ModelLoadError or NativeError.
    """

    def check() -> None:
        if not progress(0.0):
            raise CancelledError("the load was given up")

    check()
    file = ModelFile.open(request.path)
    context = min(request.context, file.config.context_length)
    if context < 2 * file.config.canvas:
        raise ModelLoadError(
            Sentence(
                "Engine",
                "A context of {context} tokens has no room for a block of {canvas} and a "
                "question; choose at least {least}.",
            ).filled(context=context, canvas=file.config.canvas, least=2 * file.config.canvas)
        )
    weights = device.weight_bytes(file.tensors, request.profile)
    placement = device.place(
        request.device,
        device.needed_bytes(weights, file.config, context, request.profile),
        device.devices(),
        device.movable_bytes(file.tensors, file.config, request.profile),
    )
    check()
    tokenizer = Tokenizer.open(file.path)
    check()
    try:
        model = Model(
            *file.native_arguments(),
            device=placement.device,
            context=context,
            compute=request.compute,
            progress=progress,
            profile=request.profile,
        )
    except BaseException:
        tokenizer.close()
        raise
    session = Session(model, tokenizer, file.sampler)
    expected_ms = None
    if placement.device != "cpu" or weights <= TRIED_BYTES:
        expected_ms = session.try_step()
    loaded = Loaded(
        path=str(Path(request.path)),
        name=file.name,
        parameters=file.parameters,
        device=placement.device,
        placement=placement.sentence,
        main_memory=model.plan["main_memory"],
        context=context,
        canvas=file.config.canvas,
        vocab=file.config.vocab,
        pools=dict(model.pools),
        expected_ms_per_step=expected_ms,
        sampler=file.sampler,
        rounding_error=model.rounding_error,
    )
    return session, loaded
