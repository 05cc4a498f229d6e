"""The engine process over a FakeModel: `python fake_worker.py SCENARIO`.

The vocabulary is that of the file in Load. Everything but the model is the real thing; some
scenarios wait inside a step, or inside a load, until the reader thread has seen a request.
"""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import FAKE_CPU, FakeModel, blocks_of
from sfumato.engine import session, worker
from sfumato.engine._native import CancelledError, NativeError, OutOfMemoryError
from sfumato.engine.model_file import ModelFile
from sfumato.engine.protocol import CancelLoad, CountTokens, Load, Loaded, Request, Stop
from sfumato.engine.sampler import SamplerConfig
from sfumato.engine.session import Session
from sfumato.engine.tokenizer import Tokenizer

REPLY = "An answer of the fake engine, over several canvases."
scenario = sys.argv[1] if len(sys.argv) > 1 else "plain"
seen = {kind: threading.Event() for kind in (Stop, CancelLoad, CountTokens)}


class WatchedWorker(worker.Worker):
    def _take(self, request: Request) -> None:
        super()._take(request)
        if type(request) in seen:
            seen[type(request)].set()


def wait_for(kind: type) -> None:
    if not seen[kind].wait(30):
        os._exit(99)


def before_denoise(step: int) -> None:
    match scenario:
        case "stop":
            if step == 4:
                wait_for(Stop)
        case "count":
            if step == 2:
                wait_for(CountTokens)
        case "memory":
            raise OutOfMemoryError("the workspace needs 3.2 GB, 1.0 GB are free")
        case "device":
            raise NativeError("an illegal memory access was encountered")
        case "mistake":
            raise ZeroDivisionError("division by zero")
        case "prints":
            print("printed by a library")
            os.write(1, b"written by a library\n")


def load(request: Load, progress: Callable[[float], bool]) -> tuple[Session, Loaded]:
    file = ModelFile.open(request.path)
    if scenario == "load memory":
        raise OutOfMemoryError("the weights need 17.2 GB, 8.0 GB are free")
    for panel in range(10):
        if scenario == "cancel" and panel == 3:
            wait_for(CancelLoad)
        if scenario == "newer load" and panel == 3:
            wait_for(CountTokens)  # which came behind it
        if not progress(panel / 10):
            raise CancelledError("given up")
    tokenizer = Tokenizer.open(file.path)
    model = FakeModel(
        tokenizer.size,
        blocks_of(tokenizer, REPLY),
        steps=0 if scenario in ("stop", "endless") else 3,
        before_denoise=before_denoise,
    )
    loaded = Loaded(
        path=request.path,
        name=file.name,
        parameters=file.parameters,
        device="cpu",
        placement="Nowhere.",
        context=model.context,
        canvas=model.canvas_length,
        vocab=tokenizer.size,
        pools=model.pools,
        expected_ms_per_step=None,
        sampler=SamplerConfig(max_steps=1000),
    )
    return session.Session(model, tokenizer, loaded.sampler), loaded  # type: ignore[arg-type]


if __name__ == "__main__":
    requests, events = worker.claim_pipes()
    worker.die_with_parent()
    WatchedWorker(requests, events, load).run([FAKE_CPU])
