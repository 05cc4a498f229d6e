"""What the head says, with all logits at hand, in float64 (MODEL.md 2.8, 2.9, 3.1)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .rms_norm import F64


@dataclass(frozen=True)
class Beliefs:
    """Arrays are [rows], `logits` and `p` [rows, vocab]."""

    logits: F64
    p: F64
    entropy: F64
    argmax: npt.NDArray[np.int64]
    sampled: npt.NDArray[np.int64]


def head(hidden: F64, embedding: F64, softcap: float) -> F64:
    """hidden [rows, hidden] after the final norm, embedding [vocab, hidden] → [rows, vocab]."""
    return softcap * np.tanh(np.asarray(hidden, np.float64) @ embedding.T / softcap)


def beliefs(logits: F64, temperature: float, uniform: F64) -> Beliefs:
    z = np.asarray(logits, np.float64) / temperature
    z = z - z.max(-1, keepdims=True)
    p = np.exp(z)
    total = p.sum(-1, keepdims=True)
    p /= total
    entropy = -(p * (z - np.log(total))).sum(-1)
    cumulative = np.cumsum(p, axis=-1)
    sampled = (cumulative <= np.asarray(uniform, np.float64)[:, None]).sum(-1)
    return Beliefs(logits, p, entropy, z.argmax(-1), np.minimum(sampled, z.shape[-1] - 1))


def soft_embedding(p: F64, embedding: F64, scale: float) -> F64:
    return (p @ np.asarray(embedding, np.float64)) * scale


def flattened(p: F64, smallest: float = 1e-4, most: int = 256) -> F64:
    """p with only its likeliest tokens kept and the rest spread evenly over all others."""
    out = np.empty_like(p)
    for row, values in enumerate(p):
        kept = np.argsort(-values, kind="stable")[:most]
        kept = kept[values[kept] >= smallest]
        others = len(values) - len(kept)
        out[row] = (1.0 - values[kept].sum()) / others if others else 0.0
        out[row, kept] = values[kept]
    return out
