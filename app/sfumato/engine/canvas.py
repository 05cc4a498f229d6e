"""A canvas after one denoise step: an immutable value, free of the native arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from sfumato.engine._native import Step
from sfumato.engine.protocol import byte_to_entropy


@dataclass(frozen=True, slots=True)
class Canvas:
    """Every sequence has one entry a canvas position. Nothing is final before it is committed."""

    draft: list[int]  # the most probable ids: what is shown, and what a commit keeps
    noise: list[int]  # the ids that the next step starts from
    entropy: bytes  # see protocol.entropy_to_byte
    accepted: bytes  # 1: the sampled id stays in `noise`, 0: a random id replaced it
    mean_entropy: float  # nats, over the positions that are not pinned
    settled: bool

    @classmethod
    def after(cls, step: Step) -> Self:
        return cls(
            draft=step.argmax.tolist(),
            noise=step.canvas.tolist(),
            entropy=_to_bytes(step.entropy),
            accepted=step.accepted.astype(np.uint8).tobytes(),
            mean_entropy=float(step.mean_entropy),
            settled=bool(step.settled),
        )


def _to_bytes(entropy: npt.NDArray[np.float32]) -> bytes:
    """protocol.entropy_to_byte of [canvas] nats at once."""
    scaled = 255.0 * np.sqrt(np.maximum(entropy.astype(np.float64), 0.0) / byte_to_entropy(255))
    return np.minimum(np.rint(scaled), 255.0).astype(np.uint8).tobytes()
