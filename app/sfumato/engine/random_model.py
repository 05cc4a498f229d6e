"""Model files of random weights in the published shape and type mix, for measuring speed.

Quantised blocks are random bytes under sane float16 scales, so that nothing has to be quantised:
six layers of the 26B-A4B shape (4 GB) are written in about 20 s. Activations stay near 1 and the
router sends about as many tokens to each expert; what the model says is noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType as Type

from sfumato.engine.config import ARCHITECTURE

# Layers whose downs and values llama-quantize keeps at more bits in a Q4_K_M file (MODEL.md 4.4).
DOWN_Q8_0 = frozenset({0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29})
VALUE_Q6_K = frozenset({0, 1, 2, 6, 9, 13, 16, 20, 24, 25, 26, 27, 28})

CHUNK_BYTES = 64 << 20
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shape:
    """A network of MODEL.md 1.1; every `full_every`th layer attends to everything."""

    hidden: int = 2816
    dense_ffn: int = 2112
    expert_ffn: int = 704
    experts: int = 128
    experts_used: int = 8
    heads: int = 16
    kv_heads_sliding: int = 8
    kv_heads_full: int = 2
    head_dim_sliding: int = 256
    head_dim_full: int = 512
    full_every: int = 6
    window: int = 1024
    vocab: int = 262144
    canvas: int = 256
    context_length: int = 262144

    def sliding(self, layer: int) -> bool:
        return (layer + 1) % self.full_every != 0


SHAPES = {
    "26b-a4b": Shape(),
    # Small enough to be written and run within a second.
    "tiny": Shape(
        hidden=256,
        dense_ffn=96,
        expert_ffn=32,
        experts=8,
        experts_used=2,
        heads=4,
        kv_heads_sliding=2,
        kv_heads_full=1,
        head_dim_sliding=64,
        head_dim_full=128,
        window=64,
        vocab=1024,
        canvas=32,
        context_length=4096,
    ),
}


@dataclass(frozen=True)
class Matrix:
    name: str
    shape: tuple[int, ...]  # slow axis first: ..., outputs, inputs
    type: Type


@dataclass(frozen=True)
class Vector:
    """F32 values, normally distributed."""

    name: str
    shape: tuple[int, ...]
    mean: float = 1.0
    deviation: float = 0.1


Tensor = Matrix | Vector


def write_random_model(
    path: Path,
    *,
    layers: int,
    shape: Shape = SHAPES["26b-a4b"],
    architecture: str = ARCHITECTURE,
    seed: int = 0,
) -> None:
    """Write a file without a vocabulary.

    architecture: ours, or llama.cpp's autoregressive "gemma4", whose layers are the same; it gets
        no self-conditioning and one scale per layer.
    """
    rng = np.random.Generator(np.random.SFC64(seed))
    tensors = list(_tensors(shape, layers, diffusion=architecture == ARCHITECTURE))
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in _metadata(shape, layers, architecture).items():
        _add(writer, key, value)
    for tensor in tensors:
        if isinstance(tensor, Vector):
            bytes_ = 4 * int(np.prod(tensor.shape))
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), bytes_)
        else:
            stored = (*tensor.shape[:-1], _row_bytes(tensor))
            bytes_ = int(np.prod(stored))
            writer.add_tensor_info(
                tensor.name, stored, np.dtype(np.uint8), bytes_, raw_dtype=tensor.type
            )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        if isinstance(tensor, Vector):
            noise = rng.standard_normal(tensor.shape, dtype=np.float32)
            writer.write_tensor_data((tensor.mean + tensor.deviation * noise).astype(np.float32))
        else:
            writer.write_tensor_data(_random_blocks(rng, tensor))
    writer.close()


def _tensors(s: Shape, layers: int, *, diffusion: bool) -> Iterator[Tensor]:
    def wide(inputs: int, preferred: Type) -> Type:
        """What llama-quantize takes where rows are no multiple of 256."""
        return preferred if inputs % 256 == 0 else Type.Q5_0

    yield Matrix("token_embd.weight", (s.vocab, s.hidden), wide(s.hidden, Type.Q6_K))
    yield Vector("output_norm.weight", (s.hidden,))
    if diffusion or not all(s.sliding(layer) for layer in range(layers)):  # else it is refused
        yield Vector("rope_freqs.weight", (s.head_dim_full // 2,), deviation=0.0)
    if diffusion:
        yield Vector("self_cond_pre_norm.weight", (s.hidden,))
        for part in ("gate", "up"):
            name = f"self_cond_{part}.weight"
            yield Matrix(name, (s.dense_ffn, s.hidden), wide(s.hidden, Type.Q4_K))
        yield Matrix("self_cond_down.weight", (s.hidden, s.dense_ffn), wide(s.dense_ffn, Type.Q4_K))
    for layer in range(layers):
        yield from _layer_tensors(s, layer, diffusion=diffusion)


def _layer_tensors(s: Shape, layer: int, *, diffusion: bool) -> Iterator[Tensor]:
    prefix = f"blk.{layer}."
    sliding = s.sliding(layer)
    head_dim = s.head_dim_sliding if sliding else s.head_dim_full
    queries = s.heads * head_dim
    keys = (s.kv_heads_sliding if sliding else s.kv_heads_full) * head_dim
    down = Type.Q8_0 if layer in DOWN_Q8_0 else Type.Q5_0

    def matrix(name: str, *dims: int, type_: Type = Type.Q4_K) -> Matrix:
        if dims[-1] % 256 != 0 and type_ in (Type.Q4_K, Type.Q6_K):
            type_ = Type.Q5_0
        return Matrix(f"{prefix}{name}.weight", dims, type_)

    for norm in (
        "attn_norm",
        "post_attention_norm",
        "ffn_norm",
        "pre_ffw_norm_2",
        "post_ffw_norm_1",
        "post_ffw_norm_2",
        "post_ffw_norm",
    ):
        yield Vector(f"{prefix}{norm}.weight", (s.hidden,))
    yield matrix("attn_q", queries, s.hidden)
    yield matrix("attn_k", keys, s.hidden)
    if sliding:
        value = Type.Q6_K if layer in VALUE_Q6_K else Type.Q4_K
        yield matrix("attn_v", keys, s.hidden, type_=value)
    yield matrix("attn_output", s.hidden, queries)
    # Scores have no 1 / √d: this keeps their deviation near 2.
    query_norm = 2.0 * head_dim**-0.5
    yield Vector(f"{prefix}attn_q_norm.weight", (head_dim,), mean=query_norm, deviation=0.0)
    yield Vector(f"{prefix}attn_k_norm.weight", (head_dim,))
    yield matrix("ffn_gate", s.dense_ffn, s.hidden)
    yield matrix("ffn_up", s.dense_ffn, s.hidden)
    yield matrix("ffn_down", s.hidden, s.dense_ffn, type_=down)
    yield Vector(f"{prefix}ffn_gate_inp.weight", (s.experts, s.hidden), mean=0.0, deviation=1.0)
    yield Vector(f"{prefix}ffn_gate_inp.scale", (s.hidden,))
    yield matrix("ffn_gate_up_exps", s.experts, 2 * s.expert_ffn, s.hidden)
    yield matrix("ffn_down_exps", s.experts, s.hidden, s.expert_ffn, type_=down)
    yield Vector(f"{prefix}ffn_down_exps.scale", (s.experts,))
    scales = (
        ("layer_output_scale", "enc_layer_output_scale") if diffusion else ("layer_output_scale",)
    )
    for name in scales:
        yield Vector(f"{prefix}{name}.weight", (1,), mean=0.7, deviation=0.0)


def _metadata(s: Shape, layers: int, architecture: str) -> dict[str, Any]:
    sliding = [s.sliding(layer) for layer in range(layers)]
    u32, f32 = np.uint32, np.float32
    own = {
        "block_count": u32(layers),
        "vocab_size": u32(s.vocab),
        "context_length": u32(s.context_length),
        "embedding_length": u32(s.hidden),
        "feed_forward_length": u32(s.dense_ffn),
        "expert_feed_forward_length": u32(s.expert_ffn),
        "expert_count": u32(s.experts),
        "expert_used_count": u32(s.experts_used),
        "embedding_length_per_layer_input": u32(0),
        "final_logit_softcapping": f32(30.0),
        "rope.freq_base": f32(1e6),
        "rope.freq_base_swa": f32(1e4),
        "rope.dimension_count": u32(s.head_dim_full),
        "rope.dimension_count_swa": u32(s.head_dim_sliding),
        "attention.head_count": u32(s.heads),
        "attention.head_count_kv": [
            s.kv_heads_sliding if each else s.kv_heads_full for each in sliding
        ],
        "attention.layer_norm_rms_epsilon": f32(1e-6),
        "attention.key_length": u32(s.head_dim_full),
        "attention.value_length": u32(s.head_dim_full),
        "attention.key_length_swa": u32(s.head_dim_sliding),
        "attention.value_length_swa": u32(s.head_dim_sliding),
        "attention.sliding_window": u32(s.window),
        "attention.sliding_window_pattern": sliding,
        "attention.shared_kv_layers": u32(0),
    }
    if architecture == ARCHITECTURE:
        own["attention.causal"] = False
    return {
        "general.name": f"random weights, {layers} layers",
        **{f"{architecture}.{key}": value for key, value in own.items()},
        "diffusion.canvas_length": u32(s.canvas),
        "general.quantization_version": u32(gguf.GGML_QUANT_VERSION),
        "general.file_type": u32(gguf.LlamaFileType.MOSTLY_Q4_K_M),
        "tokenizer.ggml.model": "no_vocab",
    }


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, np.floating):
        writer.add_float32(key, float(value))
    else:
        writer.add_uint32(key, int(value))


def _row_bytes(m: Matrix) -> int:
    block, bytes_ = gguf.GGML_QUANT_SIZES[m.type]
    assert m.shape[-1] % block == 0, m
    return m.shape[-1] // block * bytes_


def _random_blocks(rng: np.random.Generator, m: Matrix) -> Bytes:
    """Blocks whose weights have a deviation of about 1 / √inputs: uint8, [..., row bytes]."""
    block, bytes_ = gguf.GGML_QUANT_SIZES[m.type]
    count = int(np.prod(m.shape)) // block
    out = np.empty((count, bytes_), dtype=np.uint8)
    chunk = max(1, CHUNK_BYTES // bytes_)
    for begin in range(0, count, chunk):
        part = out[begin : begin + chunk]
        part[...] = np.frombuffer(rng.bytes(part.size), dtype=np.uint8).reshape(part.shape)
        _set_scales(rng, m.type, part, m.shape[-1] ** -0.5)
    return out.reshape(*m.shape[:-1], _row_bytes(m))


def _set_scales(rng: np.random.Generator, type_: Type, blocks: Bytes, deviation: float) -> None:
    # Divisors: the deviation of a code, times that of the 6- or 8-bit scale where there is one.
    unit = {Type.Q8_0: 73.9, Type.Q5_0: 9.2, Type.Q4_K: 36.0 * 4.6, Type.Q6_K: 74.0 * 18.5}[type_]
    d = deviation / unit * (0.5 + rng.random(len(blocks), dtype=np.float32))
    at = 208 if type_ == Type.Q6_K else 0
    blocks[:, at : at + 2] = d.astype(np.float16).view(np.uint8).reshape(-1, 2)
    if type_ == Type.Q4_K:  # as much minimum as scale, so that weights have mean 0
        blocks[:, 2:4] = (7.5 * d).astype(np.float16).view(np.uint8).reshape(-1, 2)
