"""Whether a model fits this machine, with numbers: before the download and before each load."""

from dataclasses import dataclass
from enum import StrEnum

from sfumato.download.machine import Gpu, Machine
from sfumato.download.network import Network, Profile, Tensor, is_expert, memory_needed
from sfumato.sentence import Sentence

CONTEXTS = (262144, 131072, 65536, 32768, 16384, 8192, 4096)
LEAST_CONTEXT = CONTEXTS[-1]
_GB = 1e9
# How much of the nominal rates real kernels reach, and what they pay beside (PERFORMANCE.md 3.5).
_GPU_BANDWIDTH, _GPU_INT8, _GPU_FP16 = 0.82, 0.45, 0.40
_CPU_BANDWIDTH, _CPU_INT8 = 0.85, 0.50
_LAUNCH_SECONDS = 0.0006
# A row's experts are padded to tiles of 16 rows (PERFORMANCE.md 3.3).
_TILE_PADDING = 1.43
# Scores and values of a canvas with an empty conversation (PERFORMANCE.md 3.2).
_ATTENTION_FLOP = 38e9
# Kept free of main memory for everything else when experts or the whole model live there.
_RAM_RESERVE = 2_000_000_000


class Verdict(StrEnum):
    FITS = "fits"
    PARTLY = "partly"
    CPU = "cpu"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Fit:
    """`context`: the longest conversation, in tokens, that fits. Bytes are of the memory that
    decided: the card's, or main memory. `step_seconds` is predicted, None where it cannot be."""

    verdict: Verdict
    sentence: str
    context: int
    needed_bytes: int
    free_bytes: int
    step_seconds: float | None = None

    @property
    def runs(self) -> bool:
        return self.verdict is not Verdict.TOO_LARGE


def fit(
    network: Network,
    machine: Machine,
    ram_bytes_per_second: float = 0.0,
    profile: Profile = "exact",
) -> Fit:
    """The verdict for one file, loaded in `profile`.

    `ram_bytes_per_second` is `machine.memory_bytes_per_second()`, for the speed of the CPU.
    """
    network = network.held(profile)
    least = memory_needed(network, LEAST_CONTEXT, profile)
    gpu = machine.best_gpu
    if gpu is not None and least <= gpu.available_bytes:
        context = longest_context(network, gpu.available_bytes, profile)
        needed = memory_needed(network, context, profile)
        seconds = gpu_step_seconds(network, gpu)
        sentence = Sentence("Fit", "Fits {gpu} with {context}k context: needs {needed}, {free}.")
        if seconds:
            sentence = Sentence(
                "Fit",
                "Fits {gpu} with {context}k context: needs {needed}, {free}, "
                "about {time} ms per step.",
            )
        return Fit(
            Verdict.FITS,
            sentence.filled(
                gpu=gpu.name,
                context=str(context // 1024),
                needed=_gb(needed),
                free=_free(gpu.available_bytes, gpu.ours_bytes),
                **_milliseconds(seconds),
            ),
            context,
            needed,
            gpu.available_bytes,
            seconds,
        )
    if gpu is not None:
        # The experts of two layers have their places on the card, wherever they are kept.
        layers = len(network.kv_heads)
        away = (least - gpu.available_bytes) * layers // max(1, layers - 2)
        if away <= network.expert_bytes and away + _RAM_RESERVE <= machine.ram_available_bytes:
            seconds = gpu_step_seconds(network, gpu, away)
            sentence = Sentence("Fit", "Fits with {away} of experts in main memory.")
            if seconds:
                sentence = Sentence(
                    "Fit", "Fits with {away} of experts in main memory, about {time} ms per step."
                )
            return Fit(
                Verdict.PARTLY,
                sentence.filled(away=_gb(away), **_milliseconds(seconds)),
                LEAST_CONTEXT,
                least,
                gpu.available_bytes,
                seconds,
            )
    why: str = machine.no_gpu or Sentence("Fit", "No card can be used.")
    if gpu is not None:
        why = Sentence("Fit", "{gpu} has too little memory (needs {needed}, {free}).").filled(
            gpu=gpu.name,
            needed=_gb(least),
            free=_free(gpu.available_bytes, gpu.ours_bytes),
        )
    available = machine.ram_available_bytes
    room = available - _RAM_RESERVE
    if "avx2" in machine.cpu.features and least <= room:
        seconds = cpu_step_seconds(network, machine, ram_bytes_per_second)
        sentence = Sentence("Fit", "{why}: CPU only.").filled(why=why)
        if seconds:
            sentence = Sentence("Fit", "{why}: CPU only, about {time} s per step.").filled(
                why=why, time=seconds
            )
        context = longest_context(network, room, profile)
        return Fit(Verdict.CPU, sentence, context, least, available, seconds)
    if "avx2" not in machine.cpu.features:
        sentence = Sentence("Fit", "{why}, and the processor lacks AVX2: won't run.").filled(
            why=why
        )
    else:
        sentence = Sentence(
            "Fit", "Won't fit: needs {needed} of main memory, {free}. {why}."
        ).filled(
            needed=_gb(least + _RAM_RESERVE),
            free=_free(available, machine.ram_ours_bytes),
            why=why,
        )
    return Fit(Verdict.TOO_LARGE, sentence, 0, least, available)


def longest_context(network: Network, free_bytes: int, profile: Profile = "exact") -> int:
    """The largest of CONTEXTS (and of what the model can) that fits; 0 if none does."""
    for context in CONTEXTS:
        context = min(context, network.context_length)
        if memory_needed(network, context, profile) <= free_bytes:
            return context
    return 0


def gpu_step_seconds(network: Network, gpu: Gpu, away_bytes: int = 0) -> float | None:
    """Predicted time of one denoise step on an empty conversation (PERFORMANCE.md 3.5): the
    experts, the other matrices and the head one after the other, each bound by reading or by
    multiplying; `away_bytes` of experts come over the bus."""
    if not (gpu.bytes_per_second and gpu.int8_per_second and gpu.fp16_per_second):
        return None
    bandwidth = _GPU_BANDWIDTH * gpu.bytes_per_second
    int8 = _GPU_INT8 * gpu.int8_per_second
    seconds = _LAUNCH_SECONDS + _ATTENTION_FLOP / (_GPU_FP16 * gpu.fp16_per_second)
    for tensors, operations in _parts(network):
        seconds += max(sum(t.bytes for t in tensors) / bandwidth, operations / int8)
    return seconds + away_bytes / gpu.pcie_bytes_per_second


def cpu_step_seconds(
    network: Network, machine: Machine, ram_bytes_per_second: float
) -> float | None:
    """The same on the processor (PERFORMANCE.md 3.7)."""
    if not ram_bytes_per_second or not machine.cpu.int8_per_second:
        return None
    operations = sum(work for _, work in _parts(network, padding=1.0))
    return max(
        network.weight_bytes / (_CPU_BANDWIDTH * ram_bytes_per_second),
        operations / (_CPU_INT8 * machine.cpu.int8_per_second),
    )


def _parts(network: Network, padding: float = _TILE_PADDING) -> list[tuple[list[Tensor], float]]:
    """Experts, head, other matrices: their tensors and operations of a pass over one canvas."""
    matrices = [t for t in network.tensors if len(t.shape) > 1]
    experts = [t for t in matrices if is_expert(t)]
    head = [t for t in matrices if t.name == "token_embd.weight"]
    others = [t for t in matrices if not is_expert(t) and t.name != "token_embd.weight"]
    flop_per_weight = 2 * network.canvas
    used = network.experts_used / network.experts if network.experts else 0.0
    return [
        (experts, padding * used * flop_per_weight * sum(t.elements for t in experts)),
        (head, flop_per_weight * sum(t.elements for t in head)),
        (others, flop_per_weight * sum(t.elements for t in others)),
    ]


def _milliseconds(seconds: float | None) -> dict[str, int]:
    return {"time": round(seconds * 1000)} if seconds else {}


def _free(available: int, ours: int) -> Sentence:
    if ours:
        return Sentence("Fit", "{free} free without the loaded model").filled(free=_gb(available))
    return Sentence("Fit", "{free} free").filled(free=_gb(available))


def _gb(count: int) -> Sentence:
    return Sentence("Fit", "{size} GB").filled(size=count / _GB)
