"""Makes chats_v1.db. Only raw SQL, so that the file does not depend on today's functions."""

import sqlite3
from pathlib import Path

from sfumato.store import migrations

NOW_MS = 1_760_000_000_000
CHATS = [
    # id, title, folder, pinned, deleted_ms, chosen_id
    (1, "Why is the sky blue?", "", 1, None, 1),
    (2, "日本語の詩", "Poems", 0, None, 6),
    (3, "An old list", "", 0, 9_000_000_000_000, None),
    (4, "A long talk", "", 0, None, 10),
]
MESSAGES = [
    # id, chat_id, parent_id, chosen_id, role, state, text, thinking
    (1, 1, None, 3, "user", "finished", "Why is the sky blue?", ""),
    (2, 1, 1, None, "assistant", "finished", "Because of the sea.", ""),
    (3, 1, 1, 4, "assistant", "finished", "Rayleigh scattering.", "Think of dipoles."),
    (4, 1, 3, None, "tool", "finished", '{"result": 42}', ""),
    (5, 1, None, None, "user", "finished", "Why is the sky so blue?", ""),
    (6, 2, None, 7, "user", "finished", "春についての俳句を書いて", ""),
    (7, 2, 6, None, "assistant", "writing", "古池や蛙飛びこむ水の音", ""),
    (8, 3, None, 9, "user", "finished", "Eggs, flour", ""),
    (9, 3, 8, None, "assistant", "finished", "Sugar?", ""),
]


def main() -> None:
    path = Path(__file__).with_name("chats_v1.db")
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    steps, migrations.MIGRATIONS[1:] = migrations.MIGRATIONS[1:], []
    migrations.migrate(db)
    migrations.MIGRATIONS.extend(steps)
    db.execute("UPDATE migrations SET applied_ms = ?", (NOW_MS,))
    db.execute("BEGIN")
    db.execute("INSERT INTO presets VALUES (1, 'Terse', 'Be terse.', '{\"t_max\":0.6}')")
    for chat_id, title, folder, pinned, deleted_ms, chosen_id in CHATS:
        db.execute(
            "INSERT INTO chats (id, title, created_ms, updated_ms, activity, folder, pinned,"
            " preset_id, chosen_id, deleted_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
            (chat_id, title, NOW_MS, NOW_MS, chat_id, folder, pinned, chosen_id, deleted_ms),
        )
    long_talk = [
        (
            at,
            4,
            at - 1 if at > 10 else None,
            at + 1 if at < 309 else None,
            "user" if at % 2 == 0 else "assistant",
            "finished",
            f"Message {at} of a long talk. " + "On and on it goes. " * (at % 7),
            "",
        )
        for at in range(10, 310)
    ]
    for message_id, chat_id, parent_id, chosen_id, role, state, text, thinking in (
        MESSAGES + long_talk
    ):
        db.execute(
            "INSERT INTO messages (id, chat_id, parent_id, chosen_id, role, state, created_ms,"
            " thinking, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (message_id, chat_id, parent_id, chosen_id, role, state, NOW_MS, thinking, text),
        )
    db.execute("INSERT INTO blocks VALUES (3, 0, 9, 17, x'0100000002000000', 12, 1, 0.004, 90.5)")
    db.execute("INSERT INTO blocks VALUES (3, 1, 11, 0, x'03000000', 48, 0, 0.5, 360.0)")
    db.execute("INSERT INTO drafts VALUES (0, 'Not yet sent', ?)", (NOW_MS,))
    db.execute("INSERT INTO drafts VALUES (1, 'And at dusk?', ?)", (NOW_MS,))
    db.execute("INSERT INTO settings VALUES ('theme', '\"dark\"')")
    db.execute("INSERT INTO settings VALUES ('from_the_future', '[1,2]')")
    db.execute("INSERT INTO settings VALUES ('zoom_percent', '\"huge\"')")
    db.execute("COMMIT")
    db.execute("VACUUM")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


if __name__ == "__main__":
    main()
