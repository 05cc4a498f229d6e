"""Gated feed-forward network in float64 (MODEL.md 2.3)."""

import numpy as np

from .rms_norm import F64


def gelu(z: F64) -> F64:
    return 0.5 * z * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (z + 0.044715 * z**3)))


def mlp(x: F64, gate: F64, up: F64, down: F64) -> F64:
    """x [rows, hidden], gate and up [ffn, hidden], down [hidden, ffn]."""
    x = np.asarray(x, np.float64)
    return (gelu(x @ gate.T) * (x @ up.T)) @ down.T
