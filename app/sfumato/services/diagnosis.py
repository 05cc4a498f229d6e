"""What the engine says of its devices, in lines for a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence

from sfumato.engine.protocol import Device, Failed, Loaded


def device_lines(devices: Sequence[Device]) -> tuple[list[str], bool]:
    """A line a device, and whether a GPU is among those that can be used."""
    lines = [
        f"{d.id}: {d.name}, {d.detail}" + ("" if d.usable else f" (not usable: {d.reason})")
        for d in devices
    ]
    has_gpu = any(d.usable and d.id.startswith("cuda") for d in devices)
    if all(d.id == "cpu" for d in devices):
        lines.append("It was built without CUDA, or CUDA reports no device.")
    return lines, has_gpu


def engine_lines(
    devices: Sequence[Device], loaded: Loaded | None, failure: Failed | None
) -> tuple[list[str], bool]:
    """The same for the engine process that runs now, with what it loaded or why it failed."""
    if devices:
        lines, has_gpu = device_lines(devices)
    else:
        lines, has_gpu = ["The engine has not started."], False
    if loaded is not None:
        lines.append(f"  {loaded.name}: {loaded.placement}")
        if loaded.main_memory:
            lines.append(f"  {loaded.main_memory / 1e9:.1f} GB of experts stay in main memory.")
        if loaded.rounding_error:
            lines.append(
                f"  Experts of 8 bits are rounded to 5, an error of {loaded.rounding_error:.1%}."
            )
    if failure is not None:
        lines.append(failure.message)
        lines += [f"  {line}" for line in failure.detail.splitlines()[-12:]]
    return lines, has_gpu
