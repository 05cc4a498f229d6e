"""Files that are wrong, memory that is not there, a user who changes their mind."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import child
import numpy as np
import pytest
from sfumato.engine import _native
from sfumato.engine.model_file import ModelFile
from sfumato.engine.verify import open_model


def arguments(path: Path) -> tuple[str, list[Any], dict[str, Any]]:
    return ModelFile.open(path).native_arguments()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[1:], "token_embd.weight is missing"),
        (lambda t: [(n, y, s, 1 << 62) for n, y, s, _ in t], "ends at byte"),
        (lambda t: [(n, y, s, (1 << 64) - 8) for n, y, s, _ in t], "ends at byte"),
        (lambda t: [(n, 10, s, o) for n, _, s, o in t], "type 10"),
        (lambda t: [(n, 12, s, o) for n, _, s, o in t], "blocks of 256"),
        (lambda t: [(n, y, s[::-1], o) for n, y, s, o in t], "is \\["),
        (lambda t: [], "is missing"),
    ],
)
def test_a_directory_that_does_not_fit_is_refused(
    change: Any, message: str, tiny_file: Path
) -> None:
    path, tensors, config = arguments(tiny_file)
    tensors = sorted(tensors, key=lambda t: t[0] != "token_embd.weight")
    with pytest.raises(_native.NativeError, match=message):
        _native.Model(path, change(tensors), config)


@pytest.mark.parametrize("field", ["layers", "heads", "kv_heads", "vocab", "softcap", "window"])
def test_a_configuration_without_a_field_is_refused(field: str, tiny_file: Path) -> None:
    path, tensors, config = arguments(tiny_file)
    del config[field]
    with pytest.raises(_native.NativeError, match=f"lacks {field}"):
        _native.Model(path, tensors, config)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": -1},
        {"hidden": 0},
        {"heads": 2**31 - 1},
        {"kv_heads": (1,)},
        {"kv_heads": (0, 2, 3, 3, 2)},
        {"experts_used": 6},
        {"softcap": 0.0},
        {"softcap": float("nan")},
        {"head_dim_full": 2**30},
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_is_refused(change: dict[str, Any], tiny_file: Path) -> None:
    path, tensors, config = arguments(tiny_file)
    with pytest.raises(_native.NativeError):
        _native.Model(path, tensors, config | change)


def test_a_file_that_vanished_is_refused(tiny_file: Path, tmp_path: Path) -> None:
    _, tensors, config = arguments(tiny_file)
    with pytest.raises(_native.NativeError, match="cannot be opened"):
        _native.Model(str(tmp_path / "gone.gguf"), tensors, config)
    with pytest.raises(_native.NativeError, match="no regular file"):
        _native.Model(str(tmp_path), tensors, config)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(
    quantised_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "shrinking.gguf"
    shutil.copy(quantised_file, path)
    _, tensors, config = arguments(path)
    last = max(offset for *_, offset in tensors)
    os.truncate(path, last - 1)  # after the directory was read
    with pytest.raises(_native.NativeError):
        _native.Model(str(path), tensors, config)


def test_progress_rises_to_one_and_can_cancel(quantised_file: Path) -> None:
    path, tensors, config = arguments(quantised_file)
    seen: list[float] = []

    def watch(share: float) -> bool:
        seen.append(share)
        return True

    _native.Model(path, tensors, config, context=64, progress=watch)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    with pytest.raises(_native.CancelledError):
        _native.Model(path, tensors, config, context=64, progress=lambda share: False)


def test_an_error_in_progress_reaches_the_caller(quantised_file: Path) -> None:
    path, tensors, config = arguments(quantised_file)

    def fail(share: float) -> bool:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _native.Model(path, tensors, config, context=64, progress=fail)


def test_a_context_beyond_memory_is_out_of_memory(tiny_file: Path) -> None:
    path, tensors, config = arguments(tiny_file)
    with pytest.raises(_native.OutOfMemoryError, match=r"needs \d+ MB"):
        _native.Model(path, tensors, config | {"context_length": 2**31 - 1}, context=2**31 - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process")
def test_a_system_that_gives_no_memory_is_out_of_memory(tiny_file: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from sfumato.engine import _native\n"
        "from sfumato.engine.model_file import ModelFile\n"
        "from sfumato.engine.verify import open_model\n"
        "file = ModelFile.open(Path(sys.argv[1]))\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (30 << 20),) * 2)\n"
        "try: open_model(file, threads=1)\n"
        "except _native.OutOfMemoryError as error: print(error)\n"
    )
    run = child.run(code, str(tiny_file))
    assert "refuses" in run.stdout, run.stderr


def test_weights_that_are_no_numbers_are_an_error(tiny_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "nan.gguf"
    shutil.copy(tiny_file, path)
    norm = next(t for t in ModelFile.open(path).tensors if t.name == "output_norm.weight")
    with path.open("r+b") as stream:
        stream.seek(norm.offset)
        stream.write(np.full(4, np.nan, np.float32).tobytes())
    for compute in ("reference", "fast"):
        model = open_model(ModelFile.open(path), compute=compute)
        model.begin_canvas(seed=1)
        with pytest.raises(_native.NativeError, match="no number"):
            model.denoise(0.8)


def test_memory_is_reported_by_pool(quantised_file: Path) -> None:
    model = open_model(ModelFile.open(quantised_file), compute="fast")
    file = sum(t.bytes for t in ModelFile.open(quantised_file).tensors)
    assert 0.8 * file < model.pools["weights"] < 1.4 * file
    assert model.pools["kv_cache"] > 0


def test_a_device_that_is_not_built_is_refused(tiny_file: Path) -> None:
    with pytest.raises(_native.NativeError, match=r"(?i)cuda"):
        open_model(ModelFile.open(tiny_file), device="cuda:7")
