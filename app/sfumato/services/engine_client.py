"""The engine process, as the window sees it.

    client = EngineClient()
    client.received.connect(...)    # every event of engine/protocol.py, in order
    client.started.connect(...)     # the engine runs and speaks our version (its Ready came first)
    client.ended.connect(...)       # the process is gone: one sentence, "" if we asked for it
    client.start()
    client.request(Load(path=...))  # never blocks

Qt's own process class reads and writes the pipes from the event loop: no thread of ours runs in the
window. While the window is busy the pipe fills up, and the engine replaces steps that were not
taken (see engine/worker.py), so a stalled window never has a queue to work off. Whatever the child
does, the client reports it as an event and lives on: every Generate is followed by Finished or
Failed with its turn.
"""

import signal
import sys
from collections import deque

from PySide6.QtCore import QElapsedTimer, QObject, QProcess, QProcessEnvironment, Signal

from sfumato.engine.protocol import (
    VERSION,
    Failed,
    Finished,
    FrameError,
    FrameReader,
    Generate,
    Ready,
    Request,
    Shutdown,
    Stop,
    decode_event,
    encode,
)
from sfumato.errors import GenerationError
from sfumato.sentence import Sentence

STDERR_BYTES_KEPT = 64 * 1024

# A step on a slow machine takes some seconds; whoever asks again after these has waited enough.
STOP_PATIENCE_MS = 5000
# How long close() waits for each of: the engine's own exit, SIGTERM, SIGKILL.
SHUTDOWN_MS = 2000
TERMINATE_MS = 1000
KILL_MS = 2000

START_AGAIN = Sentence("EngineClient", "Start the engine again; the conversation is safe.")
INSTALL_AGAIN = Sentence(
    "EngineClient", "Install Sfumato again, so that window and engine come from one version."
)


class EngineClient(QObject):
    """Owns the engine process. All methods belong to the thread that made the client."""

    received = Signal(object)  # Ready, Loaded, Denoised, …, Failed
    started = Signal()
    ended = Signal(str)

    def __init__(self, parent: QObject | None = None, *, command: list[str] | None = None) -> None:
        """`command` starts another program than the engine (tests)."""
        super().__init__(parent)
        self._command = command or [sys.executable, "-m", "sfumato.engine.worker"]
        self._process: QProcess | None = None
        self._frames = FrameReader()
        self._stderr: deque[bytes] = deque()
        self._ready = False
        self._explained = False  # the reason for the end has been told
        self._turn: int | None = None  # of the answer under way
        self._stop_asked = QElapsedTimer()  # valid: the answer under way was asked to stop

    @property
    def running(self) -> bool:
        """A process exists; it may not be ready yet, but takes requests."""
        return self._process is not None

    @property
    def process_id(self) -> int | None:
        return self._process.processId() if self._process else None

    @property
    def stderr_tail(self) -> str:
        """The last of what the engine wrote for its developers; kept after it ended."""
        return b"".join(self._stderr).decode("utf-8", "replace")

    def start(self) -> None:
        """Start the process, unless one runs. `started` follows, or Failed is received."""
        if self._process is not None:
            return
        self._frames = FrameReader()
        self._stderr.clear()
        self._ready = False
        self._explained = False
        self._turn = None
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUNBUFFERED", "1")  # stderr in time for its reader
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read_events)
        process.readyReadStandardError.connect(self._read_stderr)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        process.start(self._command[0], self._command[1:])

    def request(self, message: Request) -> None:
        """Send a request. Raises GenerationError when no engine runs."""
        if self._process is None:
            raise GenerationError(
                Sentence("EngineClient", "The engine is not running; start it again.")
            )
        if isinstance(message, Generate):
            self._turn = message.turn
            self._stop_asked.invalidate()
        self._process.write(encode(message))

    def stop(self) -> None:
        """End the answer under way after its current step; `Finished` follows.

        Asked again when that has not happened for a while, it restarts an engine that hangs.
        """
        if self._process is None or self._turn is None:
            return
        if not self._stop_asked.isValid():
            self._stop_asked.start()
            self.request(Stop(self._turn))
        elif self._stop_asked.elapsed() > STOP_PATIENCE_MS:
            self.restart()

    def restart(self) -> None:
        """End the process at once, whatever it is doing, and start a new one."""
        if self._process is not None:
            self._leave(0)
            self._say_farewell()
        self.start()

    def close(self) -> None:
        """End the process; returns when it is gone, after at most the waits above."""
        if self._process is not None:
            self.request(Shutdown())
            self._leave(SHUTDOWN_MS)
            self._say_farewell()

    def _leave(self, patience_ms: int) -> None:
        """End the process; nothing that it still says is reported."""
        process = self._process
        assert process is not None
        self._process = None
        process.blockSignals(True)
        process.closeWriteChannel()
        if not (patience_ms and process.waitForFinished(patience_ms)):
            process.terminate()
            if not (patience_ms and process.waitForFinished(TERMINATE_MS)):
                process.kill()
                process.waitForFinished(KILL_MS)
        process.deleteLater()

    def _say_farewell(self) -> None:
        """The process was ended on request, perhaps in the middle of an answer."""
        turn, self._turn = self._turn, None
        if turn is not None:
            message = Sentence(
                "EngineClient", "The engine was closed before the answer was finished."
            )
            advice = Sentence("EngineClient", "Ask again, or continue the answer.")
            self.received.emit(Failed(kind="crash", message=message, advice=advice, turn=turn))
        self.ended.emit("")

    def _read_events(self) -> None:
        process = self._process
        if process is None:
            return
        try:
            for body in self._frames.feed(bytes(process.readAllStandardOutput().data())):
                self._take(body)
                if self._process is not process:  # a slot closed or restarted the client
                    return
        except FrameError as error:
            said = Sentence("EngineClient", "The engine sent something unreadable ({error}).")
            self._refuse(said.filled(error=str(error)), START_AGAIN)

    def _take(self, body: bytes) -> None:
        event = decode_event(body)
        if isinstance(event, Ready):
            if event.version != VERSION:
                said = Sentence(
                    "EngineClient",
                    "The engine speaks version {engine}, the window speaks version {window}.",
                )
                self._refuse(said.filled(engine=event.version, window=VERSION), INSTALL_AGAIN)
                return
            self._ready = True
            self.received.emit(event)
            self.started.emit()
            return
        if not self._ready:
            raise FrameError(f"{type(event).__name__} before Ready")
        if isinstance(event, Finished | Failed) and event.turn == self._turn:
            self._turn = None
        if isinstance(event, Failed) and event.kind == "protocol":
            self._explained = True  # the engine ends itself after this and needs no obituary
        self.received.emit(event)

    def _refuse(self, message: Sentence, advice: Sentence) -> None:
        failure = Failed(
            kind="protocol",
            message=message,
            advice=advice,
            turn=self._turn,
            detail=self.stderr_tail,
        )
        self._turn = None
        self._leave(0)
        self.received.emit(failure)
        self.ended.emit(message)

    def _read_stderr(self) -> None:
        if self._process is None:
            return
        self._stderr.append(bytes(self._process.readAllStandardError().data()))
        size = sum(map(len, self._stderr))
        while size > STDERR_BYTES_KEPT:
            oldest = self._stderr.popleft()
            size -= len(oldest)
            if size < STDERR_BYTES_KEPT:
                self._stderr.appendleft(oldest[-(STDERR_BYTES_KEPT - size) :])
                return

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            reason = self._process.errorString()
            said = Sentence("EngineClient", "The engine could not be started ({reason}).")
            self._gone(said.filled(reason=reason), INSTALL_AGAIN)

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        self._read_events()
        if self._process is not process:
            return
        self._read_stderr()
        if status == QProcess.ExitStatus.CrashExit:
            message, advice = _crash_in_words(code)
        else:
            said = Sentence("EngineClient", "The engine ended (exit code {code}).")
            if not self._ready:
                said = Sentence(
                    "EngineClient", "The engine ended while it was starting (exit code {code})."
                )
            message, advice = said.filled(code=str(code)), START_AGAIN
        self._gone(message, advice)

    def _gone(self, message: Sentence, advice: Sentence) -> None:
        """The process ended without being asked to."""
        process = self._process
        assert process is not None
        turn, self._turn = self._turn, None
        self._process = None
        process.deleteLater()
        if not self._explained:
            self.received.emit(
                Failed(
                    kind="crash",
                    message=message,
                    advice=advice,
                    turn=turn,
                    detail=self.stderr_tail,
                )
            )
        self.ended.emit(message)


def _crash_in_words(code: int) -> tuple[Sentence, Sentence]:
    """What ended a process, and what to do; `code` is the signal, on Windows the exception."""
    name = f"exception {code & 0xFFFFFFFF:#010x}"
    if sys.platform != "win32":
        try:
            name = signal.Signals(code).name
        except ValueError:
            name = f"signal {code}"
    if name == "SIGKILL":
        return (
            Sentence(
                "EngineClient",
                "The engine was ended by the system, perhaps because memory ran out (SIGKILL).",
            ),
            Sentence(
                "EngineClient",
                "Close other programs or choose a smaller model or context, then start it again.",
            ),
        )
    if name == "SIGBUS":
        return (
            Sentence("EngineClient", "The engine could no longer read the model file (SIGBUS)."),
            Sentence(
                "EngineClient",
                "Check that the file is complete and its drive connected, then start it again.",
            ),
        )
    if name == "SIGTERM":
        said = Sentence("EngineClient", "The engine was ended from outside ({name}).")
    else:
        said = Sentence("EngineClient", "The engine crashed ({name}).")
    return said.filled(name=name), START_AGAIN
