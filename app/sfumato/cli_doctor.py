"""`sfumato doctor`: what this computer is, which device is used, and why."""

import argparse

from sfumato.download import diagnostics
from sfumato.download.machine import look


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    lines, has_gpu = engine_devices()
    print(diagnostics.report(look(), lines, has_gpu))
    return 0


def engine_devices() -> tuple[list[str], bool]:
    """What the engine says of each device, and whether a GPU is among those it can use. If the
    engine does not even load, the loader's own words."""
    try:
        from sfumato.engine.device import devices
    except (ImportError, OSError) as error:
        return [f"The engine does not load: {error}"], False
    found = devices()
    lines = [
        f"{d.id}: {d.name}, {d.detail}" + ("" if d.usable else f" (not usable: {d.reason})")
        for d in found
    ]
    has_gpu = any(d.usable and d.id.startswith("cuda") for d in found)
    if all(d.id == "cpu" for d in found):
        lines.append("It was built without CUDA, or CUDA reports no device.")
    return lines, has_gpu
