"""One denoise step beside llama.cpp's pass of as many tokens, in one run on one machine.

Both engines get random weights of the same shape and types. Ours does a whole step:
self-conditioning, layers, head, sampler. llama.cpp runs its gemma4 layers over 256 tokens with the
logits of all of them, in the better of its two configurations. Steps alternate, so that a
disturbance meets both.

    make bench
    python tests/bench/bench_step.py --layers 6 --steps 10 --prefix 0 --prefill 2048
"""

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sfumato.engine.bench import cache_bytes, step_products
from sfumato.engine.model_file import ModelFile
from sfumato.engine.random_model import SHAPES, write_random_model

HERE = Path(__file__).parent
WARM_UP = 2


class Engine:
    """A child process that takes one word a line and answers with one JSON object."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self._answer()

    def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()

    def ms(self, line: str) -> float:
        return float(self.ask(line)["ms"])

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=sorted(SHAPES), default="26b-a4b")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--prefix", type=int, default=0, help="tokens before the canvas")
    parser.add_argument("--prefill", type=int, default=0, help="also time a prompt of N tokens")
    parser.add_argument(
        "--llama-python", default=sys.executable, help="an interpreter with another llama.cpp build"
    )
    parser.add_argument("--models", type=Path, help="keep the random models in this folder")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    args = parser.parse_args()
    if args.models is not None:
        args.models.mkdir(parents=True, exist_ok=True)
        compare(args, args.models)
    else:
        with tempfile.TemporaryDirectory(prefix="sfumato-bench-") as folder:
            compare(args, Path(folder))


def compare(args: argparse.Namespace, folder: Path) -> None:
    shape = SHAPES[args.shape]
    own_file, llama_file = (
        folder / f"{args.shape}-{args.layers}-{name}.gguf" for name in ("own", "llama")
    )
    for path, architecture in ((own_file, "diffusion-gemma"), (llama_file, "gemma4")):
        if not path.exists():
            print(f"writing {path.name} …", file=sys.stderr, flush=True)
            write_random_model(path, layers=args.layers, shape=shape, architecture=architecture)

    context = str(max(args.prefill, args.prefix + shape.canvas))
    common = ("--prefix", str(args.prefix), "--context", context)
    own = Engine(sys.executable, str(HERE / "own_step.py"), str(own_file), *common)
    threads = str(own.ready["threads"])
    llama_options = (*common, "--threads", threads, "--canvas", str(shape.canvas))
    llama, configuration = best_llama(
        (args.llama_python, str(HERE / "llama_step.py"), str(llama_file), *llama_options)
    )
    for _ in range(WARM_UP):
        own.ms("step")
    own.ask("report")
    own_ms, llama_ms = [], []
    for _ in range(args.steps):
        own_ms.append(own.ms("step"))
        llama_ms.append(llama.ms("step"))
    report = own.ask("report")
    result = summary(args, own_file, own.ready, report, own_ms, llama_ms, configuration)
    if args.prefill:
        line = f"prefill {args.prefill}"
        pairs = [(own.ms(line), llama.ms(line)) for _ in range(4)][1:]
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        result["prefill_tokens_per_s"] = round(1e3 * args.prefill / ours, 1)
        result["llama_prefill_tokens_per_s"] = round(1e3 * args.prefill / theirs, 1)
        result["prefill_ratio"] = round(theirs / ours, 2)
    own.close()
    llama.close()
    show(result, report, args.steps, llama.ready["system"])
    append(args.results / f"cpu-{args.shape}.csv", result)


def best_llama(command: tuple[str, ...]) -> tuple[Engine, str]:
    """Its plain kernels or those on interleaved weights, whichever are faster here."""
    best: tuple[float, tuple[str, ...], str] | None = None
    for options, name in (((), "plain"), (("--repack",), "repack")):
        engine = Engine(*command, *options)
        ms = min(engine.ms("step") for _ in range(3))
        engine.close()
        print(f"llama.cpp, {name}: {ms:,.0f} ms", file=sys.stderr, flush=True)
        if best is None or ms < best[0]:
            best = (ms, options, name)
    assert best is not None
    engine = Engine(*command, *best[1])
    engine.ms("step")
    return engine, best[2]


def summary(
    args: argparse.Namespace,
    path: Path,
    ready: dict[str, Any],
    report: dict[str, Any],
    own_ms: list[float],
    llama_ms: list[float],
    configuration: str,
) -> dict[str, Any]:
    file = ModelFile.open(path)
    weights = sum(t.bytes for t in file.tensors)
    memory_ms = 1e3 * (weights + cache_bytes(file.config, args.prefix)) / report["bytes_per_second"]
    products_ms = 1e3 * step_products(file) / report["products_per_second"]
    ours, theirs = statistics.median(own_ms), statistics.median(llama_ms)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": processor(),
        "instruction_set": ready["instruction_set"],
        "threads": ready["threads"],
        "layers": args.layers,
        "prefix": args.prefix,
        "steps": args.steps,
        "own_ms": round(ours, 1),
        "own_min_ms": round(min(own_ms), 1),
        "own_max_ms": round(max(own_ms), 1),
        "llama_ms": round(theirs, 1),
        "llama_min_ms": round(min(llama_ms), 1),
        "llama_max_ms": round(max(llama_ms), 1),
        "llama_configuration": configuration,
        "ratio": round(ours / theirs, 3),
        "memory_bound_ms": round(memory_ms, 1),
        "product_bound_ms": round(products_ms, 1),
        "bound_share": round(max(memory_ms, products_ms) / ours, 3),
        "memory_gb_per_s": round(report["bytes_per_second"] / 1e9, 1),
        "products_t_per_s": round(report["products_per_second"] / 1e12, 3),
        "peak_over_weights": round(report["peak_bytes"] / weights, 3),
        "prefill_tokens_per_s": "",
        "llama_prefill_tokens_per_s": "",
        "prefill_ratio": "",
    }


def show(result: dict[str, Any], report: dict[str, Any], steps: int, system: str) -> None:
    r = result
    print(f"{r['machine']}, {r['threads']} threads, {r['instruction_set']}")
    print(f"llama.cpp ({r['llama_configuration']}): {system}")
    print(f"{r['layers']} layers, canvas after {r['prefix']} tokens, medians of {steps}")
    print(
        f"  ours       {r['own_ms']:9,.1f} ms  ({r['own_min_ms']:,.0f} to {r['own_max_ms']:,.0f})"
    )
    print(
        f"  llama.cpp  {r['llama_ms']:9,.1f} ms  "
        f"({r['llama_min_ms']:,.0f} to {r['llama_max_ms']:,.0f})"
    )
    print(f"  ratio      {r['ratio']:9.2f}")
    print(
        f"  bound      {max(r['memory_bound_ms'], r['product_bound_ms']):9,.1f} ms, "
        f"{r['bound_share']:.0%} of it reached "
        f"(memory {r['memory_gb_per_s']} GB/s: {r['memory_bound_ms']:,.0f} ms; "
        f"{r['products_t_per_s']} trillion products/s: {r['product_bound_ms']:,.0f} ms)"
    )
    print(f"  peak memory over weights {r['peak_over_weights']:.3f}")
    if r["prefill_ratio"]:
        print(
            f"  prefill    {r['prefill_tokens_per_s']:,.0f} tokens/s, "
            f"llama.cpp {r['llama_prefill_tokens_per_s']:,.0f}: {r['prefill_ratio']:.2f} times"
        )
    for name, ms in report["op_ms"].items():
        print(f"    {name:<18} {ms / steps:8.1f} ms  {ms / steps / r['own_ms']:6.1%}")


def append(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(result))
        if new:
            writer.writeheader()
        writer.writerow(result)


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
