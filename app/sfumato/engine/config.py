"""What a model file says about its network (MODEL.md 1.1 and 4.2) and about its sampler (3.4)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sfumato.engine.sampler import SamplerConfig
from sfumato.errors import ModelFileError
from sfumato.sentence import Sentence

ARCHITECTURE = "diffusion-gemma"

Scalar = bool | int | float | str


@dataclass(frozen=True)
class LongArray:
    """An array that is stepped over: too long to be worth reading, or the tokenizer's."""

    type: str  # of its elements, a name of gguf's value types: STRING, INT32, FLOAT32 …
    length: int


Value = Scalar | tuple[Scalar, ...] | LongArray
Metadata = Mapping[str, Value]

# Far above any model of this family; they keep an absurd number from becoming an allocation.
MAX_LAYERS = 1024
MAX_WIDTH = 1 << 20  # of a hidden state, a feed-forward network, all heads side by side
MAX_EXPERTS = 4096
MAX_VOCAB = 1 << 24
MAX_CANVAS = 4096
MAX_POSITION = 1 << 28


@dataclass(frozen=True)
class ModelConfig:
    """The shape of the network. `kv_heads` and `sliding` have one entry a layer."""

    layers: int
    hidden: int
    dense_ffn: int
    expert_ffn: int
    experts: int
    experts_used: int
    heads: int
    kv_heads: tuple[int, ...]
    head_dim_full: int
    head_dim_sliding: int
    sliding: tuple[bool, ...]  # True: the layer sees the last `window` positions only
    window: int
    rope_base_full: float
    rope_base_sliding: float
    rms_eps: float
    softcap: float
    vocab: int
    canvas: int
    context_length: int

    @classmethod
    def from_metadata(cls, file: str, metadata: Metadata, *, vocab: int) -> "ModelConfig":
        """`vocab` is the number of rows of the embedding: published files do not repeat it.

        Raises ModelFileError, naming `file`, where a key is absent, of another type or absurd.
        """
        return _Reader(file, metadata).model(vocab)

    def head_dim(self, layer: int) -> int:
        return self.head_dim_sliding if self.sliding[layer] else self.head_dim_full


def sampler_defaults(file: str, metadata: Metadata) -> SamplerConfig:
    """The file's own sampler parameters; what it does not say is as published (MODEL.md 3.4)."""
    reader = _Reader(file, metadata)
    published = SamplerConfig()
    try:
        return SamplerConfig(
            max_steps=reader.whole("diffusion.eb_max_steps", published.max_steps),
            t_min=reader.real("diffusion.eb_t_min", published.t_min),
            t_max=reader.real("diffusion.eb_t_max", published.t_max),
            entropy_bound=reader.real("diffusion.eb_entropy_bound", published.entropy_bound),
            stability_threshold=reader.whole(
                "diffusion.eb_stability_threshold", published.stability_threshold
            ),
            confidence_threshold=reader.real(
                "diffusion.eb_confidence_threshold", published.confidence_threshold
            ),
        )
    except ValueError as error:
        raise reader.refusal(f"has sampler settings that cannot work ({error})") from error


class _Reader:
    """Takes typed values out of the metadata and refuses what does not fit, naming the key."""

    def __init__(self, file: str, metadata: Metadata) -> None:
        self.file = file
        self.metadata = metadata

    def refusal(self, fact: str) -> ModelFileError:
        return ModelFileError(
            Sentence("Engine", "{file} {fact}; download the model again or choose another.").filled(
                file=self.file, fact=fact
            )
        )

    def whole(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refusal(f"holds no whole number under “{key}”")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refusal(f"holds no number under “{key}”")
        if not math.isfinite(value):
            raise self.refusal(f"holds {value} under “{key}”, not a finite number")
        return float(value)

    def _get(self, key: str, default: Value | None) -> Value:
        value = self.metadata.get(key, default)
        if value is None:
            raise self.refusal(f"lacks “{key}”, which every {ARCHITECTURE} model has")
        return value

    def model(self, vocab: int) -> ModelConfig:
        layers = self._size("block_count", MAX_LAYERS)
        config = ModelConfig(
            layers=layers,
            hidden=self._size("embedding_length", MAX_WIDTH),
            dense_ffn=self._size("feed_forward_length", MAX_WIDTH),
            expert_ffn=self._size("expert_feed_forward_length", MAX_WIDTH),
            experts=self._size("expert_count", MAX_EXPERTS),
            experts_used=self._size("expert_used_count", MAX_EXPERTS),
            heads=self._size("attention.head_count", MAX_WIDTH),
            kv_heads=self._kv_heads(layers),
            head_dim_full=self._head_dim(""),
            head_dim_sliding=self._head_dim("_swa"),
            sliding=self._sliding(layers),
            window=self._size("attention.sliding_window", MAX_POSITION),
            rope_base_full=self._positive("rope.freq_base"),
            rope_base_sliding=self._positive("rope.freq_base_swa"),
            rms_eps=self._positive("attention.layer_norm_rms_epsilon"),
            softcap=self._positive("final_logit_softcapping"),
            vocab=self._within("vocabulary", vocab, MAX_VOCAB),
            canvas=self._within(
                "diffusion.canvas_length", self.whole("diffusion.canvas_length"), MAX_CANVAS
            ),
            context_length=self._size("context_length", MAX_POSITION),
        )
        self._check(config)
        return config

    def _size(self, name: str, most: int) -> int:
        key = f"{ARCHITECTURE}.{name}"
        return self._within(key, self.whole(key), most)

    def _within(self, key: str, value: int, most: int) -> int:
        if not 1 <= value <= most:
            raise self.refusal(f"says {value:,} for “{key}”, where 1 to {most:,} is possible")
        return value

    def _positive(self, name: str) -> float:
        key = f"{ARCHITECTURE}.{name}"
        value = self.real(key)
        if value <= 0.0:
            raise self.refusal(f"says {value:g} for “{key}”, which must be above 0")
        return value

    def _head_dim(self, suffix: str) -> int:
        key_length = self._size(f"attention.key_length{suffix}", MAX_WIDTH)
        for name in (f"attention.value_length{suffix}", f"rope.dimension_count{suffix}"):
            other = self.whole(f"{ARCHITECTURE}.{name}", key_length)
            if other != key_length:
                raise self.refusal(f"has keys of {key_length:,} numbers but “{name}” of {other:,}")
        if key_length % 2:
            raise self.refusal(f"has heads of {key_length:,} numbers, which must be even")
        return key_length

    def _per_layer(self, key: str, layers: int) -> tuple[Scalar, ...]:
        value = self._get(key, None)
        if not isinstance(value, tuple):
            raise self.refusal(f"holds no list under “{key}”")
        if len(value) != layers:
            raise self.refusal(f"has {layers:,} layers but {len(value):,} entries under “{key}”")
        return value

    def _kv_heads(self, layers: int) -> tuple[int, ...]:
        key = f"{ARCHITECTURE}.attention.head_count_kv"
        counts: tuple[Scalar, ...]
        if isinstance(self.metadata.get(key), int):  # one number for all layers
            counts = (self.whole(key),) * layers
        else:
            counts = self._per_layer(key, layers)
        kept = []
        for count in counts:
            if isinstance(count, bool) or not isinstance(count, int):
                raise self.refusal(f"holds no whole numbers under “{key}”")
            kept.append(self._within(key, count, MAX_WIDTH))
        return tuple(kept)

    def _sliding(self, layers: int) -> tuple[bool, ...]:
        key = f"{ARCHITECTURE}.attention.sliding_window_pattern"
        return tuple(bool(value) for value in self._per_layer(key, layers))

    def _check(self, config: ModelConfig) -> None:
        if config.experts_used > config.experts:
            raise self.refusal(f"wants {config.experts_used} of its {config.experts} experts")
        for count in config.kv_heads:
            if config.heads % count:
                raise self.refusal(f"cannot share {count} key heads among {config.heads} heads")
        widest = config.heads * max(config.head_dim_full, config.head_dim_sliding)
        self._within("all heads side by side", widest, MAX_WIDTH)
        if config.canvas > config.context_length:
            raise self.refusal(
                f"has a canvas of {config.canvas:,} tokens in a context of "
                f"{config.context_length:,}"
            )
        for name in ("attention.shared_kv_layers", "embedding_length_per_layer_input"):
            if self.whole(f"{ARCHITECTURE}.{name}", 0):
                raise self.refusal(f"uses “{name}”, which DiffusionGemma does not have")
