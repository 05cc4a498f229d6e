"""ModelConfig and the sampler's defaults from metadata alone."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sfumato.engine.config import LongArray, ModelConfig, sampler_defaults
from sfumato.engine.sampler import SamplerConfig
from sfumato.errors import ModelFileError

# The published file's own (MODEL.md 4.2).
PUBLISHED: dict[str, Any] = {
    "diffusion-gemma.block_count": 30,
    "diffusion-gemma.context_length": 262144,
    "diffusion-gemma.embedding_length": 2816,
    "diffusion-gemma.feed_forward_length": 2112,
    "diffusion-gemma.attention.head_count": 16,
    "diffusion-gemma.attention.head_count_kv": (8, 8, 8, 8, 8, 2) * 5,
    "diffusion-gemma.rope.freq_base": 1e6,
    "diffusion-gemma.rope.freq_base_swa": 1e4,
    "diffusion-gemma.attention.layer_norm_rms_epsilon": 1e-6,
    "diffusion-gemma.expert_count": 128,
    "diffusion-gemma.expert_used_count": 8,
    "diffusion-gemma.attention.key_length": 512,
    "diffusion-gemma.attention.value_length": 512,
    "diffusion-gemma.final_logit_softcapping": 30.0,
    "diffusion-gemma.attention.sliding_window": 1024,
    "diffusion-gemma.attention.shared_kv_layers": 0,
    "diffusion-gemma.embedding_length_per_layer_input": 0,
    "diffusion-gemma.attention.sliding_window_pattern": (True, True, True, True, True, False) * 5,
    "diffusion-gemma.attention.key_length_swa": 256,
    "diffusion-gemma.attention.value_length_swa": 256,
    "diffusion-gemma.expert_feed_forward_length": 704,
    "diffusion-gemma.rope.dimension_count": 512,
    "diffusion-gemma.rope.dimension_count_swa": 256,
    "diffusion-gemma.attention.causal": False,
    "diffusion.canvas_length": 256,
}


def test_the_published_file() -> None:
    config = ModelConfig.from_metadata("m.gguf", PUBLISHED, vocab=262144)

    assert config == ModelConfig(
        layers=30,
        hidden=2816,
        dense_ffn=2112,
        expert_ffn=704,
        experts=128,
        experts_used=8,
        heads=16,
        kv_heads=(8, 8, 8, 8, 8, 2) * 5,
        head_dim_full=512,
        head_dim_sliding=256,
        sliding=(True, True, True, True, True, False) * 5,
        window=1024,
        rope_base_full=1e6,
        rope_base_sliding=1e4,
        rms_eps=1e-6,
        softcap=30.0,
        vocab=262144,
        canvas=256,
        context_length=262144,
    )
    assert [layer for layer in range(30) if config.head_dim(layer) == 512] == [5, 11, 17, 23, 29]


def test_one_number_of_key_heads_serves_all_layers() -> None:
    metadata = PUBLISHED | {"diffusion-gemma.attention.head_count_kv": 4}

    assert ModelConfig.from_metadata("m.gguf", metadata, vocab=9).kv_heads == (4,) * 30


def test_a_file_without_sampler_keys_has_the_published_defaults() -> None:
    assert sampler_defaults("m.gguf", PUBLISHED) == SamplerConfig()


def test_sampler_keys_of_a_file_are_taken() -> None:
    metadata = {
        "diffusion.eb_max_steps": 20,
        "diffusion.eb_t_min": 0.5,
        "diffusion.eb_t_max": 0.9,
        "diffusion.eb_entropy_bound": 0.2,
        "diffusion.eb_stability_threshold": 2,
        "diffusion.eb_confidence_threshold": 0.01,
    }

    assert sampler_defaults("m.gguf", metadata) == SamplerConfig(
        max_steps=20,
        t_min=0.5,
        t_max=0.9,
        entropy_bound=0.2,
        stability_threshold=2,
        confidence_threshold=0.01,
    )


scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-2, 64),
    st.floats(),
    st.text(max_size=3),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=32).map(tuple),
    st.just(LongArray("INT32", 5000)),
    st.just((True,) * 30),
)
KEYS = [*PUBLISHED, "diffusion.eb_max_steps", "diffusion.eb_t_max", "diffusion.eb_entropy_bound"]


@settings(max_examples=1000, deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(KEYS), st.none() | values, min_size=1, max_size=3),
    vocab=st.integers(0, 2**63),
)
def test_any_metadata_is_a_config_or_a_sentence(changes: dict[str, Any], vocab: int) -> None:
    metadata = {k: v for k, v in (PUBLISHED | changes).items() if v is not None}
    try:
        config = ModelConfig.from_metadata("m.gguf", metadata, vocab=vocab)
        sampler_defaults("m.gguf", metadata)
    except ModelFileError as error:
        sentence = str(error)
        assert sentence.startswith("m.gguf ")
        assert sentence.endswith("; download the model again or choose another.")
    else:
        assert len(config.kv_heads) == len(config.sliding) == config.layers
        assert all(config.heads % count == 0 for count in config.kv_heads)
        assert 1 <= config.experts_used <= config.experts
