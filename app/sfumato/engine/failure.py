"""Exceptions of the engine → what a person is told."""

import traceback
from pathlib import Path

from sfumato.engine._native import NativeError, OutOfMemoryError
from sfumato.engine.protocol import Failed, FailureKind
from sfumato.engine.session import ContextFullError
from sfumato.errors import KnownError, ModelFileError, ModelLoadError

# What the world makes the engine raise; anything else is a mistake of ours.
WORLDLY = (KnownError, NativeError, MemoryError)


def failure(error: Exception, *, turn: int | None = None, path: str | None = None) -> Failed:
    """What the window is told about an exception; `path` is of the model that was being loaded."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, OutOfMemoryError | MemoryError):
        return Failed(
            kind="memory",
            message=f"There is not enough memory: {str(error) or 'none is left'}.",
            advice="Close other programs, or choose a shorter context or a smaller model.",
            turn=turn,
            detail=detail,
        )
    message, advice = _fact_and_way_out(str(error))
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
            message = f"The model could not be computed: {error}."
            advice = "Start the engine again, check the model file, or choose another device."
        case KnownError():
            kind = "request"
        case _:
            kind = "internal"
            message = f"The engine made a mistake ({type(error).__name__}: {error})."
            advice = "Try again; if it happens again, please report it with the details."
    return Failed(kind=kind, message=message, advice=advice, turn=turn, detail=detail)


def _fact_and_way_out(sentence: str) -> tuple[str, str]:
    """A KnownError says “fact; way out.”; the window shows them apart."""
    fact, separator, way_out = sentence.rpartition("; ")
    if not separator:
        return sentence, "Try again."
    return f"{fact}.", way_out[:1].upper() + way_out[1:]
