"""Chats, settings and recordings in SQLite: no Qt, no network.

store.py          Store: the way in; one writing thread, readers in any thread
types.py          the values that are handed out
chats.py folders.py messages.py search.py presets.py settings.py recordings.py export.py
                  functions over a database, called through Store.read, write and submit
database.py migrations.py backups.py process_lock.py
                  opening, schema, copies, one process at a time
repair.py salvage.py
                  what happens to a damaged file
"""

from sfumato.store.store import Store

__all__ = ["Store"]
