"""The window: lays out sidebar, conversation, composer and status, and connects them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from PySide6.QtCore import QByteArray, QElapsedTimer, QSettings, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDesktopServices,
    QGuiApplication,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sfumato.engine.protocol import Committed, Denoised, Failed, Finished, Prefilled
from sfumato.errors import KnownError
from sfumato.paths import state_dir
from sfumato.services.chats import Chats
from sfumato.services.generation import Answer, Generation
from sfumato.services.model import ModelService
from sfumato.services.model_library import ModelLibrary
from sfumato.services.recordings import Recordings
from sfumato.services.rewriting import Rewriting
from sfumato.services.self_test import Report, SelfTest
from sfumato.services.settings import SettingsService
from sfumato.services.spoken import spoken, written
from sfumato.services.store_health import StoreHealth
from sfumato.services.summary import Summary
from sfumato.services.token_counter import TokenCounter
from sfumato.store.types import Conversation, ImportReport, Message
from sfumato.ui.banner import Banner
from sfumato.ui.chat_sidebar import ChatSidebar
from sfumato.ui.closing import Closing
from sfumato.ui.composer import Composer
from sfumato.ui.conversation_view import ConversationView
from sfumato.ui.first_run import FirstRun
from sfumato.ui.full_context import FullContext
from sfumato.ui.gpu_dialog import GpuDialog
from sfumato.ui.markdown import misleading, safe_target, shown_address
from sfumato.ui.models_page import ModelsPage
from sfumato.ui.question import question
from sfumato.ui.recording_view import RecordingView
from sfumato.ui.rewriter import KEYS as REWRITE_KEYS
from sfumato.ui.rewriter import Rewriter
from sfumato.ui.settings_dialog import DOWNLOADS, SettingsDialog
from sfumato.ui.settled_view import SettledView
from sfumato.ui.status_line import StatusLine
from sfumato.ui.theme import Theme
from sfumato.ui.top_bar import TopBar
from sfumato.ui.tray import Tray
from sfumato.ui.welcome import Welcome
from sfumato.ui.widgets import hairline

START_SIZE = (1180, 800)
LEAST_SIZE = (640, 480)
PAGES_PX = 120  # of the conversation, at the least
LONG_ANSWER_MS = 10_000  # the end of a shorter one is no news


class MainWindow(QMainWindow):
    def __init__(
        self,
        theme: Theme,
        settings: SettingsService,
        chats: Chats,
        generation: Generation,
        model: ModelService,
        recordings: Recordings,
        counter: TokenCounter,
        summary: Summary,
        rewriting: Rewriting,
        library: ModelLibrary,
        self_test: SelfTest,
        health: StoreHealth,
        folder: Path,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._settings = settings
        self._chats = chats
        self._generation = generation
        self._model = model
        self._recordings = recordings
        self._counter = counter
        self._summary = summary
        self._rewriting = rewriting
        self._library = library
        self._self_test = self_test
        self._health = health
        self._folder = folder
        self._settings_dialog: SettingsDialog | None = None
        self._shown_chat: int | None = None
        self._arrived: Path | None = None  # a model that waits for the end of an answer
        self._sidebar_wanted = True
        self._narrow = False
        self._query = ""  # what is searched for
        self._answering = QElapsedTimer()
        self.setWindowTitle("Sfumato")
        self.setMinimumSize(*LEAST_SIZE)

        self.sidebar = ChatSidebar(theme)
        self.top_bar = TopBar(theme)
        self.welcome = Welcome(theme)
        self.conversation = ConversationView(theme, recordings.has)
        self.banner = Banner(theme)
        self.rewriter = Rewriter(theme, self.conversation, rewriting, self.banner)
        self.composer = Composer(theme)
        self.status = StatusLine(theme)
        self.tray = Tray(self)
        self.full_context = FullContext(self.banner, chats, generation, summary, self)
        self.closing = Closing(self, self.tray, health)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.welcome)
        self._pages.addWidget(self.conversation)
        self.models_page = ModelsPage(theme, library, self_test, model, settings)
        self._pages.addWidget(self.models_page)
        self.first_run = FirstRun(theme, library, settings, model, self_test)
        self._lay_out()
        self._connect()
        self._add_shortcuts()
        self._apply_settings()
        self._restore_geometry()
        self._show_model()
        self._show_chats()

    def _lay_out(self) -> None:
        self._foot = QWidget()
        self._foot_box = QVBoxLayout(self._foot)
        self._foot_box.setContentsMargins(24, 0, 24, 8)
        self._foot_box.setSpacing(4)
        self._foot_box.addWidget(self.banner)
        self._foot_box.addWidget(self.composer)
        self._foot_box.addWidget(self.status)
        # Where there is little room the pages give way, not what must be read and answered.
        self._pages.setMinimumHeight(PAGES_PX)
        main = QWidget()
        main.setObjectName("ground")
        box = QVBoxLayout(main)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.top_bar)
        box.addWidget(self._pages, 1)
        box.addWidget(self._foot, 0)
        whole = QWidget()
        whole.setObjectName("ground")
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        self._side_line = hairline(vertical=True)
        row.addWidget(self._side_line)
        row.addWidget(main, 1)
        self._whole = QStackedWidget()
        self._whole.setObjectName("ground")
        self._whole.addWidget(whole)
        self._whole.addWidget(self.first_run)
        self.setCentralWidget(self._whole)

    def _connect(self) -> None:
        self._theme.changed.connect(self._fit_sidebar)
        chats, generation, model = self._chats, self._generation, self._model
        self.top_bar.sidebar_toggled.connect(self.toggle_sidebar)
        self.top_bar.model_clicked.connect(self.toggle_models)
        for place in (self.top_bar, self.models_page, self.first_run):
            place.load_cancelled.connect(self._cancel_load)
        self.welcome.asked.connect(generation.send)
        self.welcome.models_wanted.connect(self.toggle_models)
        self.models_page.closed.connect(self.close_models)
        self.models_page.chosen.connect(model.choose)
        self.models_page.import_wanted.connect(self._import_model)
        self.models_page.gpu_wanted.connect(self.explain_gpu)
        self.models_page.address_wanted.connect(lambda: self.open_settings(DOWNLOADS))
        self.models_page.introduction_wanted.connect(self.open_first_run)
        self.first_run.closed.connect(self._close_first_run)
        self.first_run.chosen.connect(self._try_model)
        self.first_run.import_wanted.connect(self._import_model)
        self.first_run.gpu_wanted.connect(self.explain_gpu)
        self.top_bar.gpu_wanted.connect(self.explain_gpu)
        self._self_test.ended.connect(self._tell_tested)
        self._library.failed.connect(self._show_error)
        self._library.arrived.connect(self._offer_model)
        self.composer.submitted.connect(self._send)
        self.composer.stopped.connect(self._stop)
        self.composer.edited.connect(chats.keep_draft)
        self.composer.edited.connect(self._counter.count)
        self.composer.thinking_toggled.connect(self._choose_thinking)
        self._counter.counted.connect(self._show_count)
        self._summary.failed.connect(self._show_error)
        self.status.layout_chosen.connect(lambda kind: self._settings.change(canvas_layout=kind))
        self.status.source_chosen.connect(lambda what: self._settings.change(canvas_shows=what))
        side = self.sidebar
        side.opened.connect(self._open_chat)
        side.new_wanted.connect(lambda: self.new_chat())
        side.settings_wanted.connect(self.open_settings)
        side.renamed.connect(chats.rename)
        side.pinned.connect(chats.pin)
        side.duplicated.connect(chats.duplicate)
        side.deleted.connect(chats.delete)
        side.moved.connect(chats.move)
        side.folder_added.connect(chats.add_folder)
        side.folder_renamed.connect(chats.rename_folder)
        side.folder_removed.connect(chats.remove_folder)
        side.folder_collapsed.connect(chats.collapse_folder)
        side.new_in_folder_wanted.connect(self.new_chat)
        side.searched.connect(self._search)
        side.export_wanted.connect(lambda chat_id: self._export([chat_id]))
        side.export_all_wanted.connect(lambda: self._export(None))
        side.import_wanted.connect(self._import)
        view = self.conversation
        view.acted.connect(self._act)
        view.edited.connect(generation.edit)
        view.link_clicked.connect(self.open_link)
        view.link_hovered.connect(lambda url: self.status.show_hint(shown_address(url)))
        chats.listed.connect(self._show_chats)
        chats.opened.connect(self._show_opened)
        chats.changed.connect(self._show_changed)
        chats.failed.connect(self._show_error)
        chats.chat_deleted.connect(self._offer_undo_chat)
        chats.folder_removed.connect(self._offer_undo_folder)
        chats.message_deleted.connect(self._offer_undo_message)
        chats.imported.connect(self._tell_imported)
        chats.exported.connect(
            lambda path: self.banner.show_notice(self.tr("Saved as %1").replace("%1", path))
        )
        self._recordings.failed.connect(self._show_error)
        self._health.told.connect(
            lambda text: self.banner.show_error(text, on_close=self._health.dismiss)
        )
        self._health.failed.connect(self._show_error)
        self._health.saved.connect(
            lambda path: self.banner.show_notice(self.tr("Saved as %1").replace("%1", path))
        )
        generation.began.connect(self._begin)
        generation.prefilled.connect(self._show_prefilled)
        generation.stepped.connect(self._show_step)
        generation.committed.connect(self._show_committed)
        generation.finished.connect(self._show_finished)
        generation.ended.connect(self._end)
        generation.failed.connect(self._show_failure)
        generation.busy_changed.connect(self.composer.set_busy)
        generation.busy_changed.connect(self._try_arrived)
        self.tray.show_wanted.connect(self.raise_window)
        self.tray.new_chat_wanted.connect(self._new_chat_from_tray)
        self.tray.quit_wanted.connect(self.closing.quit)
        model.changed.connect(self._show_model)
        model.failed.connect(self._show_failure)
        self._settings.changed.connect(lambda _: self._apply_settings())
        self._answer_settings = self._answer_settings_now()

    def _add_shortcuts(self) -> None:
        for keys, act in (
            ("Ctrl+N", self.new_chat),
            ("Ctrl+B", self.toggle_sidebar),
            ("Ctrl+K", self._focus_search),
            ("Ctrl+F", self._focus_search),
            ("Ctrl+L", self.composer.focus),
            ("Ctrl+=", lambda: self._zoom(1)),
            ("Ctrl++", lambda: self._zoom(1)),
            ("Ctrl+-", lambda: self._zoom(-1)),
            ("Ctrl+0", lambda: self._zoom(0)),
            (REWRITE_KEYS, self.rewriter.open),
            ("Ctrl+Shift+C", self._copy_conversation),
            ("Ctrl+Shift+G", self._toggle_grid),
            ("Alt+Up", lambda: self.conversation.go_to_message(-1)),
            ("Alt+Down", lambda: self.conversation.go_to_message(1)),
            ("Esc", self._escape),
            ("Ctrl+,", self.open_settings),
            ("Ctrl+Q", self.closing.quit),
        ):
            action = QAction(self)
            action.setShortcut(QKeySequence(keys))
            action.triggered.connect(lambda _=False, act=act: act())
            self.addAction(action)

    # Chats

    def _show_chats(self) -> None:
        today = date.today().toordinal()
        self.sidebar.show_chats(self._chats.all(), today, self._chats.folders())

    def _search(self, query: str) -> None:
        self._query = query
        if query:
            self.sidebar.show_hits(self._chats.search(query))
        else:
            self.conversation.mark_nothing()
            self._show_chats()

    def _open_chat(self, chat_id: int, message_id: int | None) -> None:
        if chat_id != self._chats.chat_id:
            self._chats.open(chat_id)
        if message_id is not None:
            self.conversation.scroll_to_message(message_id, self._query)

    def new_chat(self, folder: str = "") -> None:
        self._chats.open_new(folder)
        self.composer.focus()

    def _show_opened(self, conversation: Conversation | None) -> None:
        self._shown_chat = conversation.chat.id if conversation else None
        self.sidebar.mark_open(self._shown_chat)
        self.conversation.clear()
        self.composer.set_text(self._chats.draft())
        self._show_conversation(conversation, to_end=True)
        answer = self._generation.answer
        if conversation and answer and answer.message.chat_id == conversation.chat.id:
            self._show_live(answer)
        self.status.show_text("")

    def _show_changed(self, conversation: Conversation) -> None:
        other = conversation.chat.id != self._shown_chat
        self._shown_chat = conversation.chat.id
        self.sidebar.mark_open(self._shown_chat)
        if other:
            self.composer.set_text(self._chats.draft())
        self._show_conversation(conversation, to_end=other)

    def _show_conversation(self, conversation: Conversation | None, *, to_end: bool) -> None:
        messages = conversation.messages if conversation else ()
        if self._pages.currentWidget() is not self.models_page or to_end:
            self._foot.show()
            self._pages.setCurrentWidget(self.conversation if messages else self.welcome)
        self.conversation.show_messages(messages, to_end=to_end)
        title = conversation.chat.title if conversation else ""
        self._show_thinking()
        self.top_bar.show_title(title)
        self.setWindowTitle(f"{title} — Sfumato" if title else "Sfumato")

    # The answer under way

    def _send(self, text: str) -> None:
        self.composer.set_text("")
        self.banner.clear()
        self._generation.send(text)

    def _begin(self, answer: Answer) -> None:
        self._answering.start()
        self.banner.clear()
        self.status.begin()
        if answer.message.chat_id == self._shown_chat:
            self._show_live(answer)

    def _show_live(self, answer: Answer) -> None:
        message = self._chats.message(answer.message.id) or answer.message
        live = self.conversation.begin_live(answer.message.id, message.text)
        settings = self._settings.current
        live.set_layout_kind(settings.canvas_layout)
        live.set_source(settings.canvas_shows)
        live.show_waiting(self._waiting_sentence())

    def _waiting_sentence(self) -> str:
        if self._model.state == "starting":
            return self.tr("Starting the engine …")
        if self._model.state == "loading":
            percent = f"{self._model.fraction * 100:.0f}"
            return self.tr("Loading the model, %1 % …").replace("%1", percent)
        return self.tr("Reading the conversation …")

    def _show_prefilled(self, event: Prefilled) -> None:
        self.status.show_text(
            self.tr("%n token(s) read", "", event.tokens)
            + " · "
            + self.tr("%1 left in the context").replace("%1", written(event.context_left))
        )

    def _is_live(self) -> bool:
        answer, live = self._generation.answer, self.conversation.live
        return live is not None and answer is not None and answer.message.id == live.message_id

    def _show_step(self, event: Denoised) -> None:
        self.status.show_step(event)
        live = self.conversation.live
        if live is not None and self._is_live():
            live.show_step(event)

    def _show_committed(self, event: Committed) -> None:
        self.status.count_committed(event.kept)
        live = self.conversation.live
        if live is not None and self._is_live():
            live.show_committed(event)

    def _show_finished(self, event: Finished) -> None:
        self.status.show_finished(event)
        answer = self._generation.answer
        if event.reason == "context" and answer is not None:
            self.full_context.offer(
                self.tr("The context is full: the answer ends here."), "", answer.message.id
            )

    def _end(self, message: Message) -> None:
        live = self.conversation.live
        if live is not None and live.message_id == message.id:
            live.announce_whole()
            self.conversation.end_live()
        self._tell_ended(message)

    def _tell_ended(self, message: Message) -> None:
        """Somebody who does something else meanwhile wants to know."""
        if self.isActiveWindow() or not self._settings.current.notify_when_done:
            return
        QApplication.alert(self)
        if message.state == "stopped" or self._answering.elapsed() < LONG_ANSWER_MS:
            return
        title = next((c.title for c in self._chats.all() if c.id == message.chat_id), "")
        if message.state == "failed":
            text = self.tr("The answer could not be finished.")
        else:
            text = self.tr("The answer is ready.")
        self.tray.notify(title or "Sfumato", text)

    # Messages

    def _act(self, what: str, message_id: int) -> None:
        message = self._chats.message(message_id)
        if message is None:
            return
        if what == "copy":
            QGuiApplication.clipboard().setText(message.text)
        elif what == "copy-markdown":
            self._copy_conversation()
        elif what == "regenerate":
            self._generation.regenerate(message_id)
        elif what == "continue":
            self._generation.go_on(message_id)
        elif what in ("previous", "next"):
            at = message.versions.index(message_id) + (1 if what == "next" else -1)
            if 0 <= at < len(message.versions):
                self._chats.choose_version(message.versions[at])
        elif what in ("watch", "settled"):
            self._open_recording(message_id, what)
        elif what == "branch":
            title = self.top_bar_title()
            self._chats.duplicate(message.chat_id, title, up_to=message_id)
        elif what == "delete":
            self._chats.delete_message(message_id)

    def _open_recording(self, message_id: int, what: str) -> None:
        """Show the recording in the place of the text, or the text again."""
        widget = self.conversation.widget_of(message_id)
        blocks = self._recordings.load(message_id)
        if widget is None or not blocks:
            return
        settings = self._settings.current
        panel: RecordingView | SettledView
        if what == "watch":
            panel = RecordingView(
                self._theme,
                blocks,
                layout=settings.canvas_layout,
                source=settings.canvas_shows,
                steps_per_second=settings.replay_steps_per_second,
            )
            panel.speed_chosen.connect(
                lambda speed: self._settings.change(replay_steps_per_second=speed)
            )
        else:
            panel = SettledView(self._theme, blocks)
        if type(widget.panel) is type(panel):
            widget.set_panel(None)
            panel.deleteLater()
            return
        panel.closed.connect(lambda: widget.set_panel(None))
        panel.resized.connect(widget.resized)
        canvas = panel.canvas
        canvas.pointed.connect(lambda rect: self.conversation.show_part(canvas, rect))
        widget.set_panel(panel)
        panel.setFocus()
        if isinstance(panel, RecordingView) and not self._theme.reduced_motion:
            panel.play()

    def top_bar_title(self) -> str:
        conversation = self._chats.conversation
        return conversation.chat.title if conversation else ""

    def _copy_conversation(self) -> None:
        QGuiApplication.clipboard().setText(self._chats.as_markdown())

    def open_link(self, address: str, text: str) -> None:
        """Ask first where a link's text names another place than the one it opens."""
        if not safe_target(address):
            return
        if misleading(text, address):
            box = question(
                self,
                self.tr("The link says “%1” but opens:").replace("%1", text[:200]),
                shown_address(address),
                title=self.tr("Open this link?"),
            )
            opens = box.addButton(self.tr("Open"), QMessageBox.ButtonRole.AcceptRole)
            box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
            box.exec()
            if box.clickedButton() is not opens:
                return
        QDesktopServices.openUrl(QUrl(address))

    # What went wrong, what can be undone

    def _show_error(self, error: KnownError) -> None:
        sentence = spoken(error)
        if self._health.unsaved:
            save = self.closing.save_elsewhere
            self.banner.show_error(sentence, "", self.tr("Save elsewhere…"), save)
        else:
            self.banner.show_error(sentence)

    def tell_unclean_end(self) -> None:
        """The last run did not end as it should: a large model is not loaded unasked."""
        self.banner.show_error(
            self.tr("Sfumato did not end properly last time, so the model is not loaded yet."),
            "",
            self.tr("Load it"),
            self._model.start,
        )

    def _show_failure(self, failure: Failed) -> None:
        message, advice = spoken(failure.message), spoken(failure.advice)
        of_model = failure.kind in ("model_file", "model_gone", "device") or (
            failure.kind == "memory" and self._model.state == "failed"
        )
        if of_model and not self._model.is_guide:
            action, act = self.tr("Use the built-in guide"), lambda: self._model.choose(None)
        elif failure.kind in ("crash", "protocol", "internal", "memory"):
            action, act = self.tr("Start again"), self._model.restart
        elif failure.kind == "context" and self._generation.last_failed is not None:
            self.full_context.offer(message, advice, self._generation.last_failed)
            return
        else:
            action, act = "", lambda: None
        self.banner.show_error(message, advice, action, act, failure.detail)

    def _stop(self) -> None:
        if self._summary.running:
            self._summary.cancel()
        elif self._rewriting.under_way is not None:
            self._rewriting.stop()
        else:
            self._generation.stop()

    def _offer_undo_chat(self, chat_id: int, title: str) -> None:
        name = title or self.tr("New chat")
        self.banner.show_notice(
            self.tr("“%1” deleted").replace("%1", name),
            self.tr("Undo"),
            lambda: self._chats.restore(chat_id),
        )

    def _offer_undo_folder(self, folder: str, chat_ids: list[int]) -> None:
        self.banner.show_notice(
            self.tr("Folder “%1” deleted; its chats are still there").replace("%1", folder),
            self.tr("Undo"),
            lambda: self._chats.add_folder(folder, chat_ids),
        )

    def _offer_undo_message(self, message_id: int) -> None:
        self.banner.show_notice(
            self.tr("Message deleted"),
            self.tr("Undo"),
            lambda: self._chats.restore_message(message_id),
        )

    # Files

    def _export(self, chat_ids: list[int] | None) -> None:
        filters = "Markdown (*.md);;JSON (*.json)" if chat_ids else "JSON (*.json)"
        suffix = "md" if chat_ids else "json"
        path, _ = QFileDialog.getSaveFileName(
            self, self.tr("Export"), f"sfumato-chats.{suffix}", filters
        )
        if path:
            self._chats.export_to(Path(path), chat_ids)

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Import"), "", "JSON (*.json)")
        if path:
            self._chats.import_from(Path(path))

    def _tell_imported(self, report: ImportReport) -> None:
        self.banner.show_notice(self.tr("%n chat(s) imported", "", len(report.chat_ids)))

    # Model

    def _show_model(self) -> None:
        model = self._model
        loaded = model.loaded
        name = loaded.name if loaded else model.path.stem
        if model.is_guide:
            name = self.tr("Built-in guide")
        if loaded is not None:
            state = "GPU" if model.computes_on_gpu else "CPU"
        else:
            percent = f"{model.fraction * 100:.0f}"
            state = {
                "off": self.tr("not started"),
                "starting": self.tr("starting"),
                "loading": self.tr("loading %1 %").replace("%1", percent),
                "failed": self.tr("not running"),
                "ready": "",
            }[model.state]
        self.top_bar.model_button.show_model(
            name, state, filled=model.computes_on_gpu, failed=model.state == "failed"
        )
        self.top_bar.cancel_button.setVisible(model.can_cancel)
        if loaded is not None:
            self.top_bar.model_button.setToolTip(spoken(loaded.placement))
        if model.is_guide:
            self.welcome.show_guide()
            self.composer.set_placeholder(self.tr("Ask the built-in guide"))
        else:
            self.welcome.show_model(name, spoken(loaded.placement) if loaded else state)
            self.composer.set_placeholder(self.tr("Ask anything"))
        live = self.conversation.live
        if live is not None and self._generation.answer and not live.canvas.isVisible():
            live.show_waiting(self._waiting_sentence())

    def toggle_models(self) -> None:
        if self._pages.currentWidget() is self.models_page:
            self.close_models()
            return
        self._foot.hide()
        self._pages.setCurrentWidget(self.models_page)
        self.top_bar.show_title("")

    def close_models(self) -> None:
        self._foot.show()
        conversation = self._chats.conversation
        self._pages.setCurrentWidget(self.conversation if conversation else self.welcome)
        self.top_bar.show_title(self.top_bar_title())
        self.composer.focus()

    def _cancel_load(self) -> None:
        """A question that waits for the model is not for the guide that takes its place."""
        if self._model.can_cancel:
            self._generation.stop()
            self._model.cancel_load()

    def _import_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Use a file of mine"), "", "*.gguf")
        if path:
            self._library.import_file(Path(path))

    def _offer_model(self, path: Path) -> None:
        """A model has arrived: try it, if nothing better is in use, after the answer under way."""
        if path == self._model.path:
            return
        if not (self._model.is_guide or self._first_run_shown):
            name = path.name.replace(".gguf", "")
            self.banner.show_notice(
                self.tr("%1 is here").replace("%1", name),
                self.tr("Use it"),
                lambda: self._try_model(path),
            )
        elif self._generation.busy:
            self._arrived = path
        else:
            self._try_model(path)

    def _try_arrived(self, busy: bool) -> None:
        if not busy and self._arrived is not None:
            path, self._arrived = self._arrived, None
            self._try_model(path)

    def _try_model(self, path: Path) -> None:
        """Load a model and let it prove itself."""
        self._model.choose(path)
        self._self_test.run()
        if self._first_run_shown:
            self.first_run.show_test()

    def _tell_tested(self, report: Report) -> None:
        """Where the test is not on screen, its result is told."""
        if self._first_run_shown or self._pages.currentWidget() is self.models_page:
            return
        if report.works:
            self.banner.show_notice(spoken(report.sentence))
        else:
            self.banner.show_error(
                spoken(report.sentence),
                spoken(report.advice),
                self.tr("Test again"),
                self._self_test.run,
            )

    # First run

    @property
    def _first_run_shown(self) -> bool:
        return self._whole.currentWidget() is self.first_run

    def open_first_run(self) -> None:
        self.first_run.open()
        self._whole.setCurrentWidget(self.first_run)
        self.first_run.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def _close_first_run(self) -> None:
        self._whole.setCurrentIndex(0)
        self.close_models()

    def explain_gpu(self) -> None:
        dialog = GpuDialog(self._theme, self._model, self._library, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # Settings

    def _apply_settings(self) -> None:
        current = self._settings.current
        self.tray.keep(current.tray)
        self.composer.set_send_with(current.send_with)
        self._show_thinking()
        self.status.choose(current.canvas_layout, current.canvas_shows)
        live = self.conversation.live
        if live is not None:
            live.set_layout_kind(current.canvas_layout)
            live.set_source(current.canvas_shows)

        now = self._answer_settings_now()
        if now != self._answer_settings:
            self._answer_settings = now
            self._chats.configure(
                system_prompt=current.system_prompt,
                preset_id=current.preset_id,
                sampler=current.sampler,
                thinking=current.thinking,
            )

    def _answer_settings_now(self) -> tuple[object, ...]:
        """What of the settings also holds for the open chat."""
        current = self._settings.current
        return (current.system_prompt, current.preset_id, current.sampler, current.thinking)

    def _show_thinking(self) -> None:
        """The switch shows what holds for the open chat."""
        conversation = self._chats.conversation
        current = self._settings.current
        on = conversation.chat.thinking if conversation else current.thinking
        self.composer.thinking.blockSignals(True)
        self.composer.thinking.setChecked(on)
        self.composer.thinking.blockSignals(False)

    def _choose_thinking(self, on: bool) -> None:
        conversation = self._chats.conversation
        if conversation is None:
            self._settings.change(thinking=on)
        else:
            chat = conversation.chat
            self._chats.configure(
                system_prompt=chat.system_prompt,
                preset_id=chat.preset_id,
                sampler=chat.sampler,
                thinking=on,
            )

    def open_settings(self, page: int = 0) -> None:
        self._settings_dialog = SettingsDialog(
            self._theme,
            self._settings,
            self._model,
            self._recordings,
            self._chats,
            self._folder,
            self,
            has_tray=self.tray.available,
        )
        self._settings_dialog.show_page(page)
        self._settings_dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._settings_dialog.open()

    def _show_count(self, tokens: int, context: int) -> None:
        """Silent while there is plenty of room and nothing is being typed."""
        left = max(0, context - tokens)
        if not self.composer.text().strip() and left > context // 4:
            self.composer.show_count("")
            return
        text = self.tr("%1 of %2 tokens")
        loaded = self._model.loaded
        if loaded is not None and left < loaded.canvas:
            text = self.tr("%1 of %2 tokens: no room for an answer")
        self.composer.show_count(
            text.replace("%1", written(tokens)).replace("%2", written(context))
        )

    def _toggle_grid(self) -> None:
        grid = self._settings.current.canvas_layout == "grid"
        self._settings.change(canvas_layout="flow" if grid else "grid")

    def _zoom(self, step: int) -> None:
        percent = self._settings.current.zoom_percent
        percent = 100 if step == 0 else min(200, max(70, percent + step * 10))
        self._settings.change(zoom_percent=percent)

    # Window

    def _escape(self) -> None:
        if self._first_run_shown:
            self.first_run.close_run()
            return
        if self.rewriter.close():
            return
        if self._rewriting.under_way is not None:
            self._rewriting.stop()
            return
        if self.conversation.close_open(self.focusWidget()):
            return
        if self._generation.busy:
            self._stop()
        elif not self.banner.isHidden():
            self.banner.dismiss()
        else:
            self.sidebar.end_search()
            self.composer.focus()

    def _focus_search(self) -> None:
        self._set_sidebar_visible(True)
        self.sidebar.focus_search()

    def toggle_sidebar(self) -> None:
        shown = self.sidebar.isHidden()
        self._sidebar_wanted = shown
        self._set_sidebar_visible(shown)

    def _fit_sidebar(self) -> None:
        """A window that becomes too narrow for its text loses the sidebar, a wide one has it."""
        narrow = self.width() < self._theme.narrow_px
        if narrow != self._narrow:
            self._narrow = narrow
            self._set_sidebar_visible(self._sidebar_wanted and not narrow)

    def _set_sidebar_visible(self, shown: bool) -> None:
        self.sidebar.setVisible(shown)
        self._side_line.setVisible(shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._narrow:
            self._set_sidebar_visible(False)  # opened by hand, it goes with the next change of size
        self._fit_sidebar()
        self.composer.set_max_height(self.height() // 3)
        QTimer.singleShot(0, self._fit_foot)

    def _fit_foot(self) -> None:
        """The composer stands in the column of the conversation."""
        width = self._pages.width()
        # The text stands 16 px inside the composer's edge, so the composer is that much wider.
        column = min(self._theme.column_px + 32, width - 16)
        side = max(8, (width - column) // 2)
        self._foot_box.setContentsMargins(side, 0, side, 8)

    def raise_window(self) -> None:
        """Somebody started Sfumato again: here it is."""
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()

    def _new_chat_from_tray(self) -> None:
        self.raise_window()
        self.new_chat()

    def _state_file(self) -> QSettings:
        return QSettings(str(state_dir() / "window.ini"), QSettings.Format.IniFormat)

    def _restore_geometry(self) -> None:
        geometry = self._state_file().value("geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            self.resize(*START_SIZE)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._chats.flush_draft()
        if self.closing.hides:
            event.ignore()
            self.hide()
            return
        if not self.closing.allowed():
            event.ignore()
            return
        self.tray.close()
        state_dir().mkdir(parents=True, exist_ok=True)
        self._state_file().setValue("geometry", self.saveGeometry())
        super().closeEvent(event)
