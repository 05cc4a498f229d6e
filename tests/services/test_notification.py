"""A note reaches a desktop that listens on a real session bus, as it was written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sfumato.services import notification

DESKTOP = Path(__file__).with_name("listening_desktop.py")

needs_bus = pytest.mark.skipif(
    not (shutil.which("dbus-run-session") and shutil.which("gdbus")),
    reason="there is no session bus here, or no gdbus",
)


@needs_bus
def test_a_note_arrives_as_it_was_written() -> None:
    title = 'It\'s a “title” with "quotes", a \\ and 日本 😀'
    done = subprocess.run(
        ["dbus-run-session", "--", sys.executable, DESKTOP, title, "1 < 2 &\n'so on'"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    signature, app, icon, heard, text = json.loads(done.stdout)
    assert signature == "susssasa{sv}i"
    assert (app, icon, heard) == ("Sfumato", "/i.svg", title)
    assert text == "1 &lt; 2 &amp; 'so on'"


def test_without_a_sender_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not notification.send("a", "b", icon="", desktop_id="")
