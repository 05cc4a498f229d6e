import contextlib
import random
import zlib

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
            )
        )
    return records


@given(step_records())
def test_a_recording_comes_back_exactly(records):
    assert decode_recording(encode_recording(records)) == records


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda b: MAGIC + b"\x01" + b))
def test_bytes_that_are_no_recording_are_refused(data):
    with pytest.raises(StoreError):
        decode_recording(data)


@given(st.binary(max_size=400))
def test_a_compressed_body_of_anything_is_refused_or_read(body):
    with contextlib.suppress(StoreError):
        decode_recording(MAGIC + b"\x01" + zlib.compress(body))


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
        decode_recording(MAGIC + b"\x02" + b"anything")


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
            )
        )
    return records


@pytest.mark.parametrize(("steps", "limit"), [(12, 12_000), (48, 40_000)])
def test_a_block_takes_few_bytes(steps, limit):
    assert len(encode_recording(settling_block(steps))) < limit


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
