"""How long the window waits for the store, and how large recordings are.

    python tests/bench/bench_store.py [FOLDER]

Prints the median and the 95th percentile of each, with its budget where there is one. FOLDER is
where the database is made and removed again; the time of a write is that disk's.
"""

import lzma
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from gguf import GGUFReader
from sfumato.store import Store, backups, chats, database, export, messages, recordings, search
from sfumato.store.recordings import StepRecord

REPETITIONS = 20
CHATS, MESSAGES_A_CHAT = 5000, 4
LONG_CHAT, CHARACTERS = 1000, 2000
POSITIONS = 256
VOCABULARY = Path(__file__).parents[1] / "vectors" / "ggml-vocab-gemma-4.gguf.xz"


def measure(name: str, function: Callable[[], object], budget_ms: float | None = None) -> None:
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1000)
    median, p95 = statistics.median(times), sorted(times)[int(REPETITIONS * 0.95) - 1]
    budget = f"  (budget {budget_ms:g})" if budget_ms else ""
    print(f"{name:48} {median:9.2f} {p95:9.2f}{budget}")


class Writer:
    def __init__(self) -> None:
        self._random = random.Random(1)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = [
            "".join(self._random.choices(letters, k=self._random.randint(2, 9)))
            for _ in range(20_000)
        ]

    def text(self, characters: int) -> str:
        """Words of which a few are frequent, as in a language."""
        weighted = (int(self._random.paretovariate(0.7)) for _ in range(characters // 4))
        return " ".join(self.words[rank % len(self.words)] for rank in weighted)[:characters]


def fill(store: Store, writer: Writer) -> int:
    """Many chats, and a long one, whose id is returned."""

    def many(db) -> None:
        for _ in range(CHATS):
            chat = chats.create_chat(db, writer.text(25))
            add(db, chat.id, MESSAGES_A_CHAT, 500)

    def add(db, chat_id: int, count: int, characters: int) -> None:
        parent = None
        for at in range(count):
            role = "assistant" if at % 2 else "user"
            parent = messages._insert(
                db, chat_id, parent, role, "finished", writer.text(characters)
            )

    def long(db) -> int:
        chat = chats.create_chat(db, "A long talk")
        add(db, chat.id, LONG_CHAT, CHARACTERS)
        return chat.id

    store.write(many)
    return store.write(long)


def vocabulary() -> list[str]:
    """The pieces of Gemma 4, as far as each is whole UTF-8."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(lzma.decompress(VOCABULARY.read_bytes()))
        file.flush()
        field = GGUFReader(file.name).fields["tokenizer.ggml.tokens"]
        return [bytes(field.parts[at]).decode().replace("▁", " ") for at in field.data]


def block(steps: int, pieces: list[str]) -> list[StepRecord]:
    """Positions settle one by one; until then a third of them change in a step.

    What has not settled is replaced by a random token in what the model holds.
    """
    rng = random.Random(2)
    settles = [rng.randint(1, steps) for _ in range(POSITIONS)]
    ids = [rng.randrange(262_144) for _ in range(POSITIONS)]
    entropy = [rng.randrange(40, 200) for _ in range(POSITIONS)]
    records = []
    for step in range(1, steps + 1):
        for at in range(POSITIONS):
            if step <= settles[at]:
                entropy[at] = max(5, min(255, entropy[at] + rng.randrange(-30, 25)))
                if rng.random() < 0.3:
                    ids[at] = rng.randrange(262_144)
            else:
                entropy[at] = max(0, entropy[at] - rng.randrange(4))
        records.append(
            StepRecord(
                step,
                list(ids),
                [pieces[token_id] for token_id in ids],
                bytes(entropy),
                bytes(int(step > s) for s in settles),
                sum(entropy) / POSITIONS,
                11.5,
                [
                    pieces[token_id] if step > settled else rng.choice(pieces)
                    for token_id, settled in zip(ids, settles, strict=True)
                ],
            )
        )
    return records


def main() -> None:
    writer = Writer()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'':48} {'median':>9} {'p95':>9}  ms, {REPETITIONS} repetitions")
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        store = Store.open(folder)
        long_id = fill(store, writer)
        word = writer.words[7]
        measure(
            f"open a chat of {LONG_CHAT} messages of {CHARACTERS}",
            lambda: store.read(messages.load_conversation, long_id),
            100,
        )
        measure(f"list {CHATS} chats", lambda: store.read(chats.list_chats), 50)
        for query in (word, word[:2], f"{word} {writer.words[30]}", "nowhere", "日本"):
            measure(f"search {query!r}", lambda q=query: store.read(search.search, q), 100)
        prompt = store.write(messages.add_prompt, long_id, "Go on")
        answer = store.write(messages.begin_answer, prompt.id)
        position = iter(range(REPETITIONS))
        measure("save a draft", lambda: store.write(chats.save_draft, long_id, writer.text(200)))
        measure(
            f"send a prompt in a chat of {LONG_CHAT}",
            lambda: store.write(messages.add_prompt, long_id, writer.text(200)),
        )
        measure(
            "commit a block",
            lambda: store.write(
                messages.append_block,
                answer.id,
                next(position),
                writer.text(1000),
                ids=range(POSITIONS),
            ),
        )
        pieces = vocabulary()
        for steps in (12, 48):
            records = block(steps, pieces)
            data = recordings.encode_recording(records)
            drafts = [msgspec.structs.replace(record, noise_pieces=[]) for record in records]
            print(
                f"recording of a block of {steps} steps: {len(data):,} bytes, "
                f"{len(recordings.encode_recording(drafts)):,} of them without its noise"
            )
            measure("  encode", lambda r=records: recordings.encode_recording(r))
            measure("  decode", lambda d=data: recordings.decode_recording(d))
        reader = database.connect_reading(store.path)
        size_mb = store.path.stat().st_size / 1e6
        measure(
            f"back up {size_mb:.0f} MB, checked",
            lambda: backups.make_backup(reader, folder / "backups", "daily"),
        )
        reader.close()
        measure("export the long chat as JSON", lambda: store.read(export.to_json, [long_id]))
        store.close()
        measure(f"start with {size_mb:.0f} MB, full check", lambda: Store.open(folder).close())


if __name__ == "__main__":
    main()
