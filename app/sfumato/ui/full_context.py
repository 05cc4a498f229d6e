"""A full context: nothing is left out unasked, the chat can go on from a summary."""

from __future__ import annotations

from PySide6.QtCore import QObject

from sfumato.services.chats import Chats
from sfumato.services.generation import Generation
from sfumato.services.summary import Summary
from sfumato.ui.banner import Banner


class FullContext(QObject):
    """Offers the ways out in the banner, and shows there how the summary gets on."""

    def __init__(
        self,
        banner: Banner,
        chats: Chats,
        generation: Generation,
        summary: Summary,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._banner = banner
        self._chats = chats
        self._generation = generation
        self._summary = summary
        summary.changed.connect(self._show_progress)
        summary.ended.connect(self._tell_end)

    def offer(self, sentence: str, advice: str, answer_id: int) -> None:
        """Say it, and offer to answer with fewer messages or to go on in a new chat."""
        shorter = self.tr("Leave out the oldest messages")

        def leave_out() -> None:
            self._generation.regenerate(answer_id, shorter=True)

        if self._summary.possible:
            self._banner.show_error(
                sentence,
                advice,
                self.tr("Go on in a new chat with a summary"),
                self._go_on,
                other=shorter,
                on_other=leave_out,
            )
        else:
            self._banner.show_error(sentence, advice, shorter, leave_out)

    def _go_on(self) -> None:
        conversation = self._chats.conversation
        title = (conversation.chat.title if conversation else "") or self.tr("New chat")
        self._summary.run(self.tr("%1 (continued)").replace("%1", title))

    def _show_progress(self) -> None:
        summary = self._summary
        if not summary.running:
            self._banner.end_progress(summary.cancel)
            return
        text = self.tr("Summing up the earlier messages: part %1 of %2, step %3")
        for mark, number in (("%1", summary.part), ("%2", summary.parts), ("%3", summary.step)):
            text = text.replace(mark, str(number))
        self._banner.show_progress(text, self.tr("Cancel"), summary.cancel)

    def _tell_end(self) -> None:
        self._banner.show_notice(
            self.tr("The conversation goes on here, from a summary; the earlier chat is unchanged.")
        )
