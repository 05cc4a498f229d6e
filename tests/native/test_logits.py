"""The head: statistics, samples and soft embeddings without a row of logits at hand."""

from typing import Any

import numpy as np
import pytest
from matrices import F32, error, matrix, normal
from reference.logits import beliefs, flattened, head, soft_embedding
from sfumato.engine import _native

SOFTCAP = 30.0
VOCABS = [1, 33, 512, 1500]  # one token, a short panel, one slab, a short third slab


def run(hidden: F32, w: Any, uniform: F32, **options: Any) -> dict[str, Any]:
    return _native.op_logits(
        hidden,
        w,
        softcap=SOFTCAP,
        temperature=options.get("temperature", 0.6),
        uniform=uniform,
        pinned=options.get("pinned", [-1] * len(hidden)),
        scale=options.get("scale", 3.0),
        compute=options.get("compute", "reference"),
        threads=options.get("threads", 2),
    )


def case(rng: np.random.Generator, vocab: int, rows: int = 9, spread: float = 3.0) -> Any:
    w, values = matrix(rng, "F32", vocab, 64)
    return normal(rng, rows, 64) * np.float32(spread), w, values, rng.random(rows, np.float32)


@pytest.mark.parametrize("vocab", VOCABS)
def test_statistics_and_samples(vocab: int, rng: np.random.Generator) -> None:
    hidden, w, values, uniform = case(rng, vocab)
    got = run(hidden, w, uniform)
    want = beliefs(head(hidden, values, SOFTCAP), 0.6, uniform)
    np.testing.assert_allclose(got["logits"], want.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got["entropy"], want.entropy, atol=1e-5)
    np.testing.assert_array_equal(got["argmax"], want.argmax)
    np.testing.assert_array_equal(got["sampled"], want.sampled)


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2.0**-24])
def test_the_ends_of_the_unit_interval(uniform: float, rng: np.random.Generator) -> None:
    hidden, w, _, _ = case(rng, 1500)
    draws = np.full(len(hidden), uniform, np.float32)
    got = run(hidden, w, draws)["sampled"]
    np.testing.assert_array_equal(got == 0, np.full(len(hidden), uniform == 0.0))
    assert got.max() < 1500


@pytest.mark.parametrize("spread", [0.01, 1.0, 100.0])
def test_entropy_of_flat_and_of_certain_rows(spread: float, rng: np.random.Generator) -> None:
    hidden, w, values, uniform = case(rng, 1500, spread=spread)
    want = beliefs(head(hidden, values, SOFTCAP), 0.6, uniform)
    np.testing.assert_allclose(run(hidden, w, uniform)["entropy"], want.entropy, atol=1e-5)


def test_equal_logits_take_the_lower_id(rng: np.random.Generator) -> None:
    hidden, (number, raw), _, uniform = case(rng, 40)
    twice = np.concatenate([raw, raw])
    got = run(hidden, (number, twice), uniform)
    assert got["argmax"].max() < 40


@pytest.mark.parametrize("vocab", VOCABS)
@pytest.mark.parametrize("spread", [0.01, 3.0, 100.0])
def test_kept_tokens_are_the_likeliest(vocab: int, spread: float, rng: np.random.Generator) -> None:
    hidden, w, values, uniform = case(rng, vocab, spread=spread)
    got = run(hidden, w, uniform)
    p = beliefs(head(hidden, values, SOFTCAP), 0.6, uniform).p
    for row, count in enumerate(got["kept_count"]):
        tokens = got["kept_token"][row, :count]
        assert (np.diff(tokens) > 0).all()
        np.testing.assert_allclose(got["kept_p"][row, :count], p[row, tokens], rtol=1e-4)
        left_out = np.delete(p[row], tokens)
        if count < min(256, vocab):
            assert left_out.max(initial=0.0) < 1.001e-4
        else:
            assert left_out.max(initial=0.0) <= p[row, tokens].min() * 1.001


@pytest.mark.parametrize("vocab", [33, 1500])
def test_soft_embedding_of_kept_tokens(vocab: int, rng: np.random.Generator) -> None:
    hidden, w, values, uniform = case(rng, vocab)
    got = run(hidden, w, uniform, scale=3.0)["soft"]
    p = beliefs(head(hidden, values, SOFTCAP), 0.6, uniform).p
    assert error(got, soft_embedding(flattened(p), values, 3.0)) < 2e-5


@pytest.mark.parametrize("vocab", VOCABS)
def test_dense_soft_embedding(vocab: int, rng: np.random.Generator) -> None:
    hidden, w, values, uniform = case(rng, vocab)
    got = run(hidden, w, uniform, scale=3.0)["dense_soft"]
    p = beliefs(head(hidden, values, SOFTCAP), 0.6, uniform).p
    assert error(got, soft_embedding(p, values, 3.0)) < 1e-5


def test_a_pinned_row_is_certain_of_its_token(rng: np.random.Generator) -> None:
    hidden, w, values, uniform = case(rng, 100)
    pinned = [-1, 99, -1, 0, -1, -1, -1, -1, -1]
    got = run(hidden, w, uniform, pinned=pinned, scale=2.0)
    for name in ("soft", "dense_soft"):
        np.testing.assert_allclose(got[name][1], 2.0 * values[99], rtol=1e-6)
        np.testing.assert_allclose(got[name][3], 2.0 * values[0], rtol=1e-6)


def test_the_number_of_threads_does_not_change_a_bit(rng: np.random.Generator) -> None:
    w, _ = matrix(rng, "Q6_K", 3000, 256)
    hidden, uniform = normal(rng, 20, 256) * 4, rng.random(20, np.float32)
    one, three = (run(hidden, w, uniform, compute="fast", threads=n) for n in (1, 3))
    for name in ("argmax", "sampled", "entropy", "kept_count", "kept_token", "kept_p", "soft"):
        np.testing.assert_array_equal(one[name], three[name], err_msg=name)


def test_fast_mode_is_close(rng: np.random.Generator) -> None:
    w, values = matrix(rng, "Q6_K", 1500, 256)
    hidden, uniform = normal(rng, 20, 256), rng.random(20, np.float32)
    got = run(hidden, w, uniform, compute="fast")
    want = head(hidden, values, SOFTCAP)
    assert error(got["logits"], want) < 1e-2
