"""What this is, on which terms, and what it is made with."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QGridLayout, QWidget

from sfumato import __version__
from sfumato.paths import resources_dir
from sfumato.ui.settings_pages.page import Page
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, label


@dataclass(frozen=True, slots=True)
class Part:
    """One row of resources/licences/third_party.toml."""

    name: str
    licence: str
    packages: tuple[str, ...]  # as pip names them
    files: tuple[str, ...] = ()  # fonts
    text: str = ""  # file of the licence, below resources/
    note: str = ""


def parts() -> list[Part]:
    path = resources_dir() / "licences" / "third_party.toml"
    return msgspec.convert(tomllib.loads(path.read_text("utf-8"))["part"], list[Part])


class AboutPage(Page):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.add_heading(f"Sfumato {__version__}")
        self.add_note(
            self.tr(
                "A window for DiffusionGemma on your own computer. Free software under the Apache "
                "License 2.0. DiffusionGemma is Google's; this project is not."
            )
        )
        self.add_heading(self.tr("Made with"))
        table = QWidget()
        grid = QGridLayout(table)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(0, 3)
        grid.setColumnStretch(1, 2)
        for row, part in enumerate(parts()):
            terms = f"{part.licence}\n{part.note}" if part.note else part.licence
            for column, made in enumerate(
                (label(part.name, wrap=True), label(terms, "secondary", wrap=True))
            ):
                grid.addWidget(made, row, column, Qt.AlignmentFlag.AlignTop)
        self.add_widget(table)
        folder = QUrl.fromLocalFile(str(resources_dir() / "licences"))
        self.add_row(
            self.tr("Licence texts"),
            self.tr("As files on this computer; fonts and icons have theirs beside them."),
            button(self.tr("Open the folder"), "", lambda: QDesktopServices.openUrl(folder)),
        )
        self.finish()
