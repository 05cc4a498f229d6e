"""Folders in the list of chats: by menu, by key, by dragging."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QLocale, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu
from pytestqt.qtbot import QtBot
from sfumato.application import Parts, translate
from sfumato.services.chats import day_of
from sfumato.store import chats as stored
from sfumato.store.types import Chat, Folder
from sfumato.ui.chat_sidebar import CHAT_MIME
from sfumato.ui.item_models.chat_list_model import ChatListModel, one_line

Build = Callable[..., Parts]
NOON_MS = 1_795_000_000_000


def rows(model: ChatListModel) -> list[str]:
    return [model.row(n).title for n in range(model.rowCount())]


def chat(number: int, folder: str = "", *, pinned: bool = False) -> Chat:
    return Chat(
        id=number,
        title=f"Chat {number}",
        created_ms=NOON_MS,
        updated_ms=NOON_MS,
        folder=folder,
        pinned=pinned,
    )


def settle(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)


def parts_with_chats(qtbot: QtBot, build: Build, *titles: str) -> tuple[Parts, list[int]]:
    parts = build()
    ids = [parts.store.write(stored.create_chat, title).id for title in titles]
    parts.chats.listed.emit()
    settle(qtbot, parts)
    return parts, ids


def trigger(menu: QMenu, *path: str) -> None:
    for name in path[:-1]:
        action = next(a for a in menu.actions() if a.text() == name)
        menu = action.menu()  # type: ignore[assignment]
    next(a for a in menu.actions() if a.text() == path[-1]).trigger()


def menu_of(parts: Parts, chat_id: int) -> QMenu:
    side = parts.window.sidebar
    return side.menu_of(side.model.row(side.model.number_of(chat_id)))


def test_folders_stand_between_the_pinned_and_the_days(fonts: None) -> None:
    model = ChatListModel()
    given = [chat(1, pinned=True), chat(2), chat(3, "Work"), chat(4, "Home"), chat(5, "Work")]
    folders = [Folder(name="Home", collapsed=True), Folder(name="Work"), Folder(name="Zoo")]
    model.show_chats(given, day_of(NOON_MS), folders)
    assert rows(model) == [
        "Pinned", "Chat 1", "Folders", "Home", "Work", "Chat 3", "Chat 5", "Zoo", "Today", "Chat 2",
    ]  # fmt: skip


def test_a_pinned_chat_of_a_folder_stays_in_it(fonts: None) -> None:
    model = ChatListModel()
    model.show_chats([chat(1, "Work", pinned=True)], day_of(NOON_MS), [Folder(name="Work")])
    assert rows(model) == ["Folders", "Work", "Chat 1"]


def test_a_screen_reader_hears_what_a_folder_holds(fonts: None) -> None:
    model = ChatListModel()
    model.show_chats([chat(1, "Work")], day_of(NOON_MS), [Folder(name="Work", collapsed=True)])
    spoken = model.data(model.index(1), Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Folder Work, 1 chat, collapsed"


def test_a_chat_is_moved_by_its_menu_and_out_again(qtbot: QtBot, build_parts: Build) -> None:
    parts, (first, _) = parts_with_chats(qtbot, build_parts, "One", "Two")
    parts.chats.add_folder("A & B")
    settle(qtbot, parts)
    trigger(menu_of(parts, first), "Move to folder", "A && B")
    settle(qtbot, parts)
    assert rows(parts.window.sidebar.model) == ["Folders", "A & B", "One", "Today", "Two"]
    trigger(menu_of(parts, first), "Move to folder", "No folder")
    settle(qtbot, parts)
    assert rows(parts.window.sidebar.model) == ["Folders", "A & B", "Today", "Two", "One"]


def test_a_new_folder_is_named_at_once(qtbot: QtBot, build_parts: Build) -> None:
    parts, (chat_id,) = parts_with_chats(qtbot, build_parts, "One")
    side = parts.window.sidebar
    trigger(menu_of(parts, chat_id), "Move to folder", "New folder")
    qtbot.waitUntil(lambda: side.list_view.findChild(QLineEdit) is not None)
    editor = side.list_view.findChild(QLineEdit)
    assert isinstance(editor, QLineEdit)
    assert editor.text() == "New folder"
    editor.setText("Work")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: rows(side.model) == ["Folders", "Work", "One"])


def test_two_new_folders_have_two_names(qtbot: QtBot, build_parts: Build) -> None:
    parts, _ = parts_with_chats(qtbot, build_parts)
    for _ in range(2):
        parts.window.sidebar.make_folder()
        settle(qtbot, parts)
        editor = parts.window.sidebar.list_view.findChild(QLineEdit)
        assert isinstance(editor, QLineEdit)
        qtbot.keyClick(editor, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: parts.window.sidebar.list_view.findChild(QLineEdit) is None)
    assert [folder.name for folder in parts.chats.folders()] == ["New folder", "New folder 2"]


def test_keys_collapse_and_open_a_folder_and_it_stays_so(qtbot: QtBot, build_parts: Build) -> None:
    parts, (chat_id,) = parts_with_chats(qtbot, build_parts, "One")
    parts.chats.add_folder("Work", [chat_id])
    settle(qtbot, parts)
    side = parts.window.sidebar
    view = side.list_view
    view.setFocus()
    view.setCurrentIndex(side.model.index(2))
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert view.currentIndex().row() == 1
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: rows(side.model) == ["Folders", "Work"])
    assert parts.chats.folders() == [Folder(name="Work", collapsed=True)]
    assert view.currentIndex().row() == 1
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: rows(side.model) == ["Folders", "Work", "One"])
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.currentIndex().row() == 2


def drop(parts: Parts, chat_id: int, number: int) -> None:
    view = parts.window.sidebar.list_view
    if number < 0:
        point = QPoint(20, view.viewport().height() - 4)
    else:
        point = view.visualRect(parts.window.sidebar.model.index(number)).center()
    data = QMimeData()
    data.setData(CHAT_MIME, str(chat_id).encode())
    view.dropEvent(
        QDropEvent(
            QPointF(point),
            Qt.DropAction.MoveAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )


def test_a_chat_is_dragged_into_a_folder_and_out(qtbot: QtBot, build_parts: Build) -> None:
    parts, (first, second) = parts_with_chats(qtbot, build_parts, "One", "Two")
    parts.chats.add_folder("Work", [second])
    settle(qtbot, parts)
    side = parts.window.sidebar
    assert rows(side.model) == ["Folders", "Work", "Two", "Today", "One"]
    drop(parts, first, 2)  # on a chat of the folder
    settle(qtbot, parts)
    assert rows(side.model) == ["Folders", "Work", "Two", "One"]
    drop(parts, second, -1)  # on nothing
    settle(qtbot, parts)
    assert rows(side.model) == ["Folders", "Work", "One", "Today", "Two"]


def test_what_is_no_chat_can_be_dropped_without_harm(qtbot: QtBot, build_parts: Build) -> None:
    parts, _ = parts_with_chats(qtbot, build_parts, "One")
    view = parts.window.sidebar.list_view
    data = QMimeData()
    data.setText("hello")
    view.dropEvent(
        QDropEvent(
            QPointF(20, 20),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert rows(parts.window.sidebar.model) == ["Today", "One"]


def test_deleting_a_folder_keeps_its_chats_and_can_be_undone(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts, (chat_id,) = parts_with_chats(qtbot, build_parts, "One")
    parts.chats.add_folder("Work", [chat_id])
    settle(qtbot, parts)
    side = parts.window.sidebar
    trigger(side.folder_menu_of(side.model.row(1)), "Delete folder, keep its chats")
    settle(qtbot, parts)
    assert rows(side.model) == ["Today", "One"]
    assert "Work" in parts.window.banner.sentence
    parts.window.banner.action_button().click()  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: rows(side.model) == ["Folders", "Work", "One"])


def test_a_name_that_is_taken_is_refused_in_a_sentence(qtbot: QtBot, build_parts: Build) -> None:
    parts, _ = parts_with_chats(qtbot, build_parts)
    parts.chats.add_folder("Work")
    parts.chats.add_folder("Home")
    parts.chats.rename_folder("Home", "Work")
    qtbot.waitUntil(lambda: "already" in parts.window.banner.sentence)
    assert [folder.name for folder in parts.chats.folders()] == ["Home", "Work"]


def test_a_new_chat_is_begun_in_its_folder(qtbot: QtBot, build_parts: Build) -> None:
    parts, _ = parts_with_chats(qtbot, build_parts)
    parts.chats.add_folder("Work")
    settle(qtbot, parts)
    side = parts.window.sidebar
    trigger(side.folder_menu_of(side.model.row(1)), "New chat here")
    parts.generation.send("Hello")
    settle(qtbot, parts)
    assert rows(side.model) == ["Folders", "Work", "Hello"]
    parts.window.new_chat()
    parts.generation.send("Elsewhere")
    settle(qtbot, parts)
    assert rows(side.model) == ["Folders", "Work", "Hello", "Today", "Elsewhere"]


def test_a_search_looks_into_collapsed_folders(qtbot: QtBot, build_parts: Build) -> None:
    parts, (chat_id,) = parts_with_chats(qtbot, build_parts, "Capybara")
    parts.chats.add_folder("Work", [chat_id])
    parts.chats.collapse_folder("Work", True)
    settle(qtbot, parts)
    side = parts.window.sidebar
    qtbot.keyClicks(side._search, "capy")
    qtbot.waitUntil(lambda: "Capybara" in rows(side.model))
    side.end_search()
    qtbot.waitUntil(lambda: rows(side.model) == ["Folders", "Work"])


def test_an_edit_of_a_name_outlives_a_change_of_the_list(qtbot: QtBot, build_parts: Build) -> None:
    parts, (chat_id, _) = parts_with_chats(qtbot, build_parts, "One", "Two")
    side = parts.window.sidebar
    view = side.list_view
    view.setFocus()
    view.setCurrentIndex(side.model.index(side.model.number_of(chat_id)))
    qtbot.keyClick(view, Qt.Key.Key_F2)
    editor = view.findChild(QLineEdit)
    assert isinstance(editor, QLineEdit)
    editor.setText("First")
    parts.store.write(stored.create_chat, "Three")
    parts.chats.listed.emit()
    assert view.findChild(QLineEdit) is editor
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: {"First", "Three"} < set(rows(side.model)))


def test_what_was_found_stands_on_one_line() -> None:
    text = "one\n\n two  capybara\tend"
    at = text.index("capy")
    line, spans = one_line(text, ((at, at + 4),))
    assert line == "one two capybara end"
    assert [line[start:end] for start, end in spans] == ["capy"]


def test_a_chat_that_was_found_can_be_renamed(qtbot: QtBot, build_parts: Build) -> None:
    parts, (chat_id,) = parts_with_chats(qtbot, build_parts, "Capybara")
    side = parts.window.sidebar
    qtbot.keyClicks(side._search, "capy")
    qtbot.waitUntil(lambda: side.model.rowCount() == 2)
    trigger(menu_of(parts, chat_id), "Rename")
    editor = side.list_view.findChild(QLineEdit)
    assert isinstance(editor, QLineEdit)
    editor.setText("Capybaras")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Capybaras" in rows(side.model))


def test_a_folder_may_get_another_name_before_its_new_chat_begins(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts, _ = parts_with_chats(qtbot, build_parts)
    parts.chats.add_folder("Work")
    parts.chats.open_new("Work")
    parts.chats.rename_folder("Work", "Play")
    settle(qtbot, parts)
    parts.generation.send("Hello")
    settle(qtbot, parts)
    assert [chat.folder for chat in parts.chats.all()] == ["Play"]
    parts.chats.open_new("Play")
    parts.chats.remove_folder("Play")
    settle(qtbot, parts)
    parts.generation.send("Again")
    settle(qtbot, parts)
    assert {chat.folder for chat in parts.chats.all()} == {""}


def test_a_refusal_is_said_in_the_language_of_the_window(
    qtbot: QtBot, build_parts: Build, qapp: QApplication
) -> None:
    parts, _ = parts_with_chats(qtbot, build_parts)
    parts.chats.add_folder("Arbeit {0} %1")
    settle(qtbot, parts)
    before = QLocale()
    installed = translate(qapp, "de")
    try:
        parts.chats.add_folder("Arbeit {0} %1")
        qtbot.waitUntil(lambda: "gibt es schon" in parts.window.banner.sentence)
        assert "„Arbeit {0} %1“" in parts.window.banner.sentence
    finally:
        for translator in installed:
            qapp.removeTranslator(translator)
        QLocale.setDefault(before)
