"""The list of chats and the settings dialog, driven as a person drives them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QPushButton,
    QScrollArea,
)
from pytestqt.qtbot import QtBot
from scripted_engine import settling_events
from sfumato.application import Parts
from sfumato.services.chats import day_of
from sfumato.store import chats as stored
from sfumato.store.types import Chat, SearchHit
from sfumato.ui.item_models.chat_list_model import ChatListModel, Row
from sfumato.ui.settings_dialog import SettingsDialog

Build = Callable[..., Parts]
DAY_MS = 24 * 3600 * 1000
NOON_MS = 1_795_000_000_000


def chat(number: int, age_days: int, *, pinned: bool = False) -> Chat:
    time = NOON_MS - age_days * DAY_MS
    return Chat(id=number, title=f"Chat {number}", created_ms=time, updated_ms=time, pinned=pinned)


def rows(model: ChatListModel) -> list[str]:
    return [model.row(n).title for n in range(model.rowCount())]


def settle(qtbot: QtBot, parts: Parts) -> None:
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0)


def ask(qtbot: QtBot, parts: Parts, text: str) -> int:
    parts.generation.send(text)
    settle(qtbot, parts)
    assert parts.chats.chat_id is not None
    return parts.chats.chat_id


def test_chats_stand_under_their_day(fonts: None) -> None:
    model = ChatListModel()
    given = [chat(1, 9, pinned=True), chat(2, 0), chat(3, 1), chat(4, 4), chat(5, 40)]
    model.show_chats(given, day_of(NOON_MS))
    assert rows(model)[:8] == [
        "Pinned", "Chat 1", "Today", "Chat 2", "Yesterday", "Chat 3", "Previous 7 days", "Chat 4",
    ]  # fmt: skip
    assert rows(model)[-1] == "Chat 5"


def test_headings_cannot_be_opened(fonts: None) -> None:
    model = ChatListModel()
    model.show_chats([chat(1, 0)], day_of(NOON_MS))
    assert model.flags(model.index(0)) == Qt.ItemFlag.NoItemFlags
    assert model.flags(model.index(1)) & Qt.ItemFlag.ItemIsEnabled


def hit(chat_id: int, message_id: int | None, title: str, snippet: str) -> SearchHit:
    return SearchHit(
        chat_id=chat_id,
        message_id=message_id,
        role="user" if message_id else "",
        chat_title=title,
        snippet=snippet,
        matches=((0, 4),),
        created_ms=0,
    )


def test_a_chat_found_by_title_and_message_is_one_result_with_both_marked(fonts: None) -> None:
    model = ChatListModel()
    model.show_hits(
        [
            hit(1, None, "List of birds", "List of birds"),
            hit(2, None, "List of trees", "List of trees"),
            hit(3, 30, "Other", "list 3"),
            hit(1, 10, "List of birds", "list 1"),
        ]
    )
    assert rows(model) == ["3 results", "List of birds", "List of trees", "Other"]
    both, title, inside = (model.row(n) for n in (1, 2, 3))
    assert (both.message_id, both.snippet, both.matches) == (10, "list 1", ((0, 4),))
    assert both.title_matches == title.title_matches == ((0, 4),)
    assert (title.message_id, title.snippet, inside.title_matches) == (None, "", ())


def test_a_search_finds_words_of_an_answer_and_opens_there(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts([settling_events("The capybara is a large rodent.", canvas=16, steps=2)])
    first = ask(qtbot, parts, "Which animal?")
    parts.window.new_chat()
    ask(qtbot, parts, "Something else")
    side = parts.window.sidebar
    side.focus_search()
    qtbot.keyClicks(side._search, "capyb")
    qtbot.waitUntil(
        lambda: any("capybara" in side.model.row(n).snippet for n in range(side.model.rowCount()))
    )
    found = side.model.row(1)
    side._open(found)
    assert parts.chats.chat_id == first
    side.end_search()
    qtbot.waitUntil(lambda: "Today" in rows(side.model))


@pytest.fixture
def searching(qtbot: QtBot, build_parts: Build) -> Parts:
    """Two chats about animals; the field holds a word of both, and the older one is open."""
    answers = [settling_events(f"An animal, {n}.", canvas=16, steps=2) for n in range(2)]
    parts = build_parts(answers)
    first = ask(qtbot, parts, "Old")
    parts.window.new_chat()
    ask(qtbot, parts, "New")
    parts.window._open_chat(first, None)
    parts.window.sidebar.focus_search()
    qtbot.keyClicks(parts.window.sidebar._search, "animal")
    return parts


def hits(parts: Parts) -> list[int]:
    model = parts.window.sidebar.model
    found = (model.row(n).chat_id for n in range(model.rowCount()))
    return [chat_id for chat_id in found if chat_id is not None]


def test_return_in_the_search_field_opens_the_first_hit_at_once(
    qtbot: QtBot, searching: Parts
) -> None:
    qtbot.keyClick(searching.window.sidebar._search, Qt.Key.Key_Return)
    assert len(hits(searching)) == 2
    assert searching.chats.chat_id == hits(searching)[0]


def test_down_and_return_open_what_a_search_found(qtbot: QtBot, searching: Parts) -> None:
    side = searching.window.sidebar
    qtbot.keyClick(side._search, Qt.Key.Key_Down)
    assert side.list_view.currentIndex().row() == 1  # below the heading
    qtbot.keyClick(side.list_view, Qt.Key.Key_Down)
    qtbot.keyClick(side.list_view, Qt.Key.Key_Return)
    assert searching.chats.chat_id == hits(searching)[1]


def test_up_on_the_first_hit_returns_to_the_search_field(qtbot: QtBot, searching: Parts) -> None:
    side = searching.window.sidebar
    qtbot.keyClick(side._search, Qt.Key.Key_Down)
    qtbot.keyClick(side.list_view, Qt.Key.Key_Up)
    assert searching.window.focusWidget() is side._search
    assert side._search.text() == "animal"


def test_keys_in_a_search_that_found_nothing_do_nothing(qtbot: QtBot, searching: Parts) -> None:
    side = searching.window.sidebar
    before = searching.chats.chat_id
    qtbot.keyClicks(side._search, "zzz")
    qtbot.keyClick(side._search, Qt.Key.Key_Down)
    qtbot.keyClick(side._search, Qt.Key.Key_Return)
    assert searching.window.focusWidget() is side._search
    assert searching.chats.chat_id == before


def test_the_sidebar_goes_where_larger_text_leaves_it_no_room(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts()
    assert parts.window.sidebar.isVisible()
    parts.settings.change(zoom_percent=150)
    assert not parts.window.sidebar.isVisible()
    parts.window.toggle_sidebar()
    assert parts.window.sidebar.isVisible()
    parts.settings.change(zoom_percent=100)
    assert parts.window.sidebar.isVisible()


def test_a_chat_is_renamed_with_f2(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    ask(qtbot, parts, "Old name")
    view = parts.window.sidebar.list_view
    view.setFocus()
    view.setCurrentIndex(parts.window.sidebar.model.index(1))
    qtbot.keyClick(view, Qt.Key.Key_F2)
    editor = view.findChild(QLineEdit)
    assert isinstance(editor, QLineEdit)
    editor.setText("New name")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "New name" in rows(parts.window.sidebar.model))
    assert parts.chats.all()[0].title == "New name"


def test_no_single_key_deletes_a_chat(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    ask(qtbot, parts, "Keep me")
    view = parts.window.sidebar.list_view
    view.setFocus()
    view.setCurrentIndex(parts.window.sidebar.model.index(1))
    for key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_D):
        qtbot.keyClick(view, key)
    settle(qtbot, parts)
    assert len(parts.chats.all()) == 1


def test_the_menu_pins_duplicates_and_deletes(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    chat_id = ask(qtbot, parts, "Busy chat")
    side = parts.window.sidebar

    def trigger(text: str) -> None:
        row: Row = side.model.row(side.model.number_of(chat_id))
        next(a for a in side.menu_of(row).actions() if a.text() == text).trigger()
        settle(qtbot, parts)

    trigger("Pin")
    assert rows(side.model)[0] == "Pinned"
    trigger("Duplicate")
    assert "Busy chat (copy)" in rows(side.model)
    trigger("Delete")
    assert [c.title for c in parts.chats.all()] == ["Busy chat (copy)"]


def test_settings_hold_at_once(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    theme = dialog.findChild(QComboBox, "theme")
    assert isinstance(theme, QComboBox)
    theme.setCurrentIndex(theme.findData("dark"))
    assert parts.theme.dark
    dialog.close()


def test_a_sampler_value_can_be_changed_and_reset(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    page = dialog.answers
    page._boxes["max_steps"].setValue(12)
    assert parts.settings.current.sampler.max_steps == 12
    page._resets["max_steps"].click()
    assert parts.settings.current.sampler.max_steps is None
    assert page._boxes["max_steps"].value() == 48
    page._boxes["t_min"].setValue(0.95)
    assert parts.settings.current.sampler.t_max == 0.95
    dialog.close()


def test_a_system_prompt_typed_last_is_kept_on_closing(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    chat_id = ask(qtbot, parts, "Hi")
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    dialog.answers._prompt.setPlainText("Answer in rhymes.")
    dialog.close()
    settle(qtbot, parts)
    assert parts.settings.current.system_prompt == "Answer in rhymes."
    chat_now = parts.store.read(stored.get_chat, chat_id)
    assert chat_now.system_prompt == "Answer in rhymes."


def test_every_page_of_the_settings_can_be_seen(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    for page in range(dialog.pages.count()):
        dialog.show_page(page)
        assert not dialog.grab().isNull()
    dialog.close()


def test_the_models_page_names_the_guide_as_in_use(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    qtbot.waitUntil(lambda: parts.model.state == "ready")
    parts.window.toggle_models()
    qtbot.waitUntil(lambda: bool(parts.library.rows), timeout=20_000)
    card = parts.window.models_page.card("guide")
    assert card is not None
    assert "in use" in card._size.text()
    assert parts.window.models_page.card("Q4_K_M") is not None
    parts.window.close_models()
    assert parts.window.composer.isVisible()


def test_a_deleted_chat_can_be_restored_in_the_settings(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    chat_id = ask(qtbot, parts, "Bring me back")
    parts.chats.delete(chat_id)
    settle(qtbot, parts)
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    listed = dialog.findChild(QListWidget, "deleted")
    assert isinstance(listed, QListWidget)
    assert listed.item(0).text().endswith("Bring me back")
    next(b for b in dialog.findChildren(QPushButton) if b.text() == "Restore").click()
    settle(qtbot, parts)
    assert listed.count() == 0
    assert [chat.title for chat in parts.chats.all()] == ["Bring me back"]
    dialog.close()


def test_deleting_for_good_asks_first(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts()
    chat_id = ask(qtbot, parts, "Really gone")
    parts.chats.delete(chat_id)
    settle(qtbot, parts)
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    purge = next(b for b in dialog.findChildren(QPushButton) if b.text() == "Delete for good…")
    for name, left in (("Cancel", 1), ("Delete", 0)):
        QTimer.singleShot(0, lambda name=name: answer(name))
        purge.click()
        settle(qtbot, parts)
        assert len(parts.chats.deleted()) == left
    dialog.close()


def answer(name: str) -> None:
    (box,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
    next(b for b in box.buttons() if b.text() == name).click()
    box.deleteLater()


@pytest.mark.parametrize("zoom", [100, 200])
def test_no_page_of_the_settings_is_out_of_reach(
    qtbot: QtBot, build_parts: Build, zoom: int
) -> None:
    parts = build_parts()
    parts.settings.change(zoom_percent=zoom)
    parts.window.open_settings()
    dialog = parts.window._settings_dialog
    assert isinstance(dialog, SettingsDialog)
    for number in range(dialog.pages.count()):
        dialog.show_page(number)
        page = dialog.pages.currentWidget()
        assert isinstance(page, QScrollArea)
        qtbot.waitUntil(lambda page=page: page.viewport().width() > 100)
        missing = page.widget().minimumSizeHint().width() - page.viewport().width()
        assert page.horizontalScrollBar().maximum() >= missing
        assert zoom != 100 or missing <= 0
    dialog.close()


def test_a_banner_is_read_whole_in_a_small_window(qtbot: QtBot, build_parts: Build) -> None:
    parts = build_parts(size=(1024, 640))
    parts.settings.change(zoom_percent=150)
    parts.window.banner.show_error("What happened is told in so many words. " * 6, "", "Help")
    text = parts.window.banner.label()
    qtbot.waitUntil(lambda: text.height() >= text.heightForWidth(text.width()))


def test_the_placeholder_grows_with_the_window(build_parts: Build) -> None:
    parts = build_parts()
    parts.settings.change(zoom_percent=150)
    prompt = parts.window.composer._prompt
    assert prompt.viewport().font().pixelSize() == prompt.font().pixelSize() > 20


def test_the_first_screen_can_be_scrolled_where_it_does_not_fit(
    qtbot: QtBot, build_parts: Build
) -> None:
    parts = build_parts(size=(640, 480))
    parts.settings.change(zoom_percent=150)
    welcome = parts.window.welcome
    qtbot.waitUntil(lambda: welcome.verticalScrollBar().maximum() > 0)
    qtbot.waitUntil(
        lambda: all(made.height() >= made.sizeHint().height() for made in welcome.buttons())
    )
