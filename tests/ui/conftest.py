"""The whole window over a scripted engine and a real store; a Qt warning fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from scripted_engine import ScriptedEngine
from sfumato.application import Parts, build, prepare, translate
from sfumato.engine.protocol import Event
from sfumato.store.store import Store
from sfumato.ui.theme import Theme

BuildParts = Callable[..., Parts]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            # The offscreen platform says this of every window.
            item.add_marker(pytest.mark.qt_log_ignore("propagateSizeHints", extend=True))


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    return ["sfumato-tests"]


@pytest.fixture(scope="session")
def fonts(qapp: QApplication) -> None:
    prepare(qapp)
    translate(qapp, "en")


@pytest.fixture
def theme(fonts: None) -> Theme:
    made = Theme()
    made.apply(choice="light", reduced_motion=True)
    return made


@pytest.fixture
def build_parts(fonts: None, tmp_path: Path) -> Iterator[BuildParts]:
    """Make the application over these answers; a further call is a further start."""
    made: list[Parts] = []

    def make(
        answers: Sequence[Sequence[Event]] = (), *, size: tuple[int, int] = (1024, 640)
    ) -> Parts:
        parts = build(Store.open(tmp_path / "data"), client=ScriptedEngine(answers))  # type: ignore[arg-type]
        made.append(parts)
        parts.settings.change(theme="light", reduced_motion="on")
        parts.window.resize(*size)
        parts.chats.open_last()
        parts.window.show()
        parts.model.start()
        return parts

    yield make
    for parts in made:
        close(parts)


@pytest.fixture
def start(fonts: None, tmp_path: Path) -> Iterator[Callable[[], Parts]]:
    """Make the application with a real engine; a further call is a further start."""
    made: list[Parts] = []

    def make() -> Parts:
        parts = build(Store.open(tmp_path / "data"))
        made.append(parts)
        parts.window.resize(1024, 640)
        parts.chats.open_last()
        parts.window.show()
        parts.model.start()
        return parts

    yield make
    for parts in made:
        close(parts)


def close(parts: Parts) -> None:
    """End the application, once."""
    if parts.window.isVisible():
        parts.window.close()
    parts.close()
    parts.window.deleteLater()
