"""Theme, text size, contrast, motion, language."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from sfumato.services.settings import SettingsService
from sfumato.ui.settings_pages.page import Page, choice
from sfumato.ui.theme import Theme

LANGUAGES = (("English", "en"), ("Deutsch", "de"))


class AppearancePage(Page):
    def __init__(
        self, theme: Theme, settings: SettingsService, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent)
        self._settings = settings
        self.add_heading(self.tr("Appearance"))
        switch: list[tuple[str, object]] = [
            (self.tr("As the system"), "system"),
            (self.tr("On"), "on"),
            (self.tr("Off"), "off"),
        ]
        self._add(
            "theme",
            self.tr("Theme"),
            "",
            [
                (self.tr("As the system"), "system"),
                (self.tr("Light"), "light"),
                (self.tr("Dark"), "dark"),
            ],
        )
        self._add(
            "font_size",
            self.tr("Text size of messages"),
            self.tr("Ctrl + and Ctrl − make the whole window larger or smaller."),
            [
                (self.tr("Small"), 10),
                (self.tr("Normal"), 0),
                (self.tr("Large"), 13),
                (self.tr("Very large"), 15),
            ],
        )
        self._add(
            "font_family",
            self.tr("Fonts"),
            "",
            [(self.tr("Inter and JetBrains Mono"), ""), (self.tr("The system's fonts"), "system")],
        )
        self._add(
            "high_contrast",
            self.tr("High contrast"),
            self.tr("Stronger lines and text, and smoke that can still be read."),
            switch,
        )
        self._add(
            "reduced_motion",
            self.tr("Reduced motion"),
            self.tr("No easing, no fading; recordings do not play by themselves."),
            switch,
        )
        self._add(
            "language",
            self.tr("Language"),
            self.tr("Holds from the next start."),
            [(self.tr("As the system"), ""), *LANGUAGES],
        )
        self.finish()

    def _add(self, field: str, name: str, note: str, options: list[tuple[str, Any]]) -> None:
        box = choice(options, getattr(self._settings.current, field))
        box.setObjectName(field)
        box.currentIndexChanged.connect(
            lambda _: self._settings.change(**{field: box.currentData()})
        )
        self.add_row(name, note, box)
