"""Verdicts against the engine's own sum and against the published table of speeds."""

import dataclasses
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfumato.download import fit as fit_module
from sfumato.download.fit import Verdict, cpu_step_seconds, fit, gpu_step_seconds
from sfumato.download.machine import Cpu, Gpu, Held, Machine
from sfumato.download.network import Network, Profile, memory_needed, pools, published
from sfumato.engine import device
from sfumato.engine.config import ModelConfig

GB = 1_000_000_000


def network(quant: str = "Q4_K_M") -> Network:
    found = published(quant)
    assert found is not None
    return found


def card(free: int = 24 * GB, name: str = "RTX 3090") -> Gpu:
    rates = {  # bytes, int8 operations, fp16 operations a second (PERFORMANCE.md 3.5)
        "RTX 3090": (936e9, 284e12, 71e12),
        "RTX 4060 Ti": (288e9, 177e12, 44e12),
        "RTX 4080": (717e9, 390e12, 97.5e12),
        "RTX 4090": (1008e9, 661e12, 165e12),
        "RTX 5090": (1792e9, 838e12, 210e12),
    }[name]
    return Gpu(0, name, free, free, "550", (8, 6), *rates, 25e9)


def machine(*gpus: Gpu, ram: int = 64 * GB, features: tuple[str, ...] = ("avx2",)) -> Machine:
    why = "" if any(g.usable for g in gpus) else "This computer has no NVIDIA card."
    return Machine(gpus, why, Cpu("a processor", 8, features), ram, ram, 100 * GB)


@settings(deadline=None)
@given(context=st.integers(1, 262144), quant=st.sampled_from(["Q4_K_M", "Q8_0"]))
def test_the_pools_are_those_of_the_engine(context: int, quant: str) -> None:
    net = network(quant)
    config = ModelConfig(
        layers=30,
        hidden=2816,
        dense_ffn=2112,
        expert_ffn=704,
        experts=128,
        experts_used=8,
        heads=16,
        kv_heads=net.kv_heads,
        head_dim_full=512,
        head_dim_sliding=256,
        sliding=net.sliding,
        window=1024,
        rope_base_full=1e6,
        rope_base_sliding=1e4,
        rms_eps=1e-6,
        softcap=30.0,
        vocab=262144,
        canvas=256,
        context_length=262144,
    )
    assert memory_needed(net, context) == device.needed_bytes(net.weight_bytes, config, context)


def test_full_layers_take_20480_bytes_a_token() -> None:
    net = network()
    assert pools(net, 131072).kv - pools(net, 65536).kv == 65536 * 20480  # MODEL.md 2.11


def test_a_card_with_room_gets_the_longest_context_that_fits() -> None:
    room = memory_needed(network(), 32768)
    result = fit(network(), machine(card(room)))
    assert result.verdict is Verdict.FITS
    assert result.context == 32768
    assert result.needed_bytes <= result.free_bytes
    assert result.sentence.startswith("Fits RTX 3090 with 32k context: needs 18.4 GB, 18.4 GB free")
    assert fit(network(), machine(card(room - 1))).context == 16384


def test_compact_fits_where_exact_would_leave_experts_in_main_memory() -> None:
    room = card(17_000_000_000)
    assert fit(network(), machine(room)).verdict is Verdict.PARTLY
    compact = fit(network(), machine(room), profile="compact")
    assert compact.verdict is Verdict.FITS
    assert compact.needed_bytes == memory_needed(network(), compact.context, "compact")


@settings(deadline=None)
@given(free=st.integers(GB, 80 * GB), quant=st.sampled_from(["Q4_K_M", "Q8_0"]))
def test_compact_never_has_less_room_for_a_conversation(free: int, quant: str) -> None:
    exact = fit_module.longest_context(network(quant), free)
    compact = fit_module.longest_context(network(quant), free, "compact")
    assert compact >= exact
    assert not compact or memory_needed(network(quant), compact, "compact") <= free


def test_compact_leaves_fewer_experts_in_main_memory_and_is_faster_then() -> None:
    small = machine(card(12 * GB))
    exact, compact = (fit(network(), small, profile=p) for p in get_args(Profile))
    assert exact.verdict is compact.verdict is Verdict.PARTLY
    assert exact.step_seconds is not None
    assert compact.step_seconds is not None
    assert compact.step_seconds < exact.step_seconds


def test_a_card_too_small_for_anything_but_experts_means_the_cpu() -> None:
    result = fit(network(), machine(card(3_000_000_000)), 50e9)
    assert result.verdict is Verdict.CPU
    assert "RTX 3090 has too little memory (needs 17.8 GB, 3.0 GB free)" in result.sentence
    assert result.step_seconds is not None


def test_experts_that_a_card_has_no_room_for_stay_in_main_memory() -> None:
    result = fit(network(), machine(card(15_600_000_000)))
    assert result.verdict is Verdict.PARTLY
    whole = gpu_step_seconds(network(), card())
    assert whole is not None
    assert result.step_seconds == pytest.approx(
        whole + (result.needed_bytes - 15.6e9) * 30 / 28 / 25e9
    )


def test_too_little_of_everything_does_not_fit() -> None:
    result = fit(network(), machine(card(8 * GB), ram=10 * GB))
    assert result.verdict is Verdict.TOO_LARGE
    assert not result.runs
    assert result.sentence.startswith(
        "Won't fit: needs 19.8 GB of main memory, 10.0 GB free. RTX 3090 has too little memory"
    )


def test_a_processor_without_avx2_cannot_run_it() -> None:
    result = fit(network(), machine(features=()))
    assert not result.runs
    assert "lacks AVX2" in result.sentence


def test_an_unusable_card_is_not_chosen() -> None:
    old = dataclasses.replace(card(), reason="its driver is too old")
    assert fit(network(), machine(old), 50e9).verdict is Verdict.CPU


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [
        ("RTX 3090", 29.7),
        ("RTX 4060 Ti", 75.3),
        ("RTX 4080", 31.3),
        ("RTX 4090", 21.5),
        ("RTX 5090", 13.4),
    ],
)
def test_the_predicted_step_is_near_the_table_of_realistic_ones(
    name: str, milliseconds: float
) -> None:
    """PERFORMANCE.md 3.5 is for 14.4 GB of weights; ours are those of the real file."""
    seconds = gpu_step_seconds(network(), card(name=name))
    assert seconds is not None
    assert seconds * 1000 * 14.41 / 16.79 == pytest.approx(milliseconds, rel=0.15)


def test_the_cpu_is_bound_by_memory_or_by_multiplying() -> None:
    fast = machine(features=("avx2", "amx_int8"))
    slow = machine(features=("avx2",))
    net = network()
    assert cpu_step_seconds(net, fast, 14e9) == pytest.approx(net.weight_bytes / 0.85 / 14e9)
    # PERFORMANCE.md 3.7: 1.966 TFLOP a step, 8 cores with AVX2 at half of 0.234 TOPS each.
    assert cpu_step_seconds(net, slow, 60e9) == pytest.approx(
        1.95e12 / (0.5 * 8 * 0.234e12), rel=0.02
    )


def test_an_unknown_speed_is_not_made_up() -> None:
    unknown = dataclasses.replace(card(), bytes_per_second=0.0)
    assert gpu_step_seconds(network(), unknown) is None
    assert "per step" not in fit(network(), machine(unknown)).sentence


def test_memory_of_our_own_model_is_free_for_another() -> None:
    taken = dataclasses.replace(card(), free_bytes=7 * GB)
    assert not fit(network(), machine(taken, ram=10 * GB)).runs
    ours = machine(taken, ram=10 * GB).holding(Held("RTX 3090", 17 * GB))
    result = fit(network(), ours)
    assert result.verdict is Verdict.FITS
    assert result.free_bytes == 24 * GB
    assert "24.0 GB free without the loaded model" in result.sentence


def test_memory_of_others_stays_theirs() -> None:
    taken = dataclasses.replace(card(), free_bytes=20 * GB)
    held = machine(taken).holding(Held("RTX 3090", 17 * GB))
    assert held.gpus[0].ours_bytes == 0  # so much is not in use there at all
    assert machine(taken).holding(Held("Another card", GB)) == machine(taken)


def test_main_memory_of_our_own_model_is_free_for_another() -> None:
    full = dataclasses.replace(machine(), ram_free_bytes=8 * GB)
    assert not fit(network(), full).runs
    assert fit(network(), full.holding(Held("", 18 * GB))).verdict is Verdict.CPU
    assert full.holding(Held("", 100 * GB)).ram_available_bytes == full.ram_bytes


@settings(deadline=None)
@given(free=st.integers(0, 80 * GB))
def test_more_memory_never_means_a_shorter_context(free: int) -> None:
    shorter = fit_module.longest_context(network("Q6_K"), free)
    assert fit_module.longest_context(network("Q6_K"), free + GB) >= shorter
