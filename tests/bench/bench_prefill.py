"""A prompt of many tokens into an empty cache, beside llama.cpp's processing of as many.

Both take no logits. llama.cpp runs in the better of its two configurations for prompts; prompts of
the two alternate.

    python tests/bench/bench_prefill.py --layers 2 --tokens 2048 --prompts 10
"""

import argparse
import statistics
import time
from pathlib import Path

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
from sfumato.engine.random_model import SHAPES


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=sorted(SHAPES), default="26b-a4b")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=2048, help="of a prompt")
    parser.add_argument("--prompts", type=int, default=10)
    add_llama_arguments(parser)
    parser.add_argument("--models", type=Path, help="keep the random models in this folder")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    args = parser.parse_args()
    with random_models(args.models, args.shape, SHAPES[args.shape], args.layers) as paths:
        compare(args, *paths)


def compare(args: argparse.Namespace, own_file: Path, llama_file: Path) -> None:
    line, context = f"prefill {args.tokens}", ("--context", str(args.tokens))
    own = own_engine(own_file, *context)
    llama_options = (*context, "--threads", str(own.ready["threads"]))
    llama, configuration = llama_engine(args, llama_file, line, *llama_options)
    own.ms(line)
    own.ask("report")
    own_ms, llama_ms = [], []
    for _ in range(args.prompts):
        own_ms.append(own.ms(line))
        llama_ms.append(llama.ms(line))
    op_ms = own.ask("report")["op_ms"]
    own.close()
    llama.close()
    ours, theirs = statistics.median(own_ms), statistics.median(llama_ms)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": processor(),
        "instruction_set": own.ready["instruction_set"],
        "threads": own.ready["threads"],
        "layers": args.layers,
        "tokens": args.tokens,
        "prompts": args.prompts,
        **times(own_ms, llama_ms),
        "llama_configuration": configuration,
        "own_tokens_per_s": round(1e3 * args.tokens / ours, 1),
        "llama_tokens_per_s": round(1e3 * args.tokens / theirs, 1),
        "speed_ratio": round(theirs / ours, 2),
    }
    print(f"{result['machine']}, {result['threads']} threads, {result['instruction_set']}")
    print(f"llama.cpp ({configuration}): {llama.ready['system']}")
    print(f"{args.layers} layers, prompt of {args.tokens} tokens, medians of {args.prompts}")
    for name, side, ms in (("ours", "own", own_ms), ("llama.cpp", "llama", llama_ms)):
        print(
            f"  {name:<10} {result[f'{side}_tokens_per_s']:8,.0f} tokens/s  "
            f"({min(ms):,.0f} to {max(ms):,.0f} ms)"
        )
    print(f"  ratio      {result['speed_ratio']:8.2f}")
    for name, ms in op_ms.items():
        print(f"    {name:<18} {ms / args.prompts:8.1f} ms  {ms / args.prompts / ours:6.1%}")
    append(args.results / f"cpu-{args.shape}-prefill.csv", result)


if __name__ == "__main__":
    main()
