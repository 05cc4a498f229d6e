"""The conversation's column: few widgets, right heights, and what is read stays where it is."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from sfumato.store.types import AnswerStats, Message
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.conversation_view import KEPT_WIDGETS, ConversationView
from sfumato.ui.message_widget import MessageWidget
from sfumato.ui.prose_view import ProseView
from sfumato.ui.theme import Theme


def conversation(count: int) -> list[Message]:
    return [
        Message(
            id=number, chat_id=1, parent_id=number - 1 or None,
            role="user" if number % 2 else "assistant", state="finished",
            text=f"Message {number}. " + "Some words that fill a few lines. " * (number % 13),
            thinking="", created_ms=0, settled=True, edited=False, error="",
            stats=AnswerStats(), deleted_ms=None, versions=(number,),
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def make(qtbot: QtBot, theme: Theme, count: int) -> ConversationView:
    view = ConversationView(theme, lambda _: False)
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.show()
    view.show_messages(conversation(count), to_end=True)
    return view


def shown(view: ConversationView) -> list[MessageWidget]:
    found = [w for w in view.viewport().findChildren(MessageWidget) if w.isVisible()]
    return sorted(found, key=lambda widget: widget.y())


def test_a_chat_opens_at_its_end(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 200)
    assert shown(view)[-1].message.id == 200
    assert shown(view)[-1].geometry().bottom() <= view.viewport().height()


def test_only_what_is_near_exists(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 1000)
    bar = view.verticalScrollBar()
    for share in range(11):
        bar.setValue(bar.maximum() * share // 10)
        qtbot.waitUntil(lambda: not view._ahead.isActive(), timeout=30_000)
    assert len(view._widgets) < 2 * KEPT_WIDGETS + 40


def test_messages_stand_in_order_and_do_not_overlap(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 60)
    bar = view.verticalScrollBar()
    for value in range(0, bar.maximum(), 333):
        bar.setValue(value)
        visible = shown(view)
        numbers = [widget.message.id for widget in visible]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        for above, below in pairwise(visible):
            assert above.geometry().bottom() < below.y()


def test_what_is_read_stays_when_the_chat_grows(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 40)
    view.verticalScrollBar().setValue(200)
    qtbot.waitUntil(lambda: not view._ahead.isActive(), timeout=30_000)
    before = {widget.message.id: widget.y() for widget in shown(view)}
    view.show_messages(conversation(42), to_end=False)
    after = {widget.message.id: widget.y() for widget in shown(view)}
    assert before == after


def test_the_end_is_followed_while_one_is_there(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 40)
    view.show_messages(conversation(41), to_end=False)
    assert shown(view)[-1].message.id == 41
    assert view.at_end


def test_a_message_can_be_brought_into_view(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 300)
    view.scroll_to_message(17)
    assert 17 in [widget.message.id for widget in shown(view)]


def test_a_narrow_window_makes_taller_messages(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 30)
    wide = view.verticalScrollBar().maximum()
    view.resize(400, 600)
    qtbot.waitUntil(lambda: not view._ahead.isActive(), timeout=30_000)
    assert view.verticalScrollBar().maximum() > wide
    for widget in shown(view):
        assert widget.x() >= 0
        assert widget.geometry().right() <= view.viewport().width()


def test_heights_are_remembered(qtbot: QtBot, theme: Theme) -> None:
    view = make(qtbot, theme, 30)
    qtbot.waitUntil(lambda: not view._ahead.isActive(), timeout=30_000)
    known = dict(view._heights)
    view.clear()
    view.show_messages(conversation(30), to_end=True)
    offsets = view._offsets()
    assert known
    assert offsets[-1] - offsets[-2] - 8 == known[next(k for k in known if k[0][0] == 30)]


def test_the_column_stays_where_it_is_when_a_scroll_bar_comes(qtbot: QtBot, theme: Theme) -> None:
    for width in (500, 800, 1400):
        view = make(qtbot, theme, 1)
        view.resize(width, 600)
        short = shown(view)[0].geometry()
        view.show_messages(conversation(60), to_end=False)
        view.verticalScrollBar().setValue(0)
        assert view.verticalScrollBar().maximum() > 0
        assert (shown(view)[0].x(), shown(view)[0].width()) == (short.x(), short.width())


def test_the_keys_stay_in_the_conversation_when_their_message_goes(
    qtbot: QtBot, theme: Theme
) -> None:
    view = make(qtbot, theme, 60)
    elsewhere = QPushButton(view)
    elsewhere.show()
    last = shown(view)[-1]
    last._row._buttons[0].setFocus()
    qtbot.waitUntil(last._row._buttons[0].hasFocus)
    view.verticalScrollBar().setValue(0)
    qtbot.waitUntil(view.hasFocus)
    first = shown(view)[0]
    first._row._buttons[0].setFocus()
    qtbot.waitUntil(first._row._buttons[0].hasFocus)
    view.show_messages(conversation(60)[1:], to_end=False)
    qtbot.waitUntil(view.hasFocus)


def marked(view: ConversationView) -> list[str]:
    found = []
    for widget in shown(view):
        for text in widget.findChildren(ProseView):
            found += [place.cursor.selectedText() for place in text.extraSelections()]
    return found


def test_the_words_of_a_search_are_marked_where_they_begin_a_word(
    qtbot: QtBot, theme: Theme
) -> None:
    view = ConversationView(theme, lambda _: False)
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.show()
    text = "filler\n\n" * 60 + "A **Lantern** and a lan, no islands."
    *before, last = conversation(40)
    view.show_messages([*before, msgspec.structs.replace(last, text=text)], to_end=False)
    view.scroll_to_message(40, "lan")
    assert marked(view) == ["Lan", "lan"]
    (widget,) = [widget for widget in shown(view) if widget.message.id == 40]
    place = widget.mark_words("lan")
    assert place is not None
    top = widget.mapTo(view.viewport(), place.topLeft()).y()
    assert 0 <= top < view.viewport().height()
    view.mark_nothing()
    assert marked(view) == []


def test_words_are_marked_in_code_and_in_prompts(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown("```\nlamp = 1\n```\n\n東京の lamp")
    stack.height_for(400)
    first = stack.mark_words("lamp")
    assert first is not None
    assert first.top() < stack.findChildren(ProseView)[0].y()
    assert stack.mark_words("京") is not None
    assert stack.mark_words("nowhere") is None
