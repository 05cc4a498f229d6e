"""Messages between the two processes: whole through any pipe, and no bytes can hurt."""

import math
import struct
import typing

import msgspec
import pytest
from fakes import FAKE_CPU, answer_events
from hypothesis import given
from hypothesis import strategies as st
from sfumato.engine import protocol
from sfumato.engine.protocol import (
    MAX_FRAME_BYTES,
    VERSION,
    CancelLoad,
    CountTokens,
    Event,
    Failed,
    FrameError,
    FrameReader,
    Generate,
    Load,
    Message,
    Ready,
    Request,
    SamplerConfig,
    Shutdown,
    Stop,
    Unload,
    Unloaded,
    byte_to_entropy,
    decode_event,
    decode_request,
    encode,
    entropy_to_byte,
)

REQUESTS: list[Request] = [
    Load(path="/models/é.gguf", device="cuda:0", context=1024),
    CancelLoad(),
    Unload(),
    Generate(
        turn=3,
        messages=[Message("system", "Be brief."), Message("user", "Wörter\n🦙")],
        sampler=SamplerConfig(max_steps=12),
        seed=2**63 - 1,
        start=[-1] * 16,
        pinned=[5] * 16,
    ),
    Stop(3),
    CountTokens(request=1, messages=[]),
    Shutdown(),
]
EVENTS: list[Event] = [
    Ready(VERSION, [FAKE_CPU]),
    *answer_events("Some words that need more than one canvas " * 4),
    Failed(kind="memory", message="No.", advice="Yes.", turn=None),
    Unloaded(),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_requests_arrive_as_they_were_sent(request_):
    (body,) = FrameReader().feed(encode(request_))
    assert decode_request(body) == request_


def test_events_arrive_as_they_were_sent():
    bodies = FrameReader().feed(b"".join(map(encode, EVENTS)))
    assert [decode_event(body) for body in bodies] == EVENTS


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_any_chopping_gives_the_same_frames(bodies, data):
    stream = b"".join(struct.pack("<I", len(body)) + body for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    frames, received = FrameReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += frames.feed(stream[start:end])
    assert received == bodies


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_no_bytes_do_more_than_raise_frame_error(portions):
    frames = FrameReader()
    try:
        for portion in portions:
            for body in frames.feed(portion):
                decode_request(body)
    except FrameError:
        pass


@given(st.data())
def test_a_damaged_message_is_another_message_or_a_frame_error(data):
    """Bytes of a real message are changed: deeper than random bytes ever get."""
    message = data.draw(st.sampled_from([*REQUESTS, *EVENTS]))
    body = bytearray(encode(message)[4:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    for decode in (decode_request, decode_event):
        try:
            decode(bytes(body))
        except FrameError:
            pass


def test_a_frame_of_the_greatest_length_is_no_error_yet():
    assert FrameReader().feed(struct.pack("<I", MAX_FRAME_BYTES)) == []


def test_a_longer_frame_is_refused_before_it_is_kept():
    with pytest.raises(FrameError, match=str(MAX_FRAME_BYTES + 1)):
        FrameReader().feed(struct.pack("<I", MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize("decode", [decode_request, decode_event])
def test_the_other_directions_messages_are_refused(decode):
    wrong = EVENTS if decode is decode_request else REQUESTS
    for message in wrong:
        with pytest.raises(FrameError):
            decode(encode(message)[4:])


def test_impossible_sampler_settings_are_refused():
    request = msgspec.to_builtins(Generate(turn=1, messages=[], sampler=SamplerConfig()))
    request["sampler"]["t_min"] = 0.0
    with pytest.raises(FrameError, match="temperatures"):
        decode_request(msgspec.msgpack.encode(request))


def test_a_field_of_a_newer_version_is_ignored():
    event = {"type": "Ready", "version": VERSION + 1, "devices": [], "colour": "blue"}
    assert decode_event(msgspec.msgpack.encode(event)) == Ready(VERSION + 1, [])


@pytest.mark.parametrize("union", [Request, Event])
def test_every_message_is_exported(union):
    names = {kind.__name__ for kind in typing.get_args(union)}
    assert names <= set(protocol.__all__)


@given(st.integers(0, 255))
def test_entropy_bytes_survive(value):
    assert entropy_to_byte(byte_to_entropy(value)) == value


@given(st.floats(-1.0, 100.0), st.floats(-1.0, 100.0))
def test_entropy_bytes_keep_the_order(one, other):
    low, high = sorted((one, other))
    assert entropy_to_byte(low) <= entropy_to_byte(high)


def test_entropy_bytes_end_at_a_vocabulary_of_noise():
    assert entropy_to_byte(0.0) == 0
    assert entropy_to_byte(math.log(262144)) == 255
