"""A note on the desktop where there is no tray to send it (GNOME, bare window managers).

The desktop takes notes at org.freedesktop.Notifications. Python has no unsigned integer to give to
Qt's D-Bus, which the call needs, so GLib's own tool sends it; it is wherever such a desktop is.
"""

from __future__ import annotations

import html
import sys

from PySide6.QtCore import QProcess

SHOWN_MS = 10_000


def send(title: str, text: str, *, icon: str, desktop_id: str) -> bool:
    """Plain text, whatever it holds; False where there is nobody to show it."""
    if not sys.platform.startswith("linux"):
        return False
    process = QProcess()
    process.setProgram("gdbus")
    process.setArguments(
        [
            *("call", "--session", "--timeout", "5"),
            *("--dest", "org.freedesktop.Notifications"),
            *("--object-path", "/org/freedesktop/Notifications"),
            *("--method", "org.freedesktop.Notifications.Notify"),
            *(_string("Sfumato"), "uint32 0", _string(icon), _string(title)),
            # The text may be read as markup, the title never is.
            *(_string(html.escape(text, quote=False)), "@as []"),
            f"{{'desktop-entry': <{_string(desktop_id)}>}}",
            f"int32 {SHOWN_MS}",
        ]
    )
    process.setStandardOutputFile(QProcess.nullDevice())
    process.setStandardErrorFile(QProcess.nullDevice())
    started = process.startDetached()
    return bool(started[0] if isinstance(started, tuple) else started)


def _string(text: str) -> str:
    """A string as GVariant writes it; what has no width is left out."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
