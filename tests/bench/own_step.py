"""Our side of the benches: obeys one word a line, answers with one JSON object.

step         one denoise step: self-conditioning, layers, head, sampler
prefill N    a prompt of N tokens into an empty cache
report       where the time went since the last report, and the most memory so far
machine      how fast it reads and multiplies, which itself takes memory
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from sfumato.engine import _native
from sfumato.engine.device import peak_bytes
from sfumato.engine.model_file import ModelFile
from sfumato.engine.verify import open_model

parser = argparse.ArgumentParser()
parser.add_argument("model", type=Path)
parser.add_argument("--prefix", type=int, default=0)
parser.add_argument("--context", type=int, default=2048)
parser.add_argument("--threads", type=int, default=0)
args = parser.parse_args()

file = ModelFile.open(args.model)
context = max(args.context, args.prefix + file.config.canvas)
model = open_model(file, compute="fast", context=context, threads=args.threads)
rng = np.random.default_rng(0)


def prefill(count: int) -> None:
    model.prefill(rng.integers(0, file.config.vocab, count, dtype=np.int32))


if args.prefix:
    prefill(args.prefix)
model.begin_canvas(seed=1)
ready = {"instruction_set": _native.instruction_set(), "threads": model.threads}
print(json.dumps(ready), flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    begin = time.perf_counter()
    if word == "step":
        model.denoise(0.8)
    elif word == "prefill":
        model.truncate(0)
        begin = time.perf_counter()
        prefill(int(rest[0]))
    elif word == "report":
        times = {name: 1e3 * seconds for name, seconds, _ in _native.op_times()}
        print(json.dumps({"op_ms": times, "peak_bytes": peak_bytes()}), flush=True)
        continue
    else:
        print(json.dumps(_native.machine_speed(model.threads)), flush=True)
        continue
    print(json.dumps({"ms": 1e3 * (time.perf_counter() - begin)}), flush=True)
