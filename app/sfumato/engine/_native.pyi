from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = Sequence[int] | npt.NDArray[np.int32]

class NativeError(RuntimeError): ...
class OutOfMemoryError(NativeError): ...
class CancelledError(NativeError): ...  # progress returned False

class Step:
    """Outcome of one denoise step; arrays are [canvas]."""
    @property
    def argmax(self) -> npt.NDArray[np.int32]: ...
    @property
    def sampled(self) -> npt.NDArray[np.int32]: ...
    @property
    def entropy(self) -> npt.NDArray[np.float32]: ...
    # Positions that keep their sampled token; a pinned one is never among them.
    @property
    def accepted(self) -> npt.NDArray[np.bool_]: ...
    @property
    def canvas(self) -> npt.NDArray[np.int32]: ...
    @property
    def mean_entropy(self) -> float: ...
    @property
    def stable(self) -> bool: ...
    @property
    def settled(self) -> bool: ...

class Model:
    def __init__(
        self,
        path: str,
        # name, ggml type, shape in ggml order, absolute byte offset
        tensors: Sequence[tuple[str, int, tuple[int, ...], int]],
        config: dict[str, Any],  # fields of ModelConfig
        *,
        device: str = "cpu",
        context: int = 8192,
        compute: str = "fast",
        profile: str = "exact",
        memory: int = 0,  # bytes of a GPU it takes at most; 0: all that are free
        # Of the experts that a GPU has no room for, those that the CPU computes while the others
        # are streamed; below 0: so many that both take as long.
        cpu_share: float = -1.0,
        threads: int = 0,
        progress: Callable[[float], bool] | None = None,  # False cancels
    ) -> None: ...
    @property
    def position(self) -> int: ...  # tokens in the KV cache
    @property
    def oldest_rewind(self) -> int: ...  # smallest position but 0 that truncate takes
    @property
    def threads(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def canvas_length(self) -> int: ...
    @property
    def device(self) -> str: ...
    # Bytes of the device: weights, kv_cache, scratch; all but a CPU's scratch as planned before
    # anything was taken. `plan` adds about what CUDA keeps for itself, graphs and cuda, and
    # main_memory, of experts that a GPU has no room for.
    @property
    def pools(self) -> dict[str, int]: ...
    @property
    def plan(self) -> dict[str, int]: ...
    @property
    def rounding_error(self) -> float: ...  # ‖difference‖ / ‖weights‖ of what `profile` rounded
    def prefill(self, ids: Ids) -> None: ...
    def begin_canvas(
        self,
        *,
        start: Ids | None = None,  # [canvas], -1: random
        pinned: Ids | None = None,  # [canvas], -1: free
        # What the cache takes before the canvas, as by commit(): at once, or with the first step
        # where that spares a pass over the weights. `position` tells.
        commit: Ids | None = None,
        seed: int = 0,
        block: int = 0,
        entropy_bound: float = 0.1,
        stability_threshold: int = 1,
        confidence_threshold: float = 0.005,
    ) -> npt.NDArray[np.int32]: ...  # the canvas as it starts
    def denoise(
        self,
        temperature: float,
        *,
        # Temperature of the step after this one. A GPU begins that step before this one's outcome
        # is known: the next call has to ask for it, unless this step settles or the canvas is left.
        then: float | None = None,
        uniform: npt.NDArray[np.float32] | None = None,  # [canvas]; tests only
        renoise: npt.NDArray[np.int32] | None = None,  # [canvas]; tests only
    ) -> Step: ...
    # Between two steps, where the last one was without `then`; what it believed stays.
    def set_canvas(self, ids: Ids) -> None: ...  # [canvas]
    def set_pinned(self, pinned: Ids | None) -> None: ...  # [canvas], -1: free
    def commit(self, ids: Ids) -> None: ...
    def truncate(self, position: int) -> None: ...
    # Tests only: prefill that returns the encoder's output after the final norm, [ids, hidden];
    # [canvas, vocab] of the last step, computed again; what the next step is self-conditioned on,
    # softmax(logits / temperature); [kv_heads, cached, head_dim], of a sliding layer its window.
    def prefill_hidden(self, ids: Ids) -> npt.NDArray[np.float32]: ...
    def set_beliefs(self, logits: npt.NDArray[np.float32], temperature: float) -> None: ...
    def last_logits(self) -> npt.NDArray[np.float32]: ...
    def keys(self, layer: int) -> npt.NDArray[np.float32]: ...
    def values(self, layer: int) -> npt.NDArray[np.float32]: ...

# Model.plan of a model that is not loaded.
def plan_memory(
    path: str,
    tensors: Sequence[tuple[str, int, tuple[int, ...], int]],
    config: dict[str, Any],
    *,
    device: str,
    context: int,
    profile: str = "exact",
    memory: int = 0,
    cpu_share: float = -1.0,
) -> dict[str, int]: ...
def cpu_features() -> dict[str, bool]: ...
def instruction_set() -> str: ...

# One per NVIDIA device: id ("cuda:0"), name, memory_bytes, free_bytes, compute_capability ("8.9"),
# driver, usable, reason (why it is not usable, part of a sentence, else ""). No driver: no devices.
def cuda_devices() -> list[dict[str, Any]]: ...

# Since the last call, by operation: name, seconds, calls. For models that this thread ran on the
# CPU.
def op_times() -> list[tuple[str, float, int]]: ...

# threads (0: all physical cores), bytes_per_second (read from memory), products_per_second (8-bit
# multiply-adds). Takes about half a second and 512 MiB.
def machine_speed(threads: int = 0) -> dict[str, Any]: ...

# Single operations on arrays, for tests and benches. A matrix is its type's number in the file
# format and its blocks: [rows, row_bytes], or several matrices [matrices, rows, row_bytes].
F32 = npt.NDArray[np.float32]
Blocks = tuple[int, npt.NDArray[np.uint8]]

# Blocks of Q8_0 [blocks, 34] → blocks of Q5_0 [blocks, 22]; difference, weights: ‖…‖².
def op_round(blocks: npt.NDArray[np.uint8]) -> dict[str, Any]: ...
def op_dequantize(rows: Blocks) -> F32: ...
def op_unpack(w: Blocks, compute: str) -> F32: ...
def op_linear(w: Blocks, x: F32, compute: str, threads: int = 2) -> F32: ...
def op_rms_norm(
    x: F32,
    *,
    weight: F32 | None = None,
    plus: F32 | None = None,
    residual: F32 | None = None,
    scale: float = 1.0,
    eps: float,
) -> F32: ...
def op_rope(
    x: F32,
    *,
    head_dim: int,
    weight: F32 | None = None,
    frequencies: F32 | None = None,
    first_position: int = 0,
    eps: float,
) -> F32: ...
def op_attention(
    q: F32,
    keys: F32,
    values: F32,
    *,
    head_dim: int,
    first_position: int,
    causal: bool,
    window: int,
    capacity: int,
    half: bool,
    pass_rows: int,
) -> F32: ...
def op_mlp(x: F32, gate: Blocks, up: Blocks, down: Blocks, *, compute: str) -> F32: ...
def op_moe(
    a: F32,
    x: F32,
    *,
    router: F32,
    router_scale: F32,
    expert_scale: F32,
    gate: Blocks,
    up: Blocks,
    down: Blocks,
    top_k: int,
    eps: float,
    compute: str,
    threads: int = 2,
) -> F32: ...
def op_logits(
    hidden: F32,
    embedding: Blocks,
    *,
    softcap: float,
    temperature: float,
    uniform: F32,
    pinned: Sequence[int],
    scale: float,
    compute: str,
    threads: int = 2,
) -> dict[str, Any]: ...
def op_denoise_step(
    *,
    entropy: F32,
    sampled: Ids,
    renoise: Ids,
    pinned: Ids,
    argmax: Ids,
    previous_argmax: Ids,
    same_steps: int,
    entropy_bound: float,
    stability_threshold: int,
    confidence_threshold: float,
) -> dict[str, Any]: ...
def op_philox(counter: Sequence[int], seed: int) -> list[int]: ...
def op_count_tasks(threads: int, tasks: int, runs: int) -> list[int]: ...
