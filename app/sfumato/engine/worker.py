"""The engine process: requests from standard input, events to standard output.

    reader thread   takes requests off the pipe; acts at once on Stop, CancelLoad and Shutdown
    main thread     answers the others, one after the other, and owns the session
    sender thread   writes events (see Outbox)

Nothing else may write to the pipe of events: what libraries print goes to standard error. The
process ends when its window closes the pipe, and on Linux dies with it whatever it is doing.
"""

import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

from sfumato.engine import device
from sfumato.engine._native import CancelledError
from sfumato.engine.failure import failure
from sfumato.engine.protocol import (
    VERSION,
    CancelLoad,
    Counted,
    CountTokens,
    Denoised,
    Device,
    Event,
    Failed,
    FrameError,
    FrameReader,
    Generate,
    Load,
    Loaded,
    Loading,
    Log,
    Ready,
    Request,
    Shutdown,
    Stop,
    Unload,
    Unloaded,
    decode_request,
    encode,
)
from sfumato.engine.session import Session, load
from sfumato.errors import GenerationError
from sfumato.sentence import Sentence

EXIT_PROTOCOL = 2  # after a request that could not be read
FLUSH_SECONDS = 2.0  # how long a last event may take to leave
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
READ_BYTES = 1 << 16

Loader = Callable[[Load, Callable[[float], bool]], tuple[Session, Loaded]]


class Outbox:
    """Events on their way to the window, in order.

    The window may be slower than the model. A Denoised that has not left yet is replaced by the
    next one of its block, so at most one per block waits; nothing else is replaced.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._waiting: deque[Event] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._send, name="sender", daemon=True)
        self._thread.start()

    def post(self, event: Event) -> None:
        with self._changed:
            last = self._waiting[-1] if self._waiting else None
            if (
                isinstance(event, Denoised)
                and isinstance(last, Denoised)
                and (last.turn, last.block) == (event.turn, event.block)
            ):
                self._waiting.pop()
            self._waiting.append(event)
            self._changed.notify()

    def close(self) -> None:
        """Send what waits, as far as the window takes it soon."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(FLUSH_SECONDS)

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                event = self._waiting.popleft()
            try:
                _write(self._pipe, encode(event))
            except OSError:
                os._exit(0)  # the window is gone


class Worker:
    """Answers requests until Shutdown or the end of the pipe."""

    def __init__(self, requests: int, events: int, loader: Loader = load) -> None:
        """Two file descriptors."""
        self._pipe = requests
        self._loader = loader
        self._outbox = Outbox(events)
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._counts: queue.SimpleQueue[CountTokens] = queue.SimpleQueue()
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._unanswered: set[int] = set()  # turns
        self._stopped: set[int] = set()  # of these
        self._newest_load = 0  # how many were read; a newer one makes an older one pointless
        self._cancelled_load = 0  # this one and those before are
        self._load_under_way = 0
        self._ending = False

    def run(self, devices: Sequence[Device]) -> None:
        self._outbox.post(Ready(VERSION, list(devices)))
        logging.getLogger().addHandler(_LogToWindow(self._outbox))
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while not isinstance(request := self._requests.get(), Shutdown):
            try:
                self._answer(request)
            except Exception as error:
                turn = request.turn if isinstance(request, Generate) else None
                path = request.path if isinstance(request, Load) else None
                self._outbox.post(failure(error, turn=turn, path=path))
        self._outbox.close()

    def _answer(self, request: Request) -> None:
        match request:
            case Load():
                self._load(request)
            case Unload():
                self._unload()
                self._outbox.post(Unloaded())
            case Generate():
                self._generate(request)
            case CountTokens():
                self._count()

    def _load(self, request: Load) -> None:
        self._unload()
        self._load_under_way += 1
        told = -1.0

        def progress(fraction: float) -> bool:
            nonlocal told
            if fraction >= told + 0.01:
                told = fraction
                self._outbox.post(Loading(fraction))
            return (
                self._cancelled_load < self._load_under_way == self._newest_load
                and not self._ending
            )

        try:
            self._session, loaded = self._loader(request, progress)
        except CancelledError:
            if self._load_under_way == self._newest_load:
                self._outbox.post(Unloaded())
        else:
            self._outbox.post(loaded)

    def _unload(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _generate(self, request: Generate) -> None:
        def stopped() -> bool:
            return self._ending or request.turn in self._stopped

        try:
            if self._session is None:
                raise GenerationError(Sentence("Engine", "No model is loaded; choose one first."))
            for event in self._session.answer(request, stopped):
                self._outbox.post(event)
                self._count()
        finally:
            with self._lock:
                self._unanswered.discard(request.turn)
                self._stopped.discard(request.turn)

    def _count(self) -> None:
        """Answer every CountTokens that waits; people type while an answer is under way."""
        session = self._session
        while True:
            try:
                request = self._counts.get_nowait()
            except queue.Empty:
                return
            if session is not None:
                tokens = session.count_tokens(request.messages, thinking=request.thinking)
                self._outbox.post(Counted(request.request, tokens, session.context))

    def _read(self) -> None:
        frames = FrameReader()
        try:
            while data := os.read(self._pipe, READ_BYTES):
                for body in frames.feed(data):
                    self._take(decode_request(body))
        except FrameError as error:
            self._outbox.post(
                Failed(
                    kind="protocol",
                    message=Sentence(
                        "Engine", "The engine could not read a request: {error}."
                    ).filled(error=str(error)),
                    advice=Sentence("Engine", "Start the engine again; the conversation is safe."),
                )
            )
            self._outbox.close()
            os._exit(EXIT_PROTOCOL)
        except OSError:
            pass
        os._exit(0)  # the window is gone; the main thread may be deep in native code

    def _take(self, request: Request) -> None:
        with self._lock:
            match request:
                case Stop():
                    # a turn that is over, or unknown, has nothing to stop
                    self._stopped |= {request.turn} & self._unanswered
                    return
                case CancelLoad():
                    self._cancelled_load = self._newest_load
                    return
                case Shutdown():
                    self._ending = True
                case Generate():
                    self._unanswered.add(request.turn)
                case Load():
                    self._newest_load += 1
                    self._stopped |= self._unanswered
                case Unload():
                    self._stopped |= self._unanswered
                case CountTokens():
                    self._counts.put(request)
        self._requests.put(request)


class _LogToWindow(logging.Handler):
    """Warnings of libraries, for the window's log."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(logging.WARNING)
        self._outbox = outbox

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        is_error = record.levelno >= logging.ERROR
        self._outbox.post(Log("error" if is_error else "warning", text))


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def claim_pipes() -> tuple[int, int]:
    """File descriptors of requests and events, which nobody else can reach any more."""
    requests, events = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for pipe in (requests, events):
            msvcrt.setmode(pipe, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, events


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the window dies; elsewhere the end of the pipe has to do."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(loader: Loader = load) -> None:
    requests, events = claim_pipes()
    die_with_parent()
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the window's business
    Worker(requests, events, loader).run(device.devices())


if __name__ == "__main__":
    main()
