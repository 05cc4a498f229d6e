"""What this machine is: NVIDIA cards through NVML, processor, memory, disk.

The driver answers here; whether the kernels really run on a card only they can tell, with a step.
"""

import ctypes
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pynvml

from sfumato import paths
from sfumato.sentence import Sentence

MIN_DRIVER = 525  # the first that runs programs built with CUDA 12
MIN_COMPUTE_CAPABILITY = (8, 0)
_PCI_DEVICES = Path("/sys/bus/pci/devices")
_GB = 1_000_000_000

# Bytes per second and direction that transfers reach, by PCIe generation, with 16 lanes
# (PERFORMANCE.md 3.6).
_PCIE = {3: 12 * _GB, 4: 25 * _GB, 5: 50 * _GB}
# Operations a clock and multiprocessor, dense: 8-bit integers, and 16-bit floats summed in 32 bits,
# and CUDA cores of a multiprocessor; by compute capability (data sheets).
_RATES = {
    (8, 0): (4096, 2048, 64),
    (8, 6): (2048, 512, 128),
    (8, 9): (2048, 512, 128),
    (9, 0): (8192, 4096, 128),
    (10, 0): (8192, 4096, 128),
    (12, 0): (2048, 512, 128),
    (12, 1): (2048, 512, 128),
}
_CPU_FEATURES = (
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "amx_int8",
)
# 8-bit operations a second and core (PERFORMANCE.md 3.7), the best instruction set first.
_CPU_RATES = (
    ("amx_int8", 6.17e12),
    ("avx512_vnni", 0.93e12),
    ("avx_vnni", 0.47e12),
    ("avx2", 0.234e12),
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card. Rates are nominal: what its clocks and widths allow, not what was measured.
    `reason` says in a part of a sentence why it is not usable. `ours_bytes`, beside the free ones,
    are those of our own model, which makes way for another."""

    index: int
    name: str
    total_bytes: int
    free_bytes: int
    driver: str
    compute_capability: tuple[int, int]
    bytes_per_second: float
    int8_per_second: float
    fp16_per_second: float
    pcie_bytes_per_second: float
    reason: str = ""
    ours_bytes: int = 0

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def available_bytes(self) -> int:
        """Of another model."""
        return self.free_bytes + self.ours_bytes


@dataclass(frozen=True, slots=True)
class Cpu:
    name: str
    cores: int
    features: tuple[str, ...]

    @property
    def int8_per_second(self) -> float:
        """Nominal, over all cores; 0 without AVX2."""
        return self.cores * next((r for name, r in _CPU_RATES if name in self.features), 0.0)


@dataclass(frozen=True, slots=True)
class Held:
    """Memory of our own model, on the device of that name ("" for main memory)."""

    device: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """`no_gpu` says in one sentence why there is no usable card, "" if there is one.
    `ram_ours_bytes` as `Gpu.ours_bytes`."""

    gpus: tuple[Gpu, ...]
    no_gpu: str
    cpu: Cpu
    ram_bytes: int
    ram_free_bytes: int
    disk_free_bytes: int
    ram_ours_bytes: int = 0

    @property
    def ram_available_bytes(self) -> int:
        """Of main memory, for another model."""
        return self.ram_free_bytes + self.ram_ours_bytes

    @property
    def best_gpu(self) -> Gpu | None:
        """The usable card with the most memory for a model."""
        usable = (gpu for gpu in self.gpus if gpu.usable)
        return max(usable, key=lambda gpu: gpu.available_bytes, default=None)

    def holding(self, held: Held) -> "Machine":
        """The same machine, with that much of what is not free known to be ours."""
        if not held.device:
            used = self.ram_bytes - self.ram_free_bytes
            return replace(self, ram_ours_bytes=min(held.bytes, used))
        gpus = list(self.gpus)
        for at, gpu in enumerate(gpus):
            if gpu.name == held.device and gpu.total_bytes - gpu.free_bytes >= held.bytes:
                gpus[at] = replace(gpu, ours_bytes=held.bytes)
                break
        return replace(self, gpus=tuple(gpus))


def look(folder: Path | None = None) -> Machine:
    """Everything about this machine; the disk is the one that holds `folder`, the models."""
    gpus, no_gpu = look_at_gpus()
    total, free = _memory()
    return Machine(
        gpus, no_gpu, look_at_cpu(), total, free, disk_free(folder or paths.models_dir())
    )


def look_at_gpus(nvml: Any = pynvml) -> tuple[tuple[Gpu, ...], str]:
    """The NVIDIA cards, and why none of them can be used ("" if one can)."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return (), _no_driver(nvml, error)
    try:
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        count = nvml.nvmlDeviceGetCount()
        gpus = tuple(_gpu(nvml, index, driver) for index in range(count))
    except nvml.NVMLError as error:
        return (), Sentence(
            "Machine", "The NVIDIA driver does not answer ({error}): restart the computer."
        ).filled(error=str(error))
    finally:
        nvml.nvmlShutdown()
    if not gpus:
        return (), Sentence(
            "Machine",
            "The NVIDIA driver is there but reports no card: is it switched on and plugged in?",
        )
    if any(gpu.usable for gpu in gpus):
        return gpus, ""
    return gpus, _unusable(gpus)


def _unusable(gpus: Sequence[Gpu]) -> Sentence:
    first, *others = gpus
    why = Sentence("Machine", "{gpu} cannot be used: {reason}.").filled(
        gpu=first.name, reason=first.reason
    )
    if not others:
        return why
    return Sentence("Machine", "{one}; {others}.").filled(one=why, others=_unusable(others))


def _gpu(nvml: Any, index: int, driver: str) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    capability = tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle))

    def ask(name: str, *args: Any, default: float = 0) -> float:
        try:
            return float(getattr(nvml, name)(handle, *args))
        except (nvml.NVMLError, AttributeError):
            return default

    # Both edges of the memory clock carry data.
    bandwidth = (
        2e6
        * ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_MEM)
        * ask("nvmlDeviceGetMemoryBusWidth")
        / 8
    )
    int8, fp16, cores = _RATES.get(capability, _RATES[8, 6])
    clocks = (
        ask("nvmlDeviceGetNumGpuCores")
        / cores
        * 1e6
        * ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM)
    )
    generation = int(ask("nvmlDeviceGetMaxPcieLinkGeneration", default=3))
    lanes = ask("nvmlDeviceGetMaxPcieLinkWidth", default=16)
    reason: str = ""
    if capability < MIN_COMPUTE_CAPABILITY:
        reason = Sentence(
            "Machine",
            "its compute capability is {has} and {least} is needed (RTX 30 and later)",
        ).filled(
            has=".".join(map(str, capability)), least=".".join(map(str, MIN_COMPUTE_CAPABILITY))
        )
    elif _major(driver) < MIN_DRIVER:
        reason = Sentence(
            "Machine", "its driver {has} is too old, {least} or later is needed"
        ).filled(has=driver, least=str(MIN_DRIVER))
    return Gpu(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        driver=driver,
        compute_capability=(int(capability[0]), int(capability[1])),
        bytes_per_second=bandwidth,
        int8_per_second=int8 * clocks,
        fp16_per_second=fp16 * clocks,
        pcie_bytes_per_second=_PCIE.get(min(5, max(3, generation)), _PCIE[3]) * lanes / 16,
        reason=reason,
    )


def _no_driver(nvml: Any, error: Exception) -> Sentence:
    code = getattr(error, "value", None)
    if code == nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return Sentence(
            "Machine", "The NVIDIA driver was updated while in use: restart the computer."
        )
    card = _has_nvidia_card()
    if card is False:
        return Sentence("Machine", "This computer has no NVIDIA card.")
    if code == nvml.NVML_ERROR_NO_PERMISSION:
        return Sentence(
            "Machine",
            "The NVIDIA driver may not be used by this account: ask whoever runs this computer.",
        )
    have = Sentence("Machine", "No NVIDIA driver was found.")
    if card:
        have = Sentence("Machine", "There is an NVIDIA card but no working driver.")
    return Sentence(
        "Machine", "{have} ({error}): install driver {least} or later and restart the computer."
    ).filled(have=have, error=str(error), least=str(MIN_DRIVER))


def _has_nvidia_card() -> bool | None:
    """Whether a display controller of NVIDIA is on the bus; None where that cannot be seen."""
    if not _PCI_DEVICES.is_dir():
        return None
    for device in _PCI_DEVICES.iterdir():
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


def look_at_cpu() -> Cpu:
    name, flags = platform.processor() or platform.machine(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = " ".join(value.split())
            elif key.strip() == "flags":
                flags = value
                break
    except OSError:
        if sys.platform == "win32":
            flags = _windows_features()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    known = set(flags.split())
    return Cpu(name, cores or 1, tuple(f for f in _CPU_FEATURES if f in known))


def private_bytes(process_id: int) -> int:
    """Main memory that a process has for itself, mapped files left out; 0 where unknown."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields.get("RssAnon", "0 kB").split()[0]) * 1024


def memory_bytes_per_second() -> float:
    """Reading speed of main memory, measured on all cores for some tens of milliseconds."""
    threads = min(8, os.cpu_count() or 1)
    block = np.ones(32 << 20, dtype=np.int64)  # 256 MiB, beyond most caches
    parts = np.array_split(block, threads)
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(4):
            start = time.perf_counter()
            list(pool.map(np.sum, parts))
            best = max(best, block.nbytes / (time.perf_counter() - start))
    return best


def disk_free(folder: Path) -> int:
    """Free bytes of the disk that holds `folder`, which need not exist yet."""
    for place in (folder, *folder.parents):
        if place.exists():
            return shutil.disk_usage(place).free
    return 0


def _memory() -> tuple[int, int]:
    """Main memory: bytes in all, and bytes that a program can have now."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        values = {
            key: int(rest.split()[0]) * 1024
            for key, _, rest in (line.partition(":") for line in lines)
        }
        return values["MemTotal"], values["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return 0, 0


def _windows_memory() -> tuple[int, int]:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "c", "d", "e", "f", "g")),
        )

    status = Status(length=ctypes.sizeof(Status))
    windll: Any = getattr(ctypes, "windll")  # noqa: B009 (mypy on Linux does not know it)
    windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.total), int(status.free)


def _windows_features() -> str:
    windll: Any = getattr(ctypes, "windll")  # noqa: B009
    present = windll.kernel32.IsProcessorFeaturePresent
    return " ".join(name for number, name in ((40, "avx2 fma"), (41, "avx512f")) if present(number))


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _major(driver: str) -> int:
    head = driver.split(".")[0]
    return int(head) if head.isdigit() else 0
