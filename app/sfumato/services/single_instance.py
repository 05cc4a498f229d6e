"""One window a user: the second start raises the first window and ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_MS = 1000
RAISE = b"raise\n"


class SingleInstance(QObject):
    """`raised` comes when somebody started Sfumato again for the same data folder."""

    raised = Signal()

    def __init__(self, data_folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # A local socket's name is short on Unix, folder names are not.
        digest = hashlib.sha256(str(data_folder.resolve()).encode()).hexdigest()[:16]
        self._name = f"sfumato-{digest}"
        self._server: QLocalServer | None = None

    def claim(self) -> bool:
        """True if this is the first; otherwise the first has been asked to show its window."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if socket.waitForConnected(ANSWER_MS):
            socket.write(RAISE)
            socket.waitForBytesWritten(ANSWER_MS)
            socket.disconnectFromServer()
            return False
        QLocalServer.removeServer(self._name)  # what a crash left behind
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._accept)
        self._server.listen(self._name)
        return True

    def _accept(self) -> None:
        assert self._server is not None
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.raised.emit()

    def release(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
