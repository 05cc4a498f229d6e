import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sfumato.errors import StoreError
from sfumato.store import Store, backups, chats, database
from sfumato.store.backups import Backup, superseded


def made(number: int, day: float, reason: str = "daily") -> Backup:
    when = datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(days=day)
    return Backup(Path(f"{number}"), number, when, reason)


def kept(all_backups: list[Backup]) -> list[int]:
    gone = {backup.number for backup in superseded(all_backups)}
    return [backup.number for backup in all_backups if backup.number not in gone]


def test_of_a_year_of_daily_backups_7_days_and_4_weeks_are_kept():
    numbers = kept([made(n, n) for n in range(365)])
    assert numbers[-7:] == list(range(358, 365))
    assert len(numbers) == 11
    assert numbers[0] > 364 - 7 - 5 * 7


def test_of_one_day_only_the_newest_is_kept():
    assert kept([made(n, n / 100) for n in range(20)]) == [19]


def test_the_last_backup_before_a_migration_stays():
    assert kept([made(0, 0, "migration"), made(1, 0.1), made(2, 0.2)]) == [0, 2]


def test_after_a_jump_of_the_clock_the_newest_are_kept_by_number():
    ahead = [made(n, 3000 + n) for n in range(10)]
    back = [made(10 + n, n) for n in range(8)]
    assert set(range(11, 18)) <= set(kept(ahead + back))


def connection(folder: Path) -> sqlite3.Connection:
    return database.connect_reading(folder / database.FILE_NAME)


def test_a_backup_holds_what_was_committed(store, folder):
    store.write(chats.create_chat, "kept")
    path = backups.make_backup(connection(folder), folder / "backups", "daily")
    copy = database.connect(path, immutable=True)
    assert [chat.title for chat in chats.list_chats(copy)] == ["kept"]
    copy.close()


def test_a_backup_leaves_no_other_file_beside_it(store, folder):
    path = backups.make_backup(connection(folder), folder / "backups", "daily")
    assert backups.fault(path) == ""
    assert list((folder / "backups").iterdir()) == [path]


def test_the_first_start_after_24_hours_makes_one(folder, clock):
    Store.open(folder).close()
    assert backups.list_backups(folder / "backups") == []
    for days, number in ((0.0, 1), (0.9, 1), (0.2, 2)):
        clock.move(days=days)
        Store.open(folder).close()
        assert len(backups.list_backups(folder / "backups")) == number


def test_a_backup_from_the_future_does_not_stop_new_ones(folder, clock):
    clock.move(days=3000)
    Store.open(folder).close()
    Store.open(folder).close()
    clock.move(days=-3000)
    Store.open(folder).close()
    newest, _ = backups.list_backups(folder / "backups")
    assert newest.number == 2


def test_a_bad_copy_is_not_kept_and_no_old_one_goes(store, folder, clock, monkeypatch):
    good = backups.make_backup(connection(folder), folder / "backups", "daily")
    monkeypatch.setattr(backups, "fault", lambda path: "malformed")
    with pytest.raises(StoreError, match="damaged"):
        backups.make_backup(connection(folder), folder / "backups", "daily")
    assert list((folder / "backups").iterdir()) == [good]


def test_a_damaged_backup_is_passed_over_for_an_older_good_one(store, folder, clock):
    good = backups.make_backup(connection(folder), folder / "backups", "daily")
    clock.move(days=1)
    bad = backups.make_backup(connection(folder), folder / "backups", "daily")
    bad.write_bytes(bad.read_bytes()[:5000])
    assert backups.newest_good(folder / "backups").path == good


@pytest.mark.parametrize(
    "name", ["chats-1.db", "chats-000001-2026-daily.db", "chats-000001-20269999T000000Z-daily.db"]
)
def test_other_files_in_the_folder_are_left_alone(store, folder, name):
    other = folder / "backups" / name
    other.parent.mkdir()
    other.write_text("mine")
    backups.make_backup(connection(folder), folder / "backups", "daily")
    assert other.read_text() == "mine"
    assert len(backups.list_backups(folder / "backups")) == 1
