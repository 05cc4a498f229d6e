"""SQLite: chats, messages, versions, recordings, settings. No Qt."""
