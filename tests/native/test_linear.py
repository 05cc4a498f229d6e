"""Products with matrices of every type, odd sizes, both compute modes."""

import numpy as np
import pytest
from matrices import TYPES, error, matrix, normal
from sfumato.engine import _native

# rows × outputs × inputs: one row, panels that are short, more rows than a tile.
SIZES = [(1, 1, 256), (3, 33, 256), (70, 95, 512)]


# Largest error as a share of ‖x‖‖w‖: float rounding; 8-bit activations in blocks of 32.
LIMIT = {"reference": 1e-6, "fast": 1.5e-2}


@pytest.mark.parametrize("compute", LIMIT)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", TYPES)
def test_products_differ_by_rounding_only(
    name: str, size: tuple[int, int, int], compute: str, rng: np.random.Generator
) -> None:
    rows, outputs, inputs = size
    w, values = matrix(rng, name, outputs, inputs)
    x = normal(rng, rows, inputs)
    want = x.astype(np.float64) @ values.astype(np.float64).T
    scale = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(values, axis=1)[None, :]
    worst = np.abs(_native.op_linear(w, x, compute) - want) / scale
    assert worst.max() < LIMIT[compute]


@pytest.mark.parametrize("inputs", [48, 31, 2])
def test_a_width_that_is_no_multiple_of_32_works_in_both_modes(
    inputs: int, rng: np.random.Generator
) -> None:
    w, values = matrix(rng, "F32", 37, inputs)
    x = normal(rng, 5, inputs)
    for compute in ("reference", "fast"):
        assert error(_native.op_linear(w, x, compute), x @ values.T) < 2e-6


def test_the_number_of_threads_does_not_change_a_bit(rng: np.random.Generator) -> None:
    w, _ = matrix(rng, "Q4_K", 200, 512)
    x = normal(rng, 9, 512)
    one = _native.op_linear(w, x, "fast", threads=1)
    np.testing.assert_array_equal(one, _native.op_linear(w, x, "fast", threads=3))


def test_shapes_that_do_not_fit_are_refused_with_their_numbers(rng: np.random.Generator) -> None:
    w, _ = matrix(rng, "F32", 8, 64)
    with pytest.raises(_native.NativeError, match=r"x is \[2, 32\].*W \[8, 64\]"):
        _native.op_linear(w, normal(rng, 2, 32), "reference")
