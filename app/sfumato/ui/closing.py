"""Closing the window: the tray may keep it, and what is not on disk yet is asked about."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QWidget

from sfumato.services.store_health import StoreHealth
from sfumato.ui.question import question
from sfumato.ui.tray import Tray
from sfumato.ui.widgets import set_role


class Closing(QObject):
    """What the window asks when it is to close."""

    def __init__(self, window: QWidget, tray: Tray, health: StoreHealth) -> None:
        super().__init__(window)
        self._window = window
        self._tray = tray
        self._health = health
        self._quitting = False

    def quit(self) -> None:
        """Close for good, also where the tray would keep the window."""
        self._quitting = True
        if self._window.close():
            QApplication.quit()
        self._quitting = False

    @property
    def hides(self) -> bool:
        """Closing leaves the icon in the tray, and the model loaded."""
        app = QApplication.instance()
        logging_out = isinstance(app, QApplication) and app.isSavingSession()
        return self._tray.kept and not self._quitting and not logging_out

    def allowed(self) -> bool:
        """Whether nothing would be lost, or the person says that it may be."""
        while problem := self._health.problem_with_closing():
            box = question(
                self._window,
                self.tr("The last of what was written is not on disk yet."),
                problem,
                title=self.tr("Close Sfumato?"),
            )
            roles = QMessageBox.ButtonRole
            again = box.addButton(self.tr("Try again"), roles.ActionRole)
            elsewhere = box.addButton(self.tr("Save elsewhere…"), roles.ActionRole)
            close = box.addButton(self.tr("Close and lose it"), roles.DestructiveRole)
            set_role(close, "danger")
            box.setDefaultButton(again)
            box.setEscapeButton(box.addButton(self.tr("Cancel"), roles.RejectRole))
            box.exec()
            clicked = box.clickedButton()
            if clicked is close or (clicked is elsewhere and self.save_elsewhere()):
                return True
            if clicked not in (again, elsewhere):
                return False
        return True

    def save_elsewhere(self) -> bool:
        """Ask for a file and write all chats to it; whether that was done."""
        path, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Save all chats"), "sfumato-chats.db", "SQLite (*.db)"
        )
        return bool(path) and self._health.save_elsewhere(Path(path))
