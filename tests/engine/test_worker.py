"""The engine process: real processes, real pipes, real signals (engine/worker.py)."""

import itertools
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import answer_events
from sfumato.engine.failure import failure
from sfumato.engine.protocol import (
    VERSION,
    CancelLoad,
    Committed,
    Counted,
    CountTokens,
    Denoised,
    Event,
    Failed,
    Finished,
    FrameReader,
    Generate,
    Load,
    Loaded,
    Loading,
    Log,
    Message,
    Ready,
    Request,
    Shutdown,
    Stop,
    Unload,
    Unloaded,
    decode_event,
    encode,
)
from sfumato.engine.worker import EXIT_PROTOCOL, Outbox
from sfumato.errors import ModelFileError
from tiny_model import write_tiny_model

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")
HELLO = [Message("user", "hello")]
PATIENCE = 30.0  # seconds; nothing here needs one

linux = pytest.mark.skipif(sys.platform != "linux", reason="pidfd and PR_SET_PDEATHSIG")


class Engine:
    """The test's end of the two pipes."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._frames = FrameReader()
        self._events: list[Event] = []

    def send(self, *requests: Request) -> None:
        self.send_bytes(b"".join(map(encode, requests)))

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def next(self) -> Event:
        """The next event. Raises EOFError at the end of the pipe, TimeoutError if none comes."""
        assert self.process.stdout
        while not self._events:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            if not readable:
                raise TimeoutError
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise EOFError
            self._events += map(decode_event, self._frames.feed(data))
        return self._events.pop(0)

    def until(self, *kinds: type) -> list[Event]:
        """All events up to the first of one of these kinds."""
        events = [self.next()]
        while not isinstance(events[-1], kinds):
            events.append(self.next())
        return events

    def load(self, path: Path) -> Loaded:
        self.send(Load(path=str(path)))
        event = self.until(Loaded, Failed)[-1]
        assert isinstance(event, Loaded), event
        return event

    def ask(self, turn: int = 1) -> list[Event]:
        self.send(Generate(turn=turn, messages=HELLO, seed=7))
        return self.until(Finished, Failed)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf", tokenizer=True)


Start = Callable[[str], Engine]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the engine process in a scenario of fake_worker.py; it is ready."""
    engines = []

    def start(scenario: str = "plain") -> Engine:
        engine = Engine(str(FAKE_WORKER), scenario)
        engines.append(engine)
        assert isinstance(engine.next(), Ready)
        return engine

    yield start
    for engine in engines:
        engine.close()


def test_the_first_event_tells_version_and_devices():
    engine = Engine("-m", "sfumato.engine.worker")
    try:
        ready = engine.next()
    finally:
        engine.close()
    assert isinstance(ready, Ready)
    assert ready.version == VERSION
    assert ready.devices[0].id == "cpu"


def test_the_real_engine_answers_in_its_process(model):
    engine = Engine("-m", "sfumato.engine.worker")
    try:
        assert isinstance(engine.next(), Ready)
        assert engine.load(model).canvas == 16
        events = engine.ask()
        again = engine.ask()
    finally:
        engine.close()
    ids = [event.ids for event in events if isinstance(event, Committed)]
    assert ids == [event.ids for event in again if isinstance(event, Committed)] != []
    assert isinstance(events[-1], Finished)


def test_the_engine_imports_neither_qt_nor_network():
    script = "import sys, sfumato.engine.worker; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    forbidden = {"PySide6", "httpx", "huggingface_hub", "requests", "ssl"}
    assert forbidden.isdisjoint(name.partition(".")[0] for name in modules)


def test_a_model_is_loaded_and_answers(start, model):
    engine = start()
    assert engine.load(model).path == str(model)
    events = engine.ask(turn=5)
    text = "".join(event.text for event in events if isinstance(event, Committed))
    assert text == "An answer of the fake engine, over several canvases."
    assert isinstance(events[-1], Finished)
    assert {event.turn for event in events} == {5}


def test_loading_is_told_as_it_goes(start, model):
    engine = start()
    engine.send(Load(path=str(model)))
    fractions = [e.fraction for e in engine.until(Loaded) if isinstance(e, Loading)]
    assert fractions == sorted(set(fractions))
    assert len(fractions) == 10


def test_stop_is_honoured_within_one_step(start, model):
    """A fourth step waits until Stop has been read; Stop may also arrive before it begins."""
    engine = start("stop")
    engine.load(model)
    engine.send(Generate(turn=1, messages=HELLO))
    for _ in range(4):
        engine.next()  # Prefilled and three steps
    engine.send(Stop(1))
    events = engine.until(Finished)
    assert events[-1].reason == "stopped"
    assert 3 <= events[-1].steps <= 4


def test_an_answer_that_waits_is_stopped_before_it_begins(start, model):
    engine = start()
    engine.send(Load(path=str(model)), Generate(turn=1, messages=HELLO), Stop(1))
    finished = engine.until(Finished)[-1]
    assert (finished.reason, finished.steps) == ("stopped", 0)


def test_stop_of_an_answer_that_is_over_stops_nothing_later(start, model):
    engine = start()
    engine.load(model)
    engine.ask(turn=1)
    engine.send(Stop(1))
    assert engine.ask(turn=1)[-1].reason == "end"


def test_tokens_are_counted_between_two_steps(start, model):
    engine = start("count")
    engine.load(model)
    engine.send(Generate(turn=1, messages=HELLO), CountTokens(request=3, messages=HELLO))
    events = engine.until(Finished)
    (at,) = (at for at, event in enumerate(events) if isinstance(event, Counted))
    assert events[at].request == 3
    assert any(isinstance(event, Denoised) for event in events[at:])


def test_a_load_is_cancelled_between_two_panels(start, model):
    engine = start("cancel")
    engine.send(Load(path=str(model)), CancelLoad())
    events = engine.until(Unloaded, Loaded, Failed)
    assert isinstance(events[-1], Unloaded)
    assert max(event.fraction for event in events if isinstance(event, Loading)) <= 0.3


def test_cancel_without_a_load_cancels_nothing_later(start, model):
    engine = start()
    engine.send(CancelLoad())
    assert engine.load(model)


def test_a_newer_load_ends_an_older_one(start, model, tmp_path):
    newer = tmp_path / "newer.gguf"
    newer.write_bytes(model.read_bytes())
    engine = start("newer load")
    engine.send(
        Load(path=str(model)), Load(path=str(newer)), CountTokens(request=1, messages=HELLO)
    )
    events = engine.until(Loaded, Failed)
    assert events[-1].path == str(newer)
    assert not any(isinstance(event, Unloaded) for event in events)


def test_a_load_ends_the_answer_under_way(start, model):
    engine = start("endless")
    engine.load(model)
    engine.send(Generate(turn=1, messages=HELLO))
    engine.until(Denoised)
    engine.send(Load(path=str(model)))
    assert engine.until(Finished)[-1].reason == "stopped"
    engine.until(Loaded)


def test_an_unloaded_model_answers_nothing(start, model):
    engine = start()
    engine.load(model)
    engine.send(Unload())
    engine.until(Unloaded)
    failed = engine.ask()[-1]
    assert (failed.kind, failed.turn) == ("request", 1)
    assert engine.load(model)


# What goes wrong


@pytest.mark.parametrize(
    ("scenario", "kind", "words"),
    [
        ("memory", "memory", "3.2 GB, 1.0 GB are free"),
        ("device", "device", "illegal memory access"),
        ("mistake", "internal", "ZeroDivisionError"),
    ],
)
def test_a_failed_answer_is_explained_and_the_engine_lives(start, model, scenario, kind, words):
    engine = start(scenario)
    engine.load(model)
    failed = engine.ask(turn=9)[-1]
    assert (failed.kind, failed.turn) == (kind, 9)
    assert words in failed.message
    assert failed.advice.endswith(".")
    assert "Traceback" in failed.detail
    assert engine.load(model)


def test_too_little_memory_for_a_load_is_told_with_numbers(start, model):
    engine = start("load memory")
    engine.send(Load(path=str(model)))
    failed = engine.until(Failed)[-1]
    assert (failed.kind, failed.turn) == ("memory", None)
    assert "17.2 GB, 8.0 GB are free" in failed.message


def test_a_model_deleted_between_two_loads_is_gone(start, model, tmp_path):
    path = tmp_path / "copy.gguf"
    path.write_bytes(model.read_bytes())
    engine = start()
    engine.load(path)
    path.unlink()
    engine.send(Load(path=str(path)))
    failed = engine.until(Failed)[-1]
    assert failed.kind == "model_gone"
    assert "copy.gguf" in failed.message
    assert engine.load(model)


def test_a_truncated_model_is_no_model(start, model, tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(model.read_bytes()[:1000])
    engine = start()
    engine.send(Load(path=str(path)))
    failed = engine.until(Failed)[-1]
    assert failed.kind == "model_file"
    assert engine.load(model)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 64,
        b"\x03\0\0\0abc",
        b"\0\0\0\0",
        encode(Ready(VERSION, [])),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["absurd length", "no msgpack", "empty", "an event", "http"],
)
def test_garbage_ends_the_engine_with_an_explanation(start, garbage):
    engine = start()
    engine.send_bytes(garbage)
    failed = engine.until(Failed)[-1]
    assert failed.kind == "protocol"
    assert engine.wait() == EXIT_PROTOCOL


def test_what_libraries_print_does_not_reach_the_events(start, model):
    engine = start("prints")
    engine.load(model)
    assert isinstance(engine.ask()[-1], Finished)


# The end


def test_shutdown_ends_the_engine(start):
    engine = start()
    engine.send(Shutdown())
    assert engine.wait() == 0


def test_shutdown_ends_an_answer(start, model):
    engine = start("endless")
    engine.load(model)
    engine.send(Generate(turn=1, messages=HELLO))
    engine.until(Denoised)
    engine.send(Shutdown())
    assert engine.until(Finished)[-1].reason == "stopped"
    assert engine.wait() == 0


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "mid-canvas"])
def test_the_engine_ends_when_its_pipe_closes(start, model, busy):
    engine = start("endless")
    if busy:
        engine.load(model)
        engine.send(Generate(turn=1, messages=HELLO))
        engine.until(Denoised)
    engine.process.stdin.close()
    assert engine.wait() == 0


def test_ctrl_c_is_not_the_engines_business(start, model):
    engine = Engine("-m", "sfumato.engine.worker")
    try:
        engine.next()
        engine.process.send_signal(signal.SIGINT)
        engine.send(CountTokens(request=1, messages=HELLO), Shutdown())
        assert engine.wait() == 0
    finally:
        engine.close()


PARENT = textwrap.dedent("""
    import subprocess, sys
    child = subprocess.Popen(sys.argv[1:])  # on the pipes of this process, which the test holds
    print(child.pid, file=sys.stderr, flush=True)
    child.wait()
""")


@linux
def test_the_engine_dies_with_its_parent():
    """Its pipes stay open in the test, so only the kernel can have told it."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, sys.executable, "-m", "sfumato.engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert parent.stdin
    assert parent.stdout
    assert parent.stderr
    with parent.stdin, parent.stdout, parent.stderr:
        child = os.pidfd_open(int(parent.stderr.readline()))
        try:
            assert parent.stdout.read(4)  # Ready: the engine has asked the kernel
            parent.kill()
            parent.wait()
            readable, _, _ = select.select([child], [], [], PATIENCE)
            assert readable
        finally:
            os.close(child)


# Events on their way


def test_steps_that_nobody_takes_are_replaced_and_nothing_else():
    read_end, write_end = os.pipe()
    outbox = Outbox(write_end)
    block = [e for e in answer_events("one two three", steps=400) if not isinstance(e, Finished)]
    posted: list[Event] = [*block, *block, Log("info", "between"), *block]
    for event in posted:  # far more than a pipe holds
        outbox.post(event)
    frames, sent = FrameReader(), []
    while len([event for event in sent if isinstance(event, Committed)]) < 3:
        sent += map(decode_event, frames.feed(os.read(read_end, 1 << 16)))
    outbox.close()
    os.close(read_end)
    os.close(write_end)
    steps = [event for event in sent if isinstance(event, Denoised)]
    others = [event for event in sent if not isinstance(event, Denoised)]
    assert others == [event for event in posted if not isinstance(event, Denoised)]
    assert len(steps) < 1200 / 2
    last_before = [
        earlier.step for earlier, later in itertools.pairwise(sent) if isinstance(later, Committed)
    ]
    assert last_before == [400, 400, 400]  # the last step of a block always arrives


def test_a_sentence_with_a_way_out_becomes_message_and_advice():
    failed = failure(ModelFileError("x.gguf ends early; download it again."), path="/dev/null")
    assert (failed.message, failed.advice) == ("x.gguf ends early.", "Download it again.")
