"""Router and experts, one token at a time, in float64 (MODEL.md 2.5)."""

import numpy as np

from .mlp import mlp
from .rms_norm import F64, rms_norm


def moe(
    a: F64,
    x: F64,
    *,
    router: F64,
    router_scale: F64,
    expert_scale: F64,
    gate: F64,
    up: F64,
    down: F64,
    top_k: int,
    eps: float = 1e-6,
) -> F64:
    """a, x [tokens, hidden]; router [experts, hidden]; router_scale [hidden], hidden^-½ included;
    gate and up [experts, ffn, hidden], down [experts, hidden, ffn]."""
    logits = (rms_norm(a, eps=eps) * router_scale) @ np.asarray(router, np.float64).T
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    out = np.zeros(x.shape, np.float64)
    for token in range(len(x)):
        chosen = np.argsort(-p[token], kind="stable")[:top_k]
        weights = p[token, chosen] / p[token, chosen].sum() * expert_scale[chosen]
        for expert, weight in zip(chosen, weights, strict=True):
            out[token] += weight * mlp(x[token], gate[expert], up[expert], down[expert])
    return out
