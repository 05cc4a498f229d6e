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
    @property
    def pools(self) -> dict[str, int]: ...
    def prefill(self, ids: Ids) -> None: ...
    def begin_canvas(
        self,
        *,
        start: Ids | None = None,  # [canvas], -1: random
        pinned: Ids | None = None,  # [canvas], -1: free
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
        uniform: npt.NDArray[np.float32] | None = None,  # [canvas]; tests only
        renoise: npt.NDArray[np.int32] | None = None,  # [canvas]; tests only
    ) -> Step: ...
    # Between two steps; what the last step believed stays.
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

def cpu_features() -> dict[str, bool]: ...
def instruction_set() -> str: ...

# One per NVIDIA device: id ("cuda:0"), name, memory_bytes, free_bytes, compute_capability ("8.9"),
# driver, usable, reason (why it is not usable, part of a sentence, else ""). No driver: no devices.
def cuda_devices() -> list[dict[str, Any]]: ...
