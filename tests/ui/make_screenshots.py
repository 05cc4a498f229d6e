"""Makes the pictures of the README and the AppStream page from the application itself.

    .venv/bin/python tests/ui/make_screenshots.py            # into resources/screenshots/
    .venv/bin/python tests/ui/make_screenshots.py --animation FRAMES   # a block that settles
    convert -delay 11 -loop 0 FRAMES/*.png -crop 916x760+264+0 +repage -resize 760x -colors 64 \\
        +dither -layers OptimizeTransparency resources/screenshots/settling.gif

The built-in guide answers in the real engine; only the earlier chats of the list are made up.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from PySide6.QtCore import QSize, Qt  # noqa: E402
from PySide6.QtGui import QImage  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402
from sfumato.application import Parts, build, prepare, translate  # noqa: E402
from sfumato.paths import built_in_guide  # noqa: E402
from sfumato.services import generation  # noqa: E402
from sfumato.store import chats, messages  # noqa: E402
from sfumato.store.store import Store  # noqa: E402
from sfumato.store.types import SamplerValues  # noqa: E402
from sfumato.ui.recording_view import RecordingView  # noqa: E402

SIZE = QSize(1180, 760)
QUESTION = "How does text diffusion work?"
SEED = 11
MIDWAY = 5  # the step that is pictured
EARLIER = (
    ("Reading a model card", "What does A4B mean?", "Four billion parameters are active a token."),
    ("Packing list for Lisbon in March", "What should I pack?", "Layers, and a light raincoat."),
    ("Merge two sorted lists", "How do I merge two sorted lists?", "Walk both from the front."),
)


def earlier_chats(store: Store) -> None:
    for title, prompt, answer in EARLIER:

        def fill(db, title=title, prompt=prompt, answer=answer):  # type: ignore[no-untyped-def]
            chat = chats.create_chat(db, title)
            asked = messages.add_prompt(db, chat.id, prompt)
            given = messages.begin_answer(db, asked.id)
            messages.append_block(db, given.id, 0, answer)
            messages.finish_answer(db, given.id, "finished")
            return chat.id

        chat_id = store.write(fill)
    store.write(chats.pin_chat, chat_id, True)


def until(condition: Callable[[], bool], limit_ms: int = 60_000) -> None:
    waited = 0
    while not condition():
        QTest.qWait(10)
        waited += 10
        if waited > limit_ms:
            raise TimeoutError


def step_of(parts: Parts) -> tuple[int, int]:
    live = parts.window.conversation.live
    last = live._last if live else None
    return (last.block, last.step) if last else (-1, 0)


def save(parts: Parts, folder: Path, name: str) -> None:
    QTest.qWait(250)
    picture = parts.window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    path = folder / f"{name}.png"
    picture.save(str(path), "PNG", 0)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


def ask(parts: Parts) -> None:
    QTest.keyClicks(parts.window.composer._prompt, QUESTION)
    QTest.keyClick(parts.window.composer._prompt, Qt.Key.Key_Return)


def start(folder: Path, theme: str, pace_ms: float = 250.0) -> Parts:
    store = Store.open(folder)
    earlier_chats(store)
    parts = build(store, model_path=built_in_guide())
    generation.GUIDE_PACE_MS = pace_ms
    parts.settings.change(theme=theme, sampler=SamplerValues(seed=SEED))
    parts.window.resize(SIZE)
    parts.chats.open_last()
    parts.window.show()
    parts.window.composer.focus()
    parts.model.start()
    until(lambda: parts.model.state == "ready")
    return parts


def end(parts: Parts) -> None:
    parts.window.close()
    parts.close()
    parts.window.deleteLater()


def pictures(folder: Path, target: Path, theme: str) -> None:
    parts = start(folder, theme)
    save(parts, target, f"first-start-{theme}")
    ask(parts)
    until(lambda: step_of(parts) >= (0, MIDWAY))
    save(parts, target, f"settling-{theme}")
    until(lambda: not parts.generation.busy)
    until(lambda: parts.window.conversation.live is None)
    save(parts, target, f"settled-{theme}")
    conversation = parts.chats.conversation
    assert conversation is not None
    answer = conversation.messages[-1].id
    parts.window._act("watch", answer)
    widget = parts.window.conversation.widget_of(answer)
    assert widget is not None
    panel = widget.panel
    assert isinstance(panel, RecordingView)
    panel.pause()
    panel.scrubber.setValue(MIDWAY)
    save(parts, target, f"replay-{theme}")
    panel._grid.setChecked(True)
    save(parts, target, f"grid-{theme}")
    parts.window._act("settled", answer)
    save(parts, target, f"how-settled-{theme}")
    end(parts)


def animation(folder: Path, target: Path) -> None:
    """Frames of a block that settles, as numbered pictures for an encoder."""
    parts = start(folder, "light", pace_ms=280.0)
    target.mkdir(parents=True, exist_ok=True)
    ask(parts)
    until(lambda: step_of(parts)[0] >= 0)
    number = 0
    while parts.generation.busy:
        parts.window.grab().toImage().save(str(target / f"frame-{number:03d}.png"))
        number += 1
        QTest.qWait(70)
    for _ in range(12):
        parts.window.grab().toImage().save(str(target / f"frame-{number:03d}.png"))
        number += 1
        QTest.qWait(70)
    print(f"{number} frames in {target}")
    end(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = HERE.parents[1] / "resources" / "screenshots"
    parser.add_argument("--folder", type=Path, default=default)
    parser.add_argument("--animation", type=Path, metavar="DIR", help="write frames there instead")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("DATA", "CONFIG", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = scratch
        app = QApplication(["sfumato"])
        prepare(app)
        translators = translate(app, "en")
        if args.animation:
            animation(Path(scratch) / "animation", args.animation)
        else:
            args.folder.mkdir(parents=True, exist_ok=True)
            for theme in ("light", "dark"):
                pictures(Path(scratch) / theme, args.folder, theme)
        del translators


if __name__ == "__main__":
    main()
