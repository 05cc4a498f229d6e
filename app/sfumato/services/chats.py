"""The chats of the sidebar and the conversation that is open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from sfumato.errors import KnownError, StoreError
from sfumato.sentence import Sentence
from sfumato.services.settings import SettingsService
from sfumato.services.store_calls import StoreCalls
from sfumato.store import chats, export, folders, messages, search
from sfumato.store.types import (
    Chat,
    Conversation,
    Folder,
    ImportReport,
    Message,
    SamplerValues,
    SearchHit,
)

DRAFT_MS = 800  # a draft is on disk within two seconds of typing


class Chats(QObject):
    """`opened` carries another conversation, or None for a new one; `changed` the same, changed."""

    listed = Signal()
    opened = Signal(object)
    changed = Signal(object)
    chat_deleted = Signal(int, str)  # id and title, to offer Undo
    folder_removed = Signal(str, object)  # name and the ids of its chats, to offer Undo
    message_deleted = Signal(int)
    imported = Signal(object)  # ImportReport
    exported = Signal(str)  # path
    failed = Signal(object)  # KnownError

    def __init__(
        self, calls: StoreCalls, settings: SettingsService, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._calls = calls
        self._settings = settings
        self._conversation: Conversation | None = None
        self._new_draft = ""  # of the chat that does not exist yet
        self.new_folder = ""  # where that chat will be
        self._draft: tuple[int, str] | None = None
        self._draft_timer = QTimer(self, singleShot=True, interval=DRAFT_MS)
        self._draft_timer.timeout.connect(self.flush_draft)
        calls.failed.connect(self.failed)

    # What there is

    def all(self) -> list[Chat]:
        """Pinned first, then the most recently used."""
        return self._calls.read(chats.list_chats)

    def folders(self) -> list[Folder]:
        return self._calls.read(folders.list_folders)

    def search(self, query: str) -> list[SearchHit]:
        return self._calls.read(search.search, query)

    @property
    def conversation(self) -> Conversation | None:
        return self._conversation

    @property
    def chat_id(self) -> int | None:
        return self._conversation.chat.id if self._conversation else None

    # Opening

    def open_last(self) -> None:
        """The chat that was open when the window closed, or a new one."""
        last = self._settings.current.last_chat_id
        if last is not None and any(chat.id == last for chat in self.all()):
            self.open(last)
        else:
            self.open_new()

    def open(self, chat_id: int) -> None:
        self.flush_draft()
        try:
            self._conversation = self._calls.read(messages.load_conversation, chat_id)
        except StoreError as error:
            self.failed.emit(error)
            return
        self._settings.change(last_chat_id=chat_id)
        self.opened.emit(self._conversation)

    def open_new(self, folder: str = "") -> None:
        """An empty conversation; its chat is made with the first prompt, in this folder."""
        self.flush_draft()
        self.new_folder = folder
        self._conversation = None
        self._settings.change(last_chat_id=None)
        self.opened.emit(None)

    def adopt(self, chat_id: int) -> None:
        """The new conversation has become this chat."""
        self._new_draft = ""
        self._draft = None
        self._conversation = self._calls.read(messages.load_conversation, chat_id)
        self._settings.change(last_chat_id=chat_id)
        self.listed.emit()
        self.changed.emit(self._conversation)

    def refresh(self, chat_id: int | None = None) -> None:
        """Read the open conversation again, if it is `chat_id`'s."""
        if self._conversation is None or chat_id not in (None, self._conversation.chat.id):
            return
        self._conversation = self._calls.read(
            messages.load_conversation, self._conversation.chat.id
        )
        self.changed.emit(self._conversation)

    # Drafts

    def draft(self) -> str:
        if self.chat_id is None:
            return self._new_draft
        if self._draft is not None and self._draft[0] == self.chat_id:
            return self._draft[1]
        return self._calls.read(chats.load_draft, self.chat_id)

    def keep_draft(self, text: str) -> None:
        if self.chat_id is None:
            self._new_draft = text
            return
        self._draft = (self.chat_id, text)
        if not self._draft_timer.isActive():
            self._draft_timer.start()

    def flush_draft(self) -> None:
        """Store a draft that still waits."""
        self._draft_timer.stop()
        if self._draft is not None:
            self._calls.submit(chats.save_draft, *self._draft)
            self._draft = None

    def drop_draft(self) -> None:
        """The draft has become a prompt."""
        self._draft_timer.stop()
        self._draft = None
        self._new_draft = ""

    # Chats

    def rename(self, chat_id: int, title: str) -> None:
        if title.strip():
            self._calls.submit(
                chats.rename_chat, chat_id, title.strip(), then=lambda _: self._renamed(chat_id)
            )

    def _renamed(self, chat_id: int) -> None:
        self.listed.emit()
        self.refresh(chat_id)

    def pin(self, chat_id: int, pinned: bool) -> None:
        self._calls.submit(chats.pin_chat, chat_id, pinned, then=self._listed)

    def delete(self, chat_id: int) -> None:
        title = next((chat.title for chat in self.all() if chat.id == chat_id), "")

        def deleted(_: object) -> None:
            if self.chat_id == chat_id:
                self.open_new()
            self.listed.emit()
            self.chat_deleted.emit(chat_id, title)

        self._calls.submit(chats.delete_chat, chat_id, then=deleted)

    def restore(self, chat_id: int) -> None:
        def restored(chat: Chat) -> None:
            self.listed.emit()
            self.open(chat.id)

        self._calls.submit(chats.restore_chat, chat_id, then=restored)

    def deleted(self) -> list[Chat]:
        """Those that can still be restored, the last deleted first."""
        return self._calls.read(chats.list_deleted_chats)

    def purge(self, chat_id: int) -> None:
        """Remove a deleted chat for good, before its 30 days are over."""
        self._calls.submit(chats.purge_chat, chat_id, then=self._listed)

    def duplicate(self, chat_id: int, title: str, up_to: int | None = None) -> None:
        """A copy of a chat, or with `up_to` a branch of the path that ends at this message."""

        def copied(copy: Conversation) -> None:
            self.listed.emit()
            self.open(copy.chat.id)

        self._calls.submit(messages.duplicate_chat, chat_id, title, up_to=up_to, then=copied)

    def configure(
        self,
        *,
        system_prompt: str,
        preset_id: int | None,
        sampler: SamplerValues,
        thinking: bool,
    ) -> None:
        if self.chat_id is not None:
            self._calls.submit(
                chats.configure_chat,
                self.chat_id,
                system_prompt=system_prompt,
                preset_id=preset_id,
                sampler=sampler,
                thinking=thinking,
                then=lambda chat: self.refresh(chat.id),
            )

    # Folders

    def move(self, chat_id: int, folder: str) -> None:
        """Into a folder, or out of any with ""."""
        self._calls.submit(folders.move_chat, chat_id, folder, then=self._listed)

    def add_folder(self, name: str, chat_ids: Sequence[int] = ()) -> None:
        if name.strip():
            self._calls.submit(folders.add_folder, name.strip(), chat_ids, then=self._listed)

    def rename_folder(self, folder: str, name: str) -> None:
        def renamed(_: object) -> None:
            if self.new_folder == folder:
                self.new_folder = name.strip()
            self.listed.emit()

        if name.strip():
            self._calls.submit(folders.rename_folder, folder, name.strip(), then=renamed)

    def remove_folder(self, folder: str) -> None:
        """Its chats stay."""

        def removed(chat_ids: list[int]) -> None:
            if self.new_folder == folder:
                self.new_folder = ""
            self.listed.emit()
            self.folder_removed.emit(folder, chat_ids)

        self._calls.submit(folders.remove_folder, folder, then=removed)

    def collapse_folder(self, folder: str, collapsed: bool) -> None:
        self._calls.submit(folders.collapse_folder, folder, collapsed, then=self._listed)

    def _listed(self, _: object) -> None:
        self.listed.emit()

    # Messages

    def message(self, message_id: int) -> Message | None:
        if self._conversation is None:
            return None
        return next((m for m in self._conversation.messages if m.id == message_id), None)

    def choose_version(self, message_id: int) -> None:
        self._calls.submit(messages.choose_version, message_id, then=self._show)

    def delete_message(self, message_id: int) -> None:
        def deleted(conversation: Conversation) -> None:
            self._show(conversation)
            self.message_deleted.emit(message_id)

        self._calls.submit(messages.delete_message, message_id, then=deleted)

    def restore_message(self, message_id: int) -> None:
        self._calls.submit(messages.restore_message, message_id, then=self._show)

    def _show(self, conversation: Conversation) -> None:
        if conversation.chat.id == self.chat_id:
            self._conversation = conversation
            self.changed.emit(conversation)

    # Files

    def as_markdown(self) -> str:
        return export.to_markdown(self._conversation) if self._conversation else ""

    def export_to(self, path: Path, chat_ids: list[int] | None = None) -> None:
        """Write Markdown (.md, one chat) or our JSON; None is every chat."""
        try:
            if path.suffix.lower() == ".md" and chat_ids and len(chat_ids) == 1:
                conversation = self._calls.read(messages.load_conversation, chat_ids[0])
                path.write_text(export.to_markdown(conversation), "utf-8")
            else:
                path.write_bytes(self._calls.read(export.to_json, chat_ids))
        except OSError as error:
            self.failed.emit(
                KnownError(
                    Sentence(
                        "Chats", "{path} could not be written ({reason}); choose another place."
                    ).filled(path=str(path), reason=error.strerror or str(error))
                )
            )
        except StoreError as error:
            self.failed.emit(error)
        else:
            self.exported.emit(str(path))

    def import_from(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            self.failed.emit(
                KnownError(
                    Sentence("Chats", "{path} could not be read ({reason}).").filled(
                        path=str(path), reason=error.strerror or str(error)
                    )
                )
            )
            return

        def imported(report: ImportReport) -> None:
            self.listed.emit()
            self.imported.emit(report)

        self._calls.submit(export.from_json, data, then=imported)


def day_of(time_ms: int, zone: tzinfo | None = None) -> int:
    """The local day of a stored time, as an ordinal; `zone` is the system's by default."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone).toordinal()
