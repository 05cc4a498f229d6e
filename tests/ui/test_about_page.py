"""The list of licences is complete: every package that is needed, every font that is shipped."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import ziafont
import ziamath
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PySide6.QtWidgets import QLabel
from sfumato.paths import resources_dir
from sfumato.ui.settings_pages.about_page import AboutPage, parts
from sfumato.ui.theme import Theme

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def needed() -> set[str]:
    """Every distribution that ours needs to run, directly or not."""
    found: set[str] = set()
    waiting = list(tomllib.loads(PROJECT.read_text("utf-8"))["project"]["dependencies"])
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += importlib.metadata.requires(name) or []
    return found


def test_every_package_that_is_needed_is_named() -> None:
    named = {canonicalize_name(name) for part in parts() for name in part.packages}
    assert needed() - named == set()


def test_every_font_that_is_shipped_is_named() -> None:
    folders = [resources_dir() / "fonts"]
    folders += [Path(str(package.__file__)).parent for package in (ziamath, ziafont)]
    shipped = {path.name for folder in folders for path in folder.rglob("*.[ot]tf")}
    assert shipped == {name for part in parts() for name in part.files}


def test_every_licence_text_that_is_named_is_there() -> None:
    texts = [part.text for part in parts() if part.text]
    assert texts
    for text in texts:
        assert re.search("copyright", (resources_dir() / text).read_text("utf-8"), re.I)
    assert (resources_dir() / "licences" / "LGPL-3.0.txt").exists()


def test_the_page_shows_each_with_its_terms(theme: Theme) -> None:
    page = AboutPage(theme)
    shown = [made.text() for made in page.findChildren(QLabel)]
    for part in parts():
        assert part.name in shown
        assert any(text.startswith(part.licence) for text in shown)
