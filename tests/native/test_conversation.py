"""What a conversation may do: chunks, going back, seeds, pins, the end of the context."""

from pathlib import Path

import numpy as np
import pytest
from opening import Open
from sfumato.engine._native import Model, NativeError
from sfumato.engine.model_file import ModelFile
from sfumato.engine.verify import open_model

VOCAB, CANVAS, WINDOW = 700, 12, 20
REWIND = 4096  # positions that a ring keeps beyond its window
LARGEST_PASS = 512


def tokens(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCAB, count, dtype=np.int32)


def first_logits(model: Model, seed: int = 9) -> np.ndarray:
    model.begin_canvas(seed=seed)
    model.denoise(0.8)
    return model.last_logits()


@pytest.mark.parametrize("compute", ["reference", "fast"])
@pytest.mark.parametrize("chunks", [(1,) * 45, (44, 1), (1, 44), (7, 19, 19), (30, 15)])
def test_a_prompt_in_pieces_is_the_same_prompt(
    chunks: tuple[int, ...], compute: str, open_tiny: Open
) -> None:
    prompt = tokens(45)
    whole, pieces = open_tiny(compute=compute), open_tiny(compute=compute)
    whole.prefill(prompt)
    at = 0
    for chunk in chunks:
        pieces.prefill(prompt[at : at + chunk])
        at += chunk
    assert pieces.position == whole.position == 45
    for layer in range(5):
        np.testing.assert_array_equal(pieces.keys(layer), whole.keys(layer))
    np.testing.assert_array_equal(first_logits(pieces), first_logits(whole))


def test_a_prompt_longer_than_a_pass_is_the_same_as_in_pieces(open_tiny: Open) -> None:
    prompt = tokens(LARGEST_PASS + 130)
    whole, pieces = open_tiny(compute="fast"), open_tiny(compute="fast")
    whole.prefill(prompt)
    for at in range(0, len(prompt), 100):
        pieces.prefill(prompt[at : at + 100])
    np.testing.assert_array_equal(first_logits(pieces), first_logits(whole))


@pytest.mark.parametrize("compute", ["reference", "fast"])
@pytest.mark.parametrize("position", [0, 1, 19, 20, 21, 59, 60])
def test_going_back_and_on_equals_a_fresh_start(
    position: int, compute: str, open_tiny: Open
) -> None:
    shared, other = tokens(60), tokens(33, seed=1)
    edited, fresh = open_tiny(compute=compute), open_tiny(compute=compute)
    edited.prefill(shared)
    first_logits(edited)  # a canvas behind the end leaves no trace
    edited.truncate(position)
    edited.prefill(other)
    fresh.prefill(np.concatenate([shared[:position], other]))
    np.testing.assert_array_equal(first_logits(edited), first_logits(fresh))


def test_a_canvas_leaves_no_trace_in_the_cache(open_tiny: Open) -> None:
    model = open_tiny()
    model.prefill(tokens(50))
    before = [model.keys(layer) for layer in range(5)]
    first_logits(model)
    assert model.position == 50
    for layer in range(5):
        np.testing.assert_array_equal(model.keys(layer), before[layer])


def test_commit_appends_the_block(open_tiny: Open) -> None:
    committed, prefilled = open_tiny(), open_tiny()
    committed.prefill(tokens(30))
    first_logits(committed)
    committed.commit(tokens(CANVAS, seed=4))
    prefilled.prefill(np.concatenate([tokens(30), tokens(CANVAS, seed=4)]))
    np.testing.assert_array_equal(first_logits(committed), first_logits(prefilled))


class TestRing:
    """A conversation much longer than the sliding layers' rings."""

    LENGTH = 5200

    @pytest.fixture
    def prompt(self) -> np.ndarray:
        return tokens(self.LENGTH)

    @pytest.fixture
    def model(self, open_tiny: Open, prompt: np.ndarray) -> Model:
        model = open_tiny(compute="fast", context=6000)
        model.prefill(prompt)
        return model

    def test_at_least_4096_positions_can_be_taken_back(self, model: Model) -> None:
        assert model.oldest_rewind <= self.LENGTH - REWIND
        with pytest.raises(NativeError, match="cannot go back to token 100"):
            model.truncate(100)
        assert model.position == self.LENGTH

    def test_the_oldest_rewind_equals_a_fresh_start(
        self, model: Model, open_tiny: Open, prompt: np.ndarray
    ) -> None:
        position = model.oldest_rewind
        model.truncate(position)
        model.prefill(tokens(40, seed=2))
        fresh = open_tiny(compute="fast", context=position + 60)
        fresh.prefill(np.concatenate([prompt[:position], tokens(40, seed=2)]))
        np.testing.assert_array_equal(first_logits(model), first_logits(fresh))

    def test_one_further_is_refused(self, model: Model) -> None:
        with pytest.raises(NativeError, match="sliding layers"):
            model.truncate(model.oldest_rewind - 1)

    def test_the_beginning_is_always_possible(self, model: Model, open_tiny: Open) -> None:
        model.truncate(0)
        model.prefill(tokens(50))
        fresh = open_tiny(compute="fast")
        fresh.prefill(tokens(50))
        np.testing.assert_array_equal(first_logits(model), first_logits(fresh))
        assert model.oldest_rewind == 0

    def test_going_back_twice_does_not_forget_what_was_overwritten(self, model: Model) -> None:
        oldest = model.oldest_rewind
        model.truncate(oldest + 500)
        assert model.oldest_rewind == oldest


class TestContext:
    def test_a_prompt_that_does_not_fit_changes_nothing(self, open_tiny: Open) -> None:
        model = open_tiny(context=100)
        model.prefill(tokens(90))
        with pytest.raises(NativeError, match=r"context of 100 tokens is full: 90 are used, 11"):
            model.prefill(tokens(11))
        assert model.position == 90

    def test_a_canvas_needs_room_behind_the_end(self, open_tiny: Open) -> None:
        model = open_tiny(context=100)
        model.prefill(tokens(100 - CANVAS))
        first_logits(model)
        model.commit(tokens(CANVAS))
        with pytest.raises(NativeError, match="full"):
            model.begin_canvas(seed=1)

    @pytest.mark.parametrize("context", [CANVAS - 1, 40_000, -5])
    def test_a_context_that_cannot_be_is_refused(self, context: int, open_tiny: Open) -> None:
        with pytest.raises(NativeError, match="context"):
            open_tiny(context=context)


class TestCanvas:
    def denoise(self, model: Model, steps: int, **options: object) -> list[np.ndarray]:
        """The canvas before the first step and after each."""
        canvases = [model.begin_canvas(**options)]
        for step in range(steps):
            canvases.append(model.denoise(0.8 - 0.1 * step).canvas)
        return canvases

    @pytest.fixture
    def model(self, open_tiny: Open) -> Model:
        model = open_tiny(compute="fast")
        model.prefill(tokens(40))
        return model

    def test_the_same_seed_gives_the_same_text(self, model: Model, open_tiny: Open) -> None:
        again = open_tiny(compute="fast", threads=1)
        again.prefill(tokens(40))
        runs = [self.denoise(m, 4, seed=11, block=2) for m in (model, model, again)]
        for run in runs[1:]:
            np.testing.assert_array_equal(run, runs[0])

    @pytest.mark.parametrize("options", [{"seed": 12}, {"seed": 11, "block": 1}])
    def test_another_seed_or_block_gives_another_canvas(
        self, options: dict[str, int], model: Model
    ) -> None:
        one, other = self.denoise(model, 1, seed=11), self.denoise(model, 1, **options)
        assert (one[0] != other[0]).any()
        assert (one[1] != other[1]).any()

    def test_noise_is_spread_over_the_vocabulary(self, model: Model) -> None:
        ids = np.concatenate([model.begin_canvas(seed=seed) for seed in range(400)])
        assert ids.min() >= 0
        assert ids.max() < VOCAB
        counts = np.bincount(ids // 70, minlength=10)
        assert np.abs(counts - 480).max() < 5 * np.sqrt(480)

    def test_pinned_positions_never_change(self, model: Model) -> None:
        pinned = np.full(CANVAS, -1, np.int32)
        pinned[[0, 5, CANVAS - 1]] = [3, 699, 0]
        fixed = pinned >= 0
        canvases = self.denoise(model, 5, seed=2, pinned=pinned)
        assert all((canvas[fixed] == pinned[fixed]).all() for canvas in canvases)
        step = model.denoise(0.5)
        np.testing.assert_array_equal(step.argmax[fixed], pinned[fixed])
        assert not step.accepted[fixed].any()
        assert step.mean_entropy == pytest.approx(step.entropy[~fixed].mean(), rel=1e-5)

    def test_a_start_canvas_leaves_minus_one_to_noise(self, model: Model) -> None:
        start = np.full(CANVAS, -1, np.int32)
        start[3:6] = [10, 20, 30]
        canvas = model.begin_canvas(start=start, seed=4)
        noise = model.begin_canvas(seed=4)
        np.testing.assert_array_equal(canvas[3:6], [10, 20, 30])
        np.testing.assert_array_equal(np.delete(canvas, [3, 4, 5]), np.delete(noise, [3, 4, 5]))

    def test_a_cell_can_be_changed_between_steps(self, model: Model) -> None:
        self.denoise(model, 1, seed=4)
        model.set_canvas([7] * CANVAS)
        model.set_pinned([7] + [-1] * (CANVAS - 1))
        assert model.denoise(0.7).canvas[0] == 7
        model.set_pinned(None)
        model.denoise(0.7)

    @pytest.mark.parametrize("compute", ["reference", "fast"])
    def test_self_conditioning_starts_anew_with_each_canvas(
        self, compute: str, open_tiny: Open
    ) -> None:
        model = open_tiny(compute=compute)
        model.prefill(tokens(20))
        first = first_logits(model)
        model.denoise(0.7)
        assert (model.last_logits() != first).any()
        np.testing.assert_array_equal(first_logits(model), first)

    def test_a_commit_with_the_canvas_is_a_commit_before_it(
        self, model: Model, open_tiny: Open
    ) -> None:
        apart = open_tiny(compute="fast")
        apart.prefill(tokens(40))
        apart.commit(tokens(CANVAS, seed=1))
        want = self.denoise(apart, 2, seed=4)
        np.testing.assert_array_equal(
            self.denoise(model, 2, seed=4, commit=tokens(CANVAS, 1)), want
        )
        assert model.position == apart.position

    def test_what_comes_then_changes_nothing(self, model: Model) -> None:
        want = self.denoise(model, 3, seed=4)
        canvases = [model.begin_canvas(seed=4)]
        for step in range(3):
            canvases.append(model.denoise(0.8 - 0.1 * step, then=0.7 - 0.1 * step).canvas)
        np.testing.assert_array_equal(canvases, want)

    def test_a_step_without_a_canvas_is_refused(self, open_tiny: Open) -> None:
        model = open_tiny()
        with pytest.raises(NativeError, match="begin_canvas"):
            model.denoise(0.8)
        model.begin_canvas(seed=1)
        model.prefill(tokens(3))  # ends the canvas
        with pytest.raises(NativeError, match="begin_canvas"):
            model.denoise(0.8)

    @pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_temperature_that_cannot_be_is_refused(
        self, temperature: float, model: Model
    ) -> None:
        model.begin_canvas(seed=1)
        with pytest.raises(NativeError, match="temperature"):
            model.denoise(temperature)
        with pytest.raises(NativeError, match="temperature"):
            model.denoise(0.8, then=temperature)

    @pytest.mark.parametrize("bad", [[VOCAB] * CANVAS, [-2] * CANVAS, [0] * (CANVAS - 1)])
    def test_tokens_that_cannot_be_are_refused(self, bad: list[int], model: Model) -> None:
        for name in ("start", "pinned"):
            with pytest.raises(NativeError):
                model.begin_canvas(**{name: bad})
        if len(bad) == CANVAS:
            with pytest.raises(NativeError):
                model.begin_canvas(commit=bad)
        model.begin_canvas()
        with pytest.raises(NativeError):
            model.set_canvas(bad)


@pytest.mark.parametrize("bad", [[VOCAB], [-1], [2**31 - 1]])
def test_a_prompt_with_an_unknown_token_is_refused(bad: list[int], open_tiny: Open) -> None:
    model = open_tiny()
    with pytest.raises(NativeError, match="not in the vocabulary"):
        model.prefill(bad)
    assert model.position == 0


def test_sparse_beliefs_are_near_the_dense_ones(quantised_file: Path) -> None:
    """Fast mode keeps likely tokens and spreads the rest; a step with all of them moves little."""
    file = ModelFile.open(quantised_file)
    model = open_model(file, compute="fast")
    model.prefill(np.arange(50, dtype=np.int32))
    draws = np.zeros(file.config.canvas, np.float32)
    canvas = model.begin_canvas(seed=1)
    logits = []
    for dense in (False, True):
        model.begin_canvas(start=canvas)
        model.denoise(0.5, uniform=draws, renoise=canvas)
        if dense:
            model.set_beliefs(model.last_logits(), 0.5)
        model.set_canvas(canvas)
        model.denoise(0.5)
        logits.append(model.last_logits())
    assert np.linalg.norm(logits[0] - logits[1]) / np.linalg.norm(logits[1]) < 2e-2
