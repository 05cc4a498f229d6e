"""Root mean square norm in float64 (MODEL.md 2.1)."""

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]


def rms_norm(x: F64, weight: F64 | None = None, eps: float = 1e-6) -> F64:
    """[..., width], statistics over the last axis; the weight as stored."""
    x = np.asarray(x, np.float64)
    out = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return out if weight is None else out * np.asarray(weight, np.float64)
