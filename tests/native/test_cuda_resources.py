"""Registers, shared memory and spills of kernels are those of native/cuda/resources.csv."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

CUDA = Path(__file__).parents[2] / "native/cuda"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("resources", CUDA / "resources.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["resources"] = module
    spec.loader.exec_module(module)
    return module


resources = load()
HOT = ("product_kernel", "gate_up_kernel", "attention_kernel", "router_kernel", "add_kernel")
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")


def test_no_kernel_uses_more_registers_than_its_block_can_have() -> None:
    table = resources.read_table()
    assert {architecture for _, architecture in table} == set(resources.ARCHITECTURES)
    for (kernel, architecture), (registers, shared, *_) in table.items():
        threads = {"sort_kernel": 1024, "denoise_step_kernel": 1024, "router_kernel": 512}.get(
            kernel, 256
        )
        assert registers * threads <= 65536, f"{kernel} on {architecture}"
        assert shared <= 48 << 10, f"{kernel} on {architecture}"


def test_the_kernels_that_take_the_time_spill_nothing() -> None:
    for (kernel, architecture), row in resources.read_table().items():
        if kernel.startswith(HOT):
            assert row[3:] == (0, 0), f"{kernel} on {architecture}"


@needs_nvcc
@pytest.mark.timeout(600)
@pytest.mark.parametrize("stem", ["attention", "moe"])
def test_a_file_compiles_to_what_is_recorded(stem: str) -> None:
    version = resources.compiler_version()
    if version != resources.RECORDED_WITH:
        pytest.skip(f"recorded with nvcc {resources.RECORDED_WITH}, here is {version}")
    text = resources.compile_file(CUDA / f"{stem}.cu", 86)
    table = resources.read_table()
    for key, row in resources.parse(text).items():
        assert row == table[key], key


@needs_nvcc
@pytest.mark.slow
def test_every_file_compiles_for_the_oldest_and_the_newest() -> None:
    for source in sorted(CUDA.glob("*.cu")):
        for architecture in (80, 121):
            resources.compile_file(source, architecture)
