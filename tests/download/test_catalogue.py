"""The list of models: as shipped, as extended by the user, as completed by a hub."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sfumato.download.catalogue import Catalogue, Model, checked, quant_of
from sfumato.download.network import published
from sfumato.errors import DownloadError

# The header of the published files, with metadata and vocabulary (MODEL.md 4.1).
HEADER_BYTES = 15_824_736


def test_the_five_published_files_are_offered_smallest_first() -> None:
    models = Catalogue().models
    assert [m.id for m in models] == ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16"]
    assert [m.size for m in models] == sorted(m.size or 0 for m in models)


@pytest.mark.parametrize("model", Catalogue().models, ids=lambda model: model.id)
def test_a_shipped_entry_says_everything_that_a_user_should_know(model: Model) -> None:
    assert model.license == "Apache-2.0"
    assert model.good_for.endswith(".")
    assert model.good_for_de.endswith(".")
    assert len(model.revision) == 40
    assert quant_of(model.file) == model.quant == model.id


@pytest.mark.parametrize("model", Catalogue().models, ids=lambda model: model.id)
def test_the_tensor_table_reproduces_the_size_of_the_published_file(model: Model) -> None:
    network = published(model.quant)
    assert network is not None
    assert len(network.tensors) == 692
    data = sum(-(-tensor.bytes // 32) * 32 for tensor in network.tensors)
    assert HEADER_BYTES + data == model.size


def test_an_addition_of_the_user_is_there_the_next_time() -> None:
    added = Catalogue().add("Some.One/dg-GGUF", "sub/dg-IQ3_M.gguf")
    assert added.quant == "IQ3_M"
    again = Catalogue()
    assert again.models[-1] == added
    assert again.find("some.one/dg-gguf/SUB/dg-iq3_m.gguf") == added
    again.forget(added)
    assert added not in Catalogue().models


def test_what_a_hub_said_is_remembered_and_the_rest_stays_as_shipped() -> None:
    shipped = Catalogue().find("Q8_0")
    assert shipped.sha256 is None
    said = msgspec.structs.replace(shipped, sha256="5" * 64)
    Catalogue().remember(said)
    assert Catalogue().find("Q8_0") == said
    assert [m.id for m in Catalogue().models] == ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16"]


def test_a_checksum_that_ships_is_not_overruled_by_what_was_remembered() -> None:
    shipped = Catalogue().find("Q4_K_M")
    Catalogue().remember(msgspec.structs.replace(shipped, sha256="5" * 64))
    assert Catalogue().find("Q4_K_M") == shipped


def test_content_is_recognised_by_its_checksum() -> None:
    known = Catalogue().find("Q4_K_M")
    assert known.bytes is not None
    assert known.sha256 is not None
    assert Catalogue().by_content(known.bytes, known.sha256) == known
    assert Catalogue().by_content(known.bytes, "0" * 64) is None
    assert Catalogue().by_content(known.bytes - 1, known.sha256) is None


@pytest.mark.parametrize(
    ("repository", "file"),
    [
        ("justname", "a.gguf"),
        ("a/b/c", "a.gguf"),
        ("../b", "a.gguf"),
        ("a/b", "../../.bashrc"),
        ("a/b", "/etc/x.gguf"),
        ("a/b", "x/../../y.gguf"),
        ("a/b", "model.bin"),
        ("a/b", "mo\ndel.gguf"),
    ],
)
def test_a_name_that_is_no_file_of_a_hub_is_refused(repository: str, file: str) -> None:
    with pytest.raises(DownloadError):
        Catalogue().add(repository, file)


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_leads_out_of_the_folder_of_models(repository: str, file: str) -> None:
    folder = Path("/models")
    try:
        model = checked(Model(id="x", repository=repository, file=f"{file}.gguf"))
    except DownloadError:
        return
    assert folder in model.path_in(folder).resolve().parents


@pytest.mark.parametrize(
    "text",
    [
        b"[[model]]\nid = 3",
        b"not toml",
        b"\xff\xfe",
        b'[[model]]\nid="x"\nrepository="a"\nfile="b"',
    ],
)
def test_a_list_that_cannot_be_read_is_named_kept_and_set_aside_when_need_be(
    tmp_path: Path, text: bytes
) -> None:
    own = tmp_path / "models.toml"
    own.write_bytes(text)
    catalogue = Catalogue(own=own)
    assert "models.toml cannot be read" in catalogue.problem
    assert len(catalogue.models) == 5
    assert own.read_bytes() == text
    added = catalogue.add("a/b", "c.gguf")
    assert (tmp_path / "models.toml.damaged").read_bytes() == text
    assert Catalogue(own=own).models[-1] == added


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_any_name_survives_being_written_and_read(name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "models.toml"
        file = name.replace("/", "_").replace("\\", "_") + ".gguf"
        added = Catalogue(own=own).add("a/b", file)
        assert Catalogue(own=own).models[-1] == added
