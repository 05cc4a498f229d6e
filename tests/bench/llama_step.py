"""llama.cpp's side of the benches: obeys one word a line, answers with milliseconds.

    step         one pass of the canvas with the logits of all its tokens
    prefill N    a prompt of N tokens into an empty cache, without logits

Run by an interpreter that has llama-cpp-python; `gemma4` is its name for layers like ours.
"""

import argparse
import ctypes
import json
import sys
import time
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--prefix", type=int, default=0)
parser.add_argument("--canvas", type=int, default=256)
parser.add_argument("--context", type=int, default=2048)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--repack", action="store_true", help="weights in its own interleaved buffers")
args = parser.parse_args()


@llama_cpp.llama_log_callback
def silent(level: int, text: bytes, user: Any) -> None:
    pass


def batch_of(ids: npt.NDArray[np.int32], position: int, *, logits: bool) -> Any:
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i] = int(token)
        batch.pos[i] = position + i
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = 0
        batch.logits[i] = logits
    return batch


llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()
model_options = llama_cpp.llama_model_default_params()
model_options.n_gpu_layers = 0
model_options.use_extra_bufts = args.repack
model = llama_cpp.llama_model_load_from_file(args.model.encode(), model_options)
if not model:
    sys.exit("llama.cpp cannot load the model")
vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
options = llama_cpp.llama_context_default_params()
options.n_ctx = (max(args.context, args.prefix + args.canvas) + 255) // 256 * 256
options.n_batch = options.n_ctx
options.n_ubatch = 512
options.n_threads = options.n_threads_batch = args.threads
context = llama_cpp.llama_init_from_model(model, options)
if not context:
    sys.exit("llama.cpp cannot make a context")
memory = llama_cpp.llama_get_memory(context)
rng = np.random.default_rng(0)


def decode(ids: npt.NDArray[np.int32], position: int, *, logits: bool) -> float:
    """Milliseconds."""
    batch = batch_of(ids, position, logits=logits)
    begin = time.perf_counter()
    status = llama_cpp.llama_decode(context, batch)
    llama_cpp.llama_synchronize(context)
    ms = 1e3 * (time.perf_counter() - begin)
    llama_cpp.llama_batch_free(batch)
    if status != 0:
        sys.exit(f"llama_decode returned {status}")
    return ms


def random_ids(count: int) -> npt.NDArray[np.int32]:
    return rng.integers(0, vocab, count, dtype=np.int32)


if args.prefix:
    decode(random_ids(args.prefix), 0, logits=False)
print(json.dumps({"system": llama_cpp.llama_print_system_info().decode().strip()}), flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "step":
        llama_cpp.llama_memory_seq_rm(memory, 0, args.prefix, -1)
        ms = decode(random_ids(args.canvas), args.prefix, logits=True)
    else:
        llama_cpp.llama_memory_seq_rm(memory, 0, 0, -1)
        ms = decode(random_ids(int(rest[0])), 0, logits=False)
        llama_cpp.llama_memory_seq_rm(memory, 0, 0, -1)
    print(json.dumps({"ms": ms}), flush=True)
