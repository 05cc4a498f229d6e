"""Exceptions of the engine → what a person is told."""

import traceback
from pathlib import Path

from sfumato.engine._native import NativeError, OutOfMemoryError
from sfumato.engine.protocol import Failed, FailureKind
from sfumato.engine.session import ContextFullError
from sfumato.errors import KnownError, ModelFileError, ModelLoadError
from sfumato.sentence import Sentence

# What the world makes the engine raise; anything else is a mistake of ours.
WORLDLY = (KnownError, NativeError, MemoryError)


def failure(error: Exception, *, turn: int | None = None, path: str | None = None) -> Failed:
    """What the window is told about an exception; `path` is of the model that was being loaded."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, OutOfMemoryError | MemoryError):
        return Failed(
            kind="memory",
            message=Sentence("Engine", "There is not enough memory: {said}.").filled(
                said=str(error) or Sentence("Engine", "none is left")
            ),
            advice=Sentence(
                "Engine", "Close other programs, or choose a shorter context or a smaller model."
            ),
            turn=turn,
            detail=detail,
        )
    message, advice = _fact_and_way_out(error)
    kind: FailureKind
    match error:
        case ModelFileError():
            gone = path is not None and not Path(path).exists()
            kind = "model_gone" if gone else "model_file"
        case ContextFullError():
            kind = "context"
        case ModelLoadError():
            kind = "device"
        case NativeError():
            kind = "device"
            message = Sentence("Engine", "The model could not be computed: {error}.").filled(
                error=str(error)
            )
            advice = Sentence(
                "Engine",
                "Start the engine again, check the model file, or choose another device.",
            )
        case KnownError():
            kind = "request"
        case _:
            kind = "internal"
            message = Sentence("Engine", "The engine made a mistake ({kind}: {error}).").filled(
                kind=type(error).__name__, error=str(error)
            )
            advice = Sentence(
                "Engine", "Try again; if it happens again, please report it with the details."
            )
    return Failed(kind=kind, message=message, advice=advice, turn=turn, detail=detail)


def _fact_and_way_out(error: Exception) -> tuple[Sentence, Sentence]:
    """A KnownError says “fact; way out.”; the window shows them apart."""
    said = error.args[0] if error.args else ""
    sentence = said if isinstance(said, Sentence) else Sentence("", str(error))
    return sentence.parted() or (sentence, Sentence("Engine", "Try again."))
