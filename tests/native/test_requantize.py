"""Experts of 8 bits rounded to 5: against gguf's own quantizer, and against float64."""

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matrices import error
from sfumato.engine import _native
from sfumato.engine.model_file import ModelFile
from sfumato.engine.verify import open_model
from tiny_model import TinyShape, write_tiny_model

Blocks = npt.NDArray[np.uint8]


def eight_bits(weights: npt.NDArray[np.float32]) -> Blocks:
    return quantize(weights, Type.Q8_0).reshape(-1, 34)


def values(blocks: Blocks, type_: Type) -> npt.NDArray[np.float64]:
    return dequantize(blocks, type_).astype(np.float64)


def test_rounding_is_nearer_than_gguf_rounds(rng: np.random.Generator) -> None:
    blocks = eight_bits(rng.standard_normal((2000, 32)).astype(np.float32))
    want = values(blocks, Type.Q8_0)
    mine = values(_native.op_round(blocks)["blocks"], Type.Q5_0)
    theirs = values(quantize(want.astype(np.float32), Type.Q5_0), Type.Q5_0)
    assert error(mine, want) < error(theirs, want) < 0.05


@pytest.mark.parametrize("spread", [1e-6, 1.0, 1e3])
def test_the_error_is_the_one_that_was_made(spread: float, rng: np.random.Generator) -> None:
    blocks = eight_bits(spread * rng.standard_normal((50, 32)).astype(np.float32))
    rounded = _native.op_round(blocks)
    want = values(blocks, Type.Q8_0)
    got = values(rounded["blocks"], Type.Q5_0)
    assert rounded["weights"] == pytest.approx(np.sum(want**2), rel=1e-5)
    assert rounded["difference"] == pytest.approx(np.sum((got - want) ** 2), rel=1e-3)


@given(codes=arrays(np.int8, (1, 32)), scale=st.floats(0, 7000, width=16))
def test_no_weight_moves_by_more_than_a_step(codes: npt.NDArray[np.int8], scale: float) -> None:
    blocks = np.concatenate(
        [np.full((1, 1), scale, np.float16).view(np.uint8), codes.view(np.uint8)], axis=1
    )
    want = values(blocks, Type.Q8_0)
    got = values(_native.op_round(blocks)["blocks"], Type.Q5_0)
    # Codes lie about a fifteenth of the largest weight apart; the far end may be cut by one.
    step = np.abs(want).max() / 14.5
    assert np.abs(got - want).max() <= 1.6 * step + 1e-7 * scale + 6e-8 * 16


def test_what_is_no_number_stays_none() -> None:
    blocks = eight_bits(np.ones((1, 32), np.float32))
    blocks[0, :2] = np.full(1, np.nan, np.float16).view(np.uint8)
    assert np.isnan(values(_native.op_round(blocks)["blocks"], Type.Q5_0)).all()


@pytest.fixture(scope="module")
def eight_bit_file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = tmp_path_factory.mktemp("compact") / "eight.gguf"
    shape = TinyShape(hidden=96, expert_ffn=64)
    types = {"ffn_down_exps": "Q8_0", "ffn_down": "Q8_0", "*": "Q4_0"}
    return ModelFile.open(write_tiny_model(path, shape=shape, types=types, seed=3))


@pytest.mark.parametrize("compute", ["reference", "fast"])
def test_a_compact_model_is_that_of_a_file_with_rounded_experts(
    compute: str, eight_bit_file: ModelFile, tmp_path: object
) -> None:
    raw = bytearray(eight_bit_file.path.read_bytes())
    model = open_model(eight_bit_file, compute=compute, profile="compact")
    for tensor in eight_bit_file.tensors:
        if tensor.name.endswith("ffn_down_exps.weight"):
            at = slice(tensor.offset, tensor.offset + tensor.bytes)
            blocks = np.frombuffer(raw[at], np.uint8).reshape(-1, 34)
            near = dequantize(_native.op_round(blocks)["blocks"], Type.Q5_0)
            # 5-bit weights as 8-bit ones of the same scale: exact but for the scale's rounding.
            raw[at] = quantize(near.astype(np.float32), Type.Q8_0).tobytes()
    path = eight_bit_file.path.with_name(f"near-{compute}.gguf")
    path.write_bytes(raw)
    judge = open_model(ModelFile.open(path), compute=compute)
    prompt = np.arange(40, dtype=np.int32)
    assert error(model.prefill_hidden(prompt), judge.prefill_hidden(prompt)) < 5e-3
    exact = open_model(eight_bit_file, compute=compute)
    assert error(model.prefill_hidden(prompt[:1]), exact.prefill_hidden(prompt[:1])) > 0


def test_a_compact_model_is_smaller_and_says_its_error(eight_bit_file: ModelFile) -> None:
    exact = open_model(eight_bit_file, compute="fast")
    compact = open_model(eight_bit_file, compute="fast", profile="compact")
    rounded = sum(t.bytes for t in eight_bit_file.tensors if "down_exps.weight" in t.name)
    assert exact.pools["weights"] - compact.pools["weights"] == rounded // 34 * 12
    assert exact.rounding_error == 0.0
    assert 0.01 < compact.rounding_error < 0.05


def test_a_profile_that_is_none_is_refused(eight_bit_file: ModelFile) -> None:
    with pytest.raises(_native.NativeError, match="profile is small, not exact or compact"):
        open_model(eight_bit_file, profile="small")  # type: ignore[arg-type]
