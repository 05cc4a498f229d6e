"""A store with known content, and ways to damage its file."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from sfumato.store import Store, chats, database, folders, messages, presets, settings
from sfumato.store.settings import Settings

PAGE = 4096


def fill(store: Store, count: int = 60, seed: int = 1) -> dict[int, str]:
    """Chats with long and short messages; the texts by message id."""
    rng = random.Random(seed)
    texts: dict[int, str] = {}

    def write(db) -> None:
        chat = None
        for at in range(count):
            if at % 20 == 0:
                chat = chats.create_chat(db, f"Chat {at // 20}")
            assert chat is not None
            prompt = messages.add_prompt(
                db, chat.id, f"Prompt {at} " + "é日a " * rng.randrange(400)
            )
            answer = messages.begin_answer(db, prompt.id)
            for position in range(rng.randrange(1, 4)):
                messages.append_block(
                    db,
                    answer.id,
                    position,
                    f"Block {position} of answer {at}. " + "word " * rng.randrange(1500),
                    ids=range(200),
                )
            answer = messages.finish_answer(db, answer.id, "finished")
            texts[prompt.id], texts[answer.id] = prompt.text, answer.text
        chats.save_draft(db, 0, "Not yet sent")
        presets.add_preset(db, "Terse", system_prompt="Be terse.")
        settings.save(db, Settings(theme="dark"))
        if all(folder.name != "Empty" for folder in folders.list_folders(db)):
            folders.add_folder(db, "Empty")

    store.write(write)
    return texts


def stored_texts(store: Store) -> dict[int, str]:
    """Every text of the database, and a check that each can be reached from the list of chats."""
    found = dict(
        store.read(lambda db: db.execute("SELECT id, text FROM messages").fetchall())  # type: ignore[arg-type]
    )
    reached: set[int] = set()
    for chat in store.read(chats.list_chats):
        for message in store.read(messages.load_conversation, chat.id).messages:
            reached |= set(message.versions)
    assert reached == set(found)
    return found


def copy_in_use(store: Store, to: Path) -> Path:
    """The files of an open store, as a crash would leave them."""
    if store.backup is not None:
        store.backup.result()
    return Path(shutil.copytree(store.folder, to))


def path_of(folder: Path) -> Path:
    return folder / database.FILE_NAME


def truncate(share: float) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = path_of(folder).read_bytes()
        path_of(folder).write_bytes(data[: int(len(data) * share)])

    return damage


def zero_pages(first: int, count: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray(path_of(folder).read_bytes())
        start, end = first * PAGE, min((first + count) * PAGE, len(data))
        data[start:end] = bytes(end - start)
        path_of(folder).write_bytes(data)

    return damage


def zero_everything(folder: Path) -> None:
    path_of(folder).write_bytes(bytes(path_of(folder).stat().st_size))


def flip_bits(count: int, seed: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        rng = random.Random(seed)
        data = bytearray(path_of(folder).read_bytes())
        for _ in range(count):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path_of(folder).write_bytes(data)

    return damage
