"""What a file weighs in a profile, against the engine's own sums."""

import dataclasses

import pytest
from sfumato.download.network import Profile, is_expert, memory_needed, pools, published
from sfumato.engine import device
from sfumato.engine.model_file import TensorInfo
from sfumato.engine.random_model import SHAPES


@pytest.mark.parametrize("quant", ["Q4_K_M", "Q8_0", "BF16"])
@pytest.mark.parametrize("profile", ["exact", "compact"])
def test_weights_are_those_of_the_engine(quant: str, profile: Profile) -> None:
    network = published(quant)
    assert network is not None
    tensors = [TensorInfo(t.name, t.type, t.shape, 0, t.bytes) for t in network.tensors]
    assert pools(network, 8192, profile).weights == device.weight_bytes(tensors, profile)


def test_compact_rounds_experts_of_eight_bits_and_nothing_else() -> None:
    network = published("Q4_K_M")
    assert network is not None
    eight = [t for t in network.tensors if t.type == "Q8_0" and is_expert(t)]
    shape = SHAPES["26b-a4b"]
    assert len(eight) == 14
    assert {t.shape for t in eight} == {(shape.expert_ffn, shape.hidden, shape.experts)}
    five = [dataclasses.replace(t, type="Q5_0") for t in eight]
    saved = sum(a.bytes - b.bytes for a, b in zip(eight, five, strict=True))
    assert network.weight_bytes - network.held("compact").weight_bytes == saved


def test_sixteen_thousand_tokens_take_less_in_compact_than_half_of_them_in_exact() -> None:
    network = published("Q4_K_M")
    assert network is not None
    assert memory_needed(network, 16384, "compact") < memory_needed(network, 8192, "exact")
