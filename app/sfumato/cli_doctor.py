"""`sfumato doctor`: what this computer is, which device is used, and why."""

import argparse

from sfumato.download import diagnostics
from sfumato.download.machine import look
from sfumato.services.diagnosis import device_lines


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
    return device_lines(devices())
