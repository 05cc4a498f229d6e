"""The window's side of the engine process: it survives whatever the process does."""

import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QThread
from pytestqt.qtbot import QtBot
from sfumato.engine.protocol import (
    VERSION,
    Committed,
    Denoised,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Loading,
    Message,
    Ready,
)
from sfumato.errors import GenerationError
from sfumato.services import engine_client
from sfumato.services.engine_client import STDERR_BYTES_KEPT, EngineClient
from tiny_model import write_tiny_model

MISBEHAVING = str(Path(__file__).with_name("misbehaving_engine.py"))
FAKE_WORKER = str(Path(__file__).parents[1] / "engine" / "fake_worker.py")
HELLO = [Message("user", "hello")]
PATIENCE_MS = 30_000

Start = Callable[..., EngineClient]


@pytest.fixture
def client(qtbot: QtBot) -> Iterator[Start]:
    """A client of `python SCRIPT HOW`, with what it received in `.events`, not yet started."""
    clients = []

    def client(script: str, how: str) -> EngineClient:
        made = EngineClient(command=[sys.executable, script, how])
        made.events = []
        made.received.connect(made.events.append)
        clients.append(made)
        return made

    yield client
    for made in clients:
        made.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return str(write_tiny_model(path, tokenizer=True))


def start(qtbot: QtBot, client: EngineClient) -> EngineClient:
    with qtbot.waitSignal(client.started, timeout=PATIENCE_MS):
        client.start()
    return client


def until(qtbot: QtBot, client: EngineClient, *kinds: type) -> Event:
    """Wait for the next event of one of these kinds."""
    with qtbot.waitSignal(
        client.received, timeout=PATIENCE_MS, check_params_cb=lambda event: isinstance(event, kinds)
    ) as waiting:
        pass
    return waiting.args[0]


def end_of(qtbot: QtBot, client: EngineClient, act: Callable[[], None]) -> tuple[Failed, str]:
    """The explanation that the end of the process after `act` gets: the event and the reason."""
    with qtbot.waitSignal(client.ended, timeout=PATIENCE_MS) as ended:
        act()
    failed = client.events[-1]
    assert isinstance(failed, Failed)
    return failed, ended.args[0]


def ask(client: EngineClient, turn: int = 4) -> None:
    client.request(Generate(turn=turn, messages=HELLO, seed=7))


def test_ready_is_received_before_started(qtbot, client):
    engine = client(MISBEHAVING, "well")
    engine.started.connect(lambda: engine.events.append("started"))
    start(qtbot, engine)
    assert engine.events == [Ready(VERSION, []), "started"]


def test_a_model_is_loaded_and_answers(qtbot, client, model):
    engine = start(qtbot, client(FAKE_WORKER, "plain"))
    engine.request(Load(path=model))
    assert until(qtbot, engine, Loaded, Failed).path == model
    ask(engine)
    finished = until(qtbot, engine, Finished, Failed)
    assert (finished.turn, finished.reason) == (4, "end")
    text = "".join(event.text for event in engine.events if isinstance(event, Committed))
    assert text == "An answer of the fake engine, over several canvases."


def test_events_arrive_in_the_thread_of_the_client(qtbot, client):
    engine = client(MISBEHAVING, "well")
    threads = []
    engine.received.connect(lambda _: threads.append(QThread.currentThread()))
    start(qtbot, engine)
    assert threads == [QCoreApplication.instance().thread()]


def test_stop_ends_the_answer_under_way(qtbot, client, model):
    engine = start(qtbot, client(FAKE_WORKER, "endless"))
    engine.request(Load(path=model))
    until(qtbot, engine, Loaded, Failed)
    ask(engine)
    until(qtbot, engine, Denoised)
    engine.stop()
    assert until(qtbot, engine, Finished, Failed).reason == "stopped"


def test_stop_without_an_answer_is_nothing(qtbot, client):
    engine = start(qtbot, client(MISBEHAVING, "well"))
    engine.stop()
    assert engine.running


def test_a_request_without_an_engine_is_refused(client):
    with pytest.raises(GenerationError, match="not running; start it"):
        ask(client(MISBEHAVING, "well"))


# The process goes wrong


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SIGKILL", "ended by the system, perhaps because memory ran out (SIGKILL)"),
        ("SIGSEGV", "crashed (SIGSEGV)"),
        ("SIGABRT", "crashed (SIGABRT)"),
        ("SIGBUS", "could no longer read the model file (SIGBUS)"),
        ("SIGTERM", "ended from outside (SIGTERM)"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_signal_that_ended_it_is_told_in_words(qtbot, client, name, words):
    engine = start(qtbot, client(MISBEHAVING, name))
    failed, reason = end_of(qtbot, engine, lambda: ask(engine))
    assert failed.kind == "crash"
    assert failed.turn == 4
    assert words in failed.message
    assert failed.message == reason
    assert failed.detail == f"engine of {name}\n"
    assert not engine.running


def test_a_fault_of_the_real_engine_leaves_its_stack_for_the_report(qtbot):
    engine = EngineClient()
    engine.events = []
    engine.received.connect(engine.events.append)
    start(qtbot, engine)
    failed, _ = end_of(qtbot, engine, lambda: os.kill(engine.process_id, signal.SIGSEGV))
    assert "Fatal Python error: Segmentation fault" in failed.detail
    assert "worker.py" in failed.detail


def test_killed_mid_canvas_it_fails_and_answers_after_a_new_start(qtbot, client, model):
    engine = start(qtbot, client(FAKE_WORKER, "endless"))
    engine.request(Load(path=model))
    until(qtbot, engine, Loaded, Failed)
    ask(engine, turn=1)
    until(qtbot, engine, Denoised)
    failed, _ = end_of(qtbot, engine, lambda: os.kill(engine.process_id, signal.SIGKILL))
    assert (failed.kind, failed.turn) == ("crash", 1)

    start(qtbot, engine)
    engine.request(Load(path=model))
    until(qtbot, engine, Loaded, Failed)
    ask(engine, turn=2)
    assert until(qtbot, engine, Denoised, Failed).turn == 2


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("another version", "protocol", f"speaks version {VERSION + 1}, the window speaks"),
        ("unready", "protocol", "Loading before Ready"),
        ("speaks english", "protocol", "unreadable"),
        ("exits", "crash", "ended while it was starting (exit code 3)"),
    ],
)
def test_an_engine_that_starts_badly_is_refused_with_the_reason(qtbot, client, how, kind, words):
    engine = client(MISBEHAVING, how)
    failed, reason = end_of(qtbot, engine, engine.start)
    assert failed.kind == kind
    assert words in failed.message == reason
    assert not any(isinstance(event, Ready) for event in engine.events)
    assert not engine.running


@pytest.mark.parametrize(
    ("how", "kind"), [("garbage", "protocol"), ("half a frame", "crash")], ids=str
)
def test_garbage_in_an_answer_fails_that_answer(qtbot, client, how, kind):
    engine = start(qtbot, client(MISBEHAVING, how))
    failed, _ = end_of(qtbot, engine, lambda: ask(engine, turn=6))
    assert (failed.kind, failed.turn) == (kind, 6)


def test_an_engine_that_explained_its_end_is_not_said_to_have_crashed(qtbot, client):
    engine = start(qtbot, client(FAKE_WORKER, "plain"))
    failed, _ = end_of(qtbot, engine, lambda: engine._process.write(b"\xff" * 8))
    assert failed.kind == "protocol"
    assert len([event for event in engine.events if isinstance(event, Failed)]) == 1


def test_a_program_that_does_not_exist_is_told(qtbot):
    engine = EngineClient(command=["/nowhere/sfumato-engine"])
    events = []
    engine.received.connect(events.append)
    with qtbot.waitSignal(engine.ended, timeout=PATIENCE_MS):
        engine.start()
    assert events[0].kind == "crash"
    assert "could not be started" in events[0].message
    assert not engine.running


def test_of_a_chatty_engine_the_last_words_are_kept(qtbot, client):
    engine = start(qtbot, client(MISBEHAVING, "chatty"))
    qtbot.waitUntil(lambda: "line 19999" in engine.stderr_tail, timeout=PATIENCE_MS)
    assert len(engine.stderr_tail.encode()) <= STDERR_BYTES_KEPT


# The end


def test_close_ends_the_process_and_says_so(qtbot, client):
    engine = start(qtbot, client(MISBEHAVING, "well"))
    with qtbot.waitSignal(engine.ended) as ended:
        engine.close()
    assert ended.args == [""]
    assert not any(isinstance(event, Failed) for event in engine.events)


def test_close_ends_a_deaf_process(qtbot, client, monkeypatch):
    monkeypatch.setattr(engine_client, "SHUTDOWN_MS", 50)
    monkeypatch.setattr(engine_client, "TERMINATE_MS", 50)
    engine = start(qtbot, client(MISBEHAVING, "deaf"))
    ask(engine)
    until(qtbot, engine, Loading)
    pid = engine.process_id
    engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_engine_that_does_not_stop_is_restarted_when_asked_again(qtbot, client, monkeypatch):
    engine = start(qtbot, client(MISBEHAVING, "deaf"))
    before = engine.process_id
    ask(engine, turn=8)
    until(qtbot, engine, Loading)
    engine.stop()
    engine.stop()  # too early: it may be in the middle of a step
    assert engine.process_id == before
    monkeypatch.setattr(engine_client, "STOP_PATIENCE_MS", -1)
    with qtbot.waitSignal(engine.started, timeout=PATIENCE_MS):
        engine.stop()
    assert engine.process_id != before
    assert [event.turn for event in engine.events if isinstance(event, Failed)] == [8]


@pytest.mark.parametrize("leave", ["restart", "close"])
def test_an_answer_under_way_fails_when_the_engine_is_ended(qtbot, client, leave):
    engine = start(qtbot, client(MISBEHAVING, "well"))
    ask(engine, turn=8)
    getattr(engine, leave)()
    failed = engine.events[-1]
    assert isinstance(failed, Failed)
    assert failed.turn == 8


def test_restart_gives_another_process(qtbot, client):
    engine = start(qtbot, client(MISBEHAVING, "well"))
    before = engine.process_id
    with qtbot.waitSignal(engine.started, timeout=PATIENCE_MS):
        engine.restart()
    assert engine.process_id != before


def test_a_slot_may_restart_the_engine_that_just_failed(qtbot, client):
    engine = start(qtbot, client(MISBEHAVING, "SIGSEGV"))
    engine.ended.connect(engine.start)
    with qtbot.waitSignal(engine.started, timeout=PATIENCE_MS):
        ask(engine)
    assert engine.running
    engine.ended.disconnect(engine.start)


WINDOW = textwrap.dedent("""
    import sys
    from PySide6.QtCore import QCoreApplication
    from sfumato.engine.protocol import Denoised, Failed, Generate, Load, Loaded, Message
    from sfumato.services.engine_client import EngineClient

    application = QCoreApplication([])
    engine = EngineClient(command=[sys.executable, sys.argv[1], "endless"])

    def take(event):
        if isinstance(event, Loaded):
            engine.request(Generate(turn=1, messages=[Message("user", "hello")]))
        if isinstance(event, Denoised):
            print(engine.process_id, flush=True)
            engine.received.disconnect(take)
        if isinstance(event, Failed):
            application.exit(1)

    engine.received.connect(take)
    engine.started.connect(lambda: engine.request(Load(path=sys.argv[2])))
    engine.start()
    application.exec()
""")


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd")
def test_a_killed_window_takes_the_engine_with_it(model):
    window = subprocess.Popen(
        [sys.executable, "-c", WINDOW, FAKE_WORKER, model], stdout=subprocess.PIPE
    )
    with window.stdout:
        try:
            engine = os.pidfd_open(int(window.stdout.readline()))
        finally:
            window.kill()
            window.wait()
        try:
            readable, _, _ = select.select([engine], [], [], PATIENCE_MS / 1000)
            assert readable
        finally:
            os.close(engine)
