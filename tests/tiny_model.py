"""Write small seeded DiffusionGemma models as GGUF files: any mix of weight types, any defect.

The weights are random, scaled so that activations stay near 1. Quantised ones are random blocks,
since gguf-py cannot quantise to every type: any bytes are a valid block as long as its float16
scales are sane. What a weight is worth, an oracle learns from `gguf.quants.dequantize`.

    from tiny_model import TinyShape, write_tiny_model
    write_tiny_model(tmp_path / "m.gguf", types="Q4_K", shape=TinyShape(hidden=256))
"""

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

ARCHITECTURE = "diffusion-gemma"


@dataclass(frozen=True)
class TinyShape:
    """The network of a tiny model; names as in ModelConfig."""

    hidden: int = 64
    dense_ffn: int = 96
    expert_ffn: int = 32
    experts: int = 4
    experts_used: int = 2
    heads: int = 4
    kv_heads_sliding: int = 2
    kv_heads_full: int = 1
    head_dim_full: int = 32
    head_dim_sliding: int = 16
    sliding: tuple[bool, ...] = (True, True, False)
    window: int = 24
    vocab: int = 320
    canvas: int = 16
    context_length: int = 4096


def write_tiny_model(
    path: Path,
    *,
    seed: int = 0,
    shape: TinyShape | None = None,
    types: str | Mapping[str, str] = "F32",
    tokenizer: bool = False,
    split_experts: bool = False,
    output_head: bool = False,
    metadata: Mapping[str, Any] | None = None,
    drop: Collection[str] = (),
    tensors: Mapping[str, npt.NDArray[np.float32]] | None = None,
) -> Path:
    """Write a model to `path` and return it.

    types: one name for all matrices ("Q4_K"), or per tensor stem with "*" for the rest
        ({"token_embd": "Q6_K", "ffn_down_exps": "Q5_0", "*": "Q4_K"}). A row that is no multiple of
        256 takes the 32-wide type that llama-quantize would (MODEL.md 4.4); one that is no multiple
        of 32 stays F32. Norms, scales and the router are F32.
    tokenizer: with the vocabulary of `tiny_vocabulary()`; the embedding gets as many rows.
    metadata: keys to add or to change; None drops a key.
    drop, tensors: tensors to leave out, and to add or to replace (F32).
    """
    shape = shape or TinyShape()
    vocabulary = tiny_vocabulary() if tokenizer else None
    vocab = len(vocabulary.tokens) if vocabulary else shape.vocab
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    keys = _metadata(path.stem, shape)
    if vocabulary is None:
        keys[f"{ARCHITECTURE}.vocab_size"] = np.uint32(vocab)
    else:
        keys |= vocabulary.metadata()
    for key, value in (keys | dict(metadata or {})).items():
        if key == "general.alignment":
            writer.add_custom_alignment(int(value))
        elif key != "general.architecture" and value is not None:
            _add_key(writer, key, value)
    if metadata and "general.architecture" in metadata:
        writer.kv_data[0]["general.architecture"].value = metadata["general.architecture"]
    extra = dict(tensors or {})
    for name, (rows, row, kind) in _tensors(shape, vocab, split_experts, output_head).items():
        if name in drop or name in extra:
            continue
        if kind == "rope":
            # proportional rotary embedding: 1 keeps a frequency, 1e30 stops it (MODEL.md 1.3)
            factors = np.ones(row, np.float32)
            factors[shape.head_dim_full // 8 :] = 1e30
            writer.add_tensor(name, factors)
        elif kind in ("norm", "branch", "scalar"):
            low, high = {"norm": (0.6, 1.4), "branch": (0.05, 0.2), "scalar": (0.8, 1.2)}[kind]
            writer.add_tensor(name, rng.uniform(low, high, row).astype(np.float32))
        else:
            type_ = _type_of(name, row, types if kind == "matrix" else "F32")
            deviation = 0.4 if name == "token_embd.weight" else (2.0 / row) ** 0.5
            weights = random_weights(rng, type_, (*rows, row), deviation)
            writer.add_tensor(
                name, weights, raw_dtype=None if type_ == GGMLQuantizationType.F32 else type_
            )
    for name, array in extra.items():
        writer.add_tensor(name, np.ascontiguousarray(array, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_weights(
    rng: np.random.Generator,
    type_: GGMLQuantizationType,
    shape: tuple[int, ...],
    deviation: float,
) -> npt.NDArray[Any]:
    """Random weights of about that standard deviation, as gguf-py wants to write them.

    shape: slow axis first. Returns [..., row] float32 or float16, or [..., row bytes] uint8.
    """
    if type_ == GGMLQuantizationType.F32:
        return (deviation * rng.standard_normal(shape)).astype(np.float32)
    if type_ in (GGMLQuantizationType.F16, GGMLQuantizationType.BF16):
        values = (deviation * rng.standard_normal(shape)).astype(np.float32)
        return gguf.quants.quantize(values, type_)
    block, block_bytes = GGML_QUANT_SIZES[type_]
    count = int(np.prod(shape)) // block
    blocks = rng.integers(0, 256, (count, block_bytes), dtype=np.uint8)
    unit = _unit_deviation(type_)
    scale = deviation / unit * rng.uniform(0.7, 1.3, count)
    _set_scale(blocks, type_, scale)
    return blocks.reshape(*shape[:-1], shape[-1] // block * block_bytes)


# Where a block keeps its float16 scale and its float16 minimum, in bytes (MODEL.md section 5), and
# which minimum, in scales, centres the values around 0.
_SCALE_AT = {"Q6_K": 208}
_MINIMUM = {
    "Q4_1": (2, -7.5),
    "Q5_1": (2, -15.5),
    "Q4_K": (2, 7.5),
    "Q5_K": (2, 15.5),
}


def _set_scale(
    blocks: npt.NDArray[np.uint8], type_: GGMLQuantizationType, scale: npt.NDArray[Any]
) -> None:
    count = len(blocks)
    if type_ == GGMLQuantizationType.MXFP4:  # a power of two instead
        blocks[:, 0] = np.clip(np.round(np.log2(scale)) + 128, 2, 254).astype(np.uint8)
        return
    at = _SCALE_AT.get(type_.name, 0)
    blocks[:, at : at + 2] = scale.astype(np.float16).view(np.uint8).reshape(count, 2)
    if type_.name in _MINIMUM:
        at, ratio = _MINIMUM[type_.name]
        minimum = (scale * ratio).astype(np.float16)
        blocks[:, at : at + 2] = minimum.view(np.uint8).reshape(count, 2)


def _unit_deviation(type_: GGMLQuantizationType) -> float:
    """Standard deviation of the values of random blocks whose scale is 1."""
    _, block_bytes = GGML_QUANT_SIZES[type_]
    blocks = np.random.default_rng(0).integers(0, 256, (256, block_bytes), dtype=np.uint8)
    _set_scale(blocks, type_, np.ones(256))
    return float(gguf.quants.dequantize(blocks, type_).std())


_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0", "IQ4_XS": "IQ4_NL"}


def _type_of(name: str, row: int, types: str | Mapping[str, str]) -> GGMLQuantizationType:
    stem = name.removesuffix(".weight").rpartition(".")[2]
    wanted = types if isinstance(types, str) else types.get(stem, types.get("*", "F32"))
    if row % GGML_QUANT_SIZES[GGMLQuantizationType[wanted]][0]:
        wanted = _FALLBACK.get(wanted, "F32") if row % 32 == 0 else "F32"
    return GGMLQuantizationType[wanted]


def _tensors(
    shape: TinyShape, vocab: int, split_experts: bool, output_head: bool
) -> dict[str, tuple[tuple[int, ...], int, str]]:
    """Name → (slow axes, row, kind), in the order of MODEL.md 4.3."""
    hidden, dense, expert = shape.hidden, shape.dense_ffn, shape.expert_ffn
    tensors: dict[str, tuple[tuple[int, ...], int, str]] = {
        "token_embd.weight": ((vocab,), hidden, "matrix"),
        "output_norm.weight": ((), hidden, "norm"),
        "rope_freqs.weight": ((), shape.head_dim_full // 2, "rope"),
        "self_cond_pre_norm.weight": ((), hidden, "norm"),
        "self_cond_gate.weight": ((dense,), hidden, "matrix"),
        "self_cond_up.weight": ((dense,), hidden, "matrix"),
        "self_cond_down.weight": ((hidden,), dense, "matrix"),
    }
    if output_head:
        tensors["output.weight"] = ((vocab,), hidden, "matrix")
    for layer, sliding in enumerate(shape.sliding):
        head = shape.head_dim_sliding if sliding else shape.head_dim_full
        keys = head * (shape.kv_heads_sliding if sliding else shape.kv_heads_full)
        queries = head * shape.heads
        block: dict[str, tuple[tuple[int, ...], int, str]] = {
            "attn_norm.weight": ((), hidden, "norm"),
            "attn_q.weight": ((queries,), hidden, "matrix"),
            "attn_k.weight": ((keys,), hidden, "matrix"),
        }
        if sliding:
            block["attn_v.weight"] = ((keys,), hidden, "matrix")
        block |= {
            "attn_output.weight": ((hidden,), queries, "matrix"),
            "attn_q_norm.weight": ((), head, "norm"),
            "attn_k_norm.weight": ((), head, "norm"),
            "post_attention_norm.weight": ((), hidden, "branch"),
            "ffn_norm.weight": ((), hidden, "norm"),
            "ffn_gate.weight": ((dense,), hidden, "matrix"),
            "ffn_up.weight": ((dense,), hidden, "matrix"),
            "ffn_down.weight": ((hidden,), dense, "matrix"),
            "post_ffw_norm_1.weight": ((), hidden, "norm"),
            "ffn_gate_inp.weight": ((shape.experts,), hidden, "router"),
            "ffn_gate_inp.scale": ((), hidden, "norm"),
            "pre_ffw_norm_2.weight": ((), hidden, "norm"),
            "ffn_gate_up_exps.weight": ((shape.experts, 2 * expert), hidden, "matrix"),
            "ffn_down_exps.weight": ((shape.experts, hidden), expert, "matrix"),
            "ffn_down_exps.scale": ((), shape.experts, "norm"),
            "post_ffw_norm_2.weight": ((), hidden, "norm"),
            "post_ffw_norm.weight": ((), hidden, "branch"),
            "layer_output_scale.weight": ((), 1, "scalar"),
            "enc_layer_output_scale.weight": ((), 1, "scalar"),
        }
        if split_experts:
            (_, both), row, kind = block.pop("ffn_gate_up_exps.weight")
            block["ffn_gate_exps.weight"] = ((shape.experts, both // 2), row, kind)
            block["ffn_up_exps.weight"] = ((shape.experts, both // 2), row, kind)
        tensors |= {f"blk.{layer}.{name}": entry for name, entry in block.items()}
    return tensors


def _metadata(name: str, shape: TinyShape) -> dict[str, Any]:
    a = ARCHITECTURE
    kv_heads = [shape.kv_heads_sliding if s else shape.kv_heads_full for s in shape.sliding]
    return {
        "general.name": name,
        f"{a}.block_count": np.uint32(len(shape.sliding)),
        f"{a}.context_length": np.uint32(shape.context_length),
        f"{a}.embedding_length": np.uint32(shape.hidden),
        f"{a}.feed_forward_length": np.uint32(shape.dense_ffn),
        f"{a}.attention.head_count": np.uint32(shape.heads),
        f"{a}.attention.head_count_kv": kv_heads,
        f"{a}.rope.freq_base": np.float32(1e6),
        f"{a}.rope.freq_base_swa": np.float32(1e4),
        f"{a}.attention.layer_norm_rms_epsilon": np.float32(1e-6),
        f"{a}.expert_count": np.uint32(shape.experts),
        f"{a}.expert_used_count": np.uint32(shape.experts_used),
        f"{a}.expert_feed_forward_length": np.uint32(shape.expert_ffn),
        f"{a}.attention.key_length": np.uint32(shape.head_dim_full),
        f"{a}.attention.value_length": np.uint32(shape.head_dim_full),
        f"{a}.attention.key_length_swa": np.uint32(shape.head_dim_sliding),
        f"{a}.attention.value_length_swa": np.uint32(shape.head_dim_sliding),
        f"{a}.final_logit_softcapping": np.float32(30.0),
        f"{a}.attention.sliding_window": np.uint32(shape.window),
        f"{a}.attention.shared_kv_layers": np.uint32(0),
        f"{a}.embedding_length_per_layer_input": np.uint32(0),
        f"{a}.attention.sliding_window_pattern": list(shape.sliding),
        f"{a}.rope.dimension_count": np.uint32(shape.head_dim_full),
        f"{a}.rope.dimension_count_swa": np.uint32(shape.head_dim_sliding),
        f"{a}.attention.causal": False,
        "diffusion.canvas_length": np.uint32(shape.canvas),
    }


def _add_key(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, np.uint32):
        writer.add_uint32(key, int(value))
    elif isinstance(value, np.float32 | float):
        writer.add_float32(key, float(value))
    elif isinstance(value, int):
        writer.add_uint64(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif value:
        writer.add_array(key, value)


@dataclass(frozen=True)
class TinyVocabulary:
    tokens: list[str]
    types: list[int]  # 1 normal, 3 control, 4 user-defined, 6 byte
    merges: list[str]

    def metadata(self) -> dict[str, Any]:
        return {
            "tokenizer.ggml.model": "gemma4",
            "tokenizer.ggml.tokens": self.tokens,
            "tokenizer.ggml.scores": [-1000.0] * len(self.tokens),
            "tokenizer.ggml.token_type": self.types,
            "tokenizer.ggml.merges": self.merges,
            "tokenizer.ggml.bos_token_id": np.uint32(2),
            "tokenizer.ggml.eos_token_id": np.uint32(1),
            "tokenizer.ggml.unknown_token_id": np.uint32(3),
            "tokenizer.ggml.padding_token_id": np.uint32(0),
            "tokenizer.ggml.mask_token_id": np.uint32(4),
            "tokenizer.ggml.add_space_prefix": False,
            "tokenizer.ggml.add_bos_token": True,
        }


def tiny_vocabulary() -> TinyVocabulary:
    """The special, newline, space and byte tokens at Gemma's ids (MODEL.md 1.5), then ASCII, `é`,
    and the words that the chat template is made of."""
    tokens = [f"<unused{id_}>" for id_ in range(494)]
    types = [1] * 494
    specials = {
        0: "<pad>", 1: "<eos>", 2: "<bos>", 3: "<unk>", 4: "<mask>", 46: "<|tool>", 47: "<tool|>",
        98: "<|think|>", 105: "<|turn>", 106: "<turn|>",
    }  # fmt: skip
    user_defined = {
        48: "<|tool_call>", 49: "<tool_call|>", 50: "<|tool_response>", 51: "<tool_response|>",
        52: '<|"|>', 100: "<|channel>", 101: "<channel|>",
    }  # fmt: skip
    for id_, token in specials.items():
        tokens[id_], types[id_] = token, 3
    for id_, token in user_defined.items():
        tokens[id_], types[id_] = token, 4
    for length in range(1, 32):
        tokens[106 + length] = "\n" * length
    for length in range(2, 32):
        tokens[136 + length] = "▁" * length
    for byte in range(256):
        tokens[238 + byte], types[238 + byte] = f"<0x{byte:02X}>", 6
    characters = [chr(c) for c in range(33, 127)] + ["▁", "é", "\t"]
    tokens += characters
    merges = ["\n" * 1 + " " + "\n" * n for n in range(1, 31)]
    merges += ["▁" + " " + "▁" * n for n in range(1, 31)]
    for word in ("user", "model", "system", "thought", "hello", "the", "▁a"):
        for end in range(2, len(word) + 1):
            merge = f"{word[: end - 1]} {word[end - 1]}"
            if merge not in merges:
                merges.append(merge)
                tokens.append(word[:end])
    types += [1] * (len(tokens) - len(types))
    return TinyVocabulary(tokens, types, merges)


def splice_vocabulary(model: Path, vocabulary: Path, path: Path) -> Path:
    """Write `model`, a file without tokenizer, with the tokenizer keys of the file `vocabulary`.

    The keys are copied as they are; gguf-py would need 15 seconds for Gemma's.
    """
    source = vocabulary.read_bytes()
    start = source.index(_string("tokenizer.ggml.model"))
    last = _string("tokenizer.ggml.add_bos_token")
    end = source.index(last) + len(last) + 5  # its type and one bool
    keys = source[start:end]
    # the tensor data must stay aligned
    filler = _string("tests.filler") + struct.pack("<I", 8)
    padding = -(len(keys) + len(filler) + 8) % 32
    keys += filler + struct.pack("<Q", padding) + b" " * padding
    data = model.read_bytes()
    magic, version, tensors, count = struct.unpack_from("<IIQQ", data)
    with path.open("wb") as file:
        file.write(struct.pack("<IIQQ", magic, version, tensors, count + 13 + 1))
        file.write(keys)
        file.write(data[24:])
    return path


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()
