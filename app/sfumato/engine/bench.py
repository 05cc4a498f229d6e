"""`sfumato bench`: how long a denoise step takes here, where the time goes, and what bounds it.

Random weights of a published shape unless a model file is named. The bound of a step is the larger
of two times: all weights and keys read once at the memory's speed, and all 8-bit products at the
processor's, both measured in the same run. Random weights say nothing about steps per answer.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.engine import _native
from sfumato.engine.config import ModelConfig
from sfumato.engine.device import peak_bytes
from sfumato.engine.model_file import ModelFile
from sfumato.engine.random_model import SHAPES, write_random_model
from sfumato.engine.verify import open_model
from sfumato.errors import KnownError

WARM_UP_STEPS = 2
TEMPERATURE = 0.8


@dataclasses.dataclass(frozen=True)
class Measured:
    """Times of denoise steps of one model on one machine."""

    instruction_set: str
    threads: int
    layers: int
    prefix: int  # tokens before the canvas
    canvas: int
    load_seconds: float
    step_ms: tuple[float, ...]  # one for each step, warm-up left out
    op_ms: dict[str, float]  # per step, the longest first
    prefill_tokens_per_second: float | None
    weight_bytes: int  # read by one step
    step_bytes: int  # weights, and keys and values
    step_products: int  # 8-bit multiply-adds
    memory_bytes_per_second: float
    products_per_second: float
    peak_bytes: int  # of the process, before it measured the machine

    @property
    def median_ms(self) -> float:
        return statistics.median(self.step_ms)

    @property
    def bound_ms(self) -> float:
        """What memory and arithmetic allow at best."""
        return 1e3 * max(
            self.step_bytes / self.memory_bytes_per_second,
            self.step_products / self.products_per_second,
        )

    @property
    def bound_share(self) -> float:
        return self.bound_ms / self.median_ms


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shape", choices=sorted(SHAPES), default="26b-a4b", help="of random weights"
    )
    parser.add_argument(
        "--layers", type=int, default=6, help="of random weights (the model has 30)"
    )
    parser.add_argument("--prefix", type=int, default=0, help="tokens before the canvas")
    parser.add_argument("--steps", type=int, default=10, help="denoise steps to time")
    parser.add_argument("--threads", type=int, default=0, help="0: all physical cores")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    if args.steps < 1 or args.layers < 1 or args.prefix < 0 or args.threads < 0:
        raise KnownError("--steps and --layers start at 1, --prefix and --threads at 0.")
    if args.model is not None:
        measured = measure(
            Path(args.model), prefix=args.prefix, steps=args.steps, threads=args.threads
        )
    else:
        with tempfile.TemporaryDirectory(prefix="sfumato-bench-") as folder:
            path = Path(folder) / "random.gguf"
            print(f"writing {args.layers} layers of random weights …", file=sys.stderr)
            try:
                write_random_model(path, layers=args.layers, shape=SHAPES[args.shape])
            except OSError as error:
                raise KnownError(
                    f"The random model does not fit into {folder} ({error.strerror}); "
                    "ask for fewer --layers, or name another folder in TMPDIR."
                ) from error
            measured = measure(path, prefix=args.prefix, steps=args.steps, threads=args.threads)
    print(json.dumps(as_dict(measured)) if args.json else as_text(measured))
    return 0


def measure(path: Path, *, prefix: int, steps: int, threads: int = 0) -> Measured:
    """Raises ModelFileError where the file cannot be used, NativeError where memory is short."""
    file = ModelFile.open(path)
    config = file.config
    context = prefix + config.canvas
    if context > config.context_length:
        raise KnownError(f"{file.name} takes {config.context_length:,} tokens, not {context:,}.")
    begin = time.perf_counter()
    model = open_model(file, compute="fast", context=context, threads=threads)
    load_seconds = time.perf_counter() - begin
    prefill_speed = None
    if prefix:
        ids = np.random.default_rng(0).integers(0, config.vocab, prefix, dtype=np.int32)
        begin = time.perf_counter()
        model.prefill(ids)
        prefill_speed = prefix / (time.perf_counter() - begin)
    model.begin_canvas(seed=1)
    step_ms = []
    for step in range(WARM_UP_STEPS + steps):
        if step == WARM_UP_STEPS:
            _native.op_times()
        begin = time.perf_counter()
        model.denoise(TEMPERATURE)
        step_ms.append(1e3 * (time.perf_counter() - begin))
    op_ms = {name: 1e3 * seconds / steps for name, seconds, _ in _native.op_times()}
    peak = peak_bytes()
    used_threads = model.threads
    del model
    machine = _native.machine_speed(used_threads)
    weights = sum(t.bytes for t in file.tensors)
    return Measured(
        instruction_set=_native.instruction_set(),
        threads=used_threads,
        layers=config.layers,
        prefix=prefix,
        canvas=config.canvas,
        load_seconds=load_seconds,
        step_ms=tuple(step_ms[WARM_UP_STEPS:]),
        op_ms=op_ms,
        prefill_tokens_per_second=prefill_speed,
        weight_bytes=weights,
        step_bytes=weights + cache_bytes(config, prefix),
        step_products=step_products(file),
        memory_bytes_per_second=machine["bytes_per_second"],
        products_per_second=machine["products_per_second"],
        peak_bytes=peak,
    )


def as_dict(m: Measured) -> dict[str, Any]:
    derived = ("median_ms", "bound_ms", "bound_share")
    return dataclasses.asdict(m) | {name: getattr(m, name) for name in derived}


def as_text(m: Measured) -> str:
    median, low, high = m.median_ms, min(m.step_ms), max(m.step_ms)
    bandwidth = m.step_bytes / (median / 1e3)
    speed = m.step_products / (median / 1e3)
    lines = [
        f"{m.layers} layers, canvas of {m.canvas} after {m.prefix:,} tokens; "
        f"{m.instruction_set}, {m.threads} threads",
        f"step      {median:,.0f} ms (median of {len(m.step_ms)}, {low:,.0f} to {high:,.0f})",
        f"bound     {m.bound_ms:,.0f} ms: {m.bound_share:.0%} of it reached",
        f"memory    {m.step_bytes / 1e9:.2f} GB a step, {bandwidth / 1e9:.1f} of "
        f"{m.memory_bytes_per_second / 1e9:.1f} GB/s "
        f"({bandwidth / m.memory_bytes_per_second:.0%})",
        f"products  {m.step_products / 1e9:,.0f} billion a step, {speed / 1e12:.2f} of "
        f"{m.products_per_second / 1e12:.2f} trillion/s ({speed / m.products_per_second:.0%})",
        f"loading   {m.load_seconds:.1f} s; peak memory {m.peak_bytes / 1e9:.2f} GB for "
        f"{m.weight_bytes / 1e9:.2f} GB of weights",
    ]
    if m.prefill_tokens_per_second is not None:
        lines.append(f"prefill   {m.prefill_tokens_per_second:,.0f} tokens/s")
    lines.append("")
    for name, ms in m.op_ms.items():
        lines.append(f"  {name:<18} {ms:8.1f} ms  {ms / median:5.1%}")
    return "\n".join(lines)


def cache_bytes(c: ModelConfig, prefix: int) -> int:
    """Keys and values, f16, that one canvas pass reads."""
    total = 0
    for sliding, heads in zip(c.sliding, c.kv_heads, strict=True):
        head_dim = c.head_dim_sliding if sliding else c.head_dim_full
        positions = c.canvas + (min(prefix, c.window - 1) if sliding else prefix)
        total += 2 * 2 * positions * heads * head_dim
    return total


def step_products(file: ModelFile) -> int:
    """8-bit multiply-adds of one canvas pass; attention is done in floats and left out."""
    c = file.config
    total = 0
    for tensor in file.tensors:
        if len(tensor.shape) < 2 or tensor.name.endswith("ffn_gate_inp.weight"):
            continue
        used = c.experts_used / c.experts if len(tensor.shape) == 3 else 1.0
        total += int(tensor.elements * used)
    return c.canvas * total
