"""Norm of heads and rotation."""

import numpy as np
import pytest
from matrices import normal
from reference.rms_norm import rms_norm
from reference.rope import frequencies, rope
from sfumato.engine import _native

EPS = 1e-6


@pytest.mark.parametrize("first_position", [0, 1000, 262_000])
@pytest.mark.parametrize(("heads", "head_dim"), [(1, 2), (3, 16), (8, 256)])
def test_rotation_of_positions_near_and_far(
    heads: int, head_dim: int, first_position: int, rng: np.random.Generator
) -> None:
    x, weight = normal(rng, 6, heads * head_dim), normal(rng, head_dim)
    freq = frequencies(head_dim, 10_000.0).astype(np.float32)
    got = _native.op_rope(
        x,
        head_dim=head_dim,
        weight=weight,
        frequencies=freq,
        first_position=first_position,
        eps=EPS,
    )
    positions = first_position + np.arange(6)
    angles_in_f32 = (positions[:, None].astype(np.float32) * freq).astype(np.float64)
    want = np.stack(
        [
            rope(
                rms_norm(x[i].reshape(1, heads, head_dim), weight),
                np.ones(1),
                angles_in_f32[i],
            )[0].reshape(-1)
            for i in range(6)
        ]
    )
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_stopped_frequencies_leave_their_pairs_untouched(rng: np.random.Generator) -> None:
    x = normal(rng, 4, 32)
    divisors = np.ones(16)
    divisors[4:] = 1e30
    freq = frequencies(32, 1e6, divisors).astype(np.float32)
    got = _native.op_rope(x, head_dim=32, frequencies=freq, first_position=50, eps=EPS)
    plain = _native.op_rope(x, head_dim=32, eps=EPS)
    still = np.r_[4:16, 20:32]
    np.testing.assert_array_equal(got[:, still], plain[:, still])
    assert np.abs(got[:, :4] - plain[:, :4]).max() > 0.1
