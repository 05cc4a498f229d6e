"""How answers are made: system prompt, presets, thinking, and the sampler in plain words."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QTimer
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QWidget,
)

from sfumato.engine.sampler import SamplerConfig
from sfumato.services.settings import SettingsService
from sfumato.store.types import SamplerValues
from sfumato.ui.settings_pages.page import NUMBER_PX, Page, set_in
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import IconButton, button

TYPING_MS = 500
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Knob:
    field: str
    name: str
    note: str
    least: float
    most: float
    step: float
    decimals: int  # 0: a whole number


class AnswersPage(Page):
    def __init__(
        self,
        theme: Theme,
        settings: SettingsService,
        defaults: SamplerConfig,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self._settings = settings
        self._defaults = defaults
        self._boxes: dict[str, QSpinBox | QDoubleSpinBox] = {}
        self._resets: dict[str, IconButton] = {}
        self._filling = False
        self.add_heading(self.tr("Answers"))
        self.add_note(self.tr("For new chats and for the one that is open."))
        self._add_prompt()
        self._add_thinking()
        self._add_sampler()
        self._show()
        settings.presets_changed.connect(self._show_presets)
        self.finish()

    def _add_prompt(self) -> None:
        self._preset = QComboBox()
        self._preset.activated.connect(self._choose_preset)
        save = button(self.tr("Save as preset…"), "", self._save_preset)
        self._delete = button(self.tr("Delete"), "quiet", self._delete_preset)
        self.add_row(
            self.tr("Preset"),
            self.tr("A system prompt and a sampler under one name."),
            self._preset,
        )
        row = QWidget()
        box = QHBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.addStretch(1)
        box.addWidget(self._delete)
        box.addWidget(save)
        self.add_widget(row)
        self._prompt = QPlainTextEdit()
        self._prompt.setFixedHeight(96)
        self._prompt.setTabChangesFocus(True)
        self._prompt.setAccessibleName(self.tr("System prompt"))
        self._prompt.setPlaceholderText(
            self.tr("System prompt: who should answer, and how? Empty for none.")
        )
        self._prompt_timer = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._prompt_timer.timeout.connect(self._store_prompt)
        self._prompt.textChanged.connect(self._prompt_edited)
        self.add_widget(self._prompt)
        self._show_presets()

    def _add_thinking(self) -> None:
        self._thinking = QCheckBox()
        self._thinking.toggled.connect(lambda on: self._settings.change(thinking=on))
        self.add_row(
            self.tr("Think before answering"),
            self.tr("The model writes its thoughts first; they can be opened above the answer."),
            self._thinking,
        )

    def _add_sampler(self) -> None:
        self.add_heading(self.tr("How a block is refined"))
        for knob in (
            _Knob(
                "max_steps",
                self.tr("Steps at most"),
                self.tr("Fewer are faster; a block that runs out of steps is marked."),
                1,
                1000,
                1,
                0,
            ),
            _Knob(
                "t_max",
                self.tr("Temperature at the first step"),
                self.tr("Higher begins with more variety."),
                0.05,
                10,
                0.05,
                2,
            ),
            _Knob(
                "t_min",
                self.tr("Temperature at the last step"),
                self.tr("Lower ends more decidedly; never above that of the first step."),
                0.05,
                10,
                0.05,
                2,
            ),
            _Knob(
                "entropy_bound",
                self.tr("Boldness"),
                self.tr("How much doubt one step may accept. Higher is faster and rougher."),
                0.01,
                10,
                0.01,
                2,
            ),
            _Knob(
                "stability_threshold",
                self.tr("Steady for"),
                self.tr("Steps without a change before a block may count as settled."),
                0,
                48,
                1,
                0,
            ),
            _Knob(
                "confidence_threshold",
                self.tr("Sure enough"),
                self.tr("Doubt that may be left on average when a block settles."),
                0,
                1,
                0.001,
                3,
            ),
        ):
            self._add_knob(knob)
        self._seed = QLineEdit()
        self._seed.setValidator(QIntValidator(0, LARGEST_SEED, self))
        self._seed.setPlaceholderText(self.tr("a new one each time"))
        self._seed.editingFinished.connect(self._store_seed)
        reset = IconButton(self.theme, "rotate-ccw", self.tr("Reset"), self._clear_seed, size=16)
        self.add_row(
            self.tr("Seed"),
            self.tr("The same seed gives the same answer on the same device."),
            self._seed,
            reset,
            width=NUMBER_PX,
        )

    def _add_knob(self, knob: _Knob) -> None:
        box: QSpinBox | QDoubleSpinBox
        if knob.decimals:
            box = QDoubleSpinBox()
            box.setDecimals(knob.decimals)
            box.setRange(knob.least, knob.most)
            box.setSingleStep(knob.step)
        else:
            box = QSpinBox()
            box.setRange(int(knob.least), int(knob.most))
        set_in(box)
        box.setKeyboardTracking(False)
        box.setObjectName(knob.field)
        field = knob.field
        box.valueChanged.connect(lambda value: self._store(field, value))
        reset = IconButton(
            self.theme,
            "rotate-ccw",
            self.tr("Reset: %1").replace("%1", knob.name),
            lambda: self._store(field, None),
            size=16,
        )
        self._boxes[field] = box
        self._resets[field] = reset
        self.add_row(knob.name, knob.note, box, reset, width=NUMBER_PX)

    # Showing

    def _show(self) -> None:
        """Put the stored values into the controls; what is not changed shows the default."""
        self._filling = True
        current = self._settings.current
        self._prompt.setPlainText(current.system_prompt)
        self._thinking.setChecked(current.thinking)
        for field, box in self._boxes.items():
            changed = getattr(current.sampler, field)
            box.setValue(changed if changed is not None else getattr(self._defaults, field))
            self._resets[field].setEnabled(changed is not None)
        seed = current.sampler.seed
        self._seed.setText("" if seed is None else str(seed))
        self._filling = False

    def _show_presets(self) -> None:
        self._preset.clear()
        self._preset.addItem(self.tr("None"), None)
        for preset in self._settings.presets():
            self._preset.addItem(preset.name, preset)
            if preset.id == self._settings.current.preset_id:
                self._preset.setCurrentIndex(self._preset.count() - 1)
        self._delete.setEnabled(self._preset.currentData() is not None)

    # Storing

    def _store(self, field: str, value: float | None) -> None:
        if self._filling:
            return
        sampler = msgspec.structs.replace(self._settings.current.sampler, **{field: value})
        # Whichever end is moved past the other takes it along.
        t_min = sampler.t_min if sampler.t_min is not None else self._defaults.t_min
        t_max = sampler.t_max if sampler.t_max is not None else self._defaults.t_max
        if t_min > t_max:
            other = {"t_max": t_min} if field == "t_min" else {"t_min": t_max}
            sampler = msgspec.structs.replace(sampler, **other)
        self._settings.change(sampler=sampler)
        self._show()

    def _store_seed(self) -> None:
        text = self._seed.text()
        seed = int(text) if text else None
        self._settings.change(
            sampler=msgspec.structs.replace(self._settings.current.sampler, seed=seed)
        )

    def _clear_seed(self) -> None:
        self._seed.clear()
        self._store_seed()

    def _prompt_edited(self) -> None:
        if not self._filling:
            self._prompt_timer.start()

    def _store_prompt(self) -> None:
        self._prompt_timer.stop()
        self._settings.change(system_prompt=self._prompt.toPlainText())

    def flush(self) -> None:
        """Store what is still being typed."""
        if self._prompt_timer.isActive():
            self._store_prompt()

    # Presets

    def _choose_preset(self) -> None:
        preset = self._preset.currentData()
        if preset is None:
            self._settings.change(preset_id=None, system_prompt="", sampler=SamplerValues())
        else:
            self._settings.change(
                preset_id=preset.id, system_prompt=preset.system_prompt, sampler=preset.sampler
            )
        self._delete.setEnabled(preset is not None)
        self._show()

    def _save_preset(self) -> None:
        self.flush()
        name, given = QInputDialog.getText(self, self.tr("Save as preset"), self.tr("Name"))
        if given and name.strip():
            current = self._settings.current
            self._settings.add_preset(name.strip(), current.system_prompt, current.sampler)

    def _delete_preset(self) -> None:
        preset = self._preset.currentData()
        if preset is not None:
            self._settings.change(preset_id=None)
            self._settings.delete_preset(preset.id)
