"""The header of a GGUF file (MODEL.md 4.1): metadata and tensor directory, checked before use.

The header is read into memory, never mapped: a file that shrinks while we look at it is a short
read and a sentence, not a SIGBUS. Nothing is allocated for a length before that length is known to
lie inside the file. The 777,000 strings of the real vocabulary are stepped over, not built; whoever
wants them opens the tokenizer.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from sfumato.engine.config import (
    ARCHITECTURE,
    LongArray,
    Metadata,
    ModelConfig,
    Scalar,
    Value,
    sampler_defaults,
)
from sfumato.engine.sampler import SamplerConfig
from sfumato.errors import ModelFileError
from sfumato.sentence import Sentence

# The types we have kernels for (MODEL.md section 5).
# fmt: off
SUPPORTED_TYPES = frozenset({
    "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0",
    "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4",
})
# fmt: on

TOKENIZER = "gemma4"
VERSION = 3
DEFAULT_ALIGNMENT = 32
MAX_ALIGNMENT = 1 << 16
MAX_DIMS = 4
MAX_NAME_BYTES = 65535  # of a key or a tensor
MAX_ARRAY_KEPT = 4096  # longer arrays are stepped over
MAX_HEADER_BYTES = 64 << 20  # the real one has 16 million
READ_BYTES = 4 << 20

DAMAGED = Sentence("Engine", "download it again")
CHOOSE_ANOTHER = Sentence("Engine", "choose a DiffusionGemma file (GGUF)")


@dataclass(frozen=True)
class TensorInfo:
    name: str
    type: str  # a name of SUPPORTED_TYPES
    shape: tuple[int, ...]  # ggml order: the contiguous dimension (row length) first
    offset: int  # bytes from the start of the file
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class ModelFile:
    """A file that is complete and consistent, as far as its header can tell."""

    path: Path
    size: int  # bytes
    metadata: Metadata
    tensors: tuple[TensorInfo, ...]  # in file order
    data_offset: int  # where the tensor data begins, bytes
    config: ModelConfig
    sampler: SamplerConfig  # the file's own defaults
    has_tokenizer: bool

    @classmethod
    def open(cls, path: str | Path) -> "ModelFile":
        """Read and check the header. Raises ModelFileError: one sentence, with the way out."""
        path = Path(path)
        try:
            if not path.is_file():
                fact = Sentence("Engine", "does not exist")
                if path.exists():
                    fact = Sentence("Engine", "is not a file")
                raise ModelFileError(
                    Sentence("Engine", "{file} {fact}; choose the model file again.").filled(
                        file=path.name, fact=fact
                    )
                )
            with path.open("rb", buffering=0) as stream:
                return _read(path, _Header(path.name, stream))
        except OSError as error:
            reason = error.strerror or str(error)
            raise ModelFileError(
                Sentence(
                    "Engine",
                    "{file} cannot be read ({reason}); check the disk and the file's permissions.",
                ).filled(file=path.name, reason=reason)
            ) from error

    @property
    def name(self) -> str:
        """The name the file gives itself, else its file name."""
        name = self.metadata.get("general.name")
        return _shown(name) if isinstance(name, str) and name else self.path.stem

    @property
    def parameters(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    def native_arguments(
        self,
    ) -> tuple[str, list[tuple[str, int, tuple[int, ...], int]], dict[str, Any]]:
        """What _native.Model takes first: path, tensors, configuration."""
        tensors = [
            (t.name, GGMLQuantizationType[t.type].value, t.shape, t.offset) for t in self.tensors
        ]
        return str(self.path), tensors, asdict(self.config)


class _Header:
    """A cursor over the first bytes of a file, which are read as they are needed."""

    def __init__(self, file: str, stream: BinaryIO) -> None:
        self.file = file
        self.stream = stream
        self.size = stream.seek(0, 2)
        self.data = bytearray()
        self.position = 0

    def refusal(self, fact: str, way_out: str = DAMAGED) -> ModelFileError:
        return ModelFileError(
            Sentence("Engine", "{file} {fact}; {way_out}.").filled(
                file=self.file, fact=fact, way_out=way_out
            )
        )

    def truncated(self) -> ModelFileError:
        fact = Sentence("Engine", "ends in the middle of its header, after {size} bytes")
        return self.refusal(fact.filled(size=self.size))

    def remaining(self) -> int:
        return self.size - self.position

    def need(self, count: int) -> None:
        """Make the next `count` bytes available."""
        end = self.position + count
        if end > self.size:
            raise self.truncated()
        if end > MAX_HEADER_BYTES:
            raise self.refusal(f"has a header of more than {MAX_HEADER_BYTES >> 20} MiB")
        while len(self.data) < end:
            self.stream.seek(len(self.data))
            portion = self.stream.read(READ_BYTES)
            if not portion:
                raise self.truncated()
            self.data += portion

    def take(self, format_: str) -> int:
        unpacker = struct.Struct(format_)
        self.need(unpacker.size)
        (value,) = unpacker.unpack_from(self.data, self.position)
        self.position += unpacker.size
        return int(value)

    def take_bytes(self, count: int) -> bytes:
        self.need(count)
        taken = bytes(self.data[self.position : self.position + count])
        self.position += count
        return taken

    def take_string(self, most: int | None = None) -> str:
        length = self.take("<Q")
        if most is not None and length > most:
            raise self.refusal(f"has a name of {length:,} bytes in its header")
        return self.take_bytes(length).decode("utf-8", "replace")

    def skip(self, count: int) -> None:
        self.need(count)
        self.position += count

    def skip_strings(self, count: int) -> None:
        """Step over `count` strings: a length of 8 bytes and as many bytes, each."""
        length_at = struct.Struct("<Q").unpack_from
        done = 0
        while done < count:
            self.need(8)
            # everything that lies wholly in the bytes at hand, in a tight loop
            data, position, end = self.data, self.position, len(self.data) - 8
            while done < count and position <= end:
                after = position + 8 + length_at(data, position)[0]
                if after > end + 8:
                    break
                position = after
                done += 1
            if position == self.position:  # not even one: it reaches beyond the bytes at hand
                self.need(8 + length_at(data, position)[0])
            self.position = position

    def strings_repeat(self, begin: int, count: int) -> bool:
        """Whether two of the strings that were stepped over from `begin` on are the same."""
        length_at = struct.Struct("<Q").unpack_from
        data, position = self.data, begin
        seen: set[bytes] = set()
        for _ in range(count):
            start = position + 8
            position = start + length_at(data, position)[0]
            seen.add(bytes(data[start:position]))
        return len(seen) < count


_FIXED: dict[GGUFValueType, np.dtype[np.generic]] = {
    GGUFValueType.UINT8: np.dtype("<u1"),
    GGUFValueType.INT8: np.dtype("<i1"),
    GGUFValueType.UINT16: np.dtype("<u2"),
    GGUFValueType.INT16: np.dtype("<i2"),
    GGUFValueType.UINT32: np.dtype("<u4"),
    GGUFValueType.INT32: np.dtype("<i4"),
    GGUFValueType.UINT64: np.dtype("<u8"),
    GGUFValueType.INT64: np.dtype("<i8"),
    GGUFValueType.FLOAT32: np.dtype("<f4"),
    GGUFValueType.FLOAT64: np.dtype("<f8"),
    GGUFValueType.BOOL: np.dtype("<u1"),
}


def _read(path: Path, header: _Header) -> ModelFile:
    tensor_count, key_count = _read_counts(header)
    metadata = _read_metadata(header, key_count)
    architecture = metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        fact = Sentence("Engine", "does not say what model it is")
        if architecture:
            fact = Sentence("Engine", "is a “{kind}” model").filled(kind=_shown(str(architecture)))
        raise header.refusal(fact, CHOOSE_ANOTHER)
    parts = metadata.get("split.count", 1)
    if parts != 1:
        raise header.refusal(
            Sentence("Engine", "is one of {count} parts of a model").filled(
                count=_shown(str(parts))
            ),
            Sentence(
                "Engine",
                "join them with “llama-gguf-split --merge” or download a model in one file",
            ),
        )
    tensors, data_offset = _read_tensors(header, tensor_count, _alignment(header, metadata))
    embedding = next((t for t in tensors if t.name == "token_embd.weight"), None)
    if embedding is None or len(embedding.shape) != 2:
        raise header.refusal("has no token embedding (“token_embd.weight”)")
    vocab = embedding.shape[1]
    config = ModelConfig.from_metadata(header.file, metadata, vocab=vocab)
    stated = metadata.get(f"{ARCHITECTURE}.vocab_size", vocab)
    if stated != vocab:
        raise header.refusal(f"has an embedding of {vocab:,} tokens but says {_shown(str(stated))}")
    has_tokenizer = "tokenizer.ggml.tokens" in metadata
    if has_tokenizer:
        _check_tokenizer(header, metadata, vocab)
    _check_model_tensors(header, tensors, config)
    return ModelFile(
        path=path,
        size=header.size,
        metadata=metadata,
        tensors=tensors,
        data_offset=data_offset,
        config=config,
        sampler=sampler_defaults(header.file, metadata),
        has_tokenizer=has_tokenizer,
    )


def _check_tokenizer(header: _Header, metadata: Metadata, vocab: int) -> None:
    """What llama.cpp relies on without looking: it ends the process where this is violated."""
    if metadata.get("tokenizer.ggml.model") != TOKENIZER:
        raise header.refusal(
            Sentence("Engine", "has no “{name}” vocabulary").filled(name=TOKENIZER),
            Sentence("Engine", "choose another file of this model"),
        )
    for name, type_, optional in (
        ("tokens", "STRING", False),
        ("merges", "STRING", False),
        ("scores", "FLOAT32", True),
        ("token_type", "INT32", False),
    ):
        array = metadata.get(f"tokenizer.ggml.{name}")
        if array is None and optional:
            continue
        if not isinstance(array, LongArray) or array.type != type_:
            raise header.refusal(f"has a damaged vocabulary (“{name}”)")
        if name != "merges" and array.length != vocab:
            raise header.refusal(
                f"has an embedding of {vocab:,} tokens but a vocabulary of {array.length:,}"
            )
    for name in ("bos", "eos", "unknown", "padding", "mask"):
        id_ = metadata.get(f"tokenizer.ggml.{name}_token_id", 0)
        if isinstance(id_, bool) or not isinstance(id_, int) or not 0 <= id_ < vocab:
            raise header.refusal(f"has a damaged vocabulary (“{name}_token_id”)")


def _read_counts(header: _Header) -> tuple[int, int]:
    magic = header.take_bytes(min(4, header.size))
    if magic != b"GGUF":
        raise header.refusal(Sentence("Engine", "is not a GGUF file"), CHOOSE_ANOTHER)
    version = header.take("<I")
    if version != VERSION:
        if int.from_bytes(version.to_bytes(4, "little"), "big") == VERSION:
            raise header.refusal(
                Sentence("Engine", "was written for big-endian machines"),
                Sentence("Engine", "download the usual, little-endian file"),
            )
        raise header.refusal(
            Sentence("Engine", "has GGUF version {version}, Sfumato reads version {ours}").filled(
                version=version, ours=VERSION
            ),
            Sentence("Engine", "download a current file of this model"),
        )
    tensor_count = header.take("<Q")
    key_count = header.take("<Q")
    # the shortest tensor entry has 8 + 4 + 8 + 4 + 8 bytes, the shortest key 8 + 4 + 1
    if tensor_count * 32 + key_count * 13 > header.remaining():
        raise header.refusal(
            f"promises {tensor_count:,} tensors and {key_count:,} keys in {header.size:,} bytes"
        )
    return tensor_count, key_count


def _read_metadata(header: _Header, key_count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(key_count):
        key = header.take_string(MAX_NAME_BYTES)
        if key in metadata:
            raise header.refusal(f"has the key “{_shown(key)}” twice")
        metadata[key] = _read_value(header, key)
    return metadata


def _read_value(header: _Header, key: str) -> Value:
    kind = _value_type(header, key)
    if kind is GGUFValueType.STRING:
        return header.take_string()
    if kind is not GGUFValueType.ARRAY:
        return _read_fixed(header, kind, 1)[0]
    element = _value_type(header, key)
    count = header.take("<Q")
    if element is GGUFValueType.ARRAY:
        raise header.refusal(f"has a list of lists under “{_shown(key)}”")
    smallest = 8 if element is GGUFValueType.STRING else _FIXED[element].itemsize
    if count * smallest > header.remaining():
        raise header.refusal(
            f"promises {count:,} entries under “{_shown(key)}” in {header.size:,} bytes"
        )
    kept = count <= MAX_ARRAY_KEPT and not key.startswith("tokenizer.")
    if element is GGUFValueType.STRING:
        if kept:
            return tuple(header.take_string() for _ in range(count))
        begin = header.position
        header.skip_strings(count)
        if key == "tokenizer.ggml.tokens" and header.strings_repeat(begin, count):
            raise header.refusal("has a damaged vocabulary (a token twice)")
    elif kept:
        return _read_fixed(header, element, count)
    else:
        header.skip(count * smallest)
    return LongArray(element.name, count)


def _value_type(header: _Header, key: str) -> GGUFValueType:
    kind = header.take("<I")
    try:
        return GGUFValueType(kind)
    except ValueError:
        raise header.refusal(
            f"has a value of unknown type {kind:,} under “{_shown(key)}”"
        ) from None


def _read_fixed(header: _Header, kind: GGUFValueType, count: int) -> tuple[Scalar, ...]:
    dtype = _FIXED[kind]
    values = np.frombuffer(header.take_bytes(count * dtype.itemsize), dtype)
    convert: Callable[[np.generic], Scalar] = np.generic.item
    if kind is GGUFValueType.BOOL:
        convert = bool
    elif kind is GGUFValueType.FLOAT32:
        convert = _float32  # 0.1 is meant, not 0.10000000149
    return tuple(convert(value) for value in values)


def _float32(value: np.generic) -> float:
    """The shortest decimal that is this float32."""
    return float(str(value))


def _alignment(header: _Header, metadata: Metadata) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if (
        not isinstance(alignment, int)
        or not 8 <= alignment <= MAX_ALIGNMENT
        or alignment & (alignment - 1)
    ):
        raise header.refusal(f"has tensors aligned to {alignment}, which is not possible")
    return alignment


def _read_tensors(
    header: _Header, tensor_count: int, alignment: int
) -> tuple[tuple[TensorInfo, ...], int]:
    """The tensor directory, and where the data begins. Offsets become absolute."""
    entries = [_read_tensor(header) for _ in range(tensor_count)]
    data_offset = -(-header.position // alignment) * alignment
    tensors: dict[str, TensorInfo] = {}
    for name, kind, shape, offset in entries:
        tensor = _locate(header, name, kind, shape, data_offset + offset)
        if name in tensors:
            raise header.refusal(f"has the tensor “{_shown(name)}” twice")
        if offset % alignment:
            raise header.refusal(f"does not align the tensor “{_shown(name)}” to {alignment} bytes")
        tensors[name] = tensor
    end, previous = 0, ""
    for tensor in sorted(tensors.values(), key=lambda t: t.offset):
        if tensor.offset < end:
            raise header.refusal(
                f"has overlapping tensors (“{_shown(previous)}” and “{_shown(tensor.name)}”)"
            )
        end, previous = tensor.offset + tensor.bytes, tensor.name
    return tuple(tensors.values()), data_offset


def _read_tensor(header: _Header) -> tuple[str, int, tuple[int, ...], int]:
    name = header.take_string(MAX_NAME_BYTES)
    dims = header.take("<I")
    if not 1 <= dims <= MAX_DIMS:
        raise header.refusal(f"has a tensor “{_shown(name)}” of {dims:,} dimensions")
    shape = tuple(header.take("<Q") for _ in range(dims))
    kind = header.take("<I")
    return name, kind, shape, header.take("<Q")


def _locate(
    header: _Header, name: str, kind: int, shape: tuple[int, ...], offset: int
) -> TensorInfo:
    try:
        type_ = GGMLQuantizationType(kind)
    except ValueError:
        type_name = f"number {kind:,}"
    else:
        type_name = type_.name
    if type_name not in SUPPORTED_TYPES:
        raise header.refusal(
            Sentence(
                "Engine", "holds weights of type {type} (“{name}”), which Sfumato cannot compute"
            ).filled(type=type_name, name=_shown(name)),
            Sentence("Engine", "choose a Q4_K_M, Q5_K_M, Q6_K, Q8_0 or BF16 file of this model"),
        )
    block, block_bytes = GGML_QUANT_SIZES[type_]
    if min(shape) < 1 or shape[0] % block:
        raise header.refusal(f"has a tensor “{_shown(name)}” of impossible shape {_sizes(shape)}")
    size = math.prod(shape) // block * block_bytes
    if offset + size > header.size:
        raise header.refusal(
            Sentence("Engine", "has {size} bytes, its tensor “{name}” would end at {end}").filled(
                size=header.size, name=_shown(name), end=offset + size
            )
        )
    return TensorInfo(name, type_name, shape, offset, size)


def _check_model_tensors(
    header: _Header, tensors: tuple[TensorInfo, ...], config: ModelConfig
) -> None:
    """Every tensor of MODEL.md 4.3, in its shape; norms, scales and router in float32."""
    by_name = {tensor.name: tensor for tensor in tensors}
    if "output.weight" in by_name:  # a head of its own instead of the embedding
        _check_tensor(header, by_name, "output.weight", (config.hidden, config.vocab))
    for name, shape in _required(config):
        split = name.replace("ffn_gate_up_exps", "ffn_gate_exps")
        if name not in by_name and split in by_name:  # gate and up apart
            half = (shape[0], shape[1] // 2, shape[2])
            _check_tensor(header, by_name, split, half)
            _check_tensor(header, by_name, name.replace("gate_up", "up"), half)
        else:
            _check_tensor(header, by_name, name, shape)


def _check_tensor(
    header: _Header, by_name: dict[str, TensorInfo], name: str, shape: tuple[int, ...]
) -> None:
    tensor = by_name.get(name)
    if tensor is None:
        raise header.refusal(f"lacks the tensor “{name}”")
    if tensor.shape != shape:
        raise header.refusal(
            f"has “{name}” as {_sizes(tensor.shape)} where {_sizes(shape)} belongs"
        )
    if (len(shape) == 1 or "ffn_gate_inp" in name) and tensor.type != "F32":
        raise header.refusal(f"holds “{name}” as {tensor.type}, which must be F32")


def _required(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape (ggml order) of every tensor that the network needs."""
    hidden, dense, expert = config.hidden, config.dense_ffn, config.expert_ffn
    yield "token_embd.weight", (hidden, config.vocab)
    yield "output_norm.weight", (hidden,)
    yield "rope_freqs.weight", (config.head_dim_full // 2,)
    yield "self_cond_pre_norm.weight", (hidden,)
    yield "self_cond_gate.weight", (hidden, dense)
    yield "self_cond_up.weight", (hidden, dense)
    yield "self_cond_down.weight", (dense, hidden)
    for layer in range(config.layers):
        block = f"blk.{layer}."
        head = config.head_dim(layer)
        keys = config.kv_heads[layer] * head
        queries = config.heads * head
        yield block + "attn_norm.weight", (hidden,)
        yield block + "attn_q.weight", (hidden, queries)
        yield block + "attn_k.weight", (hidden, keys)
        if config.sliding[layer]:  # a full layer takes its values from the keys
            yield block + "attn_v.weight", (hidden, keys)
        yield block + "attn_output.weight", (queries, hidden)
        yield block + "attn_q_norm.weight", (head,)
        yield block + "attn_k_norm.weight", (head,)
        yield block + "post_attention_norm.weight", (hidden,)
        yield block + "ffn_norm.weight", (hidden,)
        yield block + "ffn_gate.weight", (hidden, dense)
        yield block + "ffn_up.weight", (hidden, dense)
        yield block + "ffn_down.weight", (dense, hidden)
        yield block + "post_ffw_norm_1.weight", (hidden,)
        yield block + "ffn_gate_inp.weight", (hidden, config.experts)
        yield block + "ffn_gate_inp.scale", (hidden,)
        yield block + "pre_ffw_norm_2.weight", (hidden,)
        yield block + "ffn_gate_up_exps.weight", (hidden, 2 * expert, config.experts)
        yield block + "ffn_down_exps.weight", (expert, hidden, config.experts)
        yield block + "ffn_down_exps.scale", (config.experts,)
        yield block + "post_ffw_norm_2.weight", (hidden,)
        yield block + "post_ffw_norm.weight", (hidden,)
        yield block + "layer_output_scale.weight", (1,)
        yield block + "enc_layer_output_scale.weight", (1,)


def _sizes(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in shape)


def _shown(name: str) -> str:
    """A name out of a file nobody vouches for, fit for a sentence."""
    printable = "".join(c if c.isprintable() else "?" for c in name)
    return printable if len(printable) <= 64 else printable[:63] + "…"
