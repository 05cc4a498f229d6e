"""Which device computes, and why (engine/device.py)."""

import msgspec
import pytest
from sfumato.engine import device
from sfumato.engine.config import ModelConfig
from sfumato.engine.protocol import Device
from sfumato.errors import ModelLoadError

GIB = 1 << 30
CPU = Device(id="cpu", name="Ryzen", memory_bytes=32 * GIB, detail="8 cores, AVX2")


def gpu(number: int, free: int, *, usable: bool = True, reason: str = "") -> Device:
    return Device(
        id=f"cuda:{number}",
        name=f"GPU {number}",
        memory_bytes=24 * GIB,
        detail="compute capability 8.9, CUDA 13.0",
        usable=usable,
        reason=reason,
        free_bytes=free,
    )


def test_auto_takes_the_gpu_with_the_most_free_memory():
    placement = device.place("auto", 10 * GIB, [CPU, gpu(0, 11 * GIB), gpu(1, 20 * GIB)])
    assert placement.device == "cuda:1"
    assert placement.sentence == "On GPU 1: 10.7 GB are needed, 21.5 GB are free."


def test_auto_takes_the_cpu_where_the_model_does_not_fit_and_says_why():
    placement = device.place("auto", 18 * GIB, [CPU, gpu(0, 11 * GIB)])
    assert placement.device == "cpu"
    assert placement.sentence == (
        "On the CPU (Ryzen, 8 cores, AVX2): GPU 0 has too little memory, "
        "19.3 GB are needed, 11.8 GB are free."
    )


def test_auto_takes_the_gpu_where_experts_may_stay_in_main_memory():
    found = [CPU, gpu(0, 11 * GIB)]
    placement = device.place("auto", 18 * GIB, found, 12 * GIB)
    assert placement.device == "cuda:0"
    assert placement.sentence == "On GPU 0: 19.3 GB are needed, 11.8 GB are free."
    assert device.place("auto", 18 * GIB, found, 6 * GIB).device == "cpu"


def test_auto_leaves_main_memory_enough_for_everything_else():
    small = msgspec.structs.replace(CPU, free_bytes=8 * GIB)
    placed = device.place("auto", 18 * GIB, [small, gpu(0, 11 * GIB)], 12 * GIB)
    assert placed.device == "cpu"


def test_auto_says_that_there_is_no_gpu():
    sentence = device.place("auto", GIB, [CPU]).sentence
    assert "there is no NVIDIA GPU that this build can use" in sentence


def test_auto_says_why_a_gpu_cannot_be_used():
    found = [CPU, gpu(0, 20 * GIB, usable=False, reason="compute capability 7.5 is below 8.0")]
    placement = device.place("auto", GIB, found)
    assert placement.device == "cpu"
    assert "GPU 0: compute capability 7.5 is below 8.0" in placement.sentence


def test_a_chosen_device_is_taken_even_where_it_seems_too_small():
    assert device.place("cuda:0", 30 * GIB, [CPU, gpu(0, GIB)]).device == "cuda:0"
    assert device.place("cpu", 30 * GIB, [CPU, gpu(0, GIB)]).device == "cpu"


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ModelLoadError, match=r"no device “cuda:3” here; choose one of cpu, cuda:0"):
        device.place("cuda:3", GIB, [CPU, gpu(0, GIB)])


def test_a_device_that_cannot_be_used_is_refused_with_the_reason():
    with pytest.raises(ModelLoadError, match="driver too old"):
        device.place("cuda:0", GIB, [CPU, gpu(0, GIB, usable=False, reason="driver too old")])


def test_this_machine_has_a_cpu_with_memory():
    cpu = device.devices()[0]
    assert cpu.id == "cpu"
    assert cpu.name
    assert 0 < (cpu.free_bytes or 0) <= cpu.memory_bytes


def test_peak_bytes_are_at_least_what_is_held():
    held = b"x" * (64 << 20)
    assert device.peak_bytes() > len(held)


def model_26b() -> ModelConfig:
    sliding = tuple(layer % 6 != 5 for layer in range(30))
    return ModelConfig(
        layers=30,
        hidden=2816,
        dense_ffn=2112,
        expert_ffn=704,
        experts=128,
        experts_used=8,
        heads=16,
        kv_heads=tuple(8 if s else 2 for s in sliding),
        head_dim_full=512,
        head_dim_sliding=256,
        sliding=sliding,
        window=1024,
        rope_base_full=1e6,
        rope_base_sliding=1e4,
        rms_eps=1e-6,
        softcap=30.0,
        vocab=262144,
        canvas=256,
        context_length=262144,
    )


def test_the_real_model_needs_18_gigabytes():
    """Weights of Q4_K_M (MODEL.md 4.5); cache per token as in MODEL.md 2.11."""
    weights = 16_790_985_600
    at_4k, at_8k = (device.needed_bytes(weights, model_26b(), n) for n in (4096, 8192))
    assert 17.5e9 < at_4k < at_8k < 19.5e9
    long = [device.needed_bytes(weights, model_26b(), n) for n in (20_000, 20_001)]
    assert long[1] - long[0] == 20_480
