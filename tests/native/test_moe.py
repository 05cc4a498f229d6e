"""Routing and experts."""

from typing import Any

import numpy as np
import pytest
from matrices import error, matrix, normal
from reference.moe import moe
from sfumato.engine import _native


def case(
    rng: np.random.Generator,
    *,
    tokens: int,
    hidden: int = 64,
    ffn: int = 32,
    experts: int = 8,
    type_: str = "F32",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the extension takes, and the same for the oracle."""
    shared = {
        "router": normal(rng, experts, hidden),
        "router_scale": (rng.uniform(0.5, 1.5, hidden) / hidden**0.5).astype(np.float32),
        "expert_scale": rng.uniform(0.5, 1.5, experts).astype(np.float32),
    }
    gate, g = matrix(rng, type_, experts, ffn, hidden)
    up, u = matrix(rng, type_, experts, ffn, hidden)
    down, d = matrix(rng, type_, experts, hidden, ffn)
    a, x = normal(rng, tokens, hidden), normal(rng, tokens, hidden)
    native = {"a": a, "x": x, "gate": gate, "up": up, "down": down, "eps": 1e-6, **shared}
    return native, {"a": a, "x": x, "gate": g, "up": u, "down": d, **shared}


@pytest.mark.parametrize("top_k", [1, 3, 8])
@pytest.mark.parametrize("tokens", [1, 7, 256, 300])
def test_reference_mode(tokens: int, top_k: int, rng: np.random.Generator) -> None:
    native, oracle = case(rng, tokens=tokens)
    got = _native.op_moe(**native, top_k=top_k, compute="reference")
    assert error(got, moe(**oracle, top_k=top_k)) < 2e-6


def test_an_expert_width_that_is_no_multiple_of_a_panel(rng: np.random.Generator) -> None:
    native, oracle = case(rng, tokens=11, hidden=96, ffn=48, experts=5)
    for compute in ("reference", "fast"):
        got = _native.op_moe(**native, top_k=2, compute=compute)
        assert error(got, moe(**oracle, top_k=2)) < (2e-6 if compute == "reference" else 1.5e-2)


@pytest.mark.parametrize("type_", ["Q4_0", "Q5_0", "Q8_0", "Q4_K"])
def test_fast_mode_rounds_activations_twice(type_: str, rng: np.random.Generator) -> None:
    native, oracle = case(rng, tokens=40, hidden=256, ffn=256, experts=6, type_=type_)
    got = _native.op_moe(**native, top_k=3, compute="fast")
    assert error(got, moe(**oracle, top_k=3)) < 1.5e-2


def test_equal_router_logits_take_the_lower_index(rng: np.random.Generator) -> None:
    native, oracle = case(rng, tokens=5)
    for arguments in (native, oracle):
        arguments["router"] = np.zeros_like(arguments["router"])
    got = _native.op_moe(**native, top_k=2, compute="reference")
    for name in ("gate", "up", "down", "expert_scale", "router"):
        oracle[name] = oracle[name][:2]
    assert error(got, moe(**oracle, top_k=2)) < 2e-6


def test_all_tokens_to_one_expert(rng: np.random.Generator) -> None:
    native, oracle = case(rng, tokens=200)
    for arguments in (native, oracle):
        arguments["a"] = np.repeat(arguments["a"][:1], 200, axis=0)
    got = _native.op_moe(**native, top_k=2, compute="reference")
    assert error(got, moe(**oracle, top_k=2)) < 2e-6


def test_a_token_does_not_depend_on_the_others(rng: np.random.Generator) -> None:
    native, _ = case(rng, tokens=64, hidden=256, ffn=256, type_="Q4_0")
    order = rng.permutation(64)
    straight = _native.op_moe(**native, top_k=2, compute="fast")
    native |= {"a": native["a"][order], "x": native["x"][order]}
    shuffled = _native.op_moe(**native, top_k=2, compute="fast", threads=3)
    np.testing.assert_array_equal(straight[order], shuffled)


def test_values_that_are_no_numbers_do_no_harm(rng: np.random.Generator) -> None:
    native, _ = case(rng, tokens=4)
    native["a"][2] = np.nan
    got = _native.op_moe(**native, top_k=3, compute="reference")
    assert np.isfinite(got[[0, 1, 3]]).all()
