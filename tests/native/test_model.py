"""The whole network against Hugging Face transformers, and against float64 where shapes are odd."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

import child
import numpy as np
import pytest
from instruction_sets import ISAS, names
from matrices import error
from opening import Open
from reference import model as oracle
from reference.logits import beliefs
from sfumato.engine import verify
from sfumato.engine.model_file import ModelFile
from sfumato.errors import ModelFileError

PAIRS = sorted((Path(__file__).parents[1] / "vectors/reference").glob("*.gguf"))


@pytest.mark.parametrize("compute", ["reference", "fast"])
@pytest.mark.parametrize("file", PAIRS, ids=lambda path: path.stem)
def test_a_reference_pair_is_within_tolerance(file: Path, compute: str) -> None:
    measures = verify.verify(file, file.with_suffix(".npz"), compute=compute)
    assert [measure for measure in measures if not measure.passed] == []


@pytest.mark.parametrize("isa", ISAS)
def test_each_instruction_set_is_within_tolerance(isa: str) -> None:
    file = next(path for path in PAIRS if path.stem == "tiny-all-experts-0")
    code = (
        "import sys; from argparse import Namespace; from pathlib import Path\n"
        "from sfumato.engine import _native, verify\n"
        "assert _native.instruction_set() == sys.argv[2]\n"
        "file = Path(sys.argv[1])\n"
        "sys.exit(verify.run(Namespace(file=file, arrays=file.with_suffix('.npz'),"
        " compute='fast', device='cpu')))"
    )
    run = child.run(code, str(file), isa, **names(isa))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("split", [False, True], ids=["one head", "own head, split experts"])
def test_odd_shapes_match_float64(split: bool, tiny_file: Path, tmp_path: Path) -> None:
    from tiny_model import TinyShape, write_tiny_model

    path = tiny_file
    if split:
        shape = TinyShape(vocab=530)
        path = write_tiny_model(
            tmp_path / "split.gguf", shape=shape, split_experts=True, output_head=True, seed=8
        )
    file = ModelFile.open(path)
    model, judge = verify.open_model(file), oracle.Model(path)
    rng = np.random.default_rng(0)
    prompt = rng.integers(0, file.config.vocab, 75, dtype=np.int32)
    hidden, cache = judge.encode(prompt)
    assert error(model.prefill_hidden(prompt), hidden) < 5e-6

    canvas = model.begin_canvas(seed=3)
    before = None
    for temperature in (0.8, 0.7):
        model.denoise(temperature, renoise=canvas)
        want = judge.decode(cache, canvas, before)
        assert error(model.last_logits(), want) < 1e-5
        before = beliefs(want, temperature, np.zeros(len(canvas))).p
        model.set_canvas(canvas)


def test_without_a_prompt_a_canvas_sees_itself_only(open_tiny: Open, tiny_file: Path) -> None:
    model, judge = open_tiny(), oracle.Model(tiny_file)
    canvas = model.begin_canvas(seed=1)
    model.denoise(0.8)
    _, one = judge.encode(np.zeros(1, np.int32))
    nothing = [(keys[:0], values[:0]) for keys, values in one]
    assert error(model.last_logits(), judge.decode(nothing, canvas, None)) < 1e-5


def test_verify_prints_json_and_fails_outside_tolerance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = next(path for path in PAIRS if path.stem == "tiny-f32-1")
    arrays = dict(np.load(file.with_suffix(".npz")))
    arrays["k1"] = arrays["k1"] * 1.001
    changed = tmp_path / "changed.npz"
    np.savez(changed, **arrays)
    args = Namespace(file=file, arrays=changed, compute="reference", device="cpu")
    assert verify.run(args) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines if not line["passed"]] == ["k1"]


def test_verify_refuses_a_file_that_holds_no_arrays(tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    shutil.copy(PAIRS[0], broken)
    with pytest.raises(ModelFileError, match="holds no arrays"):
        verify.verify(PAIRS[0], broken)
