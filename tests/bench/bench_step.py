"""One denoise step beside llama.cpp's pass of as many tokens, in one run on one machine.

Both engines get random weights of the same shape and types. Ours does a whole step:
self-conditioning, layers, head, sampler. llama.cpp runs its gemma4 layers over 256 tokens with the
logits of all of them, in the better of its two configurations. Steps alternate, so that a
disturbance meets both.

    make bench
    python tests/bench/bench_step.py --layers 6 --steps 10 --prefix 0
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from engines import (
    HERE,
    add_llama_arguments,
    append,
    llama_engine,
    own_engine,
    processor,
    random_models,
    times,
)
from sfumato.engine.bench import cache_bytes, step_products
from sfumato.engine.model_file import ModelFile
from sfumato.engine.random_model import SHAPES

WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=sorted(SHAPES), default="26b-a4b")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--prefix", type=int, default=0, help="tokens before the canvas")
    add_llama_arguments(parser)
    parser.add_argument("--models", type=Path, help="keep the random models in this folder")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    args = parser.parse_args()
    with random_models(args.models, args.shape, SHAPES[args.shape], args.layers) as paths:
        compare(args, *paths)


def compare(args: argparse.Namespace, own_file: Path, llama_file: Path) -> None:
    canvas = SHAPES[args.shape].canvas
    common = ("--prefix", str(args.prefix), "--context", str(args.prefix + canvas))
    own = own_engine(own_file, *common)
    llama_options = (*common, "--threads", str(own.ready["threads"]), "--canvas", str(canvas))
    llama, configuration = llama_engine(args, llama_file, "step", *llama_options)
    for _ in range(WARM_UP):
        own.ms("step")
    own.ask("report")
    own_ms, llama_ms = [], []
    for _ in range(args.steps):
        own_ms.append(own.ms("step"))
        llama_ms.append(llama.ms("step"))
    report = own.ask("report") | own.ask("machine")
    result = summary(args, own_file, own.ready, report, own_ms, llama_ms, configuration)
    own.close()
    llama.close()
    show(result, report, args.steps, llama.ready["system"])
    append(args.results / f"cpu-{args.shape}.csv", result)


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
        **times(own_ms, llama_ms),
        "llama_configuration": configuration,
        "ratio": round(ours / theirs, 3),
        "memory_bound_ms": round(memory_ms, 1),
        "product_bound_ms": round(products_ms, 1),
        "bound_share": round(max(memory_ms, products_ms) / ours, 3),
        "memory_gb_per_s": round(report["bytes_per_second"] / 1e9, 1),
        "products_t_per_s": round(report["products_per_second"] / 1e12, 3),
        "peak_over_weights": round(report["peak_bytes"] / weights, 3),
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
    for name, ms in report["op_ms"].items():
        print(f"    {name:<18} {ms / steps:8.1f} ms  {ms / steps / r['own_ms']:6.1%}")


if __name__ == "__main__":
    main()
