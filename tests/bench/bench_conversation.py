"""Long chats: open, scroll, type while a canvas refines, memory. Prints the numbers it measured.

QT_QPA_PLATFORM=offscreen .venv/bin/python tests/bench/bench_conversation.py
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "ui")]

from PySide6.QtCore import Qt  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402
from scripted_engine import ScriptedEngine, settling_events  # noqa: E402
from sfumato.application import Parts, build  # noqa: E402
from sfumato.store import chats, messages  # noqa: E402
from sfumato.store.store import Store  # noqa: E402
from sfumato.ui.theme import load_fonts  # noqa: E402

MESSAGES = 1000
FRAME_S = 1 / 60
ANSWER = (
    """Here is what the numbers say, in the order in which they were measured.

| step | settled | entropy |
|-----:|--------:|--------:|
| 1 | 3 % | 4.1 |
| 7 | 61 % | 1.2 |
| 18 | 100 % | 0.0 |

```python
def settle(canvas: list[int], steps: int) -> list[int]:
    for step in range(steps):
        canvas = refine(canvas, temperature(step))
    return canvas
```

"""
    + "The middle of a sentence may settle *before* its beginning, which is why it is fun. " * 18
)


def fill(store: Store) -> int:
    """A chat of MESSAGES messages of about 2,000 characters; its id."""

    def make(db):  # type: ignore[no-untyped-def]
        chat = chats.create_chat(db, "Long")
        for number in range(MESSAGES // 2):
            prompt = messages.add_prompt(db, chat.id, f"Question {number}: how does it settle?")
            answer = messages.begin_answer(db, prompt.id)
            messages.append_block(db, answer.id, 0, f"{number}. " + ANSWER)
            messages.finish_answer(db, answer.id, "finished")
        return chat.id

    return store.write(make)  # type: ignore[no-any-return]


def memory_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def open_chat(parts: Parts, chat_id: int) -> None:
    before = memory_mb()
    start = time.perf_counter()
    parts.chats.open(chat_id)
    parts.window.grab()
    seconds = time.perf_counter() - start
    print(f"open a chat of {MESSAGES} messages: {seconds:.2f} s (budget 1 s)")
    scroll(parts)
    print(f"memory for it, scrolled through: {memory_mb() - before:.0f} MB (budget 100 MB)")


def scroll(parts: Parts) -> None:
    view = parts.window.conversation
    bar = view.verticalScrollBar()
    frames = []
    due = time.perf_counter()
    for direction in (-1, 1):
        for _ in range(300):
            due += FRAME_S
            while time.perf_counter() < due:
                QApplication.processEvents()
            bar.setValue(bar.value() + direction * 60)
            QApplication.processEvents()
            frames.append((time.perf_counter() - due) * 1000)
            due = max(due, time.perf_counter() - FRAME_S)
    frames.sort()
    print(
        "scroll at 60 frames/s, 3600 px/s, lateness of a frame: "
        f"median {statistics.median(frames):.1f} ms, "
        f"p95 {frames[int(len(frames) * 0.95)]:.1f} ms (budget 16 ms)"
    )
    for share in range(20):
        bar.setValue(bar.maximum() * share // 20)
        QApplication.processEvents()


def type_while_refining(parts: Parts) -> None:
    prompt = parts.window.composer._prompt
    QTest.keyClicks(prompt, "go")
    QTest.keyClick(prompt, Qt.Key.Key_Return)
    while parts.generation.answer is None:
        QTest.qWait(5)
    times = []
    while parts.generation.busy:
        start = time.perf_counter()
        QTest.keyClick(prompt, Qt.Key.Key_A)
        prompt.repaint()
        times.append((time.perf_counter() - start) * 1000)
        QTest.qWait(15)
    times.sort()
    print(
        f"typing while a canvas of 256 refines: median {statistics.median(times):.1f} ms, "
        f"p95 {times[int(len(times) * 0.95)]:.1f} ms, {len(times)} keys (budget 30 ms)"
    )


def idle(parts: Parts) -> None:
    QTest.qWait(500)
    start, cpu = time.perf_counter(), time.process_time()
    QTest.qWait(4000)
    share = (time.process_time() - cpu) / (time.perf_counter() - start)
    print(f"idle: {share * 100:.2f} % of a core (budget 1 %)")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("DATA", "CONFIG", "CACHE", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = folder
        app = QApplication([])
        app.setStyle("Fusion")
        load_fonts()
        store = Store.open(Path(folder) / "data")
        chat_id = fill(store)
        text = "word after word settles " * 90
        engine = ScriptedEngine([settling_events(text, canvas=256, steps=30)], pace_ms=40)
        parts = build(store, client=engine)  # type: ignore[arg-type]
        parts.settings.change(theme="light")
        parts.window.resize(1280, 800)
        parts.chats.open_last()
        parts.window.show()
        parts.model.start()
        QTest.qWait(200)
        open_chat(parts, chat_id)
        type_while_refining(parts)
        idle(parts)
        parts.window.close()
        parts.close()


if __name__ == "__main__":
    main()
