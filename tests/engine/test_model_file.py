"""The header reader against gguf-py's own, against each defect, and against noise."""

import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sfumato.engine import model_file
from sfumato.engine.config import LongArray
from sfumato.engine.model_file import SUPPORTED_TYPES, ModelFile
from sfumato.errors import ModelFileError
from tiny_model import TinyShape, splice_vocabulary, write_tiny_model

VECTORS = Path(__file__).parent.parent / "vectors"
A = "diffusion-gemma"


def refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        ModelFile.open(path)
    return str(caught.value)


@pytest.mark.parametrize("type_", sorted(SUPPORTED_TYPES))
def test_directory_is_what_gguf_py_reads(tmp_path: Path, type_: str) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", types=type_, shape=TinyShape(hidden=256))

    file = ModelFile.open(path)

    ours = [(t.name, t.type, t.shape, t.offset, t.bytes) for t in file.tensors]
    theirs = [
        (t.name, t.tensor_type.name, tuple(map(int, t.shape)), t.data_offset, t.n_bytes)
        for t in gguf.GGUFReader(path).tensors
    ]
    assert ours == theirs
    assert any(t.type == type_ for t in file.tensors)
    assert file.parameters == sum(int(np.prod(shape)) for _, _, shape, _, _ in theirs)


@pytest.mark.parametrize("name", ["tiny-f32-1", "tiny-all-experts-0", "tiny-mixed-1"])
def test_metadata_is_what_gguf_py_reads(name: str) -> None:
    path = VECTORS / "reference" / f"{name}.gguf"

    file = ModelFile.open(path)

    theirs = {
        key: field.contents()
        for key, field in gguf.GGUFReader(path).fields.items()
        if not key.startswith("GGUF.")
    }
    assert file.metadata.keys() == theirs.keys()
    for key, value in file.metadata.items():
        expected = theirs[key]
        if isinstance(value, float):
            assert np.float32(value) == np.float32(expected)
        else:
            assert (list(value) if isinstance(value, tuple) else value) == expected
    assert file.name == name
    assert not file.has_tokenizer


def test_config_and_sampler_of_a_reference_file() -> None:
    file = ModelFile.open(VECTORS / "reference" / "tiny-f32-1.gguf")

    config = file.config
    assert config.sliding == (True, True, True, True, True, False)
    assert config.kv_heads == (2, 2, 2, 2, 2, 1)
    assert (config.hidden, config.dense_ffn, config.expert_ffn) == (64, 96, 32)
    assert (config.experts, config.experts_used, config.heads) == (8, 2, 4)
    assert (config.head_dim_full, config.head_dim_sliding, config.window) == (32, 16, 24)
    assert (config.rope_base_full, config.rope_base_sliding) == (1e6, 1e4)
    assert (config.rms_eps, config.softcap) == (1e-6, 30.0)
    assert (config.vocab, config.canvas, config.context_length) == (512, 16, 4096)
    assert [config.head_dim(layer) for layer in (0, 5)] == [16, 32]
    assert (file.sampler.max_steps, file.sampler.t_min, file.sampler.t_max) == (48, 0.4, 0.8)


def test_variants_that_other_converters_write_are_accepted(tmp_path: Path) -> None:
    split = write_tiny_model(tmp_path / "split.gguf", split_experts=True)
    head = write_tiny_model(tmp_path / "head.gguf", output_head=True)
    aligned = write_tiny_model(
        tmp_path / "aligned.gguf", metadata={"general.alignment": np.uint32(64)}
    )
    extra = write_tiny_model(tmp_path / "extra.gguf", tensors={"extra.weight": np.zeros((3, 2))})

    assert {"blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight"} <= {
        t.name for t in ModelFile.open(split).tensors
    }
    assert "output.weight" in {t.name for t in ModelFile.open(head).tensors}
    assert all(t.offset % 64 == 0 for t in ModelFile.open(aligned).tensors)
    assert "extra.weight" in {t.name for t in ModelFile.open(extra).tensors}


def test_a_tokenizer_is_noticed_and_not_read(tmp_path: Path) -> None:
    file = ModelFile.open(write_tiny_model(tmp_path / "m.gguf", tokenizer=True))

    assert file.has_tokenizer
    assert file.metadata["tokenizer.ggml.tokens"] == LongArray("STRING", file.config.vocab)


@pytest.fixture(scope="module")
def large_header(gemma_vocabulary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network with all 262,144 tokens and 514,906 merges of Gemma."""
    folder = tmp_path_factory.mktemp("large")
    shape = TinyShape(hidden=32, vocab=262144)
    model = write_tiny_model(folder / "plain.gguf", types="Q4_0", shape=shape)
    return splice_vocabulary(model, gemma_vocabulary, folder / "large.gguf")


def test_the_real_vocabulary_is_stepped_over_in_less_than_300_ms(large_header: Path) -> None:
    seconds = []
    for _ in range(3):
        begin = time.process_time()  # other processes do not count
        file = ModelFile.open(large_header)
        seconds.append(time.process_time() - begin)

    assert file.config.vocab == 262144
    assert file.metadata["tokenizer.ggml.merges"] == LongArray("STRING", 514906)
    assert min(seconds) < 0.3


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("empty.gguf", b"", "is not a GGUF file"),
        ("short.gguf", b"GG", "is not a GGUF file"),
        ("page.gguf", b"<!DOCTYPE html><html></html>", "is not a GGUF file"),
        ("old.gguf", b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "GGUF version 1"),
        ("new.gguf", b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "GGUF version 99"),
        ("big.gguf", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        ("cut.gguf", b"GGUF" + struct.pack("<I", 3), "ends in the middle of its header"),
        ("bare.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "does not say what model it is"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes, fact: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    assert fact in refusal(path)


def test_a_path_without_a_readable_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.gguf")
    assert "is not a file" in refusal(tmp_path)
    assert "is not a file" in refusal(Path(os.devnull))
    if hasattr(os, "mkfifo"):  # opening one would wait for a writer
        os.mkfifo(tmp_path / "pipe.gguf")
        assert "is not a file" in refusal(tmp_path / "pipe.gguf")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny_model(tmp_path / "m.gguf")

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root may read everything

    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize(
    ("metadata", "fact"),
    [
        ({"general.architecture": "llama"}, "is a “llama” model"),
        ({"split.count": np.uint32(3)}, "is one of 3 parts"),
        ({"diffusion.canvas_length": None}, "lacks “diffusion.canvas_length”"),
        ({"diffusion.canvas_length": np.uint32(0)}, "says 0 for “diffusion.canvas_length”"),
        ({"diffusion.canvas_length": "16"}, "holds no whole number"),
        ({f"{A}.block_count": np.uint32(2**31)}, "says 2,147,483,648"),
        ({f"{A}.block_count": np.uint32(2)}, "2 layers but 3 entries"),
        ({f"{A}.embedding_length": 2**63}, "embedding_length"),
        ({f"{A}.embedding_length": np.uint32(32)}, "“token_embd.weight” as 64 × 320"),
        ({f"{A}.expert_used_count": np.uint32(5)}, "wants 5 of its 4 experts"),
        ({f"{A}.expert_used_count": np.uint32(0)}, "says 0"),
        ({f"{A}.attention.head_count": np.uint32(5)}, "cannot share 2 key heads among 5"),
        ({f"{A}.attention.head_count_kv": [2, 2]}, "3 layers but 2 entries"),
        ({f"{A}.attention.head_count_kv": "2"}, "holds no list"),
        ({f"{A}.attention.head_count_kv": [2, 0, 1]}, "says 0"),
        ({f"{A}.attention.sliding_window_pattern": None}, "lacks"),
        ({f"{A}.attention.value_length": np.uint32(64)}, "keys of 32 numbers"),
        ({f"{A}.rope.dimension_count_swa": np.uint32(8)}, "keys of 16 numbers"),
        ({f"{A}.attention.layer_norm_rms_epsilon": np.float32(0)}, "must be above 0"),
        ({f"{A}.final_logit_softcapping": np.float32(np.nan)}, "not a finite number"),
        ({f"{A}.rope.freq_base": np.float32(np.inf)}, "not a finite number"),
        ({f"{A}.context_length": np.uint32(8)}, "a canvas of 16 tokens in a context of 8"),
        ({f"{A}.attention.shared_kv_layers": np.uint32(2)}, "shared_kv_layers"),
        ({f"{A}.embedding_length_per_layer_input": np.uint32(1)}, "per_layer_input"),
        ({f"{A}.vocab_size": np.uint32(321)}, "an embedding of 320 tokens but says 321"),
        ({"diffusion.eb_t_min": np.float32(-1)}, "sampler settings that cannot work"),
        ({"diffusion.eb_max_steps": np.uint32(0)}, "sampler settings that cannot work"),
        ({"diffusion.eb_entropy_bound": "0.1"}, "holds no number"),
        ({"general.alignment": np.uint32(4)}, "aligned to 4"),
    ],
)
def test_metadata_that_cannot_be_is_refused(
    tmp_path: Path, metadata: dict[str, Any], fact: str
) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", metadata=metadata)

    assert fact in refusal(path)


@pytest.mark.parametrize(
    ("metadata", "fact"),
    [
        ({"tokenizer.ggml.model": "llama"}, "no “gemma4” vocabulary"),
        ({"tokenizer.ggml.tokens": ["a", "b"]}, "a vocabulary of 2"),
        ({"tokenizer.ggml.token_type": ["1"]}, "damaged vocabulary (“token_type”)"),
        ({"tokenizer.ggml.merges": None}, "damaged vocabulary (“merges”)"),
        ({"tokenizer.ggml.scores": [1.0]}, "a vocabulary of 1"),
        ({"tokenizer.ggml.tokens": ["a"] * 615}, "damaged vocabulary (a token twice)"),
        ({"tokenizer.ggml.bos_token_id": np.uint32(10**6)}, "damaged vocabulary (“bos_token_id”)"),
    ],
)
def test_a_vocabulary_that_would_end_llama_cpp_is_refused(
    tmp_path: Path, metadata: dict[str, Any], fact: str
) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", tokenizer=True, metadata=metadata)

    assert fact in refusal(path)


TENSORS = ModelFile.open(VECTORS / "reference" / "tiny-f32-1.gguf").tensors


@pytest.mark.parametrize(
    "stem", sorted({t.name.replace("blk.0.", "blk.1.") for t in TENSORS if "blk.0" in t.name})
)
def test_a_missing_layer_tensor_is_named(tmp_path: Path, stem: str) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", drop={stem})

    assert f"lacks the tensor “{stem}”" in refusal(path)


@pytest.mark.parametrize("name", sorted(t.name for t in TENSORS if "blk." not in t.name))
def test_a_missing_global_tensor_is_named(tmp_path: Path, name: str) -> None:
    assert name in refusal(write_tiny_model(tmp_path / "m.gguf", drop={name}))


@pytest.mark.parametrize(
    ("name", "shape", "fact"),
    [
        ("blk.0.attn_q.weight", (64, 65), "“blk.0.attn_q.weight” as 65 × 64 where 64 × 64 belongs"),
        ("blk.2.attn_output.weight", (64, 64), "where 128 × 64 belongs"),
        ("blk.1.ffn_gate_up_exps.weight", (4, 32, 64), "where 64 × 64 × 4 belongs"),
        ("blk.1.ffn_down_exps.scale", (5,), "where 4 belongs"),
        ("output_norm.weight", (64, 1), "where 64 belongs"),
        ("rope_freqs.weight", (8,), "where 16 belongs"),
        ("token_embd.weight", (64,), "no token embedding"),
        ("output.weight", (320, 32), "where 64 × 320 belongs"),
    ],
)
def test_a_tensor_of_another_shape_is_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...], fact: str
) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", tensors={name: np.zeros(shape, np.float32)})

    assert fact in refusal(path)


# Crafted by hand: what no writer would write.


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def entry(
    name: str = "a", shape: tuple[int, ...] = (32,), type_: int = 0, offset: int = 0
) -> bytes:
    dims = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return string(name) + dims + struct.pack("<IQ", type_, offset)


ARCHITECTURE_KEY = string("general.architecture") + struct.pack("<I", 8) + string(A)
ALIGNMENT_KEY = string("general.alignment") + struct.pack("<I", 4)


def crafted(
    path: Path, *tensors: bytes, keys: tuple[bytes, ...] = (ARCHITECTURE_KEY,), data: int = 4096
) -> Path:
    counts = struct.pack("<IQQ", 3, len(tensors), len(keys))
    path.write_bytes(b"GGUF" + counts + b"".join(keys) + b"".join(tensors) + bytes(data))
    return path


def name_of(type_: int) -> str:
    try:
        return gguf.GGMLQuantizationType(type_).name
    except ValueError:
        return f"number {type_}"


UNSUPPORTED = [type_ for type_ in range(45) if name_of(type_) not in SUPPORTED_TYPES]


@pytest.mark.parametrize("type_", [*UNSUPPORTED, 2**32 - 1])
def test_a_type_without_kernels_is_refused_by_name(tmp_path: Path, type_: int) -> None:
    sentence = refusal(crafted(tmp_path / "m.gguf", entry("a", (256,), type_)))

    assert name_of(type_).replace("4294967295", "4,294,967,295") in sentence
    assert "choose a Q4_K_M" in sentence


HUGE = 2**64 - 1


@pytest.mark.parametrize(
    ("tensors", "fact"),
    [
        ([entry(offset=8192)], "would end at"),
        ([entry(offset=HUGE - 31)], "would end at"),
        ([entry(shape=(HUGE, HUGE, HUGE, HUGE))], "would end at"),
        ([entry(shape=(1 << 40,))], "would end at"),
        ([entry(shape=(32, 0))], "impossible shape 32 × 0"),
        ([entry(shape=(33,), type_=2)], "impossible shape 33"),
        ([entry(shape=())], "0 dimensions"),
        ([entry(shape=(1, 1, 1, 1, 1))], "5 dimensions"),
        ([string("a") + struct.pack("<I", 2**32 - 1)], "4,294,967,295 dimensions"),
        ([entry(offset=8)], "does not align"),
        ([entry("a"), entry("a", offset=128)], "“a” twice"),
        ([entry("a"), entry("b", offset=96)], "overlapping tensors (“a” and “b”)"),
        ([entry("a"), entry("b")], "overlapping"),
        ([struct.pack("<Q", HUGE)], "a name of"),
        ([struct.pack("<Q", 60000)], "in the middle of its header"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(
    tmp_path: Path, tensors: list[bytes], fact: str
) -> None:
    assert fact in refusal(crafted(tmp_path / "m.gguf", *tensors))


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ([ARCHITECTURE_KEY, ARCHITECTURE_KEY], "“general.architecture” twice"),
        ([ARCHITECTURE_KEY, ALIGNMENT_KEY + struct.pack("<I", 48)], "aligned to 48"),
        ([ARCHITECTURE_KEY, ALIGNMENT_KEY + struct.pack("<I", 0)], "aligned to 0"),
        ([string("k") + struct.pack("<I", 13)], "unknown type 13 under “k”"),
        ([string("k") + struct.pack("<IIQ", 9, 99, 1)], "unknown type 99"),
        ([string("k") + struct.pack("<IIQ", 9, 9, 1)], "a list of lists"),
        ([string("k") + struct.pack("<IIQ", 9, 8, HUGE)], "promises 18,446,744,073,709,551,615"),
        (
            [string("k") + struct.pack("<IIQ", 9, 4, HUGE // 4)],
            "promises 4,611,686,018,427,387,903",
        ),
        ([string("k") + struct.pack("<IIQ", 9, 8, 500), bytes(500 * 8 - 4000)], "promises"),
        ([string("k") + struct.pack("<IQ", 8, HUGE)], "in the middle of its header"),
        ([struct.pack("<Q", HUGE)], "a name of 18,446,744,073,709,551,615 bytes"),
        ([string("\x1b[31m" * 99) + struct.pack("<I", 13)], "under “?[31m?[31m"),
    ],
)
def test_a_key_that_cannot_be_is_refused(tmp_path: Path, keys: list[bytes], fact: str) -> None:
    assert fact in refusal(crafted(tmp_path / "m.gguf", keys=tuple(keys), data=2000))


@pytest.mark.parametrize("counts", [(HUGE, 0), (0, HUGE), (2**32, 1), (1, 2**40)])
def test_absurd_counts_are_refused_before_anything_is_allocated(
    tmp_path: Path, counts: tuple[int, int]
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, *counts) + bytes(4096))

    assert "promises" in refusal(path)


def test_lengths_in_a_large_file_allocate_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfumato.engine.model_file.MAX_HEADER_BYTES", 8 << 20)
    gigabytes = 20 << 30  # sparse: the lengths below all lie inside the file
    one_string = string("k") + struct.pack("<IQ", 8, 15 << 30)
    numbers = string("k") + struct.pack("<IIQ", 9, 4, 3 << 30)
    strings = string("k") + struct.pack("<IIQ", 9, 8, 1 << 30)
    long_name = struct.pack("<Q", 10 << 30)
    for key in (one_string, numbers, strings, long_name):
        path = crafted(tmp_path / "m.gguf", keys=(key,))
        os.truncate(path, gigabytes)
        tracemalloc.start()
        try:
            sentence = refusal(path)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert "header of more than 8 MiB" in sentence or "a name of" in sentence
        assert peak < 40 << 20


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_tiny_model(tmp_path / "m.gguf", tokenizer=True)
    data = whole.read_bytes()
    file = ModelFile.open(whole)
    end = max(t.offset + t.bytes for t in file.tensors)
    path = tmp_path / "cut.gguf"
    path.write_bytes(data)

    for length in [end - 1, end // 2, *range(file.data_offset, 0, -97)]:
        os.truncate(path, length)
        assert "cut.gguf" in refusal(path)


def test_a_file_that_shrinks_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny_model(tmp_path / "m.gguf")

    def shrink_first(*arguments: Any) -> Any:
        os.truncate(path, 1000)
        return read_metadata(*arguments)

    read_metadata = model_file._read_metadata
    monkeypatch.setattr("sfumato.engine.model_file.READ_BYTES", 512)
    monkeypatch.setattr("sfumato.engine.model_file._read_metadata", shrink_first)

    assert "ends in the middle of its header" in refusal(path)


# Noise.

INTERESTING = [0, 1, 3, 4, 8, 9, 31, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, HUGE]

position = st.integers(0, 2**16)
mutation = st.one_of(
    st.tuples(st.just("flip"), position, st.integers(1, 255)),
    st.tuples(st.just("number"), position, st.sampled_from(INTERESTING)),
    st.tuples(st.just("count"), position, st.sampled_from(INTERESTING)),
    st.tuples(st.just("insert"), position, st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("delete"), position, st.integers(1, 40)),
    st.tuples(st.just("cut"), position, st.none()),
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, int]]:
    """Headers of small valid models, and how large the whole file is."""
    folder = tmp_path_factory.mktemp("seeds")
    shape = TinyShape(hidden=32, dense_ffn=32, sliding=(True, False), experts=2)
    found = []
    for tokenizer in (False, True):
        path = write_tiny_model(folder / "m.gguf", shape=shape, types="Q8_0", tokenizer=tokenizer)
        file = ModelFile.open(path)
        found.append((path.read_bytes()[: file.data_offset], file.size))
    return found


def mutated(header: bytes, mutations: list[tuple[str, int, Any]]) -> bytes:
    data = bytearray(header)
    for kind, at, value in mutations:
        at %= len(data) + 1
        match kind:
            case "flip" if at < len(data):
                data[at] ^= value
            case "number":
                data[at : at + 4] = struct.pack("<I", value & 0xFFFFFFFF)
            case "count":
                data[at : at + 8] = struct.pack("<Q", value)
            case "insert":
                data[at:at] = value
            case "delete":
                del data[at : at + value]
            case "cut":
                del data[at:]
    return bytes(data)


def check_noise(path: Path, seed: tuple[bytes, int], mutations: list[tuple[str, int, Any]]) -> None:
    header, size = seed
    data = mutated(header, mutations)
    path.write_bytes(data)
    if len(data) >= len(header) // 2:
        os.truncate(path, size)  # the weights: zeros that take no room
    try:
        file = ModelFile.open(path)
    except ModelFileError as error:
        sentence = str(error)
        assert sentence.startswith(path.name)
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert len(sentence) < 400
    else:
        assert all(t.offset > 0 and t.offset + t.bytes <= size for t in file.tensors)
        assert all(t.type in SUPPORTED_TYPES for t in file.tensors)
        assert file.config.experts_used <= file.config.experts


noise = given(which=st.integers(0, 1), mutations=st.lists(mutation, min_size=1, max_size=6))
relaxed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=2000, deadline=None, suppress_health_check=relaxed)
@noise
def test_noise_in_the_header_is_refused_with_a_sentence(
    tmp_path: Path,
    seeds: list[tuple[bytes, int]],
    which: int,
    mutations: list[tuple[str, int, Any]],
) -> None:
    check_noise(tmp_path / "noise.gguf", seeds[which], mutations)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=relaxed)
@noise
def test_ten_thousand_kinds_of_noise_are_refused_with_a_sentence(
    tmp_path: Path,
    seeds: list[tuple[bytes, int]],
    which: int,
    mutations: list[tuple[str, int, Any]],
) -> None:
    check_noise(tmp_path / "noise.gguf", seeds[which], mutations)
