"""Every operation on a GPU, real or emulated, against the CPU's and the NumPy oracles."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gpu import DEVICE
from instruction_sets import extension
from matrices import TYPES, error, matrix, normal
from reference.attention import attention, visible
from reference.denoise_step import denoise_step
from reference.logits import beliefs, head, soft_embedding
from reference.moe import moe
from sfumato.engine import _native
from test_denoise_step import case as step_case
from test_logits import case as logits_case
from test_moe import case as moe_case

pytestmark = pytest.mark.timeout(1200)  # the first test builds what it needs

WITH_CODES = [name for name in TYPES if name not in ("F32", "F16", "BF16")]


@pytest.mark.parametrize("name", TYPES)
def test_repacking_moves_bits_and_changes_none(
    name: str, gpu_extension: ModuleType, rng: np.random.Generator
) -> None:
    for outputs, inputs in [(1, 256), (33, 512), (600, 256)]:
        w, values = matrix(rng, name, outputs, inputs)
        np.testing.assert_array_equal(gpu_extension.op_unpack(w, "fast", device=DEVICE), values)


@pytest.mark.parametrize("inputs", [32, 96, 704])
def test_rows_that_end_within_a_slab_are_repacked(
    inputs: int, gpu_extension: ModuleType, rng: np.random.Generator
) -> None:
    for name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL", "MXFP4"):
        w, values = matrix(rng, name, 17, inputs)
        np.testing.assert_array_equal(gpu_extension.op_unpack(w, "fast", device=DEVICE), values)


# rows × outputs × inputs: one of each, a short tile, an item and a bit, the wide kernel and a bit.
@pytest.mark.parametrize("size", [(1, 1, 256), (9, 33, 256), (37, 130, 512), (70, 95, 512)])
@pytest.mark.parametrize("name", WITH_CODES)
def test_products_equal_those_of_the_cpu(
    name: str, size: tuple[int, int, int], gpu: ModuleType, rng: np.random.Generator
) -> None:
    rows, outputs, inputs = size
    w, _ = matrix(rng, name, outputs, inputs)
    x = normal(rng, rows, inputs)
    got = gpu.op_linear(w, x, "fast", device=DEVICE)
    assert error(got, _native.op_linear(w, x, "fast")) < 2e-6


@pytest.mark.parametrize("inputs", [32, 96, 160, 704])
@pytest.mark.parametrize("name", ["Q4_0", "Q5_1", "Q8_0"])
def test_products_of_any_whole_number_of_groups(
    name: str, inputs: int, gpu: ModuleType, rng: np.random.Generator
) -> None:
    w, _ = matrix(rng, name, 50, inputs)
    x = normal(rng, 35, inputs)
    got = gpu.op_linear(w, x, "fast", device=DEVICE)
    assert error(got, _native.op_linear(w, x, "fast")) < 2e-6


@pytest.mark.parametrize("inputs", [2, 31, 48, 256])
@pytest.mark.parametrize("name", ["F32", "F16", "BF16"])
def test_products_with_matrices_of_floats_round_nothing(
    name: str, inputs: int, gpu: ModuleType, rng: np.random.Generator
) -> None:
    w, values = matrix(rng, name, 37, inputs)
    x = normal(rng, 40, inputs)
    assert error(gpu.op_linear(w, x, "fast", device=DEVICE), x @ values.T) < 2e-6


def test_what_is_no_number_stays_visible(gpu: ModuleType, rng: np.random.Generator) -> None:
    w, _ = matrix(rng, "Q4_0", 20, 64)
    x = normal(rng, 3, 64)
    x[1, 40] = np.nan
    got = gpu.op_linear(w, x, "fast", device=DEVICE)
    assert np.isnan(got[1]).all()
    assert np.isfinite(got[[0, 2]]).all()


@pytest.mark.parametrize("width", [1, 33, 300])
def test_rms_norm(width: int, gpu: ModuleType, rng: np.random.Generator) -> None:
    x, plus, residual = (normal(rng, 5, width) for _ in range(3))
    for options in (
        {},
        {"weight": normal(rng, width)},
        {"plus": plus, "residual": residual, "weight": normal(rng, width), "scale": 0.7},
    ):
        want = _native.op_rms_norm(x, eps=1e-6, **options)
        assert error(gpu.op_rms_norm(x, eps=1e-6, device=DEVICE, **options), want) < 1e-6


@pytest.mark.parametrize("head_dim", [2, 16, 96])
def test_rope(head_dim: int, gpu: ModuleType, rng: np.random.Generator) -> None:
    x = normal(rng, 7, 3 * head_dim)
    options = {"head_dim": head_dim, "eps": 1e-6}
    rotated = options | {
        "weight": normal(rng, head_dim),
        "frequencies": np.geomspace(1, 1e-4, head_dim // 2, dtype=np.float32),
        "first_position": 262_000,
    }
    for o in (options, rotated):
        assert error(gpu.op_rope(x, device=DEVICE, **o), _native.op_rope(x, **o)) < 1e-6


ATTENTION = [
    # rows, prefix, window, heads, kv_heads, head_dim, capacity, pass_rows
    (1, 0, 0, 2, 1, 8, 1, 1),
    (16, 0, 0, 4, 2, 16, 16, 16),
    (5, 61, 0, 6, 3, 16, 66, 66),
    (32, 7, 20, 4, 2, 16, 39, 39),  # canvas longer than the window
    (19, 200, 24, 4, 1, 32, 47, 19),  # a ring that wrapped, with a slot to spare
    (70, 130, 64, 16, 8, 64, 200, 200),  # keys split over blocks
    (33, 150, 0, 4, 1, 128, 183, 183),
    (20, 90, 50, 4, 2, 256, 110, 110),
    (9, 140, 0, 8, 1, 512, 149, 149),  # warps share rows
]


@pytest.mark.parametrize("causal", [True, False], ids=["encoder", "canvas"])
@pytest.mark.parametrize("case", ATTENTION, ids=str)
def test_attention(
    case: tuple[int, ...], causal: bool, gpu: ModuleType, rng: np.random.Generator
) -> None:
    rows, prefix, window, heads, kv_heads, d, capacity, pass_rows = case
    total = prefix + rows
    # As in the network, where scores have no factor: about as large as those of a trained head.
    q = normal(rng, rows, heads * d) / np.float32(d**0.25)
    k = normal(rng, total, kv_heads * d) / np.float32(d**0.25)
    v = normal(rng, total, kv_heads * d)
    got = gpu.op_attention(
        q, k, v, head_dim=d, first_position=prefix, causal=causal, window=window,
        capacity=capacity, half=True, pass_rows=pass_rows, device=DEVICE,
    )  # fmt: skip
    half_k, half_v = (x.astype(np.float16).astype(np.float32) for x in (k, v))
    mask = visible(rows, total, prefix, causal=causal, window=window)
    want = attention(
        q.reshape(rows, heads, d),
        half_k.reshape(total, -1, d),
        half_v.reshape(total, -1, d),
        mask,
    )
    assert error(got, want.reshape(rows, -1)) < 1e-3  # queries and weights are halves too


def test_attention_survives_large_scores(gpu: ModuleType, rng: np.random.Generator) -> None:
    q, k, v = (normal(rng, 8, 16) * 60 for _ in range(3))
    options = {
        "head_dim": 16,
        "first_position": 0,
        "causal": True,
        "window": 0,
        "capacity": 8,
        "half": True,
        "pass_rows": 8,
    }
    got = gpu.op_attention(q, k, v, device=DEVICE, **options)
    assert error(got, _native.op_attention(q, k, v, **options)) < 2e-2  # scores near 10⁵


@pytest.mark.parametrize("types", [("Q4_K", "Q4_K", "Q4_K"), ("Q4_0", "F32", "Q8_0")], ids=str)
def test_mlp(types: tuple[str, str, str], gpu: ModuleType, rng: np.random.Generator) -> None:
    gate, up, down = (matrix(rng, name, 256, 256)[0] for name in types)
    x = normal(rng, 35, 256)
    got = gpu.op_mlp(x, gate, up, down, compute="fast", device=DEVICE)
    want = _native.op_mlp(x, gate, up, down, compute="fast")
    assert error(got, want) < (2e-2 if "F32" in types else 1e-5)  # floats: the CPU rounds x


MOE = [
    # type, tokens, hidden, ffn, experts, top_k
    ("F32", 7, 64, 48, 8, 3),
    ("Q4_0", 40, 256, 256, 6, 3),
    ("Q4_K", 100, 256, 256, 6, 2),  # experts with more than one item
    ("Q5_0", 33, 96, 32, 5, 5),
    ("Q8_0", 9, 96, 160, 5, 2),
    ("Q6_K", 70, 256, 256, 3, 1),
    ("Q5_K", 1, 256, 256, 40, 8),  # more experts than tokens
    ("F32", 13, 1100, 32, 70, 8),  # tokens and experts beyond one router block, three slabs
]


@pytest.mark.parametrize("case", MOE, ids=str)
def test_moe(case: tuple[Any, ...], gpu: ModuleType, rng: np.random.Generator) -> None:
    type_, tokens, hidden, ffn, experts, top_k = case
    native, oracle = moe_case(
        rng, tokens=tokens, hidden=hidden, ffn=ffn, experts=experts, type_=type_
    )
    got = gpu.op_moe(**native, top_k=top_k, compute="fast", device=DEVICE)
    if type_ == "F32":
        assert error(got, moe(**oracle, top_k=top_k)) < 2e-6
    else:
        assert error(got, _native.op_moe(**native, top_k=top_k, compute="fast")) < 1e-5
        assert error(got, moe(**oracle, top_k=top_k)) < 1.5e-2


@pytest.mark.parametrize("tokens", [1, 8, 17])
def test_equal_router_logits_take_the_lower_index(
    tokens: int, gpu: ModuleType, rng: np.random.Generator
) -> None:
    """Equal rows far apart: other warps sum them, and come to the same bits."""
    native, oracle = moe_case(rng, tokens=tokens, experts=70)
    twins = native["router"][np.r_[0:35, 0:35]]
    native["router"] = oracle["router"] = twins
    got = gpu.op_moe(**native, top_k=7, compute="fast", device=DEVICE)
    assert error(got, moe(**oracle, top_k=7)) < 2e-6
    native["router"] = np.zeros_like(native["router"])
    got = gpu.op_moe(**native, top_k=3, compute="fast", device=DEVICE)
    want = _native.op_moe(**native, top_k=3, compute="reference")
    assert error(got, want) < 2e-6


def test_a_token_does_not_depend_on_the_others(gpu: ModuleType, rng: np.random.Generator) -> None:
    native, _ = moe_case(rng, tokens=64, hidden=64, ffn=64, type_="Q4_0")
    order = rng.permutation(64)
    straight = gpu.op_moe(**native, top_k=2, compute="fast", device=DEVICE)
    native |= {"a": native["a"][order], "x": native["x"][order]}
    shuffled = gpu.op_moe(**native, top_k=2, compute="fast", device=DEVICE)
    np.testing.assert_array_equal(straight[order], shuffled)


def test_values_that_are_no_numbers_do_no_harm_to_others(
    gpu: ModuleType, rng: np.random.Generator
) -> None:
    native, _ = moe_case(rng, tokens=4)
    native["a"][2] = np.nan
    got = gpu.op_moe(**native, top_k=3, compute="fast", device=DEVICE)
    assert np.isfinite(got[[0, 1, 3]]).all()


def run_logits(gpu: ModuleType, hidden: Any, w: Any, uniform: Any, **options: Any) -> Any:
    arguments = {"pinned": [-1] * len(hidden), "scale": 3.0} | options
    return gpu.op_logits(
        hidden, w, softcap=30.0, temperature=0.6, uniform=uniform, compute="fast", device=DEVICE,
        **arguments,
    )  # fmt: skip


@pytest.mark.parametrize("vocab", [1, 33, 512, 1500, 9000])
@pytest.mark.parametrize("spread", [0.01, 3.0, 100.0])
def test_the_head_against_the_oracle(
    vocab: int, spread: float, gpu: ModuleType, rng: np.random.Generator
) -> None:
    hidden, w, values, uniform = logits_case(rng, vocab, rows=5, spread=spread)
    got = run_logits(gpu, hidden, w, uniform)
    want = beliefs(head(hidden, values, 30.0), 0.6, uniform)
    # Before the cap a product is about `spread`, and so is what rounding does to it.
    atol = 2e-5 * max(1.0, spread / 10)
    np.testing.assert_allclose(got["logits"], want.logits, rtol=1e-4, atol=atol)
    np.testing.assert_allclose(got["entropy"], want.entropy, atol=2e-5)
    if spread < 100.0:  # there the cap makes many logits equal but for what a float can tell
        np.testing.assert_array_equal(got["argmax"], want.argmax)
        np.testing.assert_array_equal(got["sampled"], want.sampled)
    for row, count in enumerate(got["kept_count"]):
        tokens = got["kept_token"][row, :count]
        assert (np.diff(tokens) > 0).all()
        np.testing.assert_allclose(got["kept_p"][row, :count], want.p[row, tokens], rtol=1e-3)
        left_out = np.delete(want.p[row], tokens).max(initial=0.0)
        if count < min(256, vocab):
            assert left_out < 1.001e-4
        else:
            assert left_out <= want.p[row, tokens].min() * 1.001
        # What was kept, the rest spread evenly; among equals other tokens may have been kept.
        kept = got["kept_p"][row, :count].astype(np.float64)
        believed = np.full(vocab, max(0.0, 1.0 - kept.sum()) / max(1, vocab - count))
        believed[tokens] = kept
        tolerance = 1e-4
        if kept.sum() < 0.5:  # too flat: all of p, in halves
            believed, tolerance = want.p[row], 1e-3
        assert error(got["soft"][row], soft_embedding(believed[None], values, 3.0)[0]) < tolerance
    assert error(got["dense_soft"], soft_embedding(want.p, values, 3.0)) < 1e-4


@pytest.mark.parametrize("name", ["Q6_K", "Q8_0", "Q4_K"])
def test_a_quantised_head_decides_as_the_cpu_does(
    name: str, gpu: ModuleType, rng: np.random.Generator
) -> None:
    w, _ = matrix(rng, name, 9000, 256)
    hidden, uniform = normal(rng, 9, 256) * 4, rng.random(9, np.float32)
    got = run_logits(gpu, hidden, w, uniform)
    with extension("portable") as cpu:  # AVX-512 VNNI rounds the weights of the head once more
        want = cpu(
            "op_logits", hidden, w, softcap=30.0, temperature=0.6, uniform=uniform,
            pinned=[-1] * 9, scale=3.0, compute="fast",
        )  # fmt: skip
    for exact in ("argmax", "sampled", "kept_count"):
        np.testing.assert_array_equal(got[exact], want[exact], err_msg=exact)
    for close in ("logits", "entropy", "log_total", "soft"):
        assert error(got[close], want[close]) < 1e-5


# Spread of a row's logits: with 0.3 a quarter of p is among the kept tokens, with 2 nearly all.
FLATNESS = {"flat": [0.3], "middle": [0.3, 2.0, 0.2, 2.5, 2.2], "peaked": [2.0, 3.0]}


@pytest.mark.parametrize(
    ("kind", "name", "rows"),
    [("flat", "Q6_K", 1), ("flat", "Q8_0", 37), ("middle", "Q6_K", 37), ("peaked", "Q8_0", 5)],
)
def test_rows_that_are_too_flat_take_all_of_p(
    kind: str, name: str, rows: int, gpu: ModuleType, rng: np.random.Generator
) -> None:
    w, values = matrix(rng, name, 5000, 256)
    spread = np.resize(np.float32(FLATNESS[kind]), rows)
    hidden = normal(rng, rows, 256) * spread[:, None] / np.float32(16 * values.std())
    uniform = rng.random(rows, np.float32)
    options = {"softcap": 30.0, "temperature": 0.6, "pinned": [-1] * rows, "scale": 3.0}
    got = run_logits(gpu, hidden, w, uniform)
    exact = _native.op_logits(hidden, w, uniform=uniform, compute="reference", **options)
    with extension("portable") as cpu:  # its head is not rounded once more
        sparse = cpu("op_logits", hidden, w, uniform=uniform, compute="fast", **options)
    for row, count in enumerate(got["kept_count"]):
        if spread[row] < 1.0:
            assert got["kept_p"][row, :count].sum() < 0.5
            assert error(got["soft"][row], got["dense_soft"][row]) < 1e-3
            assert error(got["soft"][row], exact["dense_soft"][row]) < 1e-2  # 8-bit activations
            assert error(sparse["soft"][row], exact["dense_soft"][row]) > 0.1
        else:
            assert error(got["soft"][row], sparse["soft"][row]) < 1e-5


def test_flat_rows_add_up_over_pieces_of_the_vocabulary(
    gpu_extension: ModuleType, rng: np.random.Generator
) -> None:
    w, values = matrix(rng, "Q8_0", 33_000, 32)
    hidden, uniform = normal(rng, 2, 32) * np.float32(0.1), rng.random(2, np.float32)
    got = run_logits(gpu_extension, hidden, w, uniform)
    assert error(got["soft"], got["dense_soft"]) < 1e-3
    p = beliefs(head(hidden, values, 30.0), 0.6, uniform).p
    assert error(got["soft"], soft_embedding(p, values, 3.0)) < 1e-2


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2.0**-24])
def test_the_ends_of_the_unit_interval(
    uniform: float, gpu: ModuleType, rng: np.random.Generator
) -> None:
    hidden, w, _, _ = logits_case(rng, 1500, rows=4)
    sampled = run_logits(gpu, hidden, w, np.full(4, uniform, np.float32))["sampled"]
    np.testing.assert_array_equal(sampled == 0, np.full(4, uniform == 0.0))
    assert sampled.max() < 1500


def test_a_pinned_row_is_certain_of_its_token(gpu: ModuleType, rng: np.random.Generator) -> None:
    hidden, w, values, uniform = logits_case(rng, 100, rows=4)
    got = run_logits(gpu, hidden, w, uniform, pinned=[-1, 99, -1, 0], scale=2.0)
    for name in ("soft", "dense_soft"):
        np.testing.assert_allclose(got[name][1], 2.0 * values[99], rtol=1e-6)
        np.testing.assert_allclose(got[name][3], 2.0 * values[0], rtol=1e-6)


@pytest.mark.parametrize("pinned_share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("scale", [1e-4, 0.02, 0.5])
def test_denoise_step(pinned_share: float, scale: float, gpu: ModuleType) -> None:
    for seed in range(10):
        case = step_case(seed, pinned_share=pinned_share, scale=scale)
        if seed % 2:
            case["previous_argmax"][3] += 1
        got, want = gpu.op_denoise_step(**case, device=DEVICE), denoise_step(**case)
        for name in ("canvas", "argmax", "accepted", "same_steps", "stable", "settled"):
            np.testing.assert_array_equal(got[name], getattr(want, name), err_msg=name)
        assert got["mean_entropy"] == pytest.approx(want.mean_entropy, rel=1e-6)
