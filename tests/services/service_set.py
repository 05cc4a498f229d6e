"""All services, connected as the application connects them, over an engine that replays events."""

from __future__ import annotations

from dataclasses import dataclass

from fakes import FakeEngine
from sfumato.services.chats import Chats
from sfumato.services.generation import Generation
from sfumato.services.model import ModelService
from sfumato.services.recordings import Recordings
from sfumato.services.settings import SettingsService
from sfumato.services.store_calls import StoreCalls
from sfumato.services.token_counter import TokenCounter
from sfumato.store.store import Store


@dataclass
class Services:
    store: Store
    calls: StoreCalls
    settings: SettingsService
    engine: FakeEngine
    model: ModelService
    chats: Chats
    generation: Generation
    recordings: Recordings
    counter: TokenCounter
