"""The real Gemma vocabulary, unpacked once a session."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_cpp import _utils
from sfumato.engine.tokenizer import Tokenizer

VECTORS = Path(__file__).parent.parent / "vectors"


@pytest.fixture(scope="session", autouse=True)
def no_open_files_of_llama_cpp() -> Iterator[None]:
    """It opens two of its own on import and never closes them, which Python reports at exit."""
    yield
    _utils.outnull_file.close()
    _utils.errnull_file.close()


@pytest.fixture(scope="session")
def gemma_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file that holds the vocabulary only."""
    path = tmp_path_factory.mktemp("vocabulary") / "ggml-vocab-gemma-4.gguf"
    path.write_bytes(lzma.decompress((VECTORS / f"{path.name}.xz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def gemma(gemma_vocabulary: Path) -> Iterator[Tokenizer]:
    with Tokenizer.open(gemma_vocabulary) as tokenizer:
        yield tokenizer
