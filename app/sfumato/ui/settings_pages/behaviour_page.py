"""Sending, the canvas, notifications, the tray, and where the model computes."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QSpinBox, QWidget

from sfumato.services.model import ModelService
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken
from sfumato.ui.settings_pages.page import Page, choice, set_in
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button


class BehaviourPage(Page):
    def __init__(
        self,
        theme: Theme,
        settings: SettingsService,
        model: ModelService,
        parent: QWidget | None = None,
        *,
        has_tray: bool = True,
    ) -> None:
        super().__init__(theme, parent)
        self._settings = settings
        self._model = model
        current = settings.current
        self.add_heading(self.tr("Window"))
        send = choice(
            [
                (self.tr("Enter"), "enter"),
                (self.tr("Ctrl+Enter"), "ctrl+enter"),
            ],
            current.send_with,
        )
        send.currentIndexChanged.connect(lambda _: settings.change(send_with=send.currentData()))
        self.add_row(self.tr("Send with"), self.tr("Shift+Enter always makes a new line."), send)
        layout = choice(
            [(self.tr("Flowing text"), "flow"), (self.tr("A grid"), "grid")], current.canvas_layout
        )
        layout.currentIndexChanged.connect(
            lambda _: settings.change(canvas_layout=layout.currentData())
        )
        self.add_row(self.tr("Show the canvas as"), "", layout)
        shows = choice(
            [(self.tr("The draft"), "draft"), (self.tr("The noise"), "noise")],
            current.canvas_shows,
        )
        shows.currentIndexChanged.connect(
            lambda _: settings.change(canvas_shows=shows.currentData())
        )
        self.add_row(
            self.tr("What the canvas shows"),
            self.tr("The draft is the model's best guess; the noise is what it really holds."),
            shows,
        )
        notify = QCheckBox()
        notify.setChecked(current.notify_when_done)
        notify.toggled.connect(lambda on: settings.change(notify_when_done=on))
        self.add_row(
            self.tr("Tell me when an answer ends in the background"),
            self.tr("On the desktop, if it took longer than ten seconds."),
            notify,
        )
        tray = QCheckBox()
        tray.setObjectName("tray")
        tray.setChecked(current.tray and has_tray)
        tray.setEnabled(has_tray)
        tray.toggled.connect(lambda on: settings.change(tray=on))
        self.add_row(
            self.tr("Stay in the tray"),
            self.tr("Closing the window hides it there; the model stays loaded.")
            if has_tray
            else self.tr("This desktop has no tray."),
            tray,
        )
        self._add_engine()
        self.finish()

    def _add_engine(self) -> None:
        settings, model = self._settings, self._model
        current = settings.current
        self.add_heading(self.tr("Engine"))
        options: list[tuple[str, object]] = [(self.tr("Choose for me"), "auto")]
        options += [(device.name, device.id) for device in model.devices if device.usable]
        device = choice(options, current.device)
        device.currentIndexChanged.connect(lambda _: settings.change(device=device.currentData()))
        refused = [f"{d.name}: {d.reason}" for d in model.devices if not d.usable]
        note = spoken(model.loaded.placement) if model.loaded else ""
        self.add_row(self.tr("Compute on"), "\n".join([note, *refused]).strip(), device)
        context = QSpinBox()
        context.setRange(512, 262144)
        context.setSingleStep(1024)
        context.setValue(current.context)
        context.setKeyboardTracking(False)
        set_in(context)
        context.valueChanged.connect(lambda value: settings.change(context=value))
        self.add_row(
            self.tr("Context"),
            self.tr("Tokens of a conversation that the model can hold; more need more memory."),
            context,
        )
        again = button(self.tr("Load the model again"), "", model.load)
        again.setEnabled(model.state in ("ready", "failed"))
        self.add_row("", self.tr("Device and context hold from the next load."), again)
