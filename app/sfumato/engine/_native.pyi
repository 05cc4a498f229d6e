from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

class NativeError(RuntimeError): ...
class OutOfMemoryError(NativeError): ...

class Step:
    """Outcome of one denoise step; arrays are [canvas]."""
    @property
    def argmax(self) -> npt.NDArray[np.int32]: ...
    @property
    def sampled(self) -> npt.NDArray[np.int32]: ...
    @property
    def entropy(self) -> npt.NDArray[np.float32]: ...
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
    def context(self) -> int: ...
    @property
    def canvas_length(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def pools(self) -> dict[str, int]: ...
    def prefill(self, ids: Sequence[int] | npt.NDArray[np.int32]) -> None: ...
    def begin_canvas(
        self,
        *,
        start: Sequence[int] | None = None,
        pinned: Sequence[int] | None = None,
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
    def commit(self, ids: Sequence[int] | npt.NDArray[np.int32]) -> None: ...
    def truncate(self, position: int) -> None: ...
    # Tests only: [canvas, vocab] of the last step, computed again; [kv_heads, cached, head_dim].
    def last_logits(self) -> npt.NDArray[np.float32]: ...
    def keys(self, layer: int) -> npt.NDArray[np.float32]: ...
    def values(self, layer: int) -> npt.NDArray[np.float32]: ...

def cpu_features() -> dict[str, bool]: ...
def instruction_set() -> str: ...

# One per NVIDIA device: id ("cuda:0"), name, memory_bytes, free_bytes, compute_capability ("8.9"),
# driver, usable, reason (why it is not usable, part of a sentence, else ""). No driver: no devices.
def cuda_devices() -> list[dict[str, Any]]: ...
