"""Nothing but a download uses the network: the whole application, real engine and all, without."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from sfumato.application import Parts, build
from sfumato.paths import built_in_guide
from sfumato.store.store import Store

pytestmark = pytest.mark.skipif(
    not built_in_guide().exists(), reason="the built-in guide is not in this checkout"
)


def internet_sockets(process_id: int) -> set[str]:
    """Open internet sockets of a process, as inodes that the kernel lists."""
    inodes = set()
    for entry in Path(f"/proc/{process_id}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    listed = set()
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        path = Path("/proc/net") / table
        if path.exists():
            listed |= {line.split()[9] for line in path.read_text().splitlines()[1:]}
    return inodes & listed


def start(folder: Path, made: list[Parts]) -> Parts:
    parts = build(Store.open(folder))
    made.append(parts)
    parts.window.resize(1024, 640)
    parts.chats.open_last()
    parts.window.show()
    parts.model.start()
    return parts


def end(parts: Parts) -> None:
    parts.window.close()
    parts.close()
    parts.window.deleteLater()


def ask(qtbot: QtBot, parts: Parts, text: str) -> str:
    """Type a question and let one block of the answer settle."""
    stop: Callable[[object], None] = lambda _: parts.generation.stop()  # noqa: E731
    parts.generation.committed.connect(stop)
    prompt = parts.window.composer._prompt
    qtbot.keyClicks(prompt, text)
    qtbot.keyClick(prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not parts.generation.busy and parts.calls.waiting == 0, timeout=60_000)
    parts.generation.committed.disconnect(stop)
    assert parts.chats.conversation is not None
    answer = parts.chats.conversation.messages[-1]
    assert answer.state in ("finished", "stopped"), answer.error
    return answer.text


@pytest.fixture
def sockets_of_others() -> set[str]:
    """What earlier tests of this process left to the garbage collector."""
    return internet_sockets(os.getpid()) if sys.platform == "linux" else set()


def nothing_is_connected(parts: Parts, sockets_of_others: set[str]) -> bool:
    if sys.platform != "linux":
        return True
    assert parts.client.process_id is not None
    ours = internet_sockets(os.getpid()) | internet_sockets(parts.client.process_id)
    return ours <= sockets_of_others


def test_without_any_network_one_talks_restarts_and_switches_models(
    qtbot: QtBot,
    fonts: None,
    no_network: None,
    sockets_of_others: set[str],
    tmp_path: Path,
) -> None:
    made: list[Parts] = []
    try:
        parts = start(tmp_path / "data", made)
        parts.window.open_first_run()
        parts.window.first_run.close_run()
        first = ask(qtbot, parts, "What is Sfumato?")
        assert first.strip()
        parts.window.toggle_models()
        qtbot.waitUntil(lambda: bool(parts.library.rows), timeout=30_000)
        parts.window.close_models()
        assert nothing_is_connected(parts, sockets_of_others)
        end(made.pop())

        parts = start(tmp_path / "data", made)
        assert parts.chats.conversation is not None
        assert [m.text for m in parts.chats.conversation.messages] == ["What is Sfumato?", first]
        assert ask(qtbot, parts, "And what is a canvas?").strip()

        other = tmp_path / "another.gguf"
        shutil.copyfile(built_in_guide(), other)
        with qtbot.waitSignal(parts.self_test.ended, timeout=60_000) as told:
            parts.window._try_model(other)
        assert told.args[0].works
        assert parts.model.loaded is not None
        assert parts.model.loaded.path == str(other)
        assert ask(qtbot, parts, "Does this one answer, too?").strip()
        assert nothing_is_connected(parts, sockets_of_others)
    finally:
        for parts in made:
            end(parts)
