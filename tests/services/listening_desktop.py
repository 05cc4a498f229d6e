"""A desktop that takes one note and prints it as JSON. Run in a session bus of its own."""

from __future__ import annotations

import json
import sys

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusVirtualObject
from sfumato.services import notification


class Desktop(QDBusVirtualObject):
    def introspect(self, path: str) -> str:
        return ""

    def handleMessage(self, message: QDBusMessage, connection: QDBusConnection) -> bool:
        connection.send(message.createReply([1]))
        if message.member() == "Notify":
            app, _, icon, title, text = message.arguments()[:5]
            heard = [message.signature(), app, icon, title, text]
            print(json.dumps(heard), flush=True)
            QTimer.singleShot(0, QCoreApplication.quit)
        return True


def main() -> None:
    app = QCoreApplication([])
    bus = QDBusConnection.sessionBus()
    desktop = Desktop()
    bus.registerVirtualObject("/org/freedesktop/Notifications", desktop)
    bus.registerService("org.freedesktop.Notifications")
    title, text = sys.argv[1:]
    QTimer.singleShot(0, lambda: notification.send(title, text, icon="/i.svg", desktop_id="io.x"))
    QTimer.singleShot(20_000, QCoreApplication.quit)
    app.exec()


if __name__ == "__main__":
    main()
