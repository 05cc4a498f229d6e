"""The composition root: the one file that builds store, services and window."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QLoggingCategory, Qt, QTimer, QTranslator
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

from sfumato import __version__, paths
from sfumato.errors import StoreError
from sfumato.services.chats import Chats
from sfumato.services.engine_client import EngineClient
from sfumato.services.generation import Generation
from sfumato.services.model import ModelService
from sfumato.services.model_library import ModelLibrary
from sfumato.services.motion import SystemMotion
from sfumato.services.recordings import Recordings
from sfumato.services.rewriting import Rewriting
from sfumato.services.self_test import SelfTest
from sfumato.services.settings import SettingsService
from sfumato.services.single_instance import SingleInstance
from sfumato.services.spoken import spoken
from sfumato.services.store_calls import StoreCalls
from sfumato.services.store_health import StoreHealth
from sfumato.services.summary import Summary
from sfumato.services.token_counter import TokenCounter
from sfumato.store import settings as stored_settings
from sfumato.store.settings import Settings
from sfumato.store.store import Store
from sfumato.ui.main_window import MainWindow
from sfumato.ui.theme import Theme, load_fonts

log = logging.getLogger(__name__)

DESKTOP_ID = "io.github.sfumato_chat.Sfumato"


@dataclass(slots=True)
class Parts:
    """Everything that lives as long as the window."""

    store: Store
    calls: StoreCalls
    settings: SettingsService
    client: EngineClient
    model: ModelService
    chats: Chats
    generation: Generation
    recordings: Recordings
    counter: TokenCounter
    summary: Summary
    rewriting: Rewriting
    library: ModelLibrary
    self_test: SelfTest
    health: StoreHealth
    theme: Theme
    window: MainWindow

    def close(self) -> None:
        self.generation.stop()
        self.generation.close()
        self.library.close()
        self.client.close()
        self.calls.close()
        self.store.close()


def build(
    store: Store,
    *,
    client: EngineClient | None = None,
    model_path: Path | None = None,
    device: str | None = None,
) -> Parts:
    """Connect all parts over an open store. Needs a QApplication."""
    calls = StoreCalls(store)
    settings = SettingsService(calls)
    client = client or EngineClient()
    model = ModelService(client, settings, path=model_path, device=device)
    chats = Chats(calls, settings)
    generation = Generation(client, model, chats, calls, settings)
    recordings = Recordings(calls)
    theme = Theme()
    motion = SystemMotion(Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")))

    def restyle(current: Settings) -> None:
        _apply_look(theme, current, motion.reduced)

    restyle(settings.current)
    settings.changed.connect(restyle)
    motion.found.connect(lambda _: restyle(settings.current))
    motion.ask()
    counter = TokenCounter(client, model, chats)
    summary = Summary(client, model, chats, generation, calls)
    rewriting = Rewriting(client, model, chats, generation, calls, settings)
    library = ModelLibrary(settings, held=lambda: model.held)
    self_test = SelfTest(client, model, generation, library.predicted_step_ms)
    health = StoreHealth(calls)
    window = MainWindow(
        theme,
        settings,
        chats,
        generation,
        model,
        recordings,
        counter,
        summary,
        rewriting,
        library,
        self_test,
        health,
        store.folder,
    )
    # The window must not end before what it asks the desktop does.
    motion.setParent(window)
    return Parts(
        store=store,
        calls=calls,
        settings=settings,
        client=client,
        model=model,
        chats=chats,
        generation=generation,
        recordings=recordings,
        counter=counter,
        summary=summary,
        rewriting=rewriting,
        library=library,
        self_test=self_test,
        health=health,
        theme=theme,
        window=window,
    )


def _apply_look(theme: Theme, settings: Settings, system_reduces_motion: bool) -> None:
    theme.apply(
        choice=settings.theme,
        high_contrast=settings.high_contrast == "on"
        or (settings.high_contrast == "system" and _system_wants_contrast()),
        zoom=settings.zoom_percent / 100,
        text_px=round(settings.font_size * 4 / 3) if settings.font_size else 15,
        bundled_fonts=settings.font_family != "system",
        reduced_motion=settings.reduced_motion == "on"
        or (settings.reduced_motion == "system" and system_reduces_motion),
    )


def _system_wants_contrast() -> bool:
    # Named, because PySide drops the accessibility hints with the last reference to these.
    hints = QGuiApplication.styleHints()
    preference = hints.accessibility().contrastPreference()
    return bool(preference == Qt.ContrastPreference.HighContrast)


def run(args: argparse.Namespace) -> int:
    """Open the window and stay until it is closed; the exit code."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    prepare(app)
    only = SingleInstance(paths.data_dir())
    if not only.claim():
        return 0
    try:
        store = Store.open()
    except StoreError as error:
        QMessageBox.critical(None, "Sfumato", spoken(error))
        return 1
    translators = translate(app, store.read(stored_settings.load).language)
    model_path = getattr(args, "model", None)
    parts = build(
        store,
        model_path=Path(model_path) if model_path else None,
        device=getattr(args, "device", None),
    )
    only.raised.connect(parts.window.raise_window)
    _quit_on_interrupt(app, parts.window)
    parts.chats.open_last()
    parts.window.show()
    parts.window.composer.focus()
    if not parts.settings.current.first_run_done and model_path is None:
        parts.window.open_first_run()
    parts.health.tell()
    marker = paths.state_dir() / "running"
    if marker.exists() and not parts.model.is_guide:
        parts.window.tell_unclean_end()
    else:
        parts.model.start()
    _mark_running(marker)
    code = app.exec()
    parts.close()
    marker.unlink(missing_ok=True)
    only.release()
    for translator in translators:
        app.removeTranslator(translator)
    return code


def _mark_running(marker: Path) -> None:
    """A file that is there only while the window is: what a crash leaves behind."""
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(str(os.getpid()))
    except OSError as error:
        log.warning("%s cannot be written: %s", marker, error)


def prepare(app: QApplication) -> None:
    """Name, icon, style and fonts: what every window of ours relies on."""
    app.setApplicationName("Sfumato")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(DESKTOP_ID)
    app.setWindowIcon(QIcon(str(paths.resources_dir() / "icons" / "sfumato.svg")))
    app.setStyle("Fusion")
    # Noise has scripts that no installed font knows; that is worth no line in a terminal.
    QLoggingCategory.setFilterRules("qt.text.font.db=false")
    load_fonts()


def translate(app: QApplication, language: str) -> list[QTranslator]:
    """Install English plurals and, over them, the language ("" is the system's) where we have it.

    Whoever calls this keeps the translators as long as the windows live.
    """
    locale = QLocale(language) if language else QLocale.system()
    QLocale.setDefault(locale)
    folder = str(paths.resources_dir() / "translations")
    of_qt = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    installed = []
    for where, name, language_of in (
        (folder, "sfumato", QLocale("en")),
        (of_qt, "qtbase", locale),
        (folder, "sfumato", locale),
    ):
        translator = QTranslator(app)
        if translator.load(language_of, name, "_", where):
            app.installTranslator(translator)
            installed.append(translator)
    return installed


def _quit_on_interrupt(app: QApplication, window: MainWindow) -> None:
    """Ctrl+C in the terminal closes the window in order."""
    signal.signal(signal.SIGINT, lambda *_: window.closing.quit())
    # Python sees a signal only while it runs; Qt's loop alone would never let it.
    timer = QTimer(app)
    timer.timeout.connect(lambda: None)
    timer.start(500)
