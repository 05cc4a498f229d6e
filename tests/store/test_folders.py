import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfumato.errors import StoreError
from sfumato.store import Store, chats, folders, salvage
from sfumato.store.types import Folder

from .conftest import memory_database


def names(db) -> list[str]:
    return [folder.name for folder in folders.list_folders(db)]


def test_folders_stand_by_name_whatever_the_case(db):
    for name in ("work", "Art", "Äpfel", "beach"):
        folders.add_folder(db, name)
    assert names(db) == ["Art", "beach", "work", "Äpfel"]


def test_a_folder_that_only_a_chat_names_is_listed(db):
    chats.create_chat(db, folder="Imported")
    assert names(db) == ["Imported"]


def test_an_empty_folder_stays(db):
    chat = chats.create_chat(db)
    folders.add_folder(db, "Work", [chat.id])
    folders.move_chat(db, chat.id, "")
    assert names(db) == ["Work"]
    assert chats.get_chat(db, chat.id).folder == ""


def test_two_folders_never_have_one_name(db):
    folders.add_folder(db, "Work")
    folders.add_folder(db, "Home")
    with pytest.raises(StoreError, match="already"):
        folders.add_folder(db, "work")
    with pytest.raises(StoreError, match="already"):
        folders.rename_folder(db, "Home", "Work")


def test_a_folder_may_change_the_case_of_its_name(db):
    folders.add_folder(db, "work")
    folders.rename_folder(db, "work", "Work")
    assert names(db) == ["Work"]


def test_a_renamed_folder_keeps_its_chats_and_stays_collapsed(db):
    chat = chats.create_chat(db, folder="Home")
    folders.collapse_folder(db, "Home", True)
    folders.rename_folder(db, "Home", "House")
    assert chats.get_chat(db, chat.id).folder == "House"
    assert folders.list_folders(db) == [Folder(name="House", collapsed=True)]


def test_a_folder_that_only_a_chat_names_can_be_renamed(db):
    chat = chats.create_chat(db, folder="Imported")
    folders.rename_folder(db, "Imported", "Mine")
    assert chats.get_chat(db, chat.id).folder == "Mine"
    assert names(db) == ["Mine"]


def test_removing_a_folder_keeps_its_chats_and_can_be_undone(db):
    inside = [chats.create_chat(db, folder="Work").id for _ in range(3)]
    other = chats.create_chat(db, folder="Home").id
    chats.delete_chat(db, inside[2])
    moved = folders.remove_folder(db, "Work")
    assert sorted(moved) == inside
    assert names(db) == ["Home"]
    assert len(chats.list_chats(db)) == 3
    folders.add_folder(db, "Work", moved)
    assert [chats.get_chat(db, id_).folder for id_ in (*inside, other)] == ["Work"] * 3 + ["Home"]


def test_a_collapsed_folder_can_be_opened_again(db):
    folders.add_folder(db, "Work")
    for collapsed in (True, True, False):
        folders.collapse_folder(db, "Work", collapsed)
        assert folders.list_folders(db) == [Folder(name="Work", collapsed=collapsed)]


@settings(max_examples=25)
@given(st.lists(st.text(min_size=1, max_size=4), max_size=5))
def test_of_any_names_each_stands_once(wanted):
    db = memory_database()
    for name in wanted:
        with contextlib.suppress(StoreError):
            folders.add_folder(db, name)
    listed = [name.casefold() for name in names(db)]
    assert len(listed) == len(set(listed)) <= len(wanted)
    db.close()


def test_the_counters_of_sqlite_are_not_taken_for_folders(folder):
    with Store.open(folder) as store:
        store.write(chats.create_chat, "one")
        store.write(folders.add_folder, "Work")
    assert list(salvage.read_database(folder / "chats.db").tables["folders"]) == ["Work"]
