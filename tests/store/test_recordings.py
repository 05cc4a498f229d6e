import contextlib
import random
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sfumato.errors import StoreError
from sfumato.store import chats, messages, recordings
from sfumato.store.recordings import MAGIC, StepRecord, decode_recording, encode_recording

FLOATS = st.floats(allow_nan=False, width=64)


@st.composite
def step_records(draw: st.DrawFn) -> list[StepRecord]:
    positions = draw(st.integers(0, 8))
    tokens = st.tuples(st.integers(0, 262_143), st.text(max_size=4))
    bits = st.binary(min_size=positions, max_size=positions)
    records = []
    pieces = st.text(max_size=4)
    noisy = draw(st.booleans())
    for _ in range(draw(st.integers(0 if positions == 0 else 1, 6))):
        row = draw(st.lists(tokens, min_size=positions, max_size=positions))
        records.append(
            StepRecord(
                step=draw(st.integers(0, 2**32 - 1)),
                ids=[token_id for token_id, _ in row],
                pieces=[piece for _, piece in row],
                entropy=draw(bits),
                accepted=bytes(byte & 1 for byte in draw(bits)),
                mean_entropy=draw(FLOATS),
                ms=draw(FLOATS),
                noise_pieces=[
                    draw(st.just(piece) | pieces | st.just("\ud800")) for _, piece in row if noisy
                ],
            )
        )
    return records


@given(step_records())
def test_a_recording_comes_back_exactly(records):
    assert decode_recording(encode_recording(records)) == records


VERSIONS = st.sampled_from([MAGIC + b"\x01", MAGIC + b"\x02"])


@given(st.binary(max_size=200) | st.builds(bytes.__add__, VERSIONS, st.binary(max_size=200)))
def test_bytes_that_are_no_recording_are_refused(data):
    with pytest.raises(StoreError):
        decode_recording(data)


@given(VERSIONS, st.binary(max_size=400))
def test_a_compressed_body_of_anything_is_refused_or_read(version, body):
    with contextlib.suppress(StoreError):
        decode_recording(version + zlib.compress(body))


@given(step_records().filter(len), st.data())
def test_a_body_with_a_wrong_byte_is_refused_or_read(records, data):
    encoded = encode_recording(records)
    body = bytearray(zlib.decompress(encoded[5:]))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(StoreError):
        for record in decode_recording(encoded[:5] + zlib.compress(bytes(body))):
            assert len(record.noise_pieces) in (0, len(record.pieces))


@given(step_records().filter(len), st.data())
def test_a_recording_with_a_flipped_bit_or_a_lost_end_is_refused(records, data):
    encoded = bytearray(encode_recording(records))
    if data.draw(st.booleans()):
        del encoded[data.draw(st.integers(0, len(encoded) - 1)) :]
    else:
        at = data.draw(st.integers(5, len(encoded) - 1))
        encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert decode_recording(bytes(encoded)) == records  # a bit that zlib does not use
    except StoreError:
        pass


def test_a_recording_of_a_newer_version_says_so():
    with pytest.raises(StoreError, match="newer"):
        decode_recording(MAGIC + b"\x03" + b"anything")


# Two steps of "a", "b" then "a", "c", as version 1 wrote them.
VERSION_1 = bytes.fromhex(
    "5346554d01789c636660646000e244263095c40ca692991898c01210f0c31e42ab388054cd9a09023ba1626a"
    "0e408560a50e0147b725000012a50a37"
)


def test_a_recording_from_before_noise_was_kept_is_read_without():
    first, second = decode_recording(VERSION_1)
    assert (first.pieces, second.pieces) == (["a", "b"], ["a", "c"])
    assert (second.ids, second.entropy, second.accepted) == ([1, 3], b"\x05\x06", b"\1\1")
    assert first.noise_pieces == second.noise_pieces == []
    assert decode_recording(encode_recording([first, second])) == [first, second]


def test_noise_missing_in_one_step_is_kept_in_none():
    with_noise = StepRecord(1, [1], ["a"], b"\0", b"\0", 0, 0, ["x"])
    without = StepRecord(2, [1], ["a"], b"\0", b"\0", 0, 0)
    assert [r.noise_pieces for r in decode_recording(encode_recording([with_noise, without]))] == [
        [],
        [],
    ]


@pytest.mark.parametrize("pieces", [[f"n{i}" for i in range(65_535)], ["x" * 70_000]])
def test_noise_beyond_any_bound_is_left_out_and_the_draft_kept(pieces):
    count = len(pieces)
    step = StepRecord(
        1, [1] * count, ["a"] * count, bytes(count), bytes(count), 0, 0, noise_pieces=pieces
    )
    (read,) = decode_recording(encode_recording([step]))
    assert read.pieces == step.pieces
    assert read.noise_pieces == []


def test_a_bomb_is_refused():
    with pytest.raises(StoreError):
        decode_recording(MAGIC + b"\x01" + zlib.compress(bytes(80 * 1024 * 1024), 9))


def test_steps_of_unequal_length_are_our_mistake():
    steps = [
        StepRecord(1, [1], ["a"], b"\0", b"\0", 0, 0),
        StepRecord(2, [1, 2], ["a", "b"], b"\0\0", b"\0\0", 0, 0),
    ]
    with pytest.raises(ValueError, match="positions"):
        encode_recording(steps)


def settling_block(steps: int, seed: int = 1) -> list[StepRecord]:
    """256 positions of which about a sixth change a step, as in a recorded run."""
    rng = random.Random(seed)
    ids = [rng.randrange(262_144) for _ in range(256)]
    entropy = [rng.randrange(60, 256) for _ in range(256)]
    records = []
    for step in range(1, steps + 1):
        for at in range(256):
            if rng.random() < 0.16:
                ids[at] = rng.randrange(262_144)
            entropy[at] = max(0, min(255, entropy[at] + rng.randrange(-30, 20)))
        records.append(
            StepRecord(
                step,
                list(ids),
                [f"w{i}" for i in ids],
                bytes(entropy),
                bytes(int(e < 60) for e in entropy),
                sum(entropy) / 256,
                11.5,
                [
                    f"w{i if e < 60 else rng.randrange(262_144)}"
                    for i, e in zip(ids, entropy, strict=True)
                ],
            )
        )
    return records


def without_noise(steps: list[StepRecord]) -> list[StepRecord]:
    return [msgspec.structs.replace(step, noise_pieces=[]) for step in steps]


@pytest.mark.parametrize(("steps", "limit"), [(12, 12_000), (48, 40_000)])
def test_a_block_takes_few_bytes(steps, limit):
    assert len(encode_recording(without_noise(settling_block(steps)))) < limit


@pytest.mark.parametrize(("steps", "limit"), [(12, 12_000), (48, 40_000)])
def test_noise_takes_about_as_many_bytes_again(steps, limit):
    records = settling_block(steps)
    more = len(encode_recording(records)) - len(encode_recording(without_noise(records)))
    assert 0 < more < limit


@pytest.fixture
def answer_id(db) -> int:
    prompt = messages.add_prompt(db, chats.create_chat(db).id, "Hello")
    return messages.begin_answer(db, prompt.id).id


def test_a_recording_is_kept_with_its_block(db, answer_id):
    records = settling_block(3)
    size = recordings.save_recording(db, answer_id, 0, records, 10**6)
    assert recordings.load_recording(db, answer_id, 0) == records
    assert recordings.load_recording(db, answer_id, 1) is None
    assert recordings.recorded_blocks(db, answer_id) == [0]
    assert recordings.recordings_size(db) == recordings.RecordingsSize(1, size)


def test_the_oldest_recordings_go_first_when_the_limit_is_reached(db, answer_id):
    size = recordings.save_recording(db, answer_id, 0, settling_block(2), 10**6)
    for block in range(1, 6):
        recordings.save_recording(db, answer_id, block, settling_block(2), 3 * size)
    assert recordings.recorded_blocks(db, answer_id) == [3, 4, 5]


def test_a_smaller_limit_prunes_at_once(db, answer_id):
    for block in range(4):
        size = recordings.save_recording(db, answer_id, block, settling_block(2), 10**6)
    assert recordings.prune_recordings(db, 2 * size) == 2
    assert recordings.prune_recordings(db, 0) == 2
    assert recordings.recordings_size(db).bytes == 0


def test_a_copied_chat_can_be_watched_again_too(db, answer_id):
    records = settling_block(2)
    recordings.save_recording(db, answer_id, 0, records, 10**6)
    chat_id = messages.get_message(db, answer_id).chat_id
    copy = messages.duplicate_chat(db, chat_id, "copy")
    assert recordings.load_recording(db, copy.messages[-1].id, 0) == records
