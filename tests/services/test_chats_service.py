"""The open conversation and the list: drafts, deleting, files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from fakes import answer_events
from pytestqt.qtbot import QtBot
from service_set import Services
from sfumato.errors import KnownError
from sfumato.services.chats import DRAFT_MS, day_of
from sfumato.store import chats as stored

Make = Callable[..., Services]


def ask(qtbot: QtBot, services: Services, text: str) -> int:
    services.generation.send(text)
    qtbot.waitUntil(lambda: not services.generation.busy and services.calls.waiting == 0)
    assert services.chats.chat_id is not None
    return services.chats.chat_id


def test_a_draft_is_on_disk_within_two_seconds(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    chat_id = ask(qtbot, services, "Hi")
    services.chats.keep_draft("half a")
    services.chats.keep_draft("half a thought")
    qtbot.waitUntil(
        lambda: services.store.read(stored.load_draft, chat_id) == "half a thought", timeout=2000
    )
    assert DRAFT_MS < 2000


def test_a_draft_survives_going_to_another_chat(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    first = ask(qtbot, services, "Hi")
    services.chats.keep_draft("for the first")
    services.chats.open_new()
    services.chats.keep_draft("for the new one")
    services.chats.open(first)
    qtbot.waitUntil(lambda: services.calls.waiting == 0)
    assert services.chats.draft() == "for the first"
    services.chats.open_new()
    assert services.chats.draft() == "for the new one"


def test_a_sent_draft_is_gone(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    chat_id = ask(qtbot, services, "Hi")
    services.chats.keep_draft("next question")
    ask(qtbot, services, "next question")
    assert services.chats.draft() == ""
    assert services.store.read(stored.load_draft, chat_id) == ""


def test_deleting_the_open_chat_opens_a_new_one(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    chat_id = ask(qtbot, services, "Hi")
    with qtbot.waitSignal(services.chats.chat_deleted) as told:
        services.chats.delete(chat_id)
    assert told.args == [chat_id, "Hi"]
    assert services.chats.chat_id is None
    with qtbot.waitSignal(services.chats.opened):
        services.chats.restore(chat_id)
    assert services.chats.chat_id == chat_id


def test_the_last_chat_is_opened_again(qtbot: QtBot, make_services: Make) -> None:
    services = make_services()
    chat_id = ask(qtbot, services, "Hi")
    qtbot.waitUntil(lambda: services.calls.waiting == 0)
    services.store.close()
    again = make_services()
    again.chats.open_last()
    assert again.chats.chat_id == chat_id


def test_a_branch_ends_where_it_was_begun(qtbot: QtBot, make_services: Make) -> None:
    services = make_services([answer_events("One"), answer_events("Two")])
    chat_id = ask(qtbot, services, "First")
    ask(qtbot, services, "Second")
    assert services.chats.conversation is not None
    answer = services.chats.conversation.messages[1]
    with qtbot.waitSignal(services.chats.opened):
        services.chats.duplicate(chat_id, "Branch", up_to=answer.id)
    assert services.chats.conversation.chat.title == "Branch"
    assert [m.text for m in services.chats.conversation.messages] == ["First", "One"]


def test_what_is_exported_can_be_imported(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services = make_services([answer_events("Yes, I do")])
    chat_id = ask(qtbot, services, "Do you travel?")
    path = tmp_path / "chats.json"
    services.chats.export_to(path, [chat_id])
    with qtbot.waitSignal(services.chats.imported) as told:
        services.chats.import_from(path)
    assert len(told.args[0].chat_ids) == 1
    assert len(services.chats.all()) == 2


def test_markdown_is_for_people(qtbot: QtBot, make_services: Make, tmp_path: Path) -> None:
    services = make_services([answer_events("Yes, I do")])
    chat_id = ask(qtbot, services, "Do you travel?")
    path = tmp_path / "chat.md"
    services.chats.export_to(path, [chat_id])
    assert "Yes, I do" in path.read_text("utf-8")


def test_a_file_that_cannot_be_written_is_a_sentence(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services = make_services()
    chat_id = ask(qtbot, services, "Hi")
    told: list[KnownError] = []
    services.chats.failed.connect(told.append)
    services.chats.export_to(tmp_path / "no" / "such" / "folder.md", [chat_id])
    assert "could not be written" in str(told[0])


def test_a_file_that_is_no_export_changes_nothing(
    qtbot: QtBot, make_services: Make, tmp_path: Path
) -> None:
    services = make_services()
    path = tmp_path / "x.json"
    path.write_text("not ours")
    with qtbot.waitSignal(services.chats.failed):
        services.chats.import_from(path)
    assert services.chats.all() == []


def test_days_are_local() -> None:
    late = int(datetime(2026, 11, 23, 23, 30, tzinfo=UTC).timestamp() * 1000)
    assert day_of(late, timezone(timedelta(hours=2))) == day_of(late, UTC) + 1
