"""What `sfumato inspect` prints."""

import json
from pathlib import Path

import numpy as np
from sfumato.engine import inspect
from sfumato.engine.model_file import ModelFile
from tiny_model import write_tiny_model

REFERENCE = Path(__file__).parent.parent / "vectors" / "reference"


def test_json_holds_the_whole_header() -> None:
    file = ModelFile.open(REFERENCE / "tiny-mixed-1.gguf")

    details = json.loads(json.dumps(inspect.as_json(file), allow_nan=False))

    assert details["config"]["kv_heads"] == [2, 2, 2, 2, 2, 1]
    assert details["sampler"]["entropy_bound"] == 0.1
    assert details["metadata"]["diffusion.canvas_length"] == 32
    assert len(details["tensors"]) == 144
    for totals in (details["types"], details["parts"]):
        assert sum(total["tensors"] for total in totals.values()) == 144
        assert sum(total["elements"] for total in totals.values()) == details["parameters"]
        assert sum(total["bytes"] for total in totals.values()) == sum(
            tensor["bytes"] for tensor in details["tensors"]
        )
    assert details["parts"]["router"]["tensors"] == 6
    assert details["parts"]["self-conditioning"]["tensors"] == 3
    assert details["parts"]["attention"]["tensors"] == 6 * 4 - 1


def test_text_names_the_network_and_its_types() -> None:
    text = inspect.as_text(ModelFile.open(REFERENCE / "tiny-mixed-1.gguf"))

    assert "tiny-mixed-1.gguf" in text
    assert "1.92 million parameters" in text
    assert "3 of 8 experts of 64" in text
    assert "no tokenizer in the file" in text
    for type_ in ("BF16", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F32"):
        assert type_ in text


def test_a_hostile_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = write_tiny_model(
        tmp_path / "m.gguf",
        metadata={"general.name": "\x1b[2Jhello", "tests.number": np.float32(np.nan)},
    )
    file = ModelFile.open(path)

    assert "\x1b" not in inspect.as_text(file)
    assert (
        json.loads(json.dumps(inspect.as_json(file), allow_nan=False))["metadata"]["tests.number"]
        == "nan"
    )


def test_the_memory_of_a_gpu_is_told_for_each_profile(tmp_path: Path) -> None:
    types = {"ffn_down_exps": "Q8_0", "*": "Q4_0"}
    file = ModelFile.open(write_tiny_model(tmp_path / "m.gguf", types=types))
    memory = inspect.as_json(file)["gpu_memory"]
    assert list(memory) == ["exact", "compact"]
    assert list(memory["exact"]) == [4096]  # all that this model can
    assert memory["compact"][4096] < memory["exact"][4096]
    assert "compact" in inspect.as_text(file)
