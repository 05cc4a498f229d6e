"""Matrices for operations under test: what the extension takes, and what they are worth."""

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType
from tiny_model import random_weights

Bytes = tuple[int, npt.NDArray[np.uint8]]
F32 = npt.NDArray[np.float32]

# MODEL.md section 5
# fmt: off
TYPES = [
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
    "IQ4_XS", "MXFP4",
]
# fmt: on


def matrix(
    rng: np.random.Generator, type_: str, *shape: int, deviation: float | None = None
) -> tuple[Bytes, F32]:
    """Random weights [..., rows, width] as blocks of `type_` and as floats."""
    number = GGMLQuantizationType[type_]
    blocks = random_weights(rng, number, shape, deviation or shape[-1] ** -0.5)
    values = gguf.quants.dequantize(blocks, number).reshape(shape).astype(np.float32)
    raw = np.ascontiguousarray(blocks).view(np.uint8).reshape(*shape[:-1], -1)
    return (number.value, raw), values


def error(got: npt.NDArray[np.floating], want: npt.NDArray[np.floating]) -> float:
    """‖Δ‖/‖want‖"""
    difference = np.linalg.norm(got.astype(np.float64) - want.astype(np.float64))
    return float(difference / np.linalg.norm(want.astype(np.float64)))


def normal(rng: np.random.Generator, *shape: int) -> F32:
    return rng.standard_normal(shape).astype(np.float32)
