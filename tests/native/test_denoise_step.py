"""Acceptance, renoise, pins and stopping."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.denoise_step import denoise_step
from sfumato.engine import _native

CANVAS = 24


def case(seed: int, *, pinned_share: float = 0.0, scale: float = 0.05) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    ids = [rng.integers(0, 50, CANVAS, dtype=np.int32) for _ in range(4)]
    pinned = np.where(rng.random(CANVAS) < pinned_share, ids[3], -1).astype(np.int32)
    return {
        "entropy": (rng.exponential(scale, CANVAS)).astype(np.float32),
        "sampled": ids[0],
        "renoise": ids[1],
        "pinned": pinned,
        "argmax": ids[2],
        "previous_argmax": ids[2].copy(),
        "same_steps": 0,
        "entropy_bound": 0.1,
        "stability_threshold": 1,
        "confidence_threshold": 0.005,
    }


@given(
    seed=st.integers(0, 2**32 - 1),
    pinned_share=st.sampled_from([0.0, 0.3, 1.0]),
    scale=st.sampled_from([1e-4, 0.02, 0.5]),
    bound=st.sampled_from([1e-6, 0.1, 3.0]),
    threshold=st.integers(0, 3),
    changed=st.booleans(),
)
def test_matches_the_definition(
    seed: int, pinned_share: float, scale: float, bound: float, threshold: int, changed: bool
) -> None:
    arguments = case(seed, pinned_share=pinned_share, scale=scale)
    arguments |= {"entropy_bound": bound, "stability_threshold": threshold, "same_steps": 1}
    if changed:
        arguments["previous_argmax"][0] += 1
    got, want = _native.op_denoise_step(**arguments), denoise_step(**arguments)
    np.testing.assert_array_equal(got["canvas"], want.canvas)
    np.testing.assert_array_equal(got["argmax"], want.argmax)
    np.testing.assert_array_equal(got["accepted"], want.accepted)
    assert got["mean_entropy"] == pytest.approx(want.mean_entropy, rel=1e-6)
    outcome = (got["same_steps"], got["stable"], got["settled"])
    assert outcome == (want.same_steps, want.stable, want.settled)


def test_the_surest_position_is_always_accepted() -> None:
    arguments = case(1, scale=100.0) | {"entropy_bound": 1e-9}
    got = _native.op_denoise_step(**arguments)
    assert got["accepted"].sum() == 1
    assert got["accepted"][arguments["entropy"].argmin()]


def test_the_bound_itself_is_still_inside() -> None:
    arguments = case(2)
    arguments["entropy"] = np.full(CANVAS, 0.25, np.float32)
    got = _native.op_denoise_step(**arguments | {"entropy_bound": 0.5})
    assert got["accepted"].sum() == 3  # 0, 0.25 and 0.5 before


def test_a_mean_entropy_at_the_threshold_is_not_settled() -> None:
    arguments = case(3) | {"confidence_threshold": 0.25}
    arguments["entropy"] = np.full(CANVAS, 0.25, np.float32)
    got = _native.op_denoise_step(**arguments)
    assert got["stable"]
    assert not got["settled"]


def test_a_canvas_of_pins_only_is_settled_by_them() -> None:
    arguments = case(4, pinned_share=1.0)
    got = _native.op_denoise_step(**arguments)
    np.testing.assert_array_equal(got["canvas"], arguments["pinned"])
    assert got["settled"]
