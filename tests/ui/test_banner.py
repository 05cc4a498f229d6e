"""The banner: where its buttons stand, how long it stays, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot
from sfumato.ui import banner as module
from sfumato.ui.banner import Banner
from sfumato.ui.theme import Theme

LONG = "A sentence that says so much that no button has room beside it any more. " * 2


@pytest.fixture
def banner(qtbot: QtBot, theme: Theme) -> Iterator[Banner]:
    window = QWidget()
    qtbot.addWidget(window)
    made = Banner(theme)
    box = QVBoxLayout(window)
    box.addWidget(made)
    box.addStretch(1)
    window.resize(720, 300)
    window.show()
    yield made
    window.close()


def button(banner: Banner, text: str) -> QPushButton:
    return next(b for b in banner.findChildren(QPushButton) if b.text() == text)


def top(banner: Banner, widget: QWidget) -> int:
    return widget.mapTo(banner, widget.rect().topLeft()).y()


def test_a_short_sentence_has_its_button_beside_it(qtbot: QtBot, banner: Banner) -> None:
    banner.show_notice("Deleted", "Undo", lambda: None)
    qtbot.waitUntil(lambda: banner.label().width() > 100)
    assert top(banner, button(banner, "Undo")) < top(banner, banner.label()) + 20


@pytest.mark.parametrize(("sentence", "other"), [(LONG, ""), ("Full", "Another way")])
def test_much_to_say_or_to_choose_puts_the_buttons_below(
    qtbot: QtBot, banner: Banner, sentence: str, other: str
) -> None:
    banner.show_error(sentence, "", "Help", lambda: None, other=other, on_other=lambda: None)
    text = banner.label()
    qtbot.waitUntil(
        lambda: top(banner, button(banner, "Help")) >= top(banner, text) + text.height()
    )


def test_both_ways_can_be_taken(banner: Banner) -> None:
    taken: list[str] = []
    for name in ("one", "two"):
        banner.show_error(
            "Full",
            "",
            "one",
            lambda: taken.append("1"),
            other="two",
            on_other=lambda: taken.append("2"),
        )
        button(banner, name).click()
        assert banner.isHidden()
    assert taken == ["1", "2"]


def test_a_notice_goes_by_itself_but_not_from_under_a_hand(
    qtbot: QtBot, banner: Banner, monkeypatch: pytest.MonkeyPatch
) -> None:
    banner.show_notice("Deleted", "Undo", lambda: None)
    monkeypatch.setattr(Banner, "underMouse", lambda self: True)
    banner._time_over()
    assert banner.sentence == "Deleted"
    monkeypatch.setattr(Banner, "underMouse", lambda self: False)
    banner._time_over()
    assert banner.sentence == ""


def test_progress_changes_its_words_and_is_announced_once(
    banner: Banner, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(module, "announce", lambda _, sentence: heard.append(sentence))

    def cancel() -> None: ...

    for step in range(3):
        banner.show_progress(f"Step {step}", "Cancel", cancel)
    assert banner.sentence == "Step 2"
    assert heard == ["Step 0"]


def test_a_message_that_stands_is_told_closed_once(banner: Banner) -> None:
    closed: list[str] = []
    banner.show_error("Kept", on_close=lambda: closed.append("Kept"))
    banner.show_notice("Passing")
    banner.hide()
    assert closed == []
    banner.show_notice("Later")
    banner.dismiss()
    assert banner.sentence == "Kept"
    banner.dismiss()
    banner.dismiss()
    assert closed == ["Kept"]


def test_buttons_that_do_not_fit_stand_below_each_other(qtbot: QtBot, banner: Banner) -> None:
    banner.show_error("Full", "", "Help " * 12, lambda: None, other="Other " * 12)
    first, second = button(banner, "Other " * 12), button(banner, "Help " * 12)
    qtbot.waitUntil(lambda: top(banner, second) >= top(banner, first) + first.height())
    banner.window().resize(1600, 300)
    qtbot.waitUntil(lambda: top(banner, second) == top(banner, first))


def test_what_must_be_seen_stays_when_something_new_begins(banner: Banner) -> None:
    banner.show_error("Chats were repaired.", on_close=lambda: None)
    banner.clear()
    assert not banner.isHidden()
    assert banner.sentence == "Chats were repaired."


def test_what_only_passes_goes_when_something_new_begins(banner: Banner) -> None:
    banner.show_notice("Saved.")
    banner.clear()
    assert banner.isHidden()


def test_the_end_of_progress_brings_back_what_it_covered(banner: Banner) -> None:
    def cancel() -> None: ...

    banner.show_error("Chats were repaired.", on_close=lambda: None)
    banner.show_progress("Part 1", "Cancel", cancel)
    banner.end_progress(cancel)
    assert not banner.isHidden()
    assert banner.sentence == "Chats were repaired."


def test_the_end_of_progress_leaves_what_took_its_place(banner: Banner) -> None:
    def cancel() -> None: ...

    banner.show_progress("Part 1", "Cancel", cancel)
    banner.show_error("The disk is full.")
    banner.end_progress(cancel)
    assert banner.sentence == "The disk is full."
    assert not banner.isHidden()
