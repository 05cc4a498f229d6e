"""Proof that a model works here: load, one prefill, three denoise steps, timed.

The device is the one that the engine reports of itself, not the one that the driver lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from sfumato.engine.protocol import (
    Committed,
    Denoised,
    Device,
    Event,
    Failed,
    Finished,
    Generate,
    Message,
    Prefilled,
)
from sfumato.sentence import Sentence
from sfumato.services.engine_client import EngineClient
from sfumato.services.generation import Generation
from sfumato.services.model import ModelService

STEPS = 3
PROMPT = "Describe how a painter lets a form come slowly into focus."
SEED = 1
# A step is called slow beyond this many times of what was predicted.
SLOW = 2.0

Stage = Literal["idle", "waiting", "loading", "reading", "stepping"]
Predict = Callable[[Path, Device], float | None]


@dataclass(frozen=True, slots=True)
class Report:
    """`sentence` says what came out, `advice` what can be done about it ("" for nothing)."""

    works: bool
    sentence: str
    advice: str = ""
    device: str = ""  # cpu | cuda:N
    ms_per_step: float | None = None
    predicted_ms: float | None = None


class SelfTest(QObject):
    """Tests the chosen model. `changed` follows each piece of progress, `ended` brings a Report."""

    changed = Signal()
    ended = Signal(object)

    def __init__(
        self,
        client: EngineClient,
        model: ModelService,
        generation: Generation,
        predict: Predict = lambda path, device: None,
        parent: QObject | None = None,
    ) -> None:
        """`predict`: milliseconds that a step of the model at a path should take on a device."""
        super().__init__(parent)
        self._client = client
        self._model = model
        self._generation = generation
        self._predict = predict
        self._turn = 0  # answers to people count upwards from 1, tests downwards
        self._path = Path()  # of the model under test
        self._mean_entropy = 0.0
        self._step_ms: list[float] = []
        self.stage: Stage = "idle"
        self.prefilled: Prefilled | None = None
        self.report: Report | None = None
        client.received.connect(self._take)
        client.ended.connect(self._engine_ended)
        model.changed.connect(self._go_on)
        generation.busy_changed.connect(lambda _: self._go_on())

    @property
    def running(self) -> bool:
        return self.stage != "idle"

    @property
    def steps(self) -> int:
        """How many denoise steps have been seen."""
        return len(self._step_ms)

    def run(self) -> None:
        """Begin, as soon as the model is loaded and no answer is under way."""
        if self.running:
            return
        self.report = None
        self.prefilled = None
        self._step_ms = []
        self._path = self._model.path
        self.stage = "waiting"
        self._go_on()

    def _go_on(self) -> None:
        if self.stage not in ("waiting", "loading"):
            return
        if self._model.path != self._path:
            self._set("idle")  # given up for another model: there is nothing to report
            return
        match self._model.state:
            case "ready" if self._generation.busy:
                self._set("waiting")
            case "ready":
                self._send()
            case "failed":
                failure = self._model.failure
                self._end(
                    Report(False, failure.message, failure.advice)
                    if failure
                    else Report(
                        False,
                        Sentence("SelfTest", "The engine is not running."),
                        Sentence("SelfTest", "Start it again."),
                    )
                )
            case "off":
                self._set("loading")
                self._model.start()
            case "starting" | "loading":
                self._set("loading")

    def _send(self) -> None:
        loaded = self._model.loaded
        assert loaded is not None
        self._turn -= 1
        self._set("reading")
        self._client.request(
            Generate(
                turn=self._turn,
                messages=[Message("user", PROMPT)],
                # A threshold of 0 is never met: it takes all its steps.
                sampler=msgspec.structs.replace(
                    loaded.sampler, max_steps=STEPS, confidence_threshold=0.0
                ),
                seed=SEED,
                max_blocks=1,
            )
        )

    def _take(self, event: Event) -> None:
        if self.stage not in ("reading", "stepping") or getattr(event, "turn", 0) != self._turn:
            return
        match event:
            case Prefilled():
                self.prefilled = event
                self._set("stepping")
            case Denoised():
                self._mean_entropy = event.mean_entropy
                self._step_ms.append(event.ms)
                self.changed.emit()
            case Committed():
                # A step that arrived late was replaced by the next one; their sum never is.
                if len(self._step_ms) < event.steps:
                    self._step_ms = [event.ms / event.steps] * event.steps
                self._mean_entropy = event.mean_entropy
            case Finished() if self._step_ms and event.reason != "stopped":
                self._end(self._judge())
            case Finished():
                self._end(
                    Report(
                        False,
                        Sentence("SelfTest", "The test was interrupted."),
                        Sentence("SelfTest", "Test again."),
                    )
                )
            case Failed():
                self._end(Report(False, event.message, event.advice))

    def _engine_ended(self, reason: str) -> None:
        if self.stage in ("reading", "stepping"):
            closed = Sentence("SelfTest", "The engine was closed during the test.")
            self._end(Report(False, reason or closed))

    def _judge(self) -> Report:
        loaded = self._model.loaded
        assert loaded is not None
        device = next((d for d in self._model.devices if d.id == loaded.device), None)
        device = device or Device(loaded.device, loaded.device, 0, Sentence("", loaded.device))
        ms = median(self._step_ms)
        path = Path(loaded.path)
        predicted = self._predict(path, device)
        on_gpu = device.id != "cpu"
        where: str = device.name
        if not on_gpu:
            where = Sentence("SelfTest", "the CPU ({name})").filled(name=device.name)
        if not math.isfinite(self._mean_entropy):
            return Report(
                False,
                Sentence(
                    "SelfTest",
                    "The model computes wrongly on {device}: what it predicts is not a number.",
                ).filled(device=where),
                Sentence(
                    "SelfTest",
                    "Update its driver, or let the model compute on the CPU (Settings).",
                ),
                device.id,
                ms,
            )
        sentence = Sentence("SelfTest", "It works: {time} per step on {device}.")
        if predicted is not None:
            sentence = Sentence(
                "SelfTest",
                "It works: {time} per step on {device}; about {predicted} was predicted.",
            )
        elif loaded.expected_ms_per_step is not None:
            predicted = loaded.expected_ms_per_step
            sentence = Sentence(
                "SelfTest",
                "It works: {time} per step on {device}; a trial step at loading took {predicted}.",
            )
        beside = {} if predicted is None else {"predicted": duration(predicted)}
        advice = ""
        if not on_gpu and any(d.id != "cpu" for d in self._model.devices):
            advice = loaded.placement
        elif predicted is not None and ms > SLOW * predicted:
            advice = Sentence(
                "SelfTest",
                "That is slow: other programs may be using the processor, or it saves power.",
            )
            if on_gpu:
                advice = Sentence(
                    "SelfTest",
                    "That is slow: other programs may be using the card, or it saves power.",
                )
        return Report(
            True,
            sentence.filled(time=duration(ms), device=where, **beside),
            advice,
            device.id,
            ms,
            predicted,
        )

    def _set(self, stage: Stage) -> None:
        self.stage = stage
        self.changed.emit()

    def _end(self, report: Report) -> None:
        self.report = report
        self._set("idle")
        self.ended.emit(report)


def duration(ms: float) -> Sentence:
    if ms < 1000:
        return Sentence("SelfTest", "{time} ms").filled(time=ms if ms < 10 else round(ms))
    return Sentence("SelfTest", "{time} s").filled(time=ms / 1000)
