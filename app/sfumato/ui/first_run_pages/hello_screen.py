"""What Sfumato is, honestly, with a recorded answer that needs no model."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from sfumato.services.first_run import Replay, load_replay
from sfumato.ui.first_run_pages.screen import Screen
from sfumato.ui.recording_view import RecordingView
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import label

STEPS_PER_SECOND = 4.0


class _Frame(QWidget):
    """Gives a recording the height that it needs for the width there is."""

    def __init__(self, panel: RecordingView) -> None:
        super().__init__()
        self._panel = panel
        panel.setParent(self)
        panel.resized.connect(self._fit)  # a draft may be longer than the text

    def _fit(self) -> None:
        # Until it is shown it has a width that it never keeps, and a canvas only ever grows.
        if not self.isVisible():
            return
        height = self._panel.height_for(self.width())
        self._panel.setGeometry(0, 0, self.width(), height)
        self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()


class HelloScreen(Screen):
    def __init__(
        self, theme: Theme, replay: Replay | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent)
        self.say(
            self.tr("An answer that comes into focus"),
            self.tr(
                "Sfumato runs Google's DiffusionGemma on your own computer: the model writes a "
                "whole block of text at once, out of noise, and refines it until it reads. "
                "Nothing you write leaves this computer."
            ),
        )
        self.box.addWidget(
            label(
                self.tr(
                    "Fast, not flawless: it makes more mistakes than Gemma 4 of the same size, "
                    "which Google recommends where quality matters most. Check what matters."
                ),
                "secondary",
                wrap=True,
            )
        )
        self.box.addSpacing(16)
        self.recording: RecordingView | None = None
        replay = replay or load_replay()
        if replay is not None:
            self._add_replay(replay)
        self.box.addStretch(1)

    def _add_replay(self, replay: Replay) -> None:
        source = (
            self.tr("Recorded from: %1. Asked: “%2”").replace("%1", replay.model)
            if replay.model
            else self.tr("Drawn for this page, not computed. Asked: “%2”")
        )
        self.box.addWidget(label(source.replace("%2", replay.question), "secondary", wrap=True))
        self.box.addSpacing(4)
        self.recording = RecordingView(
            self.theme, replay.blocks, steps_per_second=STEPS_PER_SECOND, closable=False
        )
        self.box.addWidget(_Frame(self.recording))

    def shown(self) -> None:
        if self.recording is not None and not self.theme.reduced_motion:
            self.recording.play()

    def left(self) -> None:
        if self.recording is not None:
            self.recording.pause()
