"""Whole models on a GPU, real or emulated: against transformers, and what a conversation may do."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest
from gpu import DEVICE
from matrices import error
from reference import model as oracle
from sfumato.download.network import pools, published
from sfumato.engine import random_model, verify
from sfumato.engine._native import Model
from sfumato.engine.model_file import ModelFile
from sfumato.engine.random_model import SHAPES, Shape
from tiny_model import TinyShape, write_tiny_model

pytestmark = pytest.mark.timeout(1200)  # the first test builds what it needs

PAIRS = sorted((Path(__file__).parents[1] / "vectors/reference").glob("*.gguf"))
VOCAB, CANVAS = 700, 12  # of tiny_file

Open = Callable[..., Model]
F64 = npt.NDArray[np.float64]


@pytest.fixture
def open_file(gpu_extension: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setattr(verify, "Model", gpu_extension.Model)

    def open_(path: Path, **options: Any) -> Model:
        return verify.open_model(
            ModelFile.open(path), **({"compute": "fast", "device": DEVICE} | options)
        )

    return open_


@pytest.fixture
def open_tiny(open_file: Open, tiny_file: Path) -> Open:
    return lambda **options: open_file(tiny_file, **options)


def tokens(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCAB, count, dtype=np.int32)


def first_logits(model: Model, seed: int = 9) -> np.ndarray:
    model.begin_canvas(seed=seed)
    model.denoise(0.8)
    return model.last_logits()


@pytest.mark.parametrize("file", PAIRS, ids=lambda path: path.stem)
def test_a_reference_pair_is_within_tolerance(file: Path, open_file: Open) -> None:
    measures = verify.verify(file, file.with_suffix(".npz"), compute="fast", device=DEVICE)
    assert len(measures) > 5
    assert [measure for measure in measures if not measure.passed] == []


def test_odd_shapes_match_float64_but_for_halves_in_attention(
    open_tiny: Open, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = oracle.attention

    def with_halves(q: F64, k: F64, v: F64, mask: Any) -> F64:
        return exact(*(x.astype(np.float16).astype(np.float64) for x in (q, k, v)), mask)

    monkeypatch.setattr(oracle, "attention", with_halves)
    model, judge = open_tiny(), oracle.Model(tiny_file)
    prompt = tokens(75)
    hidden, cache = judge.encode(prompt)
    assert error(model.prefill_hidden(prompt), hidden) < 1e-4
    canvas = model.begin_canvas(seed=3)
    model.denoise(0.8, renoise=canvas)
    assert error(model.last_logits(), judge.decode(cache, canvas, None)) < 1e-3


def test_a_quantised_model_follows_the_cpu(open_file: Open, quantised_file: Path) -> None:
    on_gpu = open_file(quantised_file)
    on_cpu = open_file(quantised_file, device="cpu")
    for model in (on_gpu, on_cpu):
        model.prefill(np.arange(70, dtype=np.int32))
        model.begin_canvas(seed=5)
    for step in range(3):
        mine, its = (model.denoise(0.8 - 0.1 * step) for model in (on_gpu, on_cpu))
        assert error(on_gpu.last_logits(), on_cpu.last_logits()) < 3e-2
        assert np.abs(mine.entropy - its.entropy).max() < 0.1
        for model in (on_gpu, on_cpu):  # rounding must not add up over steps
            model.set_canvas(its.canvas)


def test_repeated_steps_are_what_a_fresh_model_computes(open_tiny: Open) -> None:
    """From the second step on a step is a recording; a new canvas needs a new one."""
    model = open_tiny()

    def canvases(m: Model) -> list[np.ndarray]:
        # Hot, because this model is certain of any token that it sees.
        return [m.begin_canvas(seed=4), *(m.denoise(9.0 - i).canvas for i in range(4))]

    model.prefill(tokens(30))
    first = canvases(model)
    np.testing.assert_array_equal(canvases(model), first)
    model.commit(tokens(CANVAS, seed=1))
    after = canvases(model)
    fresh = open_tiny()
    fresh.prefill(tokens(30))
    fresh.commit(tokens(CANVAS, seed=1))
    np.testing.assert_array_equal(canvases(fresh), after)
    assert (np.array(after) != np.array(first)).any()


def test_the_temperature_of_a_repeated_step_is_its_own(open_tiny: Open) -> None:
    model = open_tiny()
    model.prefill(tokens(20))
    model.begin_canvas(seed=1)
    uniform = np.full(CANVAS, 0.5, np.float32)
    canvas = model.denoise(0.8, uniform=uniform).canvas
    entropies = []
    for temperature in (0.8, 0.01):
        model.set_canvas(canvas)
        entropies.append(model.denoise(temperature, uniform=uniform).mean_entropy)
    assert entropies[1] < 0.5 * entropies[0]


def test_pins_may_change_between_steps(open_tiny: Open) -> None:
    model = open_tiny()
    model.prefill(tokens(20))
    pinned = np.full(CANVAS, -1, np.int32)
    pinned[3] = 17
    assert model.begin_canvas(seed=2, pinned=pinned)[3] == 17
    assert model.denoise(0.8).canvas[3] == 17
    pinned[[3, 5]] = [-1, 600]
    model.set_pinned(pinned)
    for _ in range(2):
        step = model.denoise(0.8)
        assert step.canvas[5] == step.argmax[5] == 600
        assert not step.accepted[5]


HOT = [9.0 - i for i in range(4)]  # this model is certain of any token that it sees


def refined(model: Model, temperatures: list[float], *, ahead: bool, **options: Any) -> list[Any]:
    """A canvas and all that its steps say, until it settles or the temperatures end."""
    out: list[Any] = [model.begin_canvas(**options)]
    for temperature, then in zip(temperatures, [*temperatures[1:], None], strict=True):
        step = model.denoise(temperature, then=then if ahead else None)
        out += [step.argmax, step.sampled, step.canvas, step.accepted, step.entropy]
        out += [step.mean_entropy, step.stable, step.settled]
        if step.settled:
            break
    return out


def assert_same(got: list[Any], want: list[Any]) -> None:
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)


def model_that_answered(model: Model) -> Model:
    """A model's first canvas has a step that waits: it loads what a recording needs."""
    model.prefill(tokens(30))
    refined(model, HOT[:2], ahead=False)
    return model


def test_steps_ahead_of_the_host_are_those_that_wait_for_it(
    gpu: ModuleType, open_tiny: Open
) -> None:
    ahead, waiting = (model_that_answered(open_tiny()) for _ in range(2))
    pinned = np.full(CANVAS, -1, np.int32)
    pinned[3] = 17
    for block, (temperatures, pins) in enumerate([(HOT, None), ([0.4] * 9, None), (HOT, pinned)]):
        options = {"seed": 4, "block": block, "pinned": pins}
        got = refined(ahead, temperatures, ahead=True, **options)
        assert_same(got, refined(waiting, temperatures, ahead=False, **options))
        assert got[-1] == (block == 1)  # settled
        for model in (ahead, waiting):
            model.commit(tokens(CANVAS, seed=block))
    for layer in range(5):
        np.testing.assert_array_equal(ahead.keys(layer), waiting.keys(layer))


def test_the_step_ahead_of_a_settled_canvas_does_nothing(open_tiny: Open) -> None:
    ahead, waiting = (model_that_answered(open_tiny()) for _ in range(2))
    for model in (ahead, waiting):
        assert refined(model, [0.4] * 9, ahead=model is ahead, seed=4)[-1]
    np.testing.assert_array_equal(ahead.last_logits(), waiting.last_logits())
    for temperature in HOT[:3]:  # whoever asks for more gets it all the same
        np.testing.assert_array_equal(
            ahead.denoise(temperature).canvas, waiting.denoise(temperature).canvas
        )


def test_a_canvas_may_be_left_while_a_step_is_ahead(open_tiny: Open) -> None:
    left, fresh = (model_that_answered(open_tiny()) for _ in range(2))
    left.begin_canvas(seed=1)
    left.denoise(9.0, then=8.0)
    for model in (left, fresh):
        model.truncate(21)
        model.prefill(tokens(20, seed=3))
    left.begin_canvas(seed=1)
    left.denoise(9.0, then=8.0)
    again = refined(left, HOT, ahead=True, seed=5)
    assert_same(again, refined(fresh, HOT, ahead=False, seed=5))


def test_a_step_that_has_begun_is_not_changed_any_more(open_tiny: Open) -> None:
    model = model_that_answered(open_tiny())
    canvas = model.begin_canvas(seed=1)
    model.denoise(9.0, then=8.0)
    for change in (
        lambda: model.set_canvas(canvas),
        lambda: model.set_pinned(None),
        lambda: model.last_logits(),
        lambda: model.denoise(7.0),
        lambda: model.denoise(8.0, renoise=canvas),
    ):
        with pytest.raises(RuntimeError, match="the next step has begun already"):
            change()
    model.denoise(8.0)
    model.set_canvas(canvas)


def test_a_model_that_goes_with_a_step_ahead_gives_its_memory_back(
    gpu_extension: ModuleType, open_tiny: Open
) -> None:
    before = gpu_extension.cuda_devices()[0]["free_bytes"]
    model = model_that_answered(open_tiny())
    model.begin_canvas(seed=1)
    model.denoise(9.0, then=8.0)
    del model
    assert gpu_extension.cuda_devices()[0]["free_bytes"] == before


def continued(model: Model, *, fused: bool) -> list[Any]:
    """Blocks that come into the cache with the first step of the next canvas, or before it."""
    out: list[Any] = []
    for block in range(3):
        commit = tokens(CANVAS if block else 5, seed=block)
        if not fused:
            model.commit(commit)
        options: dict[str, Any] = {"commit": commit} if fused else {}
        out += refined(model, HOT[:3], ahead=fused, seed=6, block=block, **options)
        out += [model.last_logits(), model.position]
    layers = range(len(STREAMED.sliding))
    return out + [part for layer in layers for part in (model.keys(layer), model.values(layer))]


def test_a_commit_with_the_first_step_is_that_of_a_pass_of_its_own(open_tiny: Open) -> None:
    fused, apart = open_tiny(context=256), open_tiny(context=256)
    for model in (fused, apart):
        model.prefill(tokens(30))
    assert_same(continued(fused, fused=True), continued(apart, fused=False))


def test_a_commit_with_the_first_step_may_overwrite_what_a_window_has_left(
    open_tiny: Open,
) -> None:
    """A ring of 19 + 256 positions is full."""
    fused, apart = (open_tiny(context=512, profile="compact") for _ in range(2))
    for model in (fused, apart):
        model.prefill(tokens(290))
    assert_same(continued(fused, fused=True), continued(apart, fused=False))


def test_a_commit_waits_for_the_first_step(open_tiny: Open) -> None:
    model, fresh = open_tiny(context=64), open_tiny(context=64)
    model.prefill(tokens(30))
    model.begin_canvas(seed=1, commit=tokens(CANVAS))
    assert model.position == 30
    model.begin_canvas(seed=1)  # the answer went on elsewhere
    fresh.prefill(tokens(30))
    fresh.begin_canvas(seed=1)
    np.testing.assert_array_equal(model.denoise(9.0).canvas, fresh.denoise(9.0).canvas)
    assert model.position == 30
    with pytest.raises(RuntimeError, match="context of 64 tokens is full"):
        model.begin_canvas(commit=tokens(23))


def test_streamed_experts_serve_a_commit_with_the_first_step(
    open_file: Open, streamed_file: Path
) -> None:
    whole = open_file(streamed_file, context=256)
    budget = in_all(whole.plan) - whole.plan["cuda"] - 100_000
    part = open_file(streamed_file, context=256, memory=budget, cpu_share=0.0)
    assert part.plan["main_memory"] > 0
    for model in (part, whole):
        model.prefill(tokens(13))
    assert_same(continued(part, fused=True), continued(whole, fused=False))


@pytest.mark.parametrize("position", [0, 21])
def test_going_back_and_on_equals_a_fresh_start(position: int, open_tiny: Open) -> None:
    shared, other = tokens(60), tokens(33, seed=1)
    edited, fresh = open_tiny(), open_tiny()
    edited.prefill(shared)
    first_logits(edited)  # a canvas behind the end leaves no trace
    edited.truncate(position)
    edited.prefill(other)
    fresh.prefill(np.concatenate([shared[:position], other]))
    assert error(first_logits(edited), first_logits(fresh)) < 2e-3


def test_memory_is_counted_before_it_is_taken(
    gpu_extension: ModuleType, open_file: Open, tmp_path: Path
) -> None:
    full = TinyShape(
        sliding=(False, False), kv_heads_full=4, head_dim_full=512, context_length=1 << 24
    )
    path = write_tiny_model(tmp_path / "long.gguf", shape=full)
    before = gpu_extension.cuda_devices()[0]["free_bytes"]
    with pytest.raises(
        gpu_extension.OutOfMemoryError,
        match=r"needs \d+ MB on the GPU \(weights \d+, a context of 16777216 tokens \d+, .*free",
    ):
        open_file(path, context=1 << 24)
    model = open_file(path, context=64)  # and the process lives
    assert model.pools["kv_cache"] == 2 * 2 * 2 * 64 * 4 * 512
    del model
    assert gpu_extension.cuda_devices()[0]["free_bytes"] == before


def test_working_memory_is_as_planned_after_any_pass(open_tiny: Open) -> None:
    model = open_tiny(context=200)
    planned = model.pools["scratch"]
    model.prefill(tokens(180))
    model.begin_canvas(seed=1)
    for _ in range(3):
        model.denoise(0.8)
    assert model.pools["scratch"] == planned


def test_loading_can_be_cancelled(gpu_extension: ModuleType, tiny_file: Path) -> None:
    arguments = ModelFile.open(tiny_file).native_arguments()
    with pytest.raises(gpu_extension.CancelledError):
        gpu_extension.Model(*arguments, device=DEVICE, context=64, progress=lambda share: False)


def test_a_device_that_is_not_there_is_refused(gpu_extension: ModuleType, open_tiny: Open) -> None:
    with pytest.raises(gpu_extension.NativeError, match="no device cuda:99"):
        open_tiny(device="cuda:99")
    with pytest.raises(gpu_extension.NativeError, match="is not cpu or cuda:N"):
        open_tiny(device="cuda:x")
    with pytest.raises(gpu_extension.NativeError, match="reference mode"):
        open_tiny(compute="reference")


Plan = Callable[..., dict[str, int]]


@pytest.fixture(scope="module")
def plan_published(
    gpu_extension: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plan]:
    """Pools of the published Q4_K_M on a card of 24 GB."""
    path = tmp_path_factory.mktemp("published") / "sparse.gguf"
    file = ModelFile.open(sparse_model(path, SHAPES["26b-a4b"], layers=30))
    if hasattr(gpu_extension, "memory"):
        gpu_extension.memory(24_000_000_000)

    def plan(**options: Any) -> dict[str, int]:
        options = {"cpu_share": 0.0} | options
        return gpu_extension.plan_memory(*file.native_arguments(), device=DEVICE, **options)

    yield plan
    if hasattr(gpu_extension, "memory"):
        gpu_extension.memory(1 << 32)


def in_all(plan: dict[str, int]) -> int:
    return sum(plan.values()) - plan["main_memory"]


def test_the_published_file_with_8k_of_context_takes_at_most_18_gb(plan_published: Plan) -> None:
    plan = plan_published(context=8192)
    assert in_all(plan) <= 18_000_000_000
    assert plan["main_memory"] == 0
    assert min(plan.values()) >= 0
    assert plan["cuda"] > 300_000_000


def test_compact_with_16k_of_context_takes_at_most_16_6_gb(plan_published: Plan) -> None:
    plan = plan_published(context=16384, profile="compact")
    assert in_all(plan) <= 16_600_000_000
    assert plan["main_memory"] == 0


@pytest.mark.parametrize(
    ("profile", "context"), [("exact", 8192), ("compact", 16384), ("exact", 262144)]
)
def test_what_the_engine_expects_is_near_the_plan(
    profile: Any, context: int, plan_published: Plan
) -> None:
    network = published("Q4_K_M")
    assert network is not None
    plan = plan_published(context=context, profile=profile)
    expected = pools(network, context, profile)
    assert plan["weights"] == pytest.approx(expected.weights, rel=1e-3)
    assert plan["kv_cache"] == expected.kv
    working = plan["scratch"] + plan["graphs"] + plan["cuda"]
    assert working == pytest.approx(expected.workspace, rel=0.15)


def test_a_card_of_12_gb_leaves_a_part_of_the_experts_in_main_memory(plan_published: Plan) -> None:
    whole = plan_published(context=8192)
    part = plan_published(context=8192, memory=11_000_000_000)
    assert in_all(part) - part["cuda"] <= 11_000_000_000
    missing = in_all(whole) - whole["cuda"] - 11_000_000_000
    # Two layers' share of what is away has a place on the card all the same.
    assert missing < part["main_memory"] < 1.1 * missing
    assert part["kv_cache"] == whole["kv_cache"]


def test_a_card_without_room_for_the_rest_is_refused_with_the_numbers(
    gpu_extension: ModuleType, plan_published: Plan
) -> None:
    with pytest.raises(gpu_extension.OutOfMemoryError, match=r"needs 17\d+ MB .* 2000 MB are free"):
        plan_published(context=8192, memory=2_000_000_000)


STREAMED = TinyShape(
    hidden=96, dense_ffn=64, expert_ffn=32, experts=7, experts_used=3, vocab=700, canvas=12,
    window=20, sliding=(True, False, True, True, False),
)  # fmt: skip


@pytest.fixture(scope="module")
def streamed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streamed") / "experts.gguf"
    types = {"ffn_down_exps": "Q8_0", "token_embd": "Q8_0", "*": "Q4_0"}
    return write_tiny_model(path, shape=STREAMED, types=types, seed=8)


def conversation(model: Model) -> list[np.ndarray]:
    """What two canvases leave behind: steps that run directly, are recorded, are repeated."""
    model.prefill(tokens(13))
    out = []
    for steps in (3, 2):
        model.begin_canvas(seed=4)
        out += [model.denoise(9.0 - i).canvas for i in range(steps)]
        out.append(model.last_logits())
        model.commit(tokens(CANVAS, seed=2))
    return [*out, *(model.keys(layer) for layer in range(5))]


@pytest.mark.parametrize("missing", [1, 20_000, 100_000, 200_000])
def test_experts_that_are_streamed_change_nothing(
    missing: int, gpu: ModuleType, open_file: Open, streamed_file: Path
) -> None:
    """From three experts, of a layer each, to nearly all, of all five."""
    whole = open_file(streamed_file, context=256)
    budget = in_all(whole.plan) - whole.plan["cuda"] - missing
    part = open_file(streamed_file, context=256, memory=budget, cpu_share=0.0)
    assert in_all(part.plan) - part.plan["cuda"] <= budget
    assert part.plan["main_memory"] > missing
    assert whole.plan["main_memory"] == 0
    for got, want in zip(conversation(part), conversation(whole), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(("missing", "cpu_share"), [(20_000, 1.0), (150_000, 0.5)])
def test_experts_that_the_cpu_computes_change_little(
    missing: int, cpu_share: float, gpu: ModuleType, open_file: Open, streamed_file: Path
) -> None:
    whole = open_file(streamed_file, context=256)
    budget = in_all(whole.plan) - whole.plan["cuda"] - missing
    part = open_file(streamed_file, context=256, memory=budget, cpu_share=cpu_share)
    assert in_all(part.plan) - part.plan["cuda"] <= budget
    assert part.plan["main_memory"] > 0
    # Sums come in another order, which a rounded activation or a chosen expert may tell.
    prompt = tokens(13)
    assert error(part.prefill_hidden(prompt), whole.prefill_hidden(prompt)) < 1e-6
    for model in (part, whole):
        model.begin_canvas(seed=4)
    for step in range(3):  # the second is recorded, the third repeats it
        canvas = whole.denoise(9.0 - step).canvas
        part.denoise(9.0 - step)
        assert error(part.last_logits(), whole.last_logits()) < verify.FAST_ROUTED_TOLERANCE
        for model in (part, whole):
            model.set_canvas(canvas)


def test_experts_that_the_cpu_computes_need_no_place(plan_published: Plan) -> None:
    streamed, half, cpu = (
        plan_published(context=8192, memory=11_000_000_000, cpu_share=share)["main_memory"]
        for share in (0.0, 0.5, 1.0)
    )
    assert streamed > half > cpu


def test_a_measured_share_of_the_cpu_is_within_the_plan(
    open_file: Open, streamed_file: Path
) -> None:
    whole = open_file(streamed_file, context=256).plan
    budget = in_all(whole) - whole["cuda"] - 100_000
    part = open_file(streamed_file, context=256, memory=budget)
    assert in_all(part.plan) - part.plan["cuda"] <= budget
    part.begin_canvas(seed=1)
    part.denoise(0.8)


def test_a_compact_model_may_be_streamed(open_file: Open, streamed_file: Path) -> None:
    options: dict[str, Any] = {"context": 256, "profile": "compact"}
    whole = open_file(streamed_file, **options)
    budget = in_all(whole.plan) - whole.plan["cuda"] - 30_000
    part = open_file(streamed_file, memory=budget, cpu_share=0.0, **options)
    assert part.plan["main_memory"] > 0
    assert part.rounding_error == whole.rounding_error > 0.0
    for got, want in zip(conversation(part), conversation(whole), strict=True):
        np.testing.assert_array_equal(got, want)


def test_main_memory_is_given_back(
    gpu_extension: ModuleType, open_file: Open, streamed_file: Path
) -> None:
    before = gpu_extension.cuda_devices()[0]["free_bytes"]
    for _ in range(3):
        model = open_file(streamed_file, context=256)
        budget = in_all(model.plan) - model.plan["cuda"] - 30_000
        del model
        model = open_file(streamed_file, context=256, memory=budget)
        model.begin_canvas(seed=1)
        model.denoise(0.8)
        del model
    assert gpu_extension.cuda_devices()[0]["free_bytes"] == before


def sparse_model(path: Path, shape: Shape, layers: int) -> Path:
    """A file of the right size and shape whose weights take no room on the disk."""
    writer = gguf.GGUFWriter(path, random_model.ARCHITECTURE)
    for key, value in random_model._metadata(shape, layers, random_model.ARCHITECTURE).items():
        random_model._add(writer, key, value)
    size = 0
    for tensor in random_model._tensors(shape, layers, diffusion=True):
        if isinstance(tensor, random_model.Vector):
            stored, dtype, raw = tensor.shape, np.dtype(np.float32), None
        else:
            stored = (*tensor.shape[:-1], random_model._row_bytes(tensor))
            dtype, raw = np.dtype(np.uint8), tensor.type
        count = int(np.prod(stored)) * dtype.itemsize
        writer.add_tensor_info(tensor.name, stored, dtype, count, raw_dtype=raw)
        size += -(-count // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.flush()
    writer.close()
    os.truncate(path, -(-path.stat().st_size // 32) * 32 + size)
    return path
