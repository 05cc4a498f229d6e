"""The guide's network and its GGUF file: build, write, read back (transformers, PyTorch)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaTextConfig,
    Gemma4VisionConfig,
)
from vocabulary import BOS, EOS, MASK, PAD, UNK, Vocabulary

NAME = "Sfumato built-in guide"
CANVAS = 64
SHAPE = {
    "hidden": 256,
    "dense": 512,
    "layers": 6,
    "heads": 8,
    "kv": 4,
    "head": 32,
    "kv_full": 1,
    "head_full": 64,
    "window": 256,
    "experts": 8,
    "top_k": 2,
    "expert": 128,
    "context": 2048,
}
SAMPLER = {
    "max_steps": 48,
    "t_min": 0.4,
    "t_max": 0.8,
    "entropy_bound": 0.1,
    "stability_threshold": 1,
    "confidence_threshold": 0.005,
}
# what the engine's own template code does, for other readers of the file (thinking off, text only)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "<|turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<turn|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn>model\n<|channel>thought\n<channel|>{% endif %}"
)


def build(
    vocab_size: int, shape: dict[str, int] = SHAPE, canvas: int = CANVAS
) -> DiffusionGemmaForBlockDiffusion:
    s = shape
    text = DiffusionGemmaTextConfig(
        vocab_size=vocab_size,
        hidden_size=s["hidden"],
        intermediate_size=s["dense"],
        num_hidden_layers=s["layers"],
        num_attention_heads=s["heads"],
        num_key_value_heads=s["kv"],
        head_dim=s["head"],
        num_global_key_value_heads=s["kv_full"],
        global_head_dim=s["head_full"],
        sliding_window=s["window"],
        num_experts=s["experts"],
        top_k_experts=s["top_k"],
        moe_intermediate_size=s["expert"],
        use_bidirectional_attention="vision",
    )
    # the class wants a vision tower; the smallest that builds, and nothing of it is used or written
    vision = Gemma4VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=16,
    )
    model = DiffusionGemmaForBlockDiffusion(
        DiffusionGemmaConfig(text_config=text, vision_config=vision, canvas_length=canvas)
    )
    model.set_attn_implementation("eager")
    with torch.no_grad():
        for name, p in model.named_parameters():
            # attention has no 1/sqrt(d): start with scores of standard deviation about 1.4
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                p.fill_(1.2 * p.shape[0] ** -0.25)
    return model


def parameters(model: DiffusionGemmaForBlockDiffusion) -> Iterator[tuple[str, torch.Tensor]]:
    """(GGUF name, tensor) of everything in the file but rope_freqs."""
    dec, enc = model.model.decoder, model.model.encoder.language_model
    sc = dec.self_conditioning
    yield "token_embd.weight", dec.embed_tokens.weight
    yield "output_norm.weight", dec.norm.weight
    yield "self_cond_pre_norm.weight", sc.pre_norm.weight
    yield "self_cond_gate.weight", sc.gate_proj.weight
    yield "self_cond_up.weight", sc.up_proj.weight
    yield "self_cond_down.weight", sc.down_proj.weight
    for i, (d, e) in enumerate(zip(dec.layers, enc.layers, strict=True)):
        a = d.self_attn
        named = {
            "attn_norm.weight": d.input_layernorm.weight,
            "attn_q.weight": a.q_proj.weight,
            "attn_k.weight": a.k_proj.weight,
            "attn_v.weight": None if a.v_proj is None else a.v_proj.weight,
            "attn_output.weight": a.o_proj.weight,
            "attn_q_norm.weight": a.q_norm.weight,
            "attn_k_norm.weight": a.k_norm.weight,
            "post_attention_norm.weight": d.post_attention_layernorm.weight,
            "ffn_norm.weight": d.pre_feedforward_layernorm.weight,
            "ffn_gate.weight": d.mlp.gate_proj.weight,
            "ffn_up.weight": d.mlp.up_proj.weight,
            "ffn_down.weight": d.mlp.down_proj.weight,
            "post_ffw_norm_1.weight": d.post_feedforward_layernorm_1.weight,
            "ffn_gate_inp.weight": d.router.proj.weight,
            "ffn_gate_inp.scale": d.router.scale,
            "pre_ffw_norm_2.weight": d.pre_feedforward_layernorm_2.weight,
            "ffn_gate_up_exps.weight": d.experts.gate_up_proj,
            "ffn_down_exps.weight": d.experts.down_proj,
            "ffn_down_exps.scale": d.router.per_expert_scale,
            "post_ffw_norm_2.weight": d.post_feedforward_layernorm_2.weight,
            "post_ffw_norm.weight": d.post_feedforward_layernorm.weight,
            "layer_output_scale.weight": d.layer_scalar,
            "enc_layer_output_scale.weight": e.layer_scalar,
        }
        for name, p in named.items():
            if p is not None:
                yield f"blk.{i}.{name}", p


def write_gguf(path: Path, model: DiffusionGemmaForBlockDiffusion, vocab: Vocabulary) -> int:
    """Write the file (matrices Q8_0, the rest F32). Returns the number of parameters in it."""
    text = model.config.text_config
    a = "diffusion-gemma"
    w = gguf.GGUFWriter(path, a)
    count = sum(p.numel() for _, p in parameters(model))
    w.add_type("model")
    w.add_name(NAME)
    w.add_size_label(f"{count / 1e6:.1f}M")
    w.add_license("apache-2.0")
    w.add_description(
        f"Built-in guide ({round(count / 1e6)} million parameters), a demonstration, "
        "not DiffusionGemma"
    )
    sliding = [t == "sliding_attention" for t in text.layer_types]
    full = text.per_layer_config[sliding.index(False)].head_dim
    narrow = text.per_layer_config[sliding.index(True)].head_dim
    w.add_uint32(f"{a}.block_count", text.num_hidden_layers)
    w.add_uint32(f"{a}.context_length", SHAPE["context"])
    w.add_uint32(f"{a}.embedding_length", text.hidden_size)
    w.add_uint32(f"{a}.feed_forward_length", text.intermediate_size)
    w.add_uint32(f"{a}.attention.head_count", text.num_attention_heads)
    w.add_array(
        f"{a}.attention.head_count_kv",
        [layer.num_key_value_heads for layer in text.per_layer_config],
    )
    w.add_float32(f"{a}.rope.freq_base", 1e6)
    w.add_float32(f"{a}.rope.freq_base_swa", 1e4)
    w.add_float32(f"{a}.attention.layer_norm_rms_epsilon", 1e-6)
    w.add_uint32(f"{a}.expert_count", text.num_experts)
    w.add_uint32(f"{a}.expert_used_count", text.top_k_experts)
    w.add_uint32(f"{a}.attention.key_length", full)
    w.add_uint32(f"{a}.attention.value_length", full)
    w.add_float32(f"{a}.final_logit_softcapping", 30.0)
    w.add_uint32(f"{a}.attention.sliding_window", text.sliding_window)
    w.add_uint32(f"{a}.attention.shared_kv_layers", 0)
    w.add_uint32(f"{a}.embedding_length_per_layer_input", 0)
    w.add_array(f"{a}.attention.sliding_window_pattern", sliding)
    w.add_uint32(f"{a}.attention.key_length_swa", narrow)
    w.add_uint32(f"{a}.attention.value_length_swa", narrow)
    w.add_uint32(f"{a}.expert_feed_forward_length", text.moe_intermediate_size)
    w.add_uint32(f"{a}.rope.dimension_count", full)
    w.add_uint32(f"{a}.rope.dimension_count_swa", narrow)
    w.add_bool(f"{a}.attention.causal", False)
    w.add_uint32("diffusion.canvas_length", model.config.canvas_length)
    for key, value in SAMPLER.items():
        (w.add_uint32 if isinstance(value, int) else w.add_float32)(f"diffusion.eb_{key}", value)
    w.add_string("tokenizer.ggml.model", "gemma4")
    w.add_array("tokenizer.ggml.tokens", vocab.tokens)
    w.add_array("tokenizer.ggml.scores", [-1000.0] * len(vocab))
    w.add_array("tokenizer.ggml.token_type", vocab.types)
    w.add_array("tokenizer.ggml.merges", [f"{x} {y}" for x, y in vocab.merges])
    for key, value in {
        "bos": BOS,
        "eos": EOS,
        "unknown": UNK,
        "padding": PAD,
        "mask": MASK,
    }.items():
        w.add_uint32(f"tokenizer.ggml.{key}_token_id", value)
    w.add_string("tokenizer.chat_template", CHAT_TEMPLATE)
    w.add_bool("tokenizer.ggml.add_space_prefix", False)
    w.add_bool("tokenizer.ggml.add_bos_token", True)
    w.add_quantization_version(2)
    w.add_file_type(7)  # Q8_0
    # proportional rotary embedding: a divisor of 1 keeps a frequency, 1e30 stops it
    factors = np.ones(full // 2, np.float32)
    factors[full // 8 :] = 1e30
    w.add_tensor("rope_freqs.weight", factors)
    for name, p in parameters(model):
        x = p.detach().float().reshape(p.shape or (1,)).numpy()
        if x.ndim > 1 and not name.endswith("ffn_gate_inp.weight"):
            w.add_tensor(name, gguf.quants.quantize(x, Type.Q8_0), raw_dtype=Type.Q8_0)
        else:
            w.add_tensor(name, np.ascontiguousarray(x))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return count


def read_gguf(path: Path) -> tuple[DiffusionGemmaForBlockDiffusion, Vocabulary]:
    """The model of a file written by `write_gguf`, de-quantised to float32, and its vocabulary."""
    reader = gguf.GGUFReader(path)

    def get(key: str) -> Any:
        return reader.fields[key].contents()

    a = "diffusion-gemma"
    kv = get(f"{a}.attention.head_count_kv")
    shape = {
        "hidden": get(f"{a}.embedding_length"),
        "dense": get(f"{a}.feed_forward_length"),
        "layers": get(f"{a}.block_count"),
        "heads": get(f"{a}.attention.head_count"),
        "kv": kv[0],
        "head": get(f"{a}.attention.key_length_swa"),
        "kv_full": kv[-1],
        "head_full": get(f"{a}.attention.key_length"),
        "window": get(f"{a}.attention.sliding_window"),
        "experts": get(f"{a}.expert_count"),
        "top_k": get(f"{a}.expert_used_count"),
        "expert": get(f"{a}.expert_feed_forward_length"),
    }
    merges = [(m[: (i := m.index(" ", 1))], m[i + 1 :]) for m in get("tokenizer.ggml.merges")]
    vocab = Vocabulary(get("tokenizer.ggml.tokens"), get("tokenizer.ggml.token_type"), merges)
    model = build(len(vocab), shape, get("diffusion.canvas_length")).eval()
    stored = {t.name: t for t in reader.tensors}
    with torch.no_grad():
        for name, p in parameters(model):
            x = gguf.quants.dequantize(stored[name].data, stored[name].tensor_type)
            p.copy_(torch.from_numpy(np.array(x)).reshape(p.shape))
    return model, vocab


def sampler_settings(path: Path) -> dict[str, float]:
    fields = gguf.GGUFReader(path).fields
    return json.loads(json.dumps({k: fields[f"diffusion.eb_{k}"].contents() for k in SAMPLER}))
