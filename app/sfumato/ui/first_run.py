"""The first run: what this is, this computer, the download, a test. Each screen can be skipped."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sfumato.services.first_run import Replay
from sfumato.services.model import ModelService
from sfumato.services.model_library import ModelLibrary, ModelRow
from sfumato.services.self_test import SelfTest
from sfumato.services.settings import SettingsService
from sfumato.ui.first_run_pages.download_screen import DownloadScreen
from sfumato.ui.first_run_pages.hello_screen import HelloScreen
from sfumato.ui.first_run_pages.machine_screen import MachineScreen
from sfumato.ui.first_run_pages.screen import Screen
from sfumato.ui.first_run_pages.test_screen import TestScreen
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, hairline

TICK_PX = 28
HEIGHT_PX = 640  # of a screen with its buttons, where the window is higher
SIDE_PX = 16  # beside a screen, where its scroll bar goes


class _Progress(QWidget):
    """One tick a screen, as in the time line of a recording."""

    def __init__(self, theme: Theme, count: int) -> None:
        super().__init__()
        self._theme = theme
        self._count = count
        self._at = 0
        theme.changed.connect(self.update)

    def show_at(self, at: int) -> None:
        self._at = at
        words = self.tr("Step %1 of %2")
        self.setAccessibleName(words.replace("%1", str(at + 1)).replace("%2", str(self._count)))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._count * self._theme.px(TICK_PX + 6), self._theme.px(4))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        colors, width = self._theme.colors, self._theme.px(TICK_PX)
        for tick in range(self._count):
            painter.setBrush(colors.accent if tick <= self._at else colors.line)
            x = tick * (width + self._theme.px(6))
            painter.drawRoundedRect(QRectF(x, self.height() / 2 - 1.5, width, 3), 1.5, 1.5)


def _scrolling(screen: Screen) -> QScrollArea:
    """The screen in its place; it scrolls where the window is too small for it."""
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    screen.box.setContentsMargins(SIDE_PX, 4, SIDE_PX, 4)
    area.setWidget(screen)
    return area


class FirstRun(QWidget):
    closed = Signal()
    chosen = Signal(object)  # Path of a model to load and test
    import_wanted = Signal()
    gpu_wanted = Signal()
    load_cancelled = Signal()

    def __init__(
        self,
        theme: Theme,
        library: ModelLibrary,
        settings: SettingsService,
        model: ModelService,
        self_test: SelfTest,
        replay: Replay | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """`replay`: another recording than the shipped one."""
        super().__init__(parent)
        self._theme = theme
        self._library = library
        self._settings = settings
        self.hello = HelloScreen(theme, replay)
        self.machine = MachineScreen(theme, library, settings)
        self.download = DownloadScreen(theme, library)
        self.test = TestScreen(theme, self_test, model)
        self._screens: list[Screen] = [self.hello, self.machine, self.download, self.test]
        self._stack = QStackedWidget()
        for screen in self._screens:
            self._stack.addWidget(_scrolling(screen))
            screen.changed.connect(self._show_buttons)
        self._progress = _Progress(theme, len(self._screens))
        self.back = button(self.tr("Back"), "quiet", self.go_back)
        self.skip = button(self.tr("Skip"), "quiet", self.close_run)
        self.next = button("", "accent", self.go_on)
        self._lay_out()
        self.machine.import_wanted.connect(self.import_wanted)
        self.machine.found_chosen.connect(self._import_found)
        self.download.acted.connect(self._act)
        self.test.gpu_wanted.connect(self.gpu_wanted)
        self.test.load_cancelled.connect(self._cancel_load)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _lay_out(self) -> None:
        # Hidden on the last screen, where it still has its place.
        policy = self.skip.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.skip.setSizePolicy(policy)
        head = QHBoxLayout()
        head.setContentsMargins(SIDE_PX, 0, SIDE_PX, 0)
        head.addWidget(self._progress)
        head.addStretch(1)
        head.addWidget(self.skip)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.setContentsMargins(SIDE_PX, 0, SIDE_PX, 0)
        foot.addWidget(self.back)
        foot.addStretch(1)
        foot.addWidget(self.next)
        self._column = QWidget()
        box = QVBoxLayout(self._column)
        box.setContentsMargins(0, 16, 0, 16)
        box.setSpacing(12)
        box.addLayout(head)
        box.addWidget(self._stack, 1)
        line = QHBoxLayout()
        line.setContentsMargins(SIDE_PX, 0, SIDE_PX, 0)
        line.addWidget(hairline())
        box.addLayout(line)
        box.addLayout(foot)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self._column, 100)
        middle.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(8, 0, 8, 0)
        outer.addStretch(2)
        outer.addLayout(middle, 100)
        outer.addStretch(3)

    def _restyle(self) -> None:
        self._column.setMaximumWidth(self._theme.column_px + 2 * SIDE_PX)
        self._column.setMaximumHeight(self._theme.px(HEIGHT_PX))
        self._progress.setFixedSize(self._progress.sizeHint())

    # Going through

    @property
    def screen_shown(self) -> Screen:
        return self._screens[self._stack.currentIndex()]

    def open(self) -> None:
        """From the beginning."""
        self._library.refresh()
        self._go(self.hello)

    def show_test(self) -> None:
        """A model is being tried."""
        self._go(self.test)

    def go_on(self) -> None:
        screen = self.screen_shown
        if screen is self.hello:
            self._go(self.machine)
        elif screen is self.machine:
            self._take_model()
        else:
            self.close_run()

    def go_back(self) -> None:
        before = {self.machine: self.hello, self.download: self.machine, self.test: self.machine}
        screen = before.get(self.screen_shown)
        if screen is not None:
            self._go(screen)

    def close_run(self) -> None:
        """Done, or skipped: it does not come by itself again."""
        self.screen_shown.left()
        self._settings.change(first_run_done=True)
        self.closed.emit()

    def _take_model(self) -> None:
        row = self.machine.row
        if row is None or row.fit is None or not row.fit.runs:
            self.close_run()
            return
        self.machine.apply_context()
        if row.state == "here" and row.path is not None:
            self.chosen.emit(row.path)
            return
        if row.state != "busy":
            self._library.download(row.id)
        self.download.follow(row.id)
        self._go(self.download)

    def _import_found(self, path: Path) -> None:
        self.machine.apply_context()
        self._library.import_file(path)

    def _cancel_load(self) -> None:
        self._go(self.machine)
        self.load_cancelled.emit()

    def _act(self, what: str, row: ModelRow) -> None:
        match what:
            case "download":
                self._library.download(row.id)
            case "resume":
                self._library.resume(row.id)
            case "pause":
                self._library.pause(row.id)
            case "cancel":
                self._library.cancel(row.id, keep_part=True)
            case "discard":
                self._library.cancel(row.id, keep_part=False)
            case "use" if row.path is not None:
                self.chosen.emit(row.path)

    def _go(self, screen: Screen) -> None:
        self.screen_shown.left()
        self._stack.setCurrentIndex(self._screens.index(screen))
        self._progress.show_at(self._stack.currentIndex())
        self._show_buttons()
        screen.shown()
        self.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_buttons(self) -> None:
        screen = self.screen_shown
        can_choose = screen is self.test and self.test.failed
        self.back.setVisible(can_choose or screen in (self.machine, self.download))
        self.skip.setVisible(screen is not self.test)
        self.next.setText(screen.next_text())
