"""What a model file weighs on a machine: its tensors, and the memory pools that the engine makes.

For a file on disk the tensor table comes from `sfumato inspect --json`; for a published one it is
known before the download (MODEL.md 4.3 and 4.4).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

_HIDDEN, _DENSE, _EXPERT, _EXPERTS, _VOCAB = 2816, 2112, 704, 128, 262144
_LAYERS = 30
_FULL_LAYERS = frozenset({5, 11, 17, 23, 29})
# Layers whose value projection, and whose down projections, get more bits in the K_M mixes.
_FINER_VALUES = frozenset({0, 1, 2, 6, 9, 13, 16, 20, 24, 25, 26, 27, 28})
_FINER_DOWNS = frozenset({0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29})
# Rows of 704 and 2112 are no multiple of 256, so K-quants fall back to a type with blocks of 32.
_MIXES = {  # quant: (base, finer values, downs, finer downs, embedding)
    "Q4_K_M": ("Q4_K", "Q6_K", "Q5_0", "Q8_0", "Q6_K"),
    "Q5_K_M": ("Q5_K", "Q6_K", "Q5_1", "Q8_0", "Q6_K"),
    "Q6_K": ("Q6_K", "Q6_K", "Q8_0", "Q8_0", "Q6_K"),
    "Q8_0": ("Q8_0",) * 5,
    "BF16": ("BF16",) * 5,
}

# The engine's own constants (sfumato.engine.device, which the window's process may not load):
# a test holds them equal.
Profile = Literal["exact", "compact"]
PASS_AND_REWIND: dict[Profile, int] = {"exact": 512 + 512, "compact": 256}
WORKSPACE_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` in ggml order, the contiguous dimension first."""

    name: str
    type: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType[self.type]]
        return self.elements // block * size


@dataclass(frozen=True, slots=True)
class Network:
    """The tensors of a file, and the shape of its KV cache, one entry a layer."""

    tensors: tuple[Tensor, ...]
    kv_heads: tuple[int, ...]
    head_dims: tuple[int, ...]
    sliding: tuple[bool, ...]
    window: int
    canvas: int
    vocab: int
    context_length: int
    experts: int
    experts_used: int

    @property
    def weight_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def expert_bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors if is_expert(tensor))

    def held(self, profile: Profile) -> "Network":
        """As the engine keeps it: `compact` rounds experts of Q8_0 to Q5_0."""
        if profile == "exact":
            return self
        return replace(self, tensors=tuple(map(_rounded, self.tensors)))


@dataclass(frozen=True, slots=True)
class Pools:
    """Bytes of device memory, as the engine reserves them."""

    weights: int
    kv: int
    workspace: int

    @property
    def total(self) -> int:
        return self.weights + self.kv + self.workspace


def pools(network: Network, context: int, profile: Profile = "exact") -> Pools:
    """What the engine needs for a conversation of `context` tokens: `engine.device.needed_bytes`.

    A sliding layer keeps its window, one pass and what can be rewound; a full layer everything;
    both as 16-bit keys and values.
    """
    kv = 0
    for heads, dim, sliding in zip(
        network.kv_heads, network.head_dims, network.sliding, strict=True
    ):
        ring = network.window - 1 + PASS_AND_REWIND[profile]
        kept = min(context, ring) if sliding else context
        kv += 2 * 2 * kept * heads * dim
    return Pools(network.held(profile).weight_bytes, kv, WORKSPACE_BYTES)


def memory_needed(network: Network, context: int, profile: Profile = "exact") -> int:
    """Bytes of device memory for a conversation of `context` tokens."""
    return pools(network, context, profile).total


def is_expert(tensor: Tensor) -> bool:
    return "_exps.weight" in tensor.name


def _rounded(tensor: Tensor) -> Tensor:
    rounded = is_expert(tensor) and tensor.type == "Q8_0"
    return replace(tensor, type="Q5_0") if rounded else tensor


def published(quant: str) -> Network | None:
    """The network of a published file before it is here; None for a mix we have no table of."""
    mix = _MIXES.get(quant)
    if mix is None:
        return None
    base, finer_value, down, finer_down, embedding = mix
    tensors = [
        Tensor("token_embd.weight", embedding, (_HIDDEN, _VOCAB)),
        Tensor("output_norm.weight", "F32", (_HIDDEN,)),
        Tensor("rope_freqs.weight", "F32", (256,)),
        Tensor("self_cond_pre_norm.weight", "F32", (_HIDDEN,)),
        Tensor("self_cond_gate.weight", base, (_HIDDEN, _DENSE)),
        Tensor("self_cond_up.weight", base, (_HIDDEN, _DENSE)),
        Tensor("self_cond_down.weight", down, (_DENSE, _HIDDEN)),
    ]
    for layer in range(_LAYERS):
        full = layer in _FULL_LAYERS
        queries, keys, head = (8192, 1024, 512) if full else (4096, 2048, 256)
        value = finer_value if layer in _FINER_VALUES else base
        downs = finer_down if layer in _FINER_DOWNS else down
        rows: list[tuple[str, str, tuple[int, ...]]] = [
            ("attn_norm.weight", "F32", (_HIDDEN,)),
            ("attn_q.weight", base, (_HIDDEN, queries)),
            ("attn_k.weight", base, (_HIDDEN, keys)),
            ("attn_output.weight", base, (queries, _HIDDEN)),
            ("attn_q_norm.weight", "F32", (head,)),
            ("attn_k_norm.weight", "F32", (head,)),
            ("post_attention_norm.weight", "F32", (_HIDDEN,)),
            ("ffn_norm.weight", "F32", (_HIDDEN,)),
            ("ffn_gate.weight", base, (_HIDDEN, _DENSE)),
            ("ffn_up.weight", base, (_HIDDEN, _DENSE)),
            ("ffn_down.weight", downs, (_DENSE, _HIDDEN)),
            ("post_ffw_norm_1.weight", "F32", (_HIDDEN,)),
            ("ffn_gate_inp.weight", "F32", (_HIDDEN, _EXPERTS)),
            ("ffn_gate_inp.scale", "F32", (_HIDDEN,)),
            ("pre_ffw_norm_2.weight", "F32", (_HIDDEN,)),
            ("ffn_gate_up_exps.weight", base, (_HIDDEN, 2 * _EXPERT, _EXPERTS)),
            ("ffn_down_exps.weight", downs, (_EXPERT, _HIDDEN, _EXPERTS)),
            ("ffn_down_exps.scale", "F32", (_EXPERTS,)),
            ("post_ffw_norm_2.weight", "F32", (_HIDDEN,)),
            ("post_ffw_norm.weight", "F32", (_HIDDEN,)),
            ("layer_output_scale.weight", "F32", (1,)),
            ("enc_layer_output_scale.weight", "F32", (1,)),
        ]
        if not full:
            rows.append(("attn_v.weight", value, (_HIDDEN, keys)))
        tensors += [Tensor(f"blk.{layer}.{name}", kind, shape) for name, kind, shape in rows]
    sliding = tuple(layer not in _FULL_LAYERS for layer in range(_LAYERS))
    return Network(
        tensors=tuple(tensors),
        kv_heads=tuple(8 if slides else 2 for slides in sliding),
        head_dims=tuple(256 if slides else 512 for slides in sliding),
        sliding=sliding,
        window=1024,
        canvas=256,
        vocab=_VOCAB,
        context_length=262144,
        experts=_EXPERTS,
        experts_used=8,
    )


def inspected(said: dict[str, Any]) -> Network:
    """The network of a file on disk, from what `sfumato inspect --json` prints."""
    config = said["config"]
    sliding: Sequence[bool] = config["sliding"]
    full, slides = config["head_dim_full"], config["head_dim_sliding"]
    return Network(
        tensors=tuple(Tensor(t["name"], t["type"], tuple(t["shape"])) for t in said["tensors"]),
        kv_heads=tuple(config["kv_heads"]),
        head_dims=tuple(slides if layer else full for layer in sliding),
        sliding=tuple(sliding),
        window=config["window"],
        canvas=config["canvas"],
        vocab=config["vocab"],
        context_length=config["context_length"],
        experts=config["experts"],
        experts_used=config["experts_used"],
    )
