"""What `sfumato inspect FILE` prints: the network, its weights and their types."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, get_args

import msgspec

from sfumato.engine.config import LongArray, Value
from sfumato.engine.device import needed_bytes, weight_bytes
from sfumato.engine.model_file import ModelFile, TensorInfo
from sfumato.engine.protocol import Profile

# Which part of the network a tensor belongs to, by the stem of its name; the first that fits.
_PARTS = (
    ("experts", ("ffn_gate_up_exps", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")),
    ("router", ("ffn_gate_inp",)),
    ("attention", ("attn_q", "attn_k", "attn_v", "attn_output")),
    ("dense network", ("ffn_gate", "ffn_up", "ffn_down")),
    ("self-conditioning", ("self_cond_gate", "self_cond_up", "self_cond_down")),
    ("embedding and head", ("token_embd", "output")),
)
_OTHER = "norms and scales"
# Conversations, in tokens, that the memory of a GPU is told for.
_CONTEXTS = (8192, 16384, 32768)


def as_json(file: ModelFile) -> dict[str, Any]:
    """Everything the header says, ready for `json.dumps`."""
    return {
        "file": str(file.path),
        "bytes": file.size,
        "name": file.name,
        "parameters": file.parameters,
        "config": asdict(file.config),
        "sampler": msgspec.to_builtins(file.sampler),
        "tokenizer": file.has_tokenizer,
        "data_offset": file.data_offset,
        "types": _totals((tensor.type, tensor) for tensor in file.tensors),
        "parts": _totals((_part(tensor), tensor) for tensor in file.tensors),
        "gpu_memory": {profile: _gpu_memory(file, profile) for profile in get_args(Profile)},
        "metadata": {key: _plain(value) for key, value in file.metadata.items()},
        "tensors": [asdict(tensor) for tensor in file.tensors],
    }


def as_text(file: ModelFile) -> str:
    """The same in a screenful, without the list of tensors."""
    config = file.config
    full = [layer for layer, sliding in enumerate(config.sliding) if not sliding]
    details = as_json(file)
    lines = [
        f"{file.path.name}: {file.name}",
        "",
        *_rows(
            ("size", f"{_bytes(file.size)}, {_count(file.parameters)} parameters"),
            (
                "layers",
                f"{config.layers}: {config.layers - len(full)} with a sliding window of "
                f"{config.window:,}, {len(full)} with full attention ({_list(full)})",
            ),
            ("hidden state", f"{config.hidden:,}"),
            (
                "attention",
                f"{config.heads} heads of {config.head_dim_sliding} (sliding) and "
                f"{config.head_dim_full} (full); {_list(sorted(set(config.kv_heads)))} key heads",
            ),
            (
                "feed-forward",
                f"{config.dense_ffn:,} dense, and {config.experts_used} of {config.experts} "
                f"experts of {config.expert_ffn:,}",
            ),
            ("canvas", f"{config.canvas:,} tokens"),
            ("context", f"{config.context_length:,} tokens"),
            (
                "vocabulary",
                f"{config.vocab:,} tokens"
                + ("" if file.has_tokenizer else " (no tokenizer in the file: it cannot chat)"),
            ),
            (
                "sampler",
                f"at most {file.sampler.max_steps} steps, temperature {file.sampler.t_max:g} to "
                f"{file.sampler.t_min:g}, entropy bound {file.sampler.entropy_bound:g}",
            ),
        ),
        "",
        *_table("weights by type", details["types"]),
        "",
        *_table("weights by part", details["parts"]),
        "",
        *_memory_table(details["gpu_memory"]),
    ]
    return "\n".join(lines) + "\n"


def _totals(tensors: Iterable[tuple[str, TensorInfo]]) -> dict[str, dict[str, int]]:
    """Per name: tensors, elements and bytes; the largest first."""
    nothing = {"tensors": 0, "elements": 0, "bytes": 0}
    totals: dict[str, dict[str, int]] = defaultdict(nothing.copy)
    for name, tensor in tensors:
        totals[name]["tensors"] += 1
        totals[name]["elements"] += tensor.elements
        totals[name]["bytes"] += tensor.bytes
    return dict(sorted(totals.items(), key=lambda item: -item[1]["bytes"]))


def _gpu_memory(file: ModelFile, profile: Profile) -> dict[int, int]:
    """Bytes that a GPU must have free, by tokens of context."""
    weights = weight_bytes(file.tensors, profile)
    longest = file.config.context_length
    contexts = [c for c in _CONTEXTS if c <= longest] or [longest]
    return {c: needed_bytes(weights, file.config, c, profile) for c in contexts}


def _part(tensor: TensorInfo) -> str:
    stem = tensor.name.removesuffix(".weight").rpartition(".")[2]
    if tensor.name.endswith(".scale"):
        return _OTHER
    return next((part for part, stems in _PARTS if stem in stems), _OTHER)


def _plain(value: Value) -> Any:
    if isinstance(value, LongArray):
        return {"type": value.type, "length": value.length}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no infinity
    return value


def _rows(*rows: tuple[str, str]) -> list[str]:
    return [f"  {name:<14}{text}" for name, text in rows]


def _table(title: str, totals: dict[str, dict[str, int]]) -> list[str]:
    header = f"  {title:<20}{'tensors':>9}{'size':>12}{'bits each':>11}"
    return [header] + [
        f"  {name:<20}{total['tensors']:>9,}{_bytes(total['bytes']):>12}"
        f"{total['bytes'] * 8 / total['elements']:>11.2f}"
        for name, total in totals.items()
    ]


def _memory_table(profiles: dict[str, dict[int, int]]) -> list[str]:
    contexts = next(iter(profiles.values()))
    header = f"  {'memory of a GPU':<20}" + "".join(f"{c:>9,} tokens" for c in contexts)
    return [header] + [
        f"  {profile:<20}" + "".join(f"{_bytes(needed):>16}" for needed in by_context.values())
        for profile, by_context in profiles.items()
    ]


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"


def _count(count: int) -> str:
    for word, size in (("billion", 10**9), ("million", 10**6)):
        if count >= size:
            return f"{count / size:.2f} {word}"
    return f"{count:,}"


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) if numbers else "none"
