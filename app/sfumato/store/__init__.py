"""Chats, settings and recordings in SQLite. `Store` is the way in; see store.py."""

from sfumato.store.store import Store

__all__ = ["Store"]
