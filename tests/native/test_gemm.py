"""The fast products of every instruction set that this machine can run.

Judge: NumPy's product of the de-quantised weights with activations rounded as the engine rounds
them (8 bits in groups of 32), which leaves nothing but the order of float sums. How good the
rounding itself is, test_linear.py says.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import child
import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGMLQuantizationType
from instruction_sets import ISAS, extension
from matrices import TYPES, matrix, normal

Call = Callable[..., Any]
F64 = npt.NDArray[np.float64]


@pytest.fixture(scope="module", params=ISAS)
def native(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Calls a function of the extension in a process that uses the given instruction set."""
    with extension(request.param) as call:  # one child serves all tests
        yield call


def rounded(x: npt.NDArray[np.float32]) -> F64:
    """x as the products see it: 127 steps to the largest of each 32, ties to even."""
    groups = x.reshape(-1, 32)
    largest = np.abs(groups).max(axis=1, keepdims=True)
    inverse = np.where(largest > 1e-30, np.float32(127) / np.maximum(largest, 1e-30), 0)
    codes = np.rint(groups * inverse.astype(np.float32))
    scale = np.where(largest > 1e-30, largest / np.float32(127), 0)
    product: F64 = codes.astype(np.float64) * scale.astype(np.float64)
    return product.reshape(x.shape)


def product_error(
    native: Call,
    w: tuple[int, npt.NDArray[np.uint8]],
    values: npt.NDArray[np.floating],
    x: npt.NDArray[np.float32],
) -> float:
    """Largest error as a share of ‖x‖‖w‖."""
    got = native("op_linear", w, x, "fast")
    x_seen, seen = rounded(x), values.astype(np.float64)
    scale = np.linalg.norm(x_seen, axis=1)[:, None] * np.linalg.norm(seen, axis=1)[None, :]
    return float((np.abs(got - x_seen @ seen.T) / np.maximum(scale, 1e-30)).max())


# rows × outputs × inputs. Panels are 32 outputs, slabs 256 inputs, blocks five to sixteen rows.
SIZES = [(1, 32, 256), (2, 33, 512), (5, 1, 768), (17, 64, 2816), (300, 40, 256), (31, 32, 256)]
NARROW = [(1, 31, 32), (7, 64, 96), (16, 32, 704), (9, 70, 2112), (27, 32, 224)]
BY_256 = {"Q4_K", "Q5_K", "Q6_K", "IQ4_XS"}


@pytest.mark.parametrize("name", TYPES)
def test_products_differ_from_float64_by_the_order_of_sums_only(
    name: str, native: Call, rng: np.random.Generator
) -> None:
    for rows, outputs, inputs in SIZES + ([] if name in BY_256 else NARROW):
        w, values = matrix(rng, name, outputs, inputs)
        worst = product_error(native, w, values, normal(rng, rows, inputs))
        assert worst < 1e-6, (rows, outputs, inputs)


@pytest.mark.parametrize("name", TYPES)
def test_a_packed_matrix_still_holds_every_weight(
    name: str, native: Call, rng: np.random.Generator
) -> None:
    w, values = matrix(rng, name, 45, 768)
    got = native("op_unpack", w, "fast")
    np.testing.assert_allclose(got, values, rtol=1e-6, atol=1e-7 * np.abs(values).max())


def extreme_blocks(name: str, fill: int, inputs: int) -> tuple[int, npt.NDArray[np.uint8]]:
    """40 rows of blocks that are `fill` everywhere but in their float16 scales."""
    rng = np.random.default_rng(0)
    (number, raw), _ = matrix(rng, name, 40, inputs)
    halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2]}
    halves |= {"Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}
    bytes_ = {"Q4_0": 18, "Q4_1": 20, "Q5_0": 22, "Q5_1": 24, "Q8_0": 34, "Q4_K": 144}
    bytes_ |= {"Q5_K": 176, "Q6_K": 210, "IQ4_NL": 18, "IQ4_XS": 136}
    blocks = np.full_like(raw, fill).reshape(40, -1, bytes_[name])
    for at in halves[name]:
        blocks[:, :, at : at + 2] = np.array([0.01], np.float16).view(np.uint8)
    return number, blocks.reshape(raw.shape)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("fill", [0x00, 0x7F, 0x80, 0xFF])
def test_the_largest_codes_and_activations_do_not_saturate(
    fill: int, sign: float, native: Call
) -> None:
    import gguf

    for name in TYPES:
        if name in ("F32", "F16", "BF16", "MXFP4"):
            continue
        w = extreme_blocks(name, fill, 512)
        values = gguf.quants.dequantize(w[1], GGMLQuantizationType[name]).reshape(40, 512)
        x = np.full((7, 512), sign, np.float32)
        x[3, ::2] *= -1
        assert product_error(native, w, values, x) < 1e-6, name


def test_rows_of_zeros_and_of_very_small_numbers_stay_finite(
    native: Call, rng: np.random.Generator
) -> None:
    w, _ = matrix(rng, "Q4_K", 32, 256)
    x = np.zeros((3, 256), np.float32)
    x[1] = 1e-38
    x[2] = 1e-44
    np.testing.assert_array_equal(native("op_linear", w, x, "fast"), np.zeros((3, 32)))


def test_a_row_that_is_not_a_number_spoils_no_other_row(
    native: Call, rng: np.random.Generator
) -> None:
    w, _ = matrix(rng, "Q6_K", 64, 256)
    x = normal(rng, 9, 256)
    clean = native("op_linear", w, x, "fast")
    x[4, 7] = np.nan
    x[5, 200] = np.inf
    got = native("op_linear", w, x, "fast")
    others = [0, 1, 2, 3, 6, 7, 8]
    np.testing.assert_array_equal(got[others], clean[others])


@pytest.mark.parametrize("type_", ["Q4_0", "Q4_K", "Q5_0", "Q6_K", "Q8_0"])
def test_experts_take_their_tokens_from_anywhere(
    type_: str, native: Call, rng: np.random.Generator
) -> None:
    """Experts of 1, 4, 17 and 34 tokens, in no order. Two roundings to 8 bits, token by token."""
    from reference.moe import moe

    counts, hidden = [1, 4, 17, 34], 256
    expert = rng.permutation(np.repeat(np.arange(4), counts))
    x = normal(rng, len(expert), hidden)
    a = np.eye(4, hidden, dtype=np.float32)[expert]  # the router reads the expert off it
    weights = [
        matrix(rng, type_, 4, *shape) for shape in [(256, hidden), (256, hidden), (hidden, 256)]
    ]
    (gate, g), (up, u), (down, d) = weights
    router = {
        "router": np.eye(4, hidden, dtype=np.float32),
        "router_scale": np.ones(hidden, np.float32),
        "expert_scale": np.ones(4, np.float32),
    }
    got = native(
        "op_moe", a=a, x=x, gate=gate, up=up, down=down, eps=1e-6, top_k=1, compute="fast", **router
    )
    want = moe(a=a, x=x, gate=g, up=u, down=d, top_k=1, **router)
    errors = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
    assert errors.max() < 2.5e-2


@pytest.mark.parametrize("head_dim", [8, 24, 256, 512])
def test_attention_agrees_with_float64(
    head_dim: int, native: Call, rng: np.random.Generator
) -> None:
    from matrices import error
    from reference.attention import attention, visible

    rows, prefix, heads, kv_heads = 21, 70, 4, 2
    q = normal(rng, rows, heads * head_dim)
    k, v = (normal(rng, prefix + rows, kv_heads * head_dim) for _ in range(2))
    got = native(
        "op_attention",
        q,
        k,
        v,
        head_dim=head_dim,
        first_position=prefix,
        causal=True,
        window=40,
        capacity=prefix + rows,
        half=False,
        pass_rows=prefix + rows,
    )
    want = attention(
        q.reshape(rows, heads, head_dim),
        k.reshape(-1, kv_heads, head_dim),
        v.reshape(-1, kv_heads, head_dim),
        visible(rows, prefix + rows, prefix, causal=True, window=40),
    )
    assert error(got.reshape(-1), want.reshape(-1)) < 2e-6


def head(native: Call, hidden: npt.NDArray[np.float32], w: Any, temperature: float = 1.0) -> Any:
    rows = len(hidden)
    return native(
        "op_logits",
        hidden,
        w,
        softcap=30.0,
        temperature=temperature,
        uniform=np.random.default_rng(0).random(rows, dtype=np.float32),
        pinned=[-1] * rows,
        scale=1.0,
        compute="fast",
    )


def weights_of_head(native: Call, w: Any, values: npt.NDArray[np.floating]) -> F64:
    """The weights as the head sees them, read off its logits of one-hot rows.

    AVX-512 VNNI rounds them once more, to 127 steps to the largest that an output's 256 inputs can
    be in their format. That is at most twice the largest that there is, so half a step is at most
    1/127 of it.
    """
    if native("instruction_set") != "avx512vnni":
        return values.astype(np.float64)
    z = head(native, np.eye(values.shape[1], dtype=np.float32), w)["logits"].astype(np.float64)
    seen: F64 = 30 * np.arctanh(z.T / 30)
    for k in range(0, values.shape[1], 256):
        exact = values[:, k : k + 256]
        limit = 1.05 / 127 * np.abs(exact).max(axis=1, keepdims=True)
        assert (np.abs(seen[:, k : k + 256] - exact) <= limit).all()
    return seen


@pytest.mark.parametrize("name", TYPES)
def test_the_head_rounds_a_weight_once_at_most(
    name: str, native: Call, rng: np.random.Generator
) -> None:
    w, values = matrix(rng, name, 70, 512)
    seen = weights_of_head(native, w, values)
    h = 3 * normal(rng, 13, 512)
    want = 30 * np.tanh(rounded(h) @ seen.T / 30)
    scale = np.linalg.norm(h, axis=1)[:, None] * np.linalg.norm(seen, axis=1)[None, :]
    assert (np.abs(head(native, h, w)["logits"] - want) / scale).max() < 1e-6


@pytest.mark.parametrize("temperature", [0.4, 1.0])
def test_entropy_and_log_total_agree_with_float64(
    temperature: float, native: Call, rng: np.random.Generator
) -> None:
    """Through the extension's own exponential and tanh: their error shows in the sums."""
    hidden, vocab = 256, 1000
    e, values = matrix(rng, "Q8_0", vocab, hidden)
    h = 6 * normal(rng, 12, hidden)
    got = head(native, h, e, temperature)
    z = 30 * np.tanh(rounded(h) @ weights_of_head(native, e, values).T / 30) / temperature
    top = z.max(axis=1)
    p = np.exp(z - top[:, None])
    log_total = top + np.log(p.sum(axis=1))
    p /= p.sum(axis=1, keepdims=True)
    entropy = -(p * (z - log_total[:, None])).sum(axis=1)
    np.testing.assert_array_equal(got["argmax"], z.argmax(axis=1))
    np.testing.assert_allclose(got["log_total"], log_total, rtol=3e-6, atol=3e-6)
    np.testing.assert_allclose(got["entropy"], entropy, rtol=1e-4, atol=1e-5)


def test_an_instruction_set_that_is_unknown_is_refused_with_the_choice(tmp_path: Path) -> None:
    code = "from sfumato.engine import _native; print(_native.instruction_set())"
    run = child.run(code, SFUMATO_ISA="sse")
    assert run.returncode != 0
    assert "SFUMATO_ISA is sse, not portable, avx2" in run.stderr
