"""Attention with an explicit mask over positions, in float64 (MODEL.md 1.4, 2.4)."""

import numpy as np
import numpy.typing as npt

from .rms_norm import F64


def visible(
    rows: int, keys: int, first_position: int, *, causal: bool, window: int
) -> npt.NDArray[np.bool_]:
    """[rows, keys]: which positions each row sees. window 0: all before."""
    row = first_position + np.arange(rows)[:, None]
    key = np.arange(keys)[None, :]
    if causal:
        seen = key <= row
        return seen & (key > row - window) if window else seen
    inside = (key >= first_position) & (key < first_position + rows)
    prefix = key < first_position
    return inside | (prefix & (key >= first_position - (window - 1)) if window else prefix)


def attention(q: F64, keys: F64, values: F64, mask: npt.NDArray[np.bool_]) -> F64:
    """q [rows, heads, d], keys and values [positions, kv_heads, d], mask [rows, positions]."""
    group = q.shape[1] // keys.shape[1]
    keys, values = np.repeat(keys, group, axis=1), np.repeat(values, group, axis=1)
    scores = np.einsum("rhd,khd->hrk", q.astype(np.float64), keys.astype(np.float64))
    scores = np.where(mask[None], scores, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return np.einsum("hrk,khd->rhd", p, values.astype(np.float64))
