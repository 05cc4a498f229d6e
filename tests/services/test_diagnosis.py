"""What the engine says of its devices, as lines."""

from __future__ import annotations

from sfumato.download.diagnostics import why_no_gpu
from sfumato.download.machine import Cpu, Gpu, Machine
from sfumato.engine.protocol import Device, Failed
from sfumato.services.diagnosis import device_lines, engine_lines

CPU = Device("cpu", "Some CPU", 1 << 30, "AVX2")
REFUSED = Device("cuda:0", "Old card", 8 << 30, "compute capability 6.1", False, "it is too old")
CARD = Gpu(0, "RTX 4090", 24 << 30, 20 << 30, "580", (8, 9), 1e12, 1e14, 1e14, 25e9)
MACHINE = Machine((CARD,), "", Cpu("Some CPU", 8, ("avx2",)), 1 << 34, 1 << 33, 1 << 40)


def test_a_card_that_cannot_be_used_has_its_reason() -> None:
    lines, has_gpu = device_lines([CPU, REFUSED])
    assert lines[1] == "cuda:0: Old card, compute capability 6.1 (not usable: it is too old)"
    assert not has_gpu


def test_an_engine_without_cuda_says_so() -> None:
    lines, has_gpu = device_lines([CPU])
    assert "built without CUDA" in lines[-1]
    assert not has_gpu


def test_an_engine_that_does_not_start_shows_the_loaders_own_words() -> None:
    failure = Failed(
        kind="crash",
        message="The engine ended while it was starting (exit code 1).",
        advice="",
        detail="ImportError: libcudart.so.12: cannot open shared object file",
    )
    lines, has_gpu = engine_lines([], None, failure)
    assert any("libcudart.so.12" in line for line in lines)
    assert not has_gpu


def test_the_reason_is_the_engines_own_and_leaves_the_processor_out() -> None:
    lines, has_gpu = device_lines([CPU])
    said = why_no_gpu(MACHINE, lines, has_gpu)
    assert "RTX 4090" in said
    assert "built without CUDA" in said
    assert "Some CPU" not in said
