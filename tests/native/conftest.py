"""Models to test with."""

from pathlib import Path
from types import ModuleType
from typing import Any

import native_library  # noqa: F401  before all that uses the extension
import numpy as np
import pytest
from gpu import extension
from opening import Open
from sfumato.engine._native import Model
from sfumato.engine.model_file import ModelFile
from sfumato.engine.verify import open_model
from tiny_model import TinyShape, write_tiny_model


@pytest.fixture(scope="session")
def gpu_extension() -> ModuleType:
    return extension()


@pytest.fixture(params=[1, 2, 3], ids="seed {}".format)
def gpu(gpu_extension: ModuleType, request: pytest.FixtureRequest) -> ModuleType:
    """The extension with CUDA. An emulated card runs threads in another order for each seed."""
    if hasattr(gpu_extension, "seed"):
        gpu_extension.seed(request.param)
    elif request.param > 1:
        pytest.skip("a real card has no seed")
    return gpu_extension


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260301)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Odd sizes: experts of 48, three heads to a key head, layers in no regular order."""
    shape = TinyShape(
        hidden=96,
        dense_ffn=160,
        expert_ffn=48,
        experts=5,
        experts_used=3,
        heads=6,
        kv_heads_sliding=3,
        kv_heads_full=2,
        sliding=(True, False, True, True, False),
        window=20,
        vocab=700,
        canvas=12,
        context_length=32768,
    )
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "odd.gguf", shape=shape, seed=5)


@pytest.fixture(scope="session")
def quantised_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = TinyShape(hidden=256, dense_ffn=256, expert_ffn=64, experts=6, experts_used=6)
    path = tmp_path_factory.mktemp("tiny") / "quantised.gguf"
    return write_tiny_model(path, shape=shape, types={"token_embd": "Q6_K", "*": "Q4_K"}, seed=6)


@pytest.fixture
def open_tiny(tiny_file: Path) -> Open:
    """A model of its own; options are those of open_model."""

    def open_(**options: Any) -> Model:
        return open_model(ModelFile.open(tiny_file), **options)

    return open_
