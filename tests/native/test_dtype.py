"""De-quantised rows of every type of a model file."""

import gguf
import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from matrices import TYPES, matrix
from sfumato.engine import _native

# MODEL.md section 5: blocks of bytes (37 i + 11) & 255 whose scales are 0.5 and minima 0.25;
# y[0], y[1], y[16], y[last], sum.
SELF_TEST = {
    "Q4_0": (-1.5, 1.0, -1.5, 0.0, -10.5),
    "Q4_1": (7.75, 2.25, 4.75, 6.25, 130.5),
    "Q5_0": (4.5, -1.0, 7.0, 0.5, 7.5),
    "Q5_1": (9.75, 12.25, 9.75, 2.75, 260.5),
    "Q8_0": (42.5, 61.0, -45.5, -24.0, -88),
    "Q4_K": (157.75, -12.75, 157.75, 24.25, 27220),
    "Q5_K": (405.75, -12.75, 405.75, 54.25, 58108),
    "Q6_K": (-715.5, 848.0, -216.0, -30.0, 2306),
    "IQ4_NL": (-17.5, 12.5, -17.5, 0.5, -128.5),
    "IQ4_XS": (32.5, -0.5, 32.5, -8.0, -5502.5),
    "MXFP4": (0.0, 3.0, 1.5, 3.0, 12.5),
}
SCALE_AT = {"Q6_K": 208}  # all others begin with it
HAS_MINIMUM = {"Q4_1", "Q5_1", "Q4_K", "Q5_K"}


@pytest.mark.parametrize("name", SELF_TEST)
def test_a_known_block_has_the_published_values(name: str) -> None:
    type_ = GGMLQuantizationType[name]
    size = GGML_QUANT_SIZES[type_][1]
    block = ((37 * np.arange(size) + 11) & 255).astype(np.uint8)
    if name == "MXFP4":
        block[0] = 127
    else:
        at = SCALE_AT.get(name, 0)
        block[at : at + 2] = np.array([0.5], np.float16).view(np.uint8)
    if name in HAS_MINIMUM:
        block[2:4] = np.array([0.25], np.float16).view(np.uint8)
    y = _native.op_dequantize((type_.value, block[None]))[0]
    assert (y[0], y[1], y[16], y[-1], y.sum(dtype=np.float64)) == SELF_TEST[name]


@pytest.mark.parametrize("name", TYPES)
def test_random_blocks_have_the_values_of_the_gguf_package(
    name: str, rng: np.random.Generator
) -> None:
    (number, raw), want = matrix(rng, name, 7, 512)
    np.testing.assert_allclose(_native.op_dequantize((number, raw)), want, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", ["Q4_0", "Q8_0", "Q6_K", "MXFP4", "F16", "BF16"])
def test_any_bytes_are_read_as_the_gguf_package_reads_them(
    name: str, rng: np.random.Generator
) -> None:
    type_ = GGMLQuantizationType[name]
    block, size = GGML_QUANT_SIZES[type_]
    raw = rng.integers(0, 256, (64, 256 // block * size), dtype=np.uint8)
    with np.errstate(all="ignore"):
        want = gguf.quants.dequantize(raw, type_)
    got = _native.op_dequantize((type_.value, raw))
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isfinite(got), finite)
    np.testing.assert_allclose(got[finite], want[finite], rtol=1e-6)


@pytest.mark.parametrize("compute", ["reference", "fast"])
@pytest.mark.parametrize("name", TYPES)
def test_a_packed_row_is_the_row_of_the_file(
    name: str, compute: str, rng: np.random.Generator
) -> None:
    w, want = matrix(rng, name, 45, 256)  # the second panel is short
    np.testing.assert_allclose(
        _native.op_unpack(w, compute), want, rtol=2e-3, atol=2e-3 * want.std()
    )


def test_a_type_that_no_kernel_knows_is_refused() -> None:
    with pytest.raises(_native.NativeError, match="type 10"):
        _native.op_dequantize((10, np.zeros((1, 84), np.uint8)))
