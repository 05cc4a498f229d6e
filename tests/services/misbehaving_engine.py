"""A process that is no good engine: `python misbehaving_engine.py HOW`. No Qt, no model."""

import os
import signal
import sys

from sfumato.engine.protocol import (
    VERSION,
    FrameReader,
    Generate,
    Loading,
    Ready,
    Shutdown,
    decode_request,
    encode,
)

how = sys.argv[1]


def say(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def requests():
    frames = FrameReader()
    while data := os.read(0, 1 << 16):
        yield from map(decode_request, frames.feed(data))


print("engine of", how, file=sys.stderr, flush=True)
match how:
    case "exits":
        sys.exit(3)
    case "another version":
        say(encode(Ready(VERSION + 1, [])))
    case "unready":
        say(encode(Loading(0.5)))
    case "speaks english":
        say(b"hello, this is no frame")
    case "chatty":
        for line in range(20_000):
            print("line", line, "x" * 50, file=sys.stderr)
        sys.stderr.flush()
        say(encode(Ready(VERSION, [])))
    case _:
        say(encode(Ready(VERSION, [])))
for request in requests():
    if isinstance(request, Shutdown) and how != "deaf":
        break
    if isinstance(request, Generate):
        match how:
            case "garbage":
                say(b"\xff" * 5000)
            case "half a frame":
                say(encode(Loading(0.5))[:-2])
                sys.exit(0)
            case "deaf":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                say(encode(Loading(1.0)))
            case _ if how.startswith("SIG"):
                os.kill(os.getpid(), signal.Signals[how])
