"""Models on this computer: taken in, recognised, checked, put away; and what is refused."""

import hashlib
import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sfumato.download import library as library_module
from sfumato.download.catalogue import Catalogue, Model
from sfumato.download.downloader import Download
from sfumato.download.library import Library, Origin, State, check_kind, inspect, is_family
from sfumato.download.network import inspected, memory_needed
from sfumato.errors import DownloadError, ModelFileError
from tiny_model import write_tiny_model

# general.architecture as the first key, as in every file of the family
HEAD = (
    b"GGUF"
    + struct.pack("<IQQQ", 3, 1, 1, 20)
    + b"general.architecture"
    + struct.pack("<IQ", 8, 15)
)
FAMILY_HEAD = HEAD + b"diffusion-gemma" + bytes(500)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "elsewhere" / "tiny.gguf")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()


def test_a_download_is_on_the_list_and_verified(download: Callable[..., Download]) -> None:
    done = download().run()
    assert done is not None
    Library().add(done)
    [installed] = Library().models
    assert installed.path == done.path
    assert installed.state is State.VERIFIED
    assert installed.entry.origin is Origin.DOWNLOADED
    assert Library().find("test").path == done.path


def test_a_partial_download_is_not_a_model(download: Callable[..., Download], hub: object) -> None:
    transfer = download()
    transfer.cancel(keep_part=True)
    assert transfer.run() is None
    assert Library().models == []
    assert Library().found() == []


def test_an_imported_file_stays_where_it_is_and_is_used_there(tiny: Path) -> None:
    heard: list[int] = []
    installed = Library().import_file(tiny, heard.append)
    assert installed.path == tiny
    assert installed.usable
    assert installed.entry.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert heard[-1] == tiny.stat().st_size
    assert [m.path for m in Library().models] == [tiny]


def test_an_imported_file_is_recognised_by_its_content_whatever_its_name(tiny: Path) -> None:
    sha256 = hashlib.sha256(tiny.read_bytes()).hexdigest()
    catalogue = Catalogue()
    catalogue.remember(
        Model(
            id="Tiny",
            repository="a/b",
            file="dg-Q4_K_M.gguf",
            quant="Q4_K_M",
            bytes=tiny.stat().st_size,
            sha256=sha256,
        )
    )
    other_name = tiny.rename(tiny.with_name("model.gguf"))
    installed = Library(catalogue).import_file(other_name)
    assert (installed.state, installed.entry.model_id) == (State.VERIFIED, "Tiny")
    assert installed.entry.quant == "Q4_K_M"


def test_a_file_that_changed_is_not_offered_until_it_was_checked(tiny: Path) -> None:
    library = Library()
    library.import_file(tiny)
    with tiny.open("rb+") as file:
        file.seek(-1, 2)
        file.write(b"\x55")
    [changed] = library.models
    assert changed.state is State.CHANGED
    assert not changed.usable
    with pytest.raises(DownloadError, match="has changed since it was checked"):
        library.verify(changed)


def test_a_file_that_was_only_touched_is_whole_after_a_check(tiny: Path) -> None:
    library = Library()
    library.import_file(tiny)
    tiny.touch()
    [touched] = library.models
    assert touched.state is State.CHANGED
    assert library.verify(touched).usable
    assert library.models[0].usable


def test_a_file_that_is_gone_is_shown_as_missing(tiny: Path) -> None:
    library = Library()
    library.import_file(tiny)
    tiny.unlink()
    [gone] = library.models
    assert gone.state is State.MISSING
    with pytest.raises(DownloadError, match="cannot be read"):
        library.verify(gone)


def test_removing_an_import_leaves_the_file(tiny: Path) -> None:
    library = Library()
    library.remove(library.import_file(tiny), lambda path: pytest.fail(f"{path} was touched"))
    assert library.models == []
    assert tiny.exists()


def test_removing_a_download_moves_it_to_the_trash(download: Callable[..., Download]) -> None:
    done = download().run()
    assert done is not None
    library = Library()
    thrown: list[Path] = []
    installed = library.add(done)
    library.remove(installed, lambda path: thrown.append(path) is None)
    assert thrown == [done.path]
    assert library.models == []


def test_a_download_that_cannot_go_to_the_trash_stays(download: Callable[..., Download]) -> None:
    done = download().run()
    assert done is not None
    library = Library()
    installed = library.add(done)
    with pytest.raises(DownloadError, match="cannot be moved to the trash"):
        library.remove(installed, lambda path: False)
    assert len(library.models) == 1
    assert done.path.exists()


def test_a_damaged_list_is_set_aside(tiny: Path, tmp_path: Path) -> None:
    record = tmp_path / "models.json"
    record.write_bytes(b'{"models": [\x80')
    library = Library(record=record)
    assert library.models == []
    library.import_file(tiny)
    assert len(library.models) == 1
    assert record.with_suffix(".damaged").exists()


# What other programs have.


def test_models_of_other_programs_are_found_and_not_touched(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = Catalogue().find("Q6_K").sha256
    assert sha256 is not None
    cache = own_home / "huggingface/hub/models--unsloth--dg"
    blob = put(cache / "blobs" / sha256, FAMILY_HEAD)
    link = cache / "snapshots/abc/dg-Q6_K.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    studio = put(own_home / ".lmstudio/models/unsloth/dg/dg-Q8_0.gguf", FAMILY_HEAD)
    ollama = put(own_home / ".ollama/models/blobs" / f"sha256-{'a' * 64}", FAMILY_HEAD)
    put(own_home / ".ollama/models/blobs" / f"sha256-{'b' * 64}", b'{"a": "manifest"}')
    put(own_home / ".lmstudio/models/x/y/llama-Q4_0.gguf", HEAD + b"llama" + bytes(500))
    put(own_home / ".lmstudio/models/x/y/downloading_dg.gguf.part", FAMILY_HEAD)
    before = {p: p.stat().st_mtime_ns for p in own_home.rglob("*")}

    found = Library().found()

    assert [(f.program, f.path) for f in found] == [
        ("Hugging Face", link),
        ("LM Studio", studio),
        ("Ollama", ollama),
    ]
    assert [f.quant for f in found] == ["Q6_K", "Q8_0", ""]
    assert [f.sha256 for f in found] == [sha256, None, "a" * 64]
    assert {p: p.stat().st_mtime_ns for p in own_home.rglob("*")} == before


def test_what_was_imported_is_not_offered_again(own_home: Path, tiny: Path) -> None:
    studio = own_home / ".lmstudio/models/a/b/tiny.gguf"
    studio.parent.mkdir(parents=True)
    shutil.copy(tiny, studio)
    library = Library()
    assert [f.path for f in library.found()] == [studio]
    library.import_file(studio)
    assert library.found() == []


def test_the_folders_that_the_environment_names_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    put(tmp_path / "hf/models--a--b/snapshots/1/sub/m.gguf", FAMILY_HEAD)
    put(tmp_path / "ollama/blobs" / f"sha256-{'c' * 64}", FAMILY_HEAD)
    assert [f.program for f in Library().found()] == ["Hugging Face", "Ollama"]


# What is refused, each in one sentence.


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "x.gguf is empty: download it again."),
        (b"PK\x03\x04" + bytes(99), "not a model in GGUF format but a ZIP archive"),
        (b"<!DOCTYPE html><html>", "not a model in GGUF format but a web page"),
        (struct.pack("<Q", 99) + b'{"__metadata__":{}}', "but a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1", "only a pointer to a file"),
        (bytes(4096), "but something else"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = put(tmp_path / "x.gguf", content)
    with pytest.raises(ModelFileError, match=sentence):
        check_kind(path)


def test_a_renamed_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.gguf", "w") as archive:
        archive.writestr("model.bin", b"something")
    with pytest.raises(ModelFileError, match="a ZIP archive"):
        Library().import_file(tmp_path / "model.gguf")


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is a folder"):
        Library().import_file(tmp_path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        Library().import_file(tmp_path / "none.gguf")


def test_another_family_is_refused(tmp_path: Path, tiny: Path) -> None:
    other = tmp_path / "llama.gguf"
    other.write_bytes(tiny.read_bytes().replace(b"diffusion-gemma", b"somewhat-llama0"))
    assert not is_family(other)
    with pytest.raises(ModelFileError, match="somewhat-llama0"):
        Library().import_file(other)
    assert Library().models == []


def test_a_truncated_model_is_refused(tmp_path: Path, tiny: Path) -> None:
    data = tiny.read_bytes()
    cut = put(tmp_path / "cut.gguf", data[: len(data) - 1000])
    with pytest.raises(ModelFileError, match="cut"):
        Library().import_file(cut)


def test_an_absurd_number_of_tensors_is_refused(tmp_path: Path) -> None:
    header = b"GGUF" + struct.pack("<IQQ", 3, 10**12, 1) + FAMILY_HEAD[24:]
    with pytest.raises(ModelFileError, match="absurd"):
        Library().import_file(put(tmp_path / "absurd.gguf", header))


def test_a_file_that_kills_its_reader_is_refused_in_a_sentence(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deadly = put(tmp_path / "python", b"#!/bin/sh\nkill -SEGV $$\n")
    deadly.chmod(0o755)
    monkeypatch.setattr(library_module.sys, "executable", str(deadly))
    with pytest.raises(ModelFileError, match=r"tiny\.gguf brings its reader down"):
        inspect(tiny)


def test_the_memory_of_a_file_on_disk_comes_from_its_own_tensors(tiny: Path) -> None:
    network = inspected(inspect(tiny))
    data = sum(t.bytes for t in network.tensors)
    assert 0 < data < tiny.stat().st_size
    assert memory_needed(network, 128) > data


def test_the_record_is_plain_json(tiny: Path, own_home: Path) -> None:
    installed = Library().import_file(tiny)
    written = json.loads((own_home / "data/sfumato/models.json").read_text())
    assert written["models"] == [msgspec.to_builtins(installed.entry)]


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
