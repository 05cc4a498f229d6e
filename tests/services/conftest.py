"""Services over a real store and an engine that replays events; no window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fakes import FakeEngine
from PySide6.QtWidgets import QApplication
from service_set import Services
from sfumato.engine.protocol import Event
from sfumato.services.chats import Chats
from sfumato.services.generation import Generation
from sfumato.services.model import ModelService
from sfumato.services.recordings import Recordings
from sfumato.services.settings import SettingsService
from sfumato.services.store_calls import StoreCalls
from sfumato.services.token_counter import TokenCounter
from sfumato.store.store import Store

MakeServices = Callable[..., Services]


@pytest.fixture
def make_services(qapp: QApplication, tmp_path: Path) -> Iterator[MakeServices]:
    made: list[Services] = []

    def make(answers: Sequence[Sequence[Event]] = ()) -> Services:
        store = Store.open(tmp_path / "data")
        calls = StoreCalls(store)
        settings = SettingsService(calls)
        engine = FakeEngine(answers)
        model = ModelService(engine, settings)  # type: ignore[arg-type]
        chats = Chats(calls, settings)
        generation = Generation(engine, model, chats, calls, settings)  # type: ignore[arg-type]
        counter = TokenCounter(engine, model, chats)  # type: ignore[arg-type]
        services = Services(
            store, calls, settings, engine, model, chats, generation, Recordings(calls), counter
        )
        made.append(services)
        return services

    yield make
    for services in made:
        services.store.close()
