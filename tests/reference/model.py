"""The whole network in float64 from a model file: no cache, no chunks, one mask (MODEL.md 2).

The encoder computes all tokens at once, so that caching, rings, chunks and threads have something
to be compared with.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from .attention import attention, visible
from .logits import head, soft_embedding
from .mlp import mlp
from .moe import moe
from .rms_norm import F64, rms_norm
from .rope import frequencies, rope

Ids = npt.NDArray[np.int32]


class Model:
    def __init__(self, path: Path) -> None:
        reader = gguf.GGUFReader(path)
        self.weights: dict[str, F64] = {
            t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64)
            for t in reader.tensors
        }
        self.fields = reader.fields

    def key(self, name: str) -> Any:
        return self.fields[f"diffusion-gemma.{name}"].contents()

    def encode(self, ids: Ids) -> tuple[F64, list[tuple[F64, F64]]]:
        """Hidden states after the final norm [ids, hidden], and every layer's keys and values
        [ids, kv_heads, head_dim]."""
        x = self.embed(ids)
        cache = []
        for layer in range(self.key("block_count")):
            q, k, v = self._project(layer, x, np.arange(len(ids)))
            mask = visible(len(ids), len(ids), 0, causal=True, window=self._window(layer))
            x = self._finish(layer, x, attention(q, k, v, mask), encoder=True)
            cache.append((k, v))
        return rms_norm(x, self.weights["output_norm.weight"], self._eps), cache

    def decode(self, cache: list[tuple[F64, F64]], canvas: Ids, beliefs: F64 | None) -> F64:
        """Soft-capped logits [canvas, vocab]. beliefs: p of the step before [canvas, vocab]."""
        prefix = len(cache[0][0])
        positions = prefix + np.arange(len(canvas))
        sc = np.zeros_like(self.embed(canvas))
        if beliefs is not None:
            soft = soft_embedding(beliefs, self.weights["token_embd.weight"], self._scale)
            normed = rms_norm(soft, self.weights["self_cond_pre_norm.weight"], self._eps)
            sc = mlp(
                normed, *(self.weights[f"self_cond_{n}.weight"] for n in ("gate", "up", "down"))
            )
        x = rms_norm(self.embed(canvas) + sc, eps=self._eps)
        for layer, (keys, values) in enumerate(cache):
            q, k, v = self._project(layer, x, positions)
            window = self._window(layer)
            mask = visible(len(canvas), prefix + len(canvas), prefix, causal=False, window=window)
            both = attention(q, np.concatenate([keys, k]), np.concatenate([values, v]), mask)
            x = self._finish(layer, x, both, encoder=False)
        hidden = rms_norm(x, self.weights["output_norm.weight"], self._eps)
        embedding = self.weights.get("output.weight", self.weights["token_embd.weight"])
        return head(hidden, embedding, self.key("final_logit_softcapping"))

    def embed(self, ids: Ids) -> F64:
        return self.weights["token_embd.weight"][ids] * self._scale

    @property
    def _scale(self) -> float:
        return float(np.sqrt(self.key("embedding_length")))

    @property
    def _eps(self) -> float:
        return float(self.key("attention.layer_norm_rms_epsilon"))

    def _sliding(self, layer: int) -> bool:
        return bool(self.key("attention.sliding_window_pattern")[layer])

    def _window(self, layer: int) -> int:
        return int(self.key("attention.sliding_window")) if self._sliding(layer) else 0

    def _w(self, layer: int, name: str) -> F64:
        return self.weights[f"blk.{layer}.{name}"]

    def _project(self, layer: int, x: F64, positions: Ids) -> tuple[F64, F64, F64]:
        suffix = "_swa" if self._sliding(layer) else ""
        d = int(self.key(f"attention.key_length{suffix}"))
        divisors = None if suffix else self.weights["rope_freqs.weight"]
        freq = frequencies(d, self.key(f"rope.freq_base{suffix}"), divisors)
        h = rms_norm(x, self._w(layer, "attn_norm.weight"), self._eps)

        def heads(name: str) -> F64:
            w = self._w(layer, f"{name}.weight")
            return (h @ w.T).reshape(len(x), len(w) // d, d)

        raw = heads("attn_k")
        v = heads("attn_v") if f"blk.{layer}.attn_v.weight" in self.weights else raw
        q = rms_norm(heads("attn_q"), self._w(layer, "attn_q_norm.weight"), self._eps)
        k = rms_norm(raw, self._w(layer, "attn_k_norm.weight"), self._eps)
        return rope(q, positions, freq), rope(k, positions, freq), rms_norm(v, eps=self._eps)

    def _finish(self, layer: int, x: F64, attended: F64, *, encoder: bool) -> F64:
        def norm(y: F64, name: str) -> F64:
            return rms_norm(y, self._w(layer, f"{name}.weight"), self._eps)

        output = self._w(layer, "attn_output.weight")
        o = attended.reshape(len(x), output.shape[1]) @ output.T
        a = x + norm(o, "post_attention_norm")
        dense = mlp(
            norm(a, "ffn_norm"),
            *(self._w(layer, f"ffn_{n}.weight") for n in ("gate", "up", "down")),
        )
        gate, up = self._gate_up(layer)
        routed = moe(
            a,
            norm(a, "pre_ffw_norm_2"),
            router=self._w(layer, "ffn_gate_inp.weight"),
            router_scale=self._w(layer, "ffn_gate_inp.scale") / self._scale,
            expert_scale=self._w(layer, "ffn_down_exps.scale"),
            gate=gate,
            up=up,
            down=self._w(layer, "ffn_down_exps.weight"),
            top_k=self.key("expert_used_count"),
            eps=self._eps,
        )
        f = norm(norm(dense, "post_ffw_norm_1") + norm(routed, "post_ffw_norm_2"), "post_ffw_norm")
        scalar = "enc_layer_output_scale" if encoder else "layer_output_scale"
        return (a + f) * self._w(layer, f"{scalar}.weight")

    def _gate_up(self, layer: int) -> tuple[F64, F64]:
        if f"blk.{layer}.ffn_gate_exps.weight" in self.weights:
            return self._w(layer, "ffn_gate_exps.weight"), self._w(layer, "ffn_up_exps.weight")
        both = self._w(layer, "ffn_gate_up_exps.weight")
        half = both.shape[1] // 2
        return both[:, :half], both[:, half:]
