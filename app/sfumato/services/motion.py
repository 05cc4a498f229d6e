"""Whether the system asks for less motion. Qt tells this only from 6.12, which we cannot use."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, Signal


def _kde_wants_less(config_home: Path) -> bool:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read(config_home / "kdeglobals", "utf-8")
        return float(parser.get("KDE", "AnimationDurationFactor", fallback="1")) == 0.0
    except (configparser.Error, OSError, ValueError):
        return False


def _windows_wants_less() -> bool:
    if sys.platform != "win32":
        return False
    import ctypes

    enabled = ctypes.c_int(1)
    get_client_area_animation = 0x1042
    ctypes.windll.user32.SystemParametersInfoW(
        get_client_area_animation, 0, ctypes.byref(enabled), 0
    )
    return enabled.value == 0


class SystemMotion(QObject):
    """`found` follows when the desktop has answered; until then `reduced` is False."""

    found = Signal(bool)

    def __init__(self, config_home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.reduced = _windows_wants_less() or _kde_wants_less(config_home)
        self._process: QProcess | None = None

    def ask(self) -> None:
        """Ask GNOME's settings without waiting for them."""
        if self.reduced or not sys.platform.startswith("linux"):
            return
        self._process = QProcess(self)
        self._process.finished.connect(self._answered)
        self._process.start(
            "gsettings", ["get", "org.gnome.desktop.interface", "enable-animations"]
        )

    def _answered(self) -> None:
        assert self._process is not None
        if bytes(self._process.readAllStandardOutput().data()).strip() == b"false":
            self.reduced = True
            self.found.emit(True)
