import shutil
import sqlite3
from pathlib import Path

import pytest
from sfumato.errors import StoreError
from sfumato.store import Store, backups, chats, database, messages, migrations, search, settings

V1 = Path(__file__).parents[1] / "vectors" / "store" / "chats_v1.db"


@pytest.fixture
def v1(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(V1, folder / database.FILE_NAME)
    return folder


def test_steps_are_applied_once_and_recorded_by_name(db):
    names = [step.__name__ for step in migrations.MIGRATIONS]
    assert migrations.applied(db) == names
    migrations.migrate(db)
    assert migrations.applied(db) == names


def test_names_of_steps_are_ordered_and_unique():
    names = [step.__name__ for step in migrations.MIGRATIONS]
    assert names == sorted(set(names))


def test_a_failing_step_leaves_the_database_as_it_was(monkeypatch):
    def m999_breaks(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (x)")
        db.execute("INSERT INTO nowhere VALUES (1)")

    db = sqlite3.connect(":memory:", isolation_level=None)
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, m999_breaks])
    with pytest.raises(sqlite3.OperationalError):
        migrations.migrate(db)
    assert migrations.applied(db) == [
        "m001_initial",
        "m002_search",
        "m003_folders",
    ]
    assert db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchone() is None
    db.close()


def test_the_first_schema_is_migrated_with_all_it_holds(v1):
    with Store.open(v1) as store:
        assert [chat.title for chat in store.read(chats.list_chats)] == [
            "Why is the sky blue?",
            "A long talk",
            "日本語の詩",
        ]
        sky = store.read(messages.load_conversation, 1)
        assert [m.text for m in sky.messages] == [
            "Why is the sky blue?",
            "Rayleigh scattering.",
            '{"result": 42}',
        ]
        assert [m.version for m in sky.messages] == [1, 2, 1]
        assert sky.messages[2].raw
        assert [b.ids for b in store.read(messages.load_blocks, 3)] == [(1, 2), (3,)]
        assert len(store.read(messages.load_conversation, 4).messages) == 300
        assert store.read(messages.get_message, 7).state == "interrupted"
        assert store.read(chats.load_draft, 1) == "And at dusk?"
        assert store.read(settings.load) == settings.Settings(theme="dark")
        assert store.read(chats.list_deleted_chats)[0].title == "An old list"


def test_what_was_there_before_the_search_index_is_found(v1):
    with Store.open(v1) as store:
        assert store.read(search.search, "rayleigh")
        assert store.read(search.search, "message 217")


def test_a_migration_is_preceded_by_a_backup_of_the_old_schema(v1):
    Store.open(v1).close()
    (backup,) = backups.list_backups(v1 / "backups")
    assert backup.reason == "migration"
    copy = database.connect(backup.path, immutable=True)
    assert migrations.applied(copy) == ["m001_initial"]
    assert copy.execute("SELECT count(*) FROM messages").fetchone() == (309,)
    copy.close()


def test_a_migration_on_a_full_disk_changes_nothing_and_waits_for_room(disk):
    folder = disk.path / "data"
    folder.mkdir()
    shutil.copy(V1, folder / database.FILE_NAME)
    disk.fill()
    with pytest.raises(StoreError, match="nothing was changed"):
        Store.open(folder)
    disk.free()
    with Store.open(folder) as store:
        assert len(store.read(messages.load_conversation, 4).messages) == 300
    assert [b.reason for b in backups.list_backups(folder / "backups")] == ["migration"]


def test_a_newer_schema_is_read_and_not_written(folder):
    with Store.open(folder) as store:
        chat = store.write(chats.create_chat, "from the future")
        store.write(messages.add_prompt, chat.id, "Hello")
    path = folder / database.FILE_NAME
    db = sqlite3.connect(path)
    db.execute("INSERT INTO migrations VALUES ('m999_teleport', 1)")
    db.execute("ALTER TABLE messages ADD COLUMN mood TEXT")
    db.execute("UPDATE messages SET role = 'oracle', mood = 'good'")
    db.commit()
    db.close()
    before = path.read_bytes()
    with Store.open(folder) as store:
        assert "newer Sfumato" in store.read_only
        (shown,) = store.read(messages.load_conversation, chat.id).messages
        assert (shown.text, shown.raw) == ("Hello", True)
        assert store.read(search.search, "hello")
        with pytest.raises(database.StoreReadOnlyError, match="newer"):
            store.write(chats.create_chat)
    assert path.read_bytes() == before
