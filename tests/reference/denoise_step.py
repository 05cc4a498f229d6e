"""Acceptance by entropy bound and the decision to stop (MODEL.md 3.1, 7.2)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Outcome:
    canvas: Ids
    argmax: Ids
    accepted: npt.NDArray[np.bool_]
    mean_entropy: float
    same_steps: int
    stable: bool
    settled: bool


def denoise_step(
    *,
    entropy: npt.NDArray[np.float32],
    sampled: Ids,
    renoise: Ids,
    pinned: Ids,
    argmax: Ids,
    previous_argmax: Ids,
    same_steps: int,
    entropy_bound: float,
    stability_threshold: int,
    confidence_threshold: float,
) -> Outcome:
    """All arrays [canvas]; pinned -1 where free."""
    free = pinned < 0
    accepted = np.zeros(len(entropy), bool)
    before = 0.0
    for position in np.argsort(np.where(free, entropy, np.inf), kind="stable")[: free.sum()]:
        accepted[position] = before <= entropy_bound
        before += float(entropy[position])
    canvas = np.where(free, np.where(accepted, sampled, renoise), pinned)
    argmax = np.where(free, argmax, pinned)
    same = bool(np.array_equal(argmax[free], previous_argmax[free]))
    same_steps = same_steps + 1 if same else 0
    mean = float(entropy[free].astype(np.float64).mean()) if free.any() else 0.0
    stable = same_steps >= stability_threshold
    return Outcome(
        canvas, argmax, accepted, mean, same_steps, stable, stable and mean < confidence_threshold
    )
