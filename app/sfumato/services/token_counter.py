"""How many tokens the conversation takes with the draft, counted by the engine as one types."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from sfumato.engine import protocol
from sfumato.engine.protocol import Counted, CountTokens, Event
from sfumato.services.chats import Chats
from sfumato.services.engine_client import EngineClient
from sfumato.services.generation import as_turns
from sfumato.services.model import ModelService

TYPING_MS = 300


class TokenCounter(QObject):
    counted = Signal(int, int)  # tokens, context

    def __init__(
        self,
        client: EngineClient,
        model: ModelService,
        chats: Chats,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._client = client
        self._model = model
        self._chats = chats
        self._draft = ""
        self._request = 0
        self._timer = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._timer.timeout.connect(self._ask)
        client.received.connect(self._take)
        chats.opened.connect(lambda _: self._timer.start())
        chats.changed.connect(lambda _: self._timer.start())
        model.changed.connect(self._model_changed)

    def count(self, draft: str) -> None:
        """Ask again when typing pauses."""
        self._draft = draft
        self._timer.start()

    def _model_changed(self) -> None:
        if self._model.state == "ready":
            self._timer.start()

    def _ask(self) -> None:
        if self._model.state != "ready" or not self._client.running:
            return
        conversation = self._chats.conversation
        turns = as_turns(conversation.chat, conversation.messages) if conversation else []
        if self._draft.strip():
            turns.append(protocol.Message("user", self._draft))
        self._request += 1
        thinking = bool(conversation and conversation.chat.thinking)
        self._client.request(CountTokens(request=self._request, messages=turns, thinking=thinking))

    def _take(self, event: Event) -> None:
        if isinstance(event, Counted) and event.request == self._request:
            self.counted.emit(event.tokens, event.context)
