"""Computers that are not this one, for tests and pictures of what runs where."""

from __future__ import annotations

from sfumato.download.machine import Cpu, Gpu, Machine
from sfumato.sentence import Sentence

_GB = 10**9
_DESKTOP = Cpu(
    "AMD Ryzen 9 7950X 16-Core Processor",
    16,
    ("avx2", "fma", "avx512f", "avx512bw", "avx512_vnni"),
)
_LAPTOP = Cpu("Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", 8, ("avx2", "fma"))
RTX_4090 = Gpu(
    index=0,
    name="NVIDIA GeForce RTX 4090",
    total_bytes=25_757 * 10**6,
    free_bytes=24_110 * 10**6,
    driver="580.95.05",
    compute_capability=(8, 9),
    bytes_per_second=1008e9,
    int8_per_second=660e12,
    fp16_per_second=165e12,
    pcie_bytes_per_second=25e9,
)

WITH_CARD = Machine((RTX_4090,), "", _DESKTOP, 64 * _GB, 51 * _GB, 412 * _GB)
_NO_CARD = Sentence("Machine", "This computer has no NVIDIA card.")
WITHOUT_CARD = Machine((), _NO_CARD, _DESKTOP, 64 * _GB, 41 * _GB, 412 * _GB)
SMALL = Machine((), _NO_CARD, _LAPTOP, 16 * _GB, 9 * _GB, 41 * _GB)
