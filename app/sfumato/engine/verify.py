"""`sfumato verify FILE.gguf FILE.npz`: the engine against arrays of another implementation.

The arrays are those of Hugging Face transformers for the same weights: prompt, encoder output, keys
and values, logits of every step, what the sampler made of them, and the block after.
"""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sfumato.engine._native import Model, Step
from sfumato.engine.model_file import ModelFile
from sfumato.engine.protocol import Profile
from sfumato.engine.sampler import SamplerConfig
from sfumato.errors import ModelFileError
from sfumato.sentence import Sentence

# ‖Δ‖/‖reference‖ of an array. A float64 implementation differs from the arrays by 1e-6.
REFERENCE_TOLERANCE = 1e-4
# 8-bit activations in blocks of 32 give about 1.4e-2 where every expert is used …
FAST_TOLERANCE = 3e-2
# … and more where rounding may choose another expert; then most positions keep their token.
FAST_ROUTED_TOLERANCE = 1e-1
FAST_SAME_ARGMAX = 0.9

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Measure:
    """One comparison: an error that must stay below `limit`, or a share that must reach it."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def passed(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a model file, FILE.gguf")
    parser.add_argument("arrays", type=Path, help="what it must compute, FILE.npz")
    parser.add_argument("--compute", choices=("reference", "fast"), default="reference")
    parser.add_argument("--device", default="cpu")


def run(args: argparse.Namespace) -> int:
    """Print every measure as JSON; 1 where one is outside its tolerance.

    Raises ModelFileError where a file cannot be read.
    """
    measures = verify(args.file, args.arrays, compute=args.compute, device=args.device)
    for measure in measures:
        print(json.dumps({**dataclasses.asdict(measure), "passed": measure.passed}))
    return 0 if all(measure.passed for measure in measures) else 1


def verify(
    file: Path, arrays: Path, *, compute: str = "reference", device: str = "cpu", threads: int = 0
) -> list[Measure]:
    """All measures of a pair of files. Raises ModelFileError where one cannot be read."""
    model_file = ModelFile.open(file)
    reference = _load(arrays)
    model = open_model(model_file, compute=compute, device=device, threads=threads)
    sampler = model_file.sampler
    if compute == "reference":
        measures = _encoder(model, reference) + _cache(model, model_file, reference)
        measures += _trace(model, sampler, reference)
        tolerance = REFERENCE_TOLERANCE
    else:
        model.prefill(reference["prompt"])
        routed = model_file.config.experts_used < model_file.config.experts
        measures, tolerance = [], FAST_ROUTED_TOLERANCE if routed else FAST_TOLERANCE
    exact = compute == "reference"
    measures += _fed_steps(model, sampler, reference, tolerance, exact=exact)
    return measures + _next_block(model, reference, tolerance)


def open_model(
    file: ModelFile,
    *,
    compute: str = "reference",
    device: str = "cpu",
    profile: Profile = "exact",
    context: int = 0,
    memory: int = 0,
    cpu_share: float = -1.0,
    threads: int = 0,
) -> Model:
    """The native model of a checked file; `context` 0 is all that the model allows, up to 4096."""
    return Model(
        *file.native_arguments(),
        device=device,
        context=context or min(4096, file.config.context_length),
        compute=compute,
        threads=threads,
        profile=profile,
        memory=memory,
        cpu_share=cpu_share,
    )


def _load(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise ModelFileError(
            Sentence("Engine", "{file} holds no arrays ({error}); choose an .npz file.").filled(
                file=path.name, error=str(error)
            )
        ) from None
    needed = ("prompt", "canvas", "temperature", "logits", "uniform", "renoise", "next_canvas")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise ModelFileError(
            Sentence("Engine", "{file} lacks “{name}”; make it with the model file again.").filled(
                file=path.name, name=missing[0]
            )
        )
    return arrays


def _error(name: str, got: npt.NDArray[Any], want: npt.NDArray[Any], limit: float) -> Measure:
    if got.shape != want.shape:
        return Measure(name, float("inf"), limit)
    difference = np.linalg.norm(got.astype(np.float64) - want.astype(np.float64))
    return Measure(name, float(difference / np.linalg.norm(want.astype(np.float64))), limit)


def _differing(name: str, got: npt.NDArray[Any], want: npt.NDArray[Any]) -> Measure:
    return Measure(name, float(np.count_nonzero(got != want)), 0.0)


def _encoder(model: Model, reference: Arrays) -> list[Measure]:
    hidden = model.prefill_hidden(reference["prompt"])
    return [_error("encoder_hidden", hidden, reference["encoder_hidden"], REFERENCE_TOLERANCE)]


def _cache(model: Model, file: ModelFile, reference: Arrays) -> list[Measure]:
    measures = []
    for layer in range(file.config.layers):
        keys, values = model.keys(layer), model.values(layer)
        measures.append(_error(f"k{layer}", keys, reference[f"k{layer}"], REFERENCE_TOLERANCE))
        measures.append(_error(f"v{layer}", values, reference[f"v{layer}"], REFERENCE_TOLERANCE))
    return measures


def _begin(model: Model, sampler: SamplerConfig, start: npt.NDArray[np.int32]) -> None:
    model.begin_canvas(
        start=start,
        entropy_bound=sampler.entropy_bound,
        stability_threshold=sampler.stability_threshold,
        confidence_threshold=sampler.confidence_threshold,
    )


def _denoise(model: Model, reference: Arrays, index: int) -> Step:
    return model.denoise(
        float(reference["temperature"][index]),
        uniform=reference["uniform"][index],
        renoise=reference["renoise"][index],
    )


def _trace(model: Model, sampler: SamplerConfig, reference: Arrays) -> list[Measure]:
    """Free running on the reference's draws: what the sampler decides must be the same."""
    measures = []
    canvas = reference["canvas"][0]
    _begin(model, sampler, canvas)
    for index in range(len(reference["canvas"])):
        measures.append(_differing(f"canvas[{index}]", canvas, reference["canvas"][index]))
        step = _denoise(model, reference, index)
        for name in ("sampled", "argmax", "accepted"):
            got = getattr(step, name)
            measures.append(_differing(f"{name}[{index}]", got, reference[name][index]))
        settled = np.asarray(step.settled)
        measures.append(_differing(f"stop[{index}]", settled, reference["stop"][index]))
        canvas = step.canvas
    return measures


def _fed_steps(
    model: Model, sampler: SamplerConfig, reference: Arrays, tolerance: float, *, exact: bool
) -> list[Measure]:
    """Each step on the reference's canvas and beliefs: self-conditioning multiplies a difference of
    one step by about five in the next."""
    measures = []
    _begin(model, sampler, reference["canvas"][0])
    for index in range(len(reference["canvas"])):
        if index > 0:
            model.set_canvas(reference["canvas"][index])
            temperature = float(reference["temperature"][index - 1])
            model.set_beliefs(reference["logits"][index - 1], temperature)
        step = _denoise(model, reference, index)
        logits, want = model.last_logits(), reference["logits"][index]
        measures.append(_error(f"logits[{index}]", logits, want, tolerance))
        if exact:
            want = reference["entropy"][index]
            measures.append(_error(f"entropy[{index}]", step.entropy, want, tolerance))
        else:
            same = float(np.mean(step.argmax == reference["argmax"][index]))
            measures.append(Measure(f"same_argmax[{index}]", same, FAST_SAME_ARGMAX, at_least=True))
    return measures


def _next_block(model: Model, reference: Arrays, tolerance: float) -> list[Measure]:
    hidden = model.prefill_hidden(reference["next_prompt"])
    _begin(model, SamplerConfig(), reference["next_canvas"])
    model.denoise(1.0)
    return [
        _error("next_hidden", hidden, reference["next_hidden"], tolerance),
        _error("next_logits", model.last_logits(), reference["next_logits"], tolerance),
    ]
