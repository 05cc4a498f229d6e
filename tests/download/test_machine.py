"""Cards as NVML describes them, and one sentence for every way of having none."""

import mmap
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sfumato.download import machine
from sfumato.download.machine import look_at_gpus


class Nvml:
    """As much of pynvml as we use, for one card."""

    class NVMLError(Exception):
        def __init__(self, value: int) -> None:
            super().__init__(f"error {value}")
            self.value = value

    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18
    NVML_ERROR_NO_PERMISSION = 4
    NVML_CLOCK_MEM, NVML_CLOCK_SM = 2, 1

    def __init__(self, *, fails: int = 0, cards: int = 1, **card: Any) -> None:
        self.fails, self.cards = fails, cards
        self.card: dict[str, Any] = {"driver": "550.90.07", "capability": (8, 6), **card}

    def nvmlInit(self) -> None:
        if self.fails:
            raise self.NVMLError(self.fails)

    def nvmlShutdown(self) -> None:
        pass

    def nvmlSystemGetDriverVersion(self) -> str:
        return str(self.card["driver"])

    def nvmlDeviceGetCount(self) -> int:
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"NVIDIA GeForce RTX 3090"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=25_769_803_776, free=25_000_000_000)

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> tuple[int, int]:
        capability: tuple[int, int] = self.card["capability"]
        return capability

    def nvmlDeviceGetMaxClockInfo(self, handle: int, clock: int) -> int:
        return 9751 if clock == self.NVML_CLOCK_MEM else 2100

    def nvmlDeviceGetMemoryBusWidth(self, handle: int) -> int:
        return 384

    def nvmlDeviceGetNumGpuCores(self, handle: int) -> int:
        return 10496

    def nvmlDeviceGetMaxPcieLinkGeneration(self, handle: int) -> int:
        return 4

    def nvmlDeviceGetMaxPcieLinkWidth(self, handle: int) -> int:
        raise self.NVMLError(3)


def test_a_card_is_described_with_its_nominal_rates() -> None:
    [gpu], why = look_at_gpus(Nvml())
    assert why == ""
    assert gpu.usable
    assert (gpu.name, gpu.driver) == ("NVIDIA GeForce RTX 3090", "550.90.07")
    assert gpu.bytes_per_second == pytest.approx(936e9, rel=0.01)  # data sheet
    assert gpu.pcie_bytes_per_second == 25e9


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        ({"capability": (7, 5)}, "its compute capability is 7.5 and 8.0 is needed"),
        ({"driver": "470.42"}, "its driver 470.42 is too old, 525 or later is needed"),
    ],
)
def test_a_card_that_cannot_be_used_says_why(card: dict[str, Any], sentence: str) -> None:
    [gpu], why = look_at_gpus(Nvml(**card))
    assert not gpu.usable
    assert sentence in why


def bus(folder: Path, *, vendor: str) -> Path:
    device = folder / "0000:01:00.0"
    device.mkdir()
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text("0x030000\n")
    return folder


@pytest.mark.parametrize(
    ("vendor", "fails", "sentence"),
    [
        ("0x1002", 12, r"^This computer has no NVIDIA card\.$"),
        ("0x10de", 12, r"^There is an NVIDIA card but no working driver .*install driver 525"),
        ("0x10de", 18, r"^The NVIDIA driver was updated while in use: restart the computer\.$"),
        ("0x10de", 4, r"^The NVIDIA driver may not be used by this account"),
    ],
)
def test_why_there_is_no_card_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str, fails: int, sentence: str
) -> None:
    monkeypatch.setattr(machine, "_PCI_DEVICES", bus(tmp_path, vendor=vendor))
    gpus, why = look_at_gpus(Nvml(fails=fails))
    assert gpus == ()
    assert re.search(sentence, why)


def test_a_driver_without_cards_is_told_apart() -> None:
    assert look_at_gpus(Nvml(cards=0)) == (
        (),
        "The NVIDIA driver is there but reports no card: is it switched on and plugged in?",
    )


def test_this_machine_is_known() -> None:
    here = machine.look()
    assert 0 < here.ram_free_bytes <= here.ram_bytes
    assert here.disk_free_bytes > 0
    assert here.cpu.cores >= 1
    assert machine.memory_bytes_per_second() > 1e8


def test_private_memory_leaves_mapped_files_out(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(bytes(64 << 20))
    before = machine.private_bytes(os.getpid())
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[::4096]) == 0
        assert machine.private_bytes(os.getpid()) < before + (32 << 20)
    assert machine.private_bytes(0) == 0
