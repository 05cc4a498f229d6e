"""Measure the full 26B-A4B shape on a GPU; one row a prefix goes to tests/bench/results/<gpu>.csv.

    python tests/gpu/bench_device.py [--layers 30] [--prefix 0 1024 8192 32768] [--steps 50]
                                     [--profile compact] [--memory 11e9] [--transformers PYTHON]

Random weights never converge, so there are no tokens per second of text here: milliseconds a step,
and what share of a measured read of the card's memory a step reaches. Self-conditioning depends on
how flat the logits are; temperature makes them so: 5 (flat), 0.8 (middle), 0.1 (peaked). With less
--memory than the model needs, experts stay in main memory and are streamed. --transformers names a
Python with torch and transformers, whose bf16 model of the same shape is measured on the same card.
"""

import argparse
import csv
import dataclasses
import datetime
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "native"))
import native_library  # noqa: F401  before all that uses the extension
from sfumato.engine import _native
from sfumato.engine.bench import cache_bytes
from sfumato.engine.device import weight_bytes
from sfumato.engine.model_file import ModelFile
from sfumato.engine.random_model import SHAPES, write_random_model
from sfumato.engine.verify import open_model
from transformers_step import peer_steps

DEVICE = "cuda:0"
WARM_UP = 10
TEMPERATURES = {"flat": 5.0, "middle": 0.8, "peaked": 0.1}
ROOT = Path(__file__).parents[2]


def used_bytes() -> int:
    """Of the whole card: run nothing else on it."""
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)


def clocks() -> str:
    query = ["nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw"]
    done = subprocess.run([*query, "--format=csv,noheader"], capture_output=True, text=True)
    return done.stdout.splitlines()[0] if done.returncode == 0 else ""


def timed(work: Any, *arguments: Any) -> float:
    begin = time.perf_counter()
    work(*arguments)
    return 1e3 * (time.perf_counter() - begin)


def steps(model: Any, count: int, temperature: float) -> list[float]:
    """Milliseconds each; canvases of 48 steps, as a conversation would at most."""
    out: list[float] = []
    while len(out) < count:
        model.begin_canvas(seed=len(out))
        model.denoise(temperature, then=temperature)
        left = min(47, count - len(out))
        for then in [temperature] * (left - 1) + [None]:  # each begins before the last is read
            out.append(timed(functools.partial(model.denoise, temperature, then=then)))
    return out


def measure(
    model: Any, file: ModelFile, prefix: int, count: int, *, weights: int, speed: float, idle: int
) -> dict[str, Any]:
    ids = np.random.default_rng(0).integers(0, file.config.vocab, prefix, dtype=np.int32)
    model.truncate(0)
    prefill_ms = timed(model.prefill, ids) if prefix else 0.0
    steps(model, WARM_UP, 0.8)
    row: dict[str, Any] = {"prefix": prefix, "clocks": clocks()}
    by_kind = {kind: steps(model, count, t) for kind, t in TEMPERATURES.items()}
    middle = by_kind["middle"]
    row |= {f"{kind}_ms": round(statistics.median(ms), 3) for kind, ms in by_kind.items()}
    row["p05_ms"], row["p95_ms"] = (round(float(np.percentile(middle, q)), 3) for q in (5, 95))
    committed = np.zeros(file.config.canvas, np.int32)
    commits = []
    for _ in range(10):
        commits.append(timed(model.commit, committed))
        model.truncate(prefix)
    row["commit_ms"] = round(statistics.median(commits), 3)
    row["prefill_tokens_per_second"] = round(1e3 * prefix / prefill_ms) if prefix else ""
    streamed = model.plan["main_memory"]
    step_bytes = weights + cache_bytes(file.config, prefix)
    bound = 1e3 * step_bytes / speed
    row["step_gb"] = round(step_bytes / 1e9, 3)
    row["read_gb_per_second"] = round(speed / 1e9, 1)
    row["share_of_read_speed"] = round(bound / row["middle_ms"], 3)
    row["ms_above_bound"] = round(row["middle_ms"] - bound, 3)
    row["streamed_gb"] = round(streamed / 1e9, 3)
    row["streamed_gb_per_second"] = round(streamed / 1e6 / row["middle_ms"], 1)
    row["planned_bytes"] = sum(model.plan.values()) - streamed
    row["process_bytes"] = used_bytes() - idle
    return row


def growth(model: Any, canvases: int) -> int:
    """Bytes that `canvases` canvases of two steps leave behind."""
    before = used_bytes()
    for seed in range(canvases):
        model.begin_canvas(seed=seed)
        model.denoise(0.8)
        model.denoise(0.7)
    return used_bytes() - before


def show_peer(found: dict[str, Any], file: ModelFile, rows: list[dict[str, Any]]) -> None:
    """Each side against its own floor: the bytes that it reads at the card's measured speed."""
    if "missing" in found:
        print(f"transformers bf16: not measured: {found['missing']}")
        return
    for row in rows:
        prefix, speed = row["prefix"], 1e9 * row["read_gb_per_second"]
        if prefix not in found["ms"]:
            print(f"prefix {prefix}: transformers bf16 does not fit")
            continue
        ms = statistics.median(found["ms"][prefix])
        floor = 1e3 * (found["weight_bytes"] + cache_bytes(file.config, prefix)) / speed
        print(
            f"prefix {prefix}: transformers bf16 {ms:.2f} ms, {ms / floor:.2f} times its floor; "
            f"ours {row['middle_ms']} ms, {1 / row['share_of_read_speed']:.2f} times"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--prefix", type=int, nargs="*", default=[0, 1024, 8192, 32768])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="26b-a4b")
    parser.add_argument("--profile", choices=("exact", "compact"), default="exact")
    parser.add_argument("--memory", type=float, default=0, help="bytes of the card, at most")
    parser.add_argument("--transformers", metavar="PYTHON", help="measure that side too")
    args = parser.parse_args()
    idle = used_bytes()  # before CUDA begins here
    card = _native.cuda_devices()[0]
    speed = _native._gpu_read_speed(0, min(4 << 30, card["free_bytes"] // 2))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    with tempfile.TemporaryDirectory(prefix="sfumato-gpu-") as folder:
        path = Path(os.environ.get("SFUMATO_RANDOM_MODEL", Path(folder) / "random.gguf"))
        if not path.exists():
            seconds = (
                timed(
                    lambda: write_random_model(path, layers=args.layers, shape=SHAPES[args.shape])
                )
                / 1e3
            )
            print(
                f"{path.stat().st_size / 1e9:.2f} GB of random weights written in {seconds:.0f} s"
            )
        file = ModelFile.open(path)
        context = min(max(args.prefix) + 2 * file.config.canvas, file.config.context_length)
        begin = time.perf_counter()
        model = open_model(
            file,
            compute="fast",
            device=DEVICE,
            context=context,
            profile=args.profile,
            memory=int(args.memory),
        )
        seconds = time.perf_counter() - begin
        pools = ", ".join(f"{name} {count / 1e9:.2f} GB" for name, count in model.plan.items())
        print(f"loaded in {seconds:.1f} s; {pools}; rounding error {model.rounding_error:.2%}")
        weights = weight_bytes(file.tensors, args.profile)
        rows = [
            measure(model, file, prefix, args.steps, weights=weights, speed=speed, idle=idle)
            for prefix in args.prefix
            if prefix + file.config.canvas <= context
        ]
        print(f"100 canvases leave {growth(model, 100):,} bytes behind")
        del model  # its memory is the other side's
    shared = {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "gpu": card["name"],
        "driver": card["driver"],
        "layers": file.config.layers,
        "profile": args.profile,
    }
    results = ROOT / "tests/bench/results" / f"{card['name'].lower().replace(' ', '-')}.csv"
    results.parent.mkdir(parents=True, exist_ok=True)
    new = not results.exists()
    with results.open("a", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=[*shared, *rows[0]])
        if new:
            writer.writeheader()
        writer.writerows(shared | row for row in rows)
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
        for count in (12, 16, 24, 48):
            each = 256 / ((count * row["middle_ms"] + row["commit_ms"]) / 1e3)
            print(
                f"    were a canvas {count} steps: {each:,.0f} tokens/s (arithmetic, not measured)"
            )
    if args.transformers:
        shape, prefixes = dataclasses.asdict(SHAPES[args.shape]), [row["prefix"] for row in rows]
        found = peer_steps(
            args.transformers, shape, file.config.layers, prefixes, steps=20, device=DEVICE
        )
        show_peer(found, file, rows)


if __name__ == "__main__":
    main()
