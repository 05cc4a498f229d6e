"""Gated feed-forward network."""

import numpy as np
import pytest
from matrices import error, matrix, normal
from reference.mlp import mlp
from sfumato.engine import _native


@pytest.mark.parametrize(("rows", "hidden", "ffn"), [(1, 32, 64), (7, 64, 96), (40, 96, 48)])
def test_reference_mode(rows: int, hidden: int, ffn: int, rng: np.random.Generator) -> None:
    gate, g = matrix(rng, "F32", ffn, hidden)
    up, u = matrix(rng, "F32", ffn, hidden)
    down, d = matrix(rng, "F32", hidden, ffn)
    x = normal(rng, rows, hidden)
    got = _native.op_mlp(x, gate, up, down, compute="reference")
    assert error(got, mlp(x, g, u, d)) < 2e-6


def test_fast_mode_rounds_activations_twice(rng: np.random.Generator) -> None:
    gate, g = matrix(rng, "Q4_K", 512, 256)
    up, u = matrix(rng, "Q4_K", 512, 256)
    down, d = matrix(rng, "Q5_0", 256, 512)
    x = normal(rng, 33, 256)
    got = _native.op_mlp(x, gate, up, down, compute="fast")
    assert error(got, mlp(x, g, u, d)) < 1.5e-2
