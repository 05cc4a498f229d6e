"""transformers' DiffusionGemma in bf16, random weights: milliseconds a denoise step.

    python tests/gpu/transformers_step.py --shape JSON --layers 30 --prefix 0 1024 [--device cuda:0]

The other side of bench_device.py, in a process (and, if need be, an environment) of its own. A step
is the decoder's pass, conditioned on the logits before, and the library's own sampling, acceptance
and renoise. Says what it found, or why it cannot measure, as one line of JSON.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

WARM_UP = 5
SPARE_BYTES = 6 << 30  # logits of a canvas, several times, and what torch keeps
HOW = "pip install torch transformers, or let SFUMATO_TRANSFORMERS name a Python that has them"


def peer_steps(
    python: str, shape: dict[str, Any], layers: int, prefixes: list[int], steps: int, device: str
) -> dict[str, Any]:
    """Runs this file: {"weight_bytes": int, "ms": {prefix: [ms a step]}}, or {"missing": why}.

    Prefixes whose activations do not fit are absent.
    """
    command = [
        python, str(Path(__file__)), "--shape", json.dumps(shape), "--layers", str(layers),
        "--steps", str(steps), "--device", device, "--prefix", *map(str, prefixes),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired as error:
        return {"missing": f"no answer within {error.timeout:.0f} s"}
    except OSError as error:
        return {"missing": f"{error}; {HOW}"}
    if done.returncode != 0:
        return {"missing": (done.stderr.strip() or "it said nothing").splitlines()[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "ms" in found:
        found["ms"] = {int(prefix): ms for prefix, ms in found["ms"].items()}
    return found


def config_of(shape: dict[str, Any], layers: int) -> Any:
    """shape: the fields of sfumato.engine.random_model.Shape."""
    from transformers import DiffusionGemmaConfig, DiffusionGemmaTextConfig, Gemma4VisionConfig

    text = DiffusionGemmaTextConfig(
        vocab_size=shape["vocab"],
        hidden_size=shape["hidden"],
        intermediate_size=shape["dense_ffn"],
        num_hidden_layers=layers,
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads_sliding"],
        head_dim=shape["head_dim_sliding"],
        global_head_dim=shape["head_dim_full"],
        num_global_key_value_heads=shape["kv_heads_full"],
        sliding_window=shape["window"],
        num_experts=shape["experts"],
        top_k_experts=shape["experts_used"],
        moe_intermediate_size=shape["expert_ffn"],
        max_position_embeddings=shape["context_length"],
        use_bidirectional_attention="vision",
    )
    vision = Gemma4VisionConfig(  # unused, the smallest that builds
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=16,
    )  # fmt: skip
    return DiffusionGemmaConfig(
        text_config=text, vision_config=vision, canvas_length=shape["canvas"]
    )


def build(config: Any, device: str) -> tuple[Any, int]:
    """The model, and the bytes of weights that a step reads; MemoryError where they do not fit."""
    import torch
    from transformers import DiffusionGemmaForBlockDiffusion

    torch.set_default_dtype(torch.bfloat16)
    with torch.device("meta"):
        outline = DiffusionGemmaForBlockDiffusion(config)
    needed = sum(p.numel() * p.element_size() for p in outline.parameters())
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        if free < needed + SPARE_BYTES:
            raise MemoryError(f"bf16 needs {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
    with torch.device(device):
        model = DiffusionGemmaForBlockDiffusion(config).eval()
    read = {p.data_ptr(): p.numel() * p.element_size() for p in model.model.decoder.parameters()}
    return model, sum(read.values())


def measure(model: Any, shape: dict[str, Any], prefix: int, steps: int, device: str) -> list[float]:
    import torch
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
        EntropyBoundSampler,
        EntropyBoundSamplerConfig,
    )

    canvas_length, vocab, temperature = shape["canvas"], shape["vocab"], 0.8
    sampler = EntropyBoundSampler(
        config=EntropyBoundSamplerConfig(entropy_bound=0.1),
        canvas_length=canvas_length,
        vocab_size=vocab,
        max_denoising_steps=48,
    )
    # Never none at all: the library's cache is made by its encoder.
    prompt = torch.randint(vocab, (1, max(prefix, 1)), device=device)
    cache = model.model.encoder(input_ids=prompt).past_key_values
    first = prompt.shape[1]
    positions = torch.arange(first, first + canvas_length, device=device)[None]
    canvas = torch.randint(vocab, (1, canvas_length), device=device)
    believed, out = None, []
    for step in range(WARM_UP + steps):
        begin = time.perf_counter()
        logits = model(
            past_key_values=cache,
            decoder_input_ids=canvas,
            self_conditioning_logits=believed,
            decoder_position_ids=positions,
        ).logits
        scaled = logits / temperature
        sampled = torch.multinomial(scaled[0].softmax(-1, dtype=torch.float32), 1).T
        accepted = sampler.accept_canvas(canvas, sampled, scaled, 48 - step % 48)
        canvas = sampler.renoise_canvas(accepted, 48 - step % 48)
        believed = scaled.to(torch.bfloat16)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        if step >= WARM_UP:
            out.append(1e3 * (time.perf_counter() - begin))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=json.loads, required=True)
    parser.add_argument("--layers", type=int, required=True)
    parser.add_argument("--prefix", type=int, nargs="+", default=[1024])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda:0")
    args = parser.parse_args()
    try:
        import torch

        if args.device.startswith("cuda") and not torch.cuda.is_available():
            raise ImportError("torch sees no CUDA device")
        config = config_of(args.shape, args.layers)
    except ImportError as error:
        print(json.dumps({"missing": f"{error}; {HOW}"}))
        return
    with torch.inference_mode():
        try:
            model, weight_bytes = build(config, args.device)
        except MemoryError as error:
            print(json.dumps({"missing": str(error)}))
            return
        ms = {}
        for prefix in args.prefix:
            try:
                ms[prefix] = measure(model, args.shape, prefix, args.steps, args.device)
            except torch.OutOfMemoryError:
                break  # a longer one will not fit either
    print(json.dumps({"weight_bytes": weight_bytes, "ms": ms}))


if __name__ == "__main__":
    main()
