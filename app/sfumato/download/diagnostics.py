"""Why the GPU is or is not used, and everything a bug report needs, as text to copy."""

import getpass
import os
import platform
import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from sfumato import __version__, paths
from sfumato.download.machine import Machine
from sfumato.sentence import Sentence

_PACKAGES = (
    "PySide6-Essentials",
    "llama-cpp-python",
    "gguf",
    "huggingface-hub",
    "httpx",
    "numpy",
    "nvidia-ml-py",
)
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
)


def why_no_gpu(machine: Machine, engine: Sequence[str], engine_has_gpu: bool) -> str:
    """One sentence: which card is used, or the first reason why none is.

    `engine`: what the engine itself says of its devices, a line each.
    """
    if machine.no_gpu:
        return machine.no_gpu
    gpu = machine.best_gpu
    assert gpu is not None
    if engine_has_gpu:
        return Sentence("Diagnostics", "The GPU can be used: {gpu}, {free} GB free.").filled(
            gpu=gpu.name, free=gpu.free_bytes / 1e9
        )
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Sentence(
            "Diagnostics", "CUDA_VISIBLE_DEVICES hides {gpu}: unset it and start Sfumato again."
        ).filled(gpu=gpu.name)
    # Neither the processor nor what belongs to another line (indented) explains it.
    said = " ".join(line for line in engine if not line.startswith(("cpu:", " ")))
    if not said:
        return Sentence(
            "Diagnostics", "The driver has {gpu}, but the engine does not say why it cannot use it."
        ).filled(gpu=gpu.name)
    return Sentence(
        "Diagnostics", "The driver has {gpu}, but the engine cannot use it: {said}"
    ).filled(gpu=gpu.name, said=said)


def report(machine: Machine, engine: Sequence[str], engine_has_gpu: bool) -> str:
    """The facts, a line each, without the user's name."""
    cpu = machine.cpu
    lines = [
        f"Sfumato {__version__}",
        f"Python {platform.python_version()} on {platform.platform()}",
        "Packages: " + ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
        "",
        "GPU: " + why_no_gpu(machine, engine, engine_has_gpu),
    ]
    for gpu in machine.gpus:
        capability = ".".join(map(str, gpu.compute_capability))
        lines.append(
            f"  {gpu.index}: {gpu.name}, {gpu.free_bytes / 1e9:.1f} of {gpu.total_bytes / 1e9:.1f} "
            f"GB free, compute capability {capability}, driver {gpu.driver}, "
            f"{gpu.bytes_per_second / 1e9:.0f} GB/s nominal"
            + (f" ({gpu.reason})" if gpu.reason else "")
        )
    lines += [
        "Engine:",
        *(f"  {line}" for line in engine),
        f"CPU: {cpu.name}, {cpu.cores} cores, {' '.join(cpu.features) or 'no AVX2'}",
        f"Memory: {machine.ram_free_bytes / 1e9:.1f} of {machine.ram_bytes / 1e9:.1f} GB free",
        f"Disk: {machine.disk_free_bytes / 1e9:.1f} GB free for models",
        "",
        f"Models: {paths.models_dir()}",
        f"Chats: {paths.data_dir()}",
        f"Settings: {paths.config_dir()}",
        f"Logs: {paths.log_dir()}",
        f"Program: {Path(sys.executable)}",
    ]
    lines += [
        f"{name}={_without_secret(os.environ[name])}" for name in _VARIABLES if name in os.environ
    ]
    if os.environ.get("HF_TOKEN"):
        lines.append("HF_TOKEN is set")
    return masked("\n".join(lines))


def masked(text: str) -> str:
    """Home folder as ~, and the user's name nowhere else either."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return text
    if len(name) < 2 or name == "root":
        return text
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "USER", text)


def _without_secret(value: str) -> str:
    """A proxy may carry a password."""
    return re.sub(r"//[^/@]*@", "//***@", value)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
