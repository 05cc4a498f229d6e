"""Rotary embedding, half-split pairing, in float64 (MODEL.md 1.3)."""

import numpy as np

from .rms_norm import F64


def frequencies(head_dim: int, base: float, divisors: F64 | None = None) -> F64:
    """[head_dim / 2]"""
    f = base ** (-2.0 * np.arange(head_dim // 2) / head_dim)
    return f if divisors is None else f / np.asarray(divisors, np.float64)


def rope(x: F64, positions: F64, freq: F64) -> F64:
    """x [rows, heads, head_dim], positions [rows]."""
    half = x.shape[-1] // 2
    angle = np.asarray(positions, np.float64)[:, None, None] * freq
    left, right = x[..., :half], x[..., half:]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)
