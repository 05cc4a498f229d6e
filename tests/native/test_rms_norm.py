"""Norms and what surrounds them."""

import numpy as np
import pytest
from matrices import normal
from reference.rms_norm import rms_norm
from sfumato.engine import _native

EPS = 1e-6


@pytest.mark.parametrize("width", [1, 7, 64, 2816])
def test_norm_with_and_without_weight(width: int, rng: np.random.Generator) -> None:
    x, weight = normal(rng, 9, width), normal(rng, width)
    plain = _native.op_rms_norm(x, eps=EPS)
    np.testing.assert_allclose(plain, rms_norm(x), rtol=2e-6)
    weighted = _native.op_rms_norm(x, weight=weight, eps=EPS)
    np.testing.assert_allclose(weighted, rms_norm(x, weight), rtol=2e-6)


def test_sum_residual_and_scale(rng: np.random.Generator) -> None:
    x, plus, residual = (normal(rng, 5, 96) for _ in range(3))
    weight = normal(rng, 96)
    got = _native.op_rms_norm(x, plus=plus, weight=weight, residual=residual, scale=0.8, eps=EPS)
    want = (residual + rms_norm(x.astype(np.float64) + plus, weight)) * 0.8
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_row_of_zeros_stays_zero() -> None:
    assert not _native.op_rms_norm(np.zeros((2, 64), np.float32), eps=EPS).any()
