"""Whole models on a GPU, real or emulated: against transformers, and what a conversation may do."""

import os
import re
from collections.abc import Callable
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
    import dataclasses

    from gguf.constants import GGMLQuantizationType

    file = ModelFile.open(tiny_file)
    tensors = [
        (t.name, GGMLQuantizationType[t.type].value, t.shape, t.offset) for t in file.tensors
    ]
    with pytest.raises(gpu_extension.CancelledError):
        gpu_extension.Model(
            str(tiny_file), tensors, dataclasses.asdict(file.config), device=DEVICE, context=64,
            progress=lambda share: False,
        )  # fmt: skip


def test_a_device_that_is_not_there_is_refused(gpu_extension: ModuleType, open_tiny: Open) -> None:
    with pytest.raises(gpu_extension.NativeError, match="no device cuda:99"):
        open_tiny(device="cuda:99")
    with pytest.raises(gpu_extension.NativeError, match="is not cpu or cuda:N"):
        open_tiny(device="cuda:x")
    with pytest.raises(gpu_extension.NativeError, match="reference mode"):
        open_tiny(compute="reference")


def test_the_published_shape_with_8k_of_context_is_planned_below_18_gb(
    gpu_extension: ModuleType, open_file: Open, tmp_path: Path
) -> None:
    if not hasattr(gpu_extension, "seed"):
        pytest.skip("a real card would load it")
    file = sparse_model(tmp_path / "sparse.gguf", SHAPES["26b-a4b"], layers=30)
    with pytest.raises(gpu_extension.OutOfMemoryError) as refused:
        open_file(file, context=8192)
    found = re.search(r"needs (\d+) MB .*weights (\d+).*working memory (\d+)", str(refused.value))
    assert found is not None
    planned, weights, working = (int(n) for n in found.groups())
    assert weights <= file.stat().st_size / 1e6
    assert working < 200
    assert planned + 500 < 18_000  # CUDA's own context takes 300 to 500 MB


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
