"""The icon in the tray, where one is wanted, and notes to a person who looks elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon

from sfumato.paths import resources_dir
from sfumato.services import notification

NOTE_MS = 10_000


class Tray(QObject):
    """Not to be seen until `keep` asks for it; a note shows the icon as long as it lasts."""

    show_wanted = Signal()
    new_chat_wanted = Signal()
    quit_wanted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept = False
        self._icon = QSystemTrayIcon(QApplication.windowIcon(), self)
        self._icon.setToolTip("Sfumato")
        self._menu = QMenu()
        for text, signal in (
            (self.tr("Show Sfumato"), self.show_wanted),
            (self.tr("New chat"), self.new_chat_wanted),
            (self.tr("Quit"), self.quit_wanted),
        ):
            self._menu.addAction(text).triggered.connect(lambda _=False, s=signal: s.emit())
        self._icon.setContextMenu(self._menu)
        self._icon.activated.connect(self._activated)
        self._icon.messageClicked.connect(self.show_wanted)
        self._note_timer = QTimer(self, singleShot=True, interval=NOTE_MS)
        self._note_timer.timeout.connect(self._note_over)

    @property
    def available(self) -> bool:
        """Whether this desktop has a tray."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    @property
    def kept(self) -> bool:
        """The icon is there to stay: the window may be hidden behind it."""
        return self._kept and self.available

    def menu(self) -> QMenu:
        return self._menu

    def keep(self, kept: bool) -> None:
        self._kept = kept
        # Else a dialog that is closed while the window is hidden would end the application.
        QGuiApplication.setQuitOnLastWindowClosed(not self.kept)
        self._icon.setVisible(self.kept)

    def close(self) -> None:
        self._icon.hide()

    def notify(self, title: str, text: str) -> None:
        """Say something without coming to the front."""
        if self.available and QSystemTrayIcon.supportsMessages():
            self._icon.show()
            self._icon.showMessage(title, text, QApplication.windowIcon(), NOTE_MS)
            self._note_timer.start()
        else:
            icon = str(resources_dir() / "icons" / "sfumato.svg")
            notification.send(title, text, icon=icon, desktop_id=QGuiApplication.desktopFileName())

    def _note_over(self) -> None:
        self._icon.setVisible(self.kept)

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason != QSystemTrayIcon.ActivationReason.Context:
            self.show_wanted.emit()
