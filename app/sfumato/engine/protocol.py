"""Every message between the window and the engine process.

Frames on the two pipes are a 4-byte little-endian length and a msgpack body (`encode`,
`FrameReader`). The window sends requests, the engine sends events; each side decodes into its own
union and refuses anything else. `Denoised` may be replaced by a newer one before it is sent; no
other event is dropped, and the last `Denoised` of a block always arrives.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Literal

import msgspec

from sfumato.engine.sampler import SamplerConfig
from sfumato.sentence import Fact, Part, Sentence

VERSION = 2
MAX_FRAME_BYTES = 64 * 1024 * 1024

__all__ = [
    "MAX_FRAME_BYTES",
    "VERSION",
    "CancelLoad",
    "Committed",
    "CountTokens",
    "Counted",
    "Denoised",
    "Device",
    "Event",
    "Failed",
    "FailureKind",
    "Finished",
    "FrameError",
    "FrameReader",
    "Generate",
    "Load",
    "Loaded",
    "Loading",
    "Log",
    "Message",
    "Prefilled",
    "Profile",
    "Ready",
    "Request",
    "SamplerConfig",
    "Shutdown",
    "Stop",
    "Unload",
    "Unloaded",
    "byte_to_entropy",
    "decode_event",
    "decode_request",
    "encode",
    "entropy_to_byte",
]


# exact: weights in the file's types; compact: experts of 8 bits are rounded to 5, and less memory
# is kept for working on a card.
Profile = Literal["exact", "compact"]


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation; an assistant's `text` is the answer without its thinking."""

    role: Literal["system", "user", "assistant"]
    text: str


# Requests: window → engine


class Load(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Open a model. It ends an answer and a load that are under way, and closes a loaded one."""

    path: str
    device: str = "auto"  # auto | cpu | cuda:N
    context: int = 8192  # tokens the KV cache can hold
    profile: Profile = "exact"
    compute: Literal["fast", "reference"] = "fast"


class CancelLoad(msgspec.Struct, frozen=True, tag=True):
    """Give up the load that is under way; `Unloaded` follows, or `Loaded` if it came too late."""


class Unload(msgspec.Struct, frozen=True, tag=True):
    """Close the model and free its memory; `Unloaded` follows."""


class Generate(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Answer a conversation whose last message is the user's, or continue its last answer.

    start, pinned: first block only, [canvas] ids; -1 in `start` is noise, -1 in `pinned` is free
    (MODEL.md 7.2). `words` are pinned from the first free position on. `turn` comes back in every
    event of this answer.
    """

    turn: int
    messages: list[Message]
    thinking: bool = False
    sampler: SamplerConfig | None = None  # None: the defaults of the model file
    seed: int | None = None  # None: a random one, told in Prefilled
    max_blocks: int = 16
    start: list[int] | None = None
    pinned: list[int] | None = None
    words: str = ""
    continue_answer: bool = False  # the last message is an assistant's, go on where it ends
    pace_ms: float = 0.0  # a step takes at least so long: a small model can be watched


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the answer after the step that is being computed; what is committed stays."""

    turn: int


class CountTokens(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How many tokens a conversation takes: `Counted` with the same `request` follows.

    Answered between two steps of an answer under way; not at all while no model is loaded.
    """

    request: int
    messages: list[Message]
    thinking: bool = False


class Shutdown(msgspec.Struct, frozen=True, tag=True):
    pass


Request = Load | CancelLoad | Unload | Generate | Stop | CountTokens | Shutdown


# Events: engine → window


class Device(msgspec.Struct, frozen=True):
    """A place where the model may run, as the native code sees it."""

    id: str  # cpu | cuda:N
    name: str
    memory_bytes: int
    detail: Sentence  # instruction set, or compute capability and driver
    usable: bool = True
    reason: str = ""  # why it is not usable, part of a sentence
    free_bytes: int | None = None  # when the engine started; None: unknown


class Ready(msgspec.Struct, frozen=True, tag=True):
    """First event of an engine; a window of another version ends it."""

    version: int
    devices: list[Device]


class Loading(msgspec.Struct, frozen=True, tag=True):
    fraction: float  # 0 to 1 of the weight bytes


class Loaded(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    path: str
    name: str  # general.name of the file
    parameters: int
    device: str
    placement: Sentence  # what computes where, and why
    context: int
    canvas: int
    vocab: int
    pools: dict[str, int]  # bytes per pool, as _native.Model.pools
    expected_ms_per_step: float | None
    sampler: SamplerConfig  # the file's own defaults
    main_memory: int = 0  # bytes of experts that a GPU has no room for
    rounding_error: float = 0.0  # ‖difference‖ / ‖weights‖ of what the profile rounded


class Unloaded(msgspec.Struct, frozen=True, tag=True):
    """No model is loaded any more: it was asked for, or a load was given up."""


class Prefilled(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    turn: int
    tokens: int  # of the whole prompt
    reused: int  # of these, already in the KV cache
    ms: float
    seed: int
    context_left: int


class Denoised(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """One denoise step. Nothing in it is final: accepted positions may be withdrawn.

    All lists and byte strings have one entry a canvas position.
    """

    turn: int
    block: int  # 0 is the first
    step: int  # 1 is the first
    max_steps: int
    ids: list[int]  # the draft (argmax)
    pieces: list[str]  # the draft as text, one piece a position
    noise_ids: list[int]  # what the model holds after this step
    noise_pieces: list[str]
    entropy: bytes  # see entropy_to_byte
    accepted: bytes  # 0 or 1
    pinned: bytes  # 0 or 1
    mean_entropy: float  # nats
    ms: float


class Committed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A block is final: `text` is appended to the answer, `thinking` to the thought."""

    turn: int
    block: int
    text: str
    thinking: str
    ids: list[int]  # [canvas], the final draft in full, stop token and padding included
    pieces: list[str]  # [canvas], as in Denoised
    kept: int  # ids before the first stop token
    steps: int
    settled: bool  # False: it ran out of steps
    mean_entropy: float
    ms: float  # of all its steps


class Finished(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The end of an answer: it ended, was stopped, had max_blocks blocks, or filled the context.

    tokens_per_second is `tokens` over `seconds`: the time from the request to the last step, the
    reading of the prompt included; steps that a Stop made worthless count as time, not as tokens.
    """

    turn: int
    reason: Literal["end", "stopped", "length", "context"]
    tokens: int  # kept: committed, before the first stop token
    blocks: int
    steps: int
    seconds: float
    tokens_per_second: float
    peak_bytes: int  # cpu: the most the engine has held; cuda: what it holds on the device


class Counted(msgspec.Struct, frozen=True, tag=True):
    request: int
    tokens: int
    context: int


FailureKind = Literal[
    "model_file",  # no model we can run
    "model_gone",  # the file is not where it was
    "memory",
    "device",  # the CPU or GPU cannot do it, or computes wrongly
    "context",  # the conversation is too long
    "request",  # this request cannot be answered, others can
    "protocol",  # garbage on a pipe, or another version; the engine ends
    "crash",  # the engine is gone
    "internal",  # a mistake of ours
]


class Failed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Something ended badly: what (one sentence), and the way out (one sentence)."""

    kind: FailureKind
    message: Sentence
    advice: Sentence
    turn: int | None = None
    detail: str = ""  # traceback or stderr, for Copy


class Log(msgspec.Struct, frozen=True, tag=True):
    level: Literal["debug", "info", "warning", "error"]
    text: str


Event = (
    Ready
    | Loading
    | Loaded
    | Unloaded
    | Prefilled
    | Denoised
    | Committed
    | Finished
    | Counted
    | Failed
    | Log
)


# Entropy as one byte. A square root keeps the small values apart that decide when a block settles:
# byte 1 is 0.0002 nats, byte 5 about the confidence threshold, byte 255 ln(262144) or more.
_ENTROPY_MAX = math.log(262144)


def entropy_to_byte(nats: float) -> int:
    return min(255, max(0, round(255 * math.sqrt(max(nats, 0.0) / _ENTROPY_MAX))))


def byte_to_entropy(value: int) -> float:
    return (value / 255) ** 2 * _ENTROPY_MAX


class FrameError(Exception):
    """The other side does not speak this protocol."""


class _SentenceFrame(msgspec.Struct, array_like=True):
    """A Sentence on the pipe: the window says it in its own language."""

    context: str
    pattern: str
    part: Part
    facts: dict[str, Any]  # Fact, a sentence again as such a frame


def _pack(value: object) -> _SentenceFrame:
    if isinstance(value, Sentence):
        return _SentenceFrame(value.context, value.pattern, value.part, value.facts)
    raise NotImplementedError(f"{type(value).__name__} does not go through the pipe")


def _unpack(_: type, value: object) -> Sentence:
    if isinstance(value, str):
        return Sentence("", value)
    frame = msgspec.convert(value, _SentenceFrame)
    try:
        facts = {name: _unpacked_fact(fact) for name, fact in frame.facts.items()}
        return Sentence(frame.context, frame.pattern, frame.part, **facts)
    except (LookupError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"no sentence: {error}") from error


def _unpacked_fact(fact: object) -> Fact:
    if isinstance(fact, str | int | float):
        return fact
    return _unpack(Sentence, fact)


_encoder = msgspec.msgpack.Encoder(enc_hook=_pack)
_request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_event_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event, dec_hook=_unpack)


def encode(message: Request | Event) -> bytes:
    """One frame, ready for the pipe."""
    body = _encoder.encode(message)
    return struct.pack("<I", len(body)) + body


def decode_request(body: bytes) -> Request:
    try:
        return _request_decoder.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise FrameError(f"not a request: {error}") from error


def decode_event(body: bytes) -> Event:
    try:
        return _event_decoder.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise FrameError(f"not an event: {error}") from error


class FrameReader:
    """Cuts a stream of bytes, fed in any portions, into frame bodies."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies completed by `data`. Raises FrameError at an absurd length."""
        self._pending += data
        bodies = []
        while len(self._pending) >= 4:
            (length,) = struct.unpack_from("<I", self._pending)
            if length > MAX_FRAME_BYTES:
                raise FrameError(f"a frame of {length} bytes")
            if len(self._pending) < 4 + length:
                break
            bodies.append(bytes(self._pending[4 : 4 + length]))
            del self._pending[: 4 + length]
        return bodies
