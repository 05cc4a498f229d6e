"""Threads, random numbers, processor features."""

import child
import numpy as np
import pytest
from sfumato.engine import _native


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("tasks", [1, 2, 3, 1000])
def test_every_task_runs_once(threads: int, tasks: int) -> None:
    assert _native.op_count_tasks(threads, tasks, 300) == [300] * tasks


# Known answers of Random123's Philox4x32-10.
@pytest.mark.parametrize(
    ("counter", "seed", "want"),
    [
        ([0] * 4, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            0xFFFFFFFFFFFFFFFF,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            0x299F31D0A4093822,
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_random_numbers_are_those_of_philox(counter: list[int], seed: int, want: list[int]) -> None:
    assert _native.op_philox(counter, seed) == want


@pytest.mark.parametrize("name", ["portable", "avx2", "avxvnni", "avx512vnni", "amx"])
def test_a_lower_instruction_set_can_be_asked_for(name: str) -> None:
    code = "from sfumato.engine import _native; print(_native.instruction_set())"
    run = child.run(code, SFUMATO_ISA=name)
    features = _native.cpu_features() | {
        "portable": True,
        "amx": _native.cpu_features()["amx_int8"],
    }
    if features[name]:
        assert run.stdout.strip() == name
    else:
        assert "lacks" in run.stderr


def test_half_floats_round_to_nearest_even(rng: np.random.Generator) -> None:
    values = rng.standard_normal((40, 32)).astype(np.float32) * np.logspace(-7, 4, 40)[:, None]
    values = values.astype(np.float32)
    queries = np.zeros((1, 32), np.float32)
    for row in values:  # one key: attention returns its value as the cache holds it
        got = _native.op_attention(
            queries,
            row[None],
            row[None],
            head_dim=32,
            first_position=0,
            causal=True,
            window=0,
            capacity=1,
            half=True,
            pass_rows=1,
        )
        np.testing.assert_array_equal(got[0], row.astype(np.float16).astype(np.float32))
