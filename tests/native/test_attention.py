"""Attention over rings and windows, for the encoder and for a canvas."""

import numpy as np
import pytest
from matrices import error, normal
from reference.attention import attention, visible
from sfumato.engine import _native

CASES = [
    # rows, prefix, window, heads, kv_heads, head_dim
    (1, 0, 0, 2, 1, 8),
    (16, 0, 0, 4, 2, 16),
    (5, 61, 0, 6, 3, 16),
    (32, 7, 20, 4, 2, 16),  # canvas longer than the window
    (19, 200, 24, 4, 1, 32),  # prefix much longer than the window
    (70, 130, 64, 16, 8, 64),
]


def run(case: tuple[int, ...], causal: bool, rng: np.random.Generator, **options: object) -> float:
    rows, prefix, window, heads, kv_heads, d = case
    total = prefix + rows
    q = normal(rng, rows, heads * d)
    k, v = (normal(rng, total, kv_heads * d) for _ in range(2))
    capacity = options.get("capacity") or total
    got = _native.op_attention(
        q,
        k,
        v,
        head_dim=d,
        first_position=prefix,
        causal=causal,
        window=window,
        capacity=capacity,
        half=options.get("half", False),
        pass_rows=options.get("pass_rows", total),
    )
    if options.get("half"):
        k, v = (x.astype(np.float16).astype(np.float32) for x in (k, v))
    mask = visible(rows, total, prefix, causal=causal, window=window)
    want = attention(
        q.reshape(rows, heads, d), k.reshape(total, -1, d), v.reshape(total, -1, d), mask
    )
    return error(got, want.reshape(rows, -1))


@pytest.mark.parametrize("causal", [True, False], ids=["encoder", "canvas"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_matches_explicit_masks(
    case: tuple[int, ...], causal: bool, rng: np.random.Generator
) -> None:
    assert run(case, causal, rng) < 2e-6


@pytest.mark.parametrize("causal", [True, False], ids=["encoder", "canvas"])
def test_a_ring_that_wrapped_gives_the_same(causal: bool, rng: np.random.Generator) -> None:
    case = (19, 200, 24, 4, 1, 32)
    smallest = 24 - 1 + 19  # a window before the pass, and the pass
    for capacity in (smallest, smallest + 5, 97):
        assert run(case, causal, rng, capacity=capacity, pass_rows=19) < 2e-6


def test_half_floats_in_the_cache_are_the_only_difference(rng: np.random.Generator) -> None:
    assert run((16, 100, 24, 4, 2, 16), False, rng, half=True) < 2e-6


def test_large_scores_do_not_overflow(rng: np.random.Generator) -> None:
    q, k, v = (normal(rng, 8, 16) * 60 for _ in range(3))
    got = _native.op_attention(
        q, k, v, head_dim=16, first_position=0, causal=True, window=0, capacity=8, half=False,
        pass_rows=8,
    )  # fmt: skip
    mask = visible(8, 8, 0, causal=True, window=0)
    want = attention(*(x.reshape(8, 1, 16) for x in (q, k, v)), mask)
    assert error(got, want.reshape(8, 16)) < 1e-5


def test_a_ring_that_is_too_small_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(_native.NativeError, match="cache of 41"):
        run((19, 200, 24, 4, 1, 32), True, rng, capacity=41, pass_rows=19)
