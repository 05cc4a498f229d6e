"""Which device computes, what fits where, and why."""

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfumato.engine import _native
from sfumato.engine.config import ModelConfig
from sfumato.engine.model_file import TensorInfo
from sfumato.engine.protocol import Device, Profile
from sfumato.errors import ModelLoadError
from sfumato.sentence import Sentence

# Kept free of main memory for everything else when experts live there.
MAIN_MEMORY_RESERVE_BYTES = 2_000_000_000
# Beside weights and cache a GPU holds the activations of a pass, and CUDA itself.
GPU_WORKSPACE_BYTES = 512 << 20
# Positions a sliding layer keeps on a GPU beyond its window (native/model/model.cpp): those of one
# pass, and those that a conversation can go back.
PASS_AND_REWIND: dict[Profile, int] = {"exact": 512 + 512, "compact": 256}


# The instruction sets that _native.instruction_set() tells apart, as people write them.
INSTRUCTION_SETS = {
    "portable": Sentence("Engine", "no vector kernels, slow"),
    "avx2": "AVX2",
    "avxvnni": "AVX-VNNI",
    "avx512vnni": "AVX-512 VNNI",
    "amx": "AMX",
}


@dataclass(frozen=True)
class Placement:
    device: str  # cpu | cuda:N
    sentence: Sentence  # what computes where, and why


def devices() -> list[Device]:
    """What this machine has, the CPU first, usable or not."""
    return [_cpu(), *_gpus()]


def place(
    requested: str, needed_bytes: int, found: Sequence[Device], movable_bytes: int = 0
) -> Placement:
    """Choose a device for a model that needs that much memory on a GPU.

    auto: the GPU with the most free memory if the model fits, perhaps with `movable_bytes` of it
    in main memory, else the CPU. A device asked for by name is taken if it works at all. Raises
    ModelLoadError if it does not.
    """
    cpu, *gpus = found
    on_cpu = Sentence("Engine", "On the CPU ({name}, {detail})").filled(
        name=cpu.name, detail=cpu.detail
    )
    chosen = Sentence("Engine", "{place}, as chosen.")
    because = Sentence("Engine", "{place}: {why}.")
    if requested == "cpu":
        return Placement("cpu", chosen.filled(place=on_cpu))
    if requested != "auto":
        gpu = next((gpu for gpu in gpus if gpu.id == requested), None)
        if gpu is None:
            names = ", ".join(device.id for device in found)
            raise ModelLoadError(
                Sentence(
                    "Engine", "There is no device “{requested}” here; choose one of {names}."
                ).filled(requested=requested, names=names)
            )
        if not gpu.usable:
            raise ModelLoadError(
                Sentence("Engine", "{gpu} cannot be used ({reason}); choose the CPU.").filled(
                    gpu=gpu.name, reason=gpu.reason
                )
            )
        return Placement(gpu.id, chosen.filled(place=_on(gpu)))
    usable = [gpu for gpu in gpus if gpu.usable]
    if not usable:
        reasons = "; ".join(f"{gpu.name}: {gpu.reason}" for gpu in gpus)
        why = reasons or Sentence("Engine", "there is no NVIDIA GPU that this build can use")
        return Placement("cpu", because.filled(place=on_cpu, why=why))
    gpu = max(usable, key=_free)
    memory = Sentence("Engine", "{needed} GB are needed, {free} GB are free").filled(
        needed=needed_bytes / 1e9, free=_free(gpu) / 1e9
    )
    missing = needed_bytes - _free(gpu)
    if missing > 0 and missing > min(movable_bytes, _free(cpu) - MAIN_MEMORY_RESERVE_BYTES):
        little = Sentence("Engine", "{gpu} has too little memory, {memory}").filled(
            gpu=gpu.name, memory=memory
        )
        return Placement("cpu", because.filled(place=on_cpu, why=little))
    return Placement(gpu.id, because.filled(place=_on(gpu), why=memory))


def _on(gpu: Device) -> Sentence:
    return Sentence("Engine", "On {gpu}").filled(gpu=gpu.name)


def weight_bytes(tensors: Iterable[TensorInfo], profile: Profile = "exact") -> int:
    """What the weights of a file take in a profile: native/model/weights.cpp rounds in `compact`
    experts of Q8_0 (34 bytes a block) to Q5_0 (22)."""
    total = 0
    for tensor in tensors:
        rounded = profile == "compact" and tensor.type == "Q8_0" and "_exps.weight" in tensor.name
        total += tensor.bytes // 34 * 22 if rounded else tensor.bytes
    return total


def movable_bytes(
    tensors: Iterable[TensorInfo], config: ModelConfig, profile: Profile = "exact"
) -> int:
    """How much less a GPU needs when all experts stay in main memory: those of two layers have a
    place on it all the same (native/model/expert_stream.h)."""
    experts = weight_bytes((t for t in tensors if "_exps.weight" in t.name), profile)
    return max(0, experts - experts * 2 // config.layers)


def needed_bytes(
    weights: int, config: ModelConfig, context: int, profile: Profile = "exact"
) -> int:
    """About what a GPU must have free: weights, 16-bit KV cache, workspace."""
    kv = 0
    for layer in range(config.layers):
        kept = context
        if config.sliding[layer]:
            kept = min(context, config.window - 1 + PASS_AND_REWIND[profile])
        kv += 2 * 2 * kept * config.kv_heads[layer] * config.head_dim(layer)
    return weights + kv + GPU_WORKSPACE_BYTES


def available_memory() -> int:
    """Bytes of main memory that a new allocation may hope for; 0 where unknown."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            fields = dict(line.split(":") for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 0


def peak_bytes() -> int:
    """The most main memory this process has held, mapped weights included; 0 where unknown."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _free(gpu: Device) -> int:
    return gpu.memory_bytes if gpu.free_bytes is None else gpu.free_bytes


def _cpu() -> Device:
    total = 0
    if hasattr(os, "sysconf"):
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    instructions = _native.instruction_set()
    return Device(
        id="cpu",
        name=_cpu_name(),
        memory_bytes=total,
        free_bytes=available_memory() or None,
        detail=Sentence("Engine", "{count} cores, {instructions}").filled(
            count=cores or 0, instructions=INSTRUCTION_SETS.get(instructions, instructions)
        ),
    )


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpus() -> list[Device]:
    return [
        Device(
            id=gpu["id"],
            name=gpu["name"],
            memory_bytes=gpu["memory_bytes"],
            free_bytes=gpu["free_bytes"],
            detail=Sentence("Engine", "compute capability {capability}, CUDA {driver}").filled(
                capability=gpu["compute_capability"], driver=gpu["driver"]
            ),
            usable=gpu["usable"],
            reason=gpu["reason"],
        )
        for gpu in _native.cuda_devices()
    ]
