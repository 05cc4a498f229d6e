"""The tokenizer against published vectors, an oracle of its own, and people who forge structure."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.bpe import Vocabulary, read_vocabulary
from sfumato.engine.model_file import ModelFile
from sfumato.engine.tokenizer import Tokenizer
from sfumato.errors import ModelFileError
from tiny_model import TinyShape, splice_vocabulary, tiny_vocabulary, write_tiny_model

VECTORS = Path(__file__).parent.parent / "vectors"
TEXTS = (
    (VECTORS / "ggml-vocab-gemma-4.gguf.inp").read_text("utf-8").split("\n__ggml_vocab_test__\n")
)
IDS = [
    [int(word) for word in line.split()]
    for line in (VECTORS / "ggml-vocab-gemma-4.gguf.out").read_text("utf-8").splitlines()
]
MARKERS = [
    "<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|tool>", "<tool|>", "<|tool_call>",
    "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>', "<|think|>", "<|channel>",
    "<channel|>", "<|turn>", "<turn|>", "<|image>", "<|audio>", "<|image|>", "<|audio|>",
    "<image|>", "<audio|>", "<|video|>",
]  # fmt: skip


@pytest.fixture(scope="module")
def oracle(gemma_vocabulary: Path) -> Vocabulary:
    return read_vocabulary(gemma_vocabulary)


def test_there_are_46_published_vectors() -> None:
    assert len(TEXTS) == len(IDS) == 46


@pytest.mark.parametrize(("text", "ids"), list(zip(TEXTS, IDS, strict=True)))
def test_published_vector(gemma: Tokenizer, text: str, ids: list[int]) -> None:
    assert gemma.encode_text(text) == ids
    assert gemma.decode(ids) == text


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ied 4 ½ months", [1178, 236743, 236812, 47041, 3794]),
        ("Äpfel", [239122, 22744, 535]),
        (" ", [236743]),
        ("  ", [138]),
        ("   ", [139]),
        ("\t", [255968]),
        ("\n", [107]),
        ("\n\n", [108]),
        ("\t\n", [255968, 107]),
        ("Hello, world!", [9259, 236764, 1902, 236888]),
        (" this is 🦙.cpp", [672, 563, 236743, 478, 397, 404, 391, 236761, 12362]),
        ("The capital of France is Paris.", [818, 5279, 529, 7001, 563, 9079, 236761]),
        ("  two  spaces\n\n\nthree", [138, 13498, 138, 35220, 109, 19891]),
        (
            "int main() {\n    return 0;\n}\n",
            [720, 1689, 825, 642, 107, 140, 2060, 236743, 236771, 236793, 107, 236783, 107],
        ),
        ("", []),
    ],
)
def test_documented_vector(gemma: Tokenizer, text: str, ids: list[int]) -> None:
    assert gemma.encode_text(text) == ids
    assert gemma.decode(ids) == text


def test_every_piece_is_the_token_of_the_file(gemma: Tokenizer, oracle: Vocabulary) -> None:
    assert gemma.size == len(oracle.tokens) == 262144
    for id_, (token, type_) in enumerate(zip(oracle.tokens, oracle.types, strict=True)):
        if type_ == 6:
            expected = bytes([int(token[3:5], 16)])
        elif type_ in (3, 4):
            expected = token.encode()
        else:
            expected = token.replace("▁", " ").encode()
        assert gemma.piece(id_) == expected
    # llama.cpp's own detokenizer drops the pieces of more than 32 bytes
    assert max(len(gemma.piece(id_)) for id_ in range(gemma.size)) == 48


def test_special_tokens_are_those_of_the_file(gemma: Tokenizer, oracle: Vocabulary) -> None:
    special = [i for i, type_ in enumerate(oracle.types) if type_ in (3, 4)]
    control = [i for i, type_ in enumerate(oracle.types) if type_ == 3]

    assert sorted(gemma.special_ids) == special
    # llama.cpp takes <|tool_response> for a control token because generation ends there
    assert [i for i in range(gemma.size) if gemma.is_control(i)] == sorted([*control, 50])
    assert sorted(oracle.tokens[i] for i in special) == sorted(MARKERS)
    assert gemma.stop_ids == {1, 50, 106}
    assert (gemma.pad_id, gemma.bos_id) == (0, 2)


@pytest.mark.parametrize("marker", MARKERS)
def test_text_cannot_forge(gemma: Tokenizer, marker: str) -> None:
    assert len(gemma.encode_markup(marker)) == 1  # where it is ours, it is structure

    for text in (
        marker,
        f"a{marker}b",
        f"{marker}{marker}",
        f"{marker[:3]}{marker}",
        f"\n{marker}\n",
    ):
        ids = gemma.encode_text(text)
        assert gemma.special_ids.isdisjoint(ids)
        assert gemma.decode(ids) == text


words = st.one_of(
    st.sampled_from(MARKERS),
    st.sampled_from(MARKERS).flatmap(lambda m: st.integers(1, len(m)).map(lambda n: m[:n])),
    st.sampled_from(["<", "|", ">", "<|", "|>", "turn", "channel", "\n", " ", "user", "<0x0A>"]),
    st.text(max_size=4),
)
texts = st.lists(words, max_size=12).map("".join)


@settings(max_examples=1500, deadline=None)
@given(text=texts)
def test_no_text_forges_structure_and_none_is_lost(gemma: Tokenizer, text: str) -> None:
    ids = gemma.encode_text(text)

    assert gemma.special_ids.isdisjoint(ids)
    # the word-boundary sign of the vocabulary is the one character that text shares with it
    assert gemma.decode(ids) == text.encode("utf-8", "replace").decode().replace("▁", " ")


plain = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["", "the", "quick\n\nbrown", "ßö", "狐", "🦊", "1234", "\t=", "|>", "user's"]
        ),
        max_size=12,
    ).map(" ".join),
)


@settings(max_examples=1500, deadline=None)
@given(text=plain)
def test_ids_are_those_of_an_independent_encoder(
    gemma: Tokenizer, oracle: Vocabulary, text: str
) -> None:
    if not any(marker in text for marker in MARKERS):
        assert gemma.encode_text(text) == oracle.encode(text.encode("utf-8", "replace").decode())


@settings(max_examples=1000, deadline=None)
@given(ids=st.lists(st.integers(-(2**40), 2**40) | st.integers(0, 600), max_size=64))
def test_any_ids_can_be_shown(gemma: Tokenizer, ids: list[int]) -> None:
    pieces = gemma.pieces(ids)

    shown = [gemma.piece(id_) for id_ in ids if not gemma.is_control(id_)]
    assert len(pieces) == len(ids)
    assert "".join(pieces) == gemma.decode(ids) == b"".join(shown).decode("utf-8", "replace")


@settings(max_examples=300, deadline=None)
@given(ids=st.lists(st.integers(0, 262143), min_size=256, max_size=256))
def test_a_canvas_of_noise_can_be_shown(gemma: Tokenizer, ids: list[int]) -> None:
    assert len(gemma.pieces(ids)) == 256
    assert gemma.pieces(np.array(ids, np.int32).tolist()) == gemma.pieces(ids)


def test_a_character_of_several_bytes_appears_at_its_last(gemma: Tokenizer) -> None:
    ids = gemma.encode_text(" 🦙.")

    assert gemma.pieces(ids) == [" ", "", "", "", "🦙", "."]
    assert gemma.pieces(ids[:3]) == [" ", "", "\ufffd"]
    assert gemma.pieces([478, 397, 9259]) == ["", "", "\ufffdHello"]


def test_control_tokens_show_nothing_and_user_defined_ones_their_text(gemma: Tokenizer) -> None:
    assert gemma.pieces([2, 105, 2364, 107, 106, 0]) == ["", "", "user", "\n", "", ""]
    assert gemma.pieces([100, 45518, 107, 101]) == ["<|channel>", "thought", "\n", "<channel|>"]
    assert gemma.pieces([-1, 262144, 212]) == ["", "", "</s>"]


def test_lone_surrogates_become_question_marks(gemma: Tokenizer) -> None:
    assert gemma.decode(gemma.encode_text("a\ud800b\0c")) == "a?b\0c"


def test_a_long_line_is_encoded_in_one_go(gemma: Tokenizer) -> None:
    text = "word " * 40_000

    assert gemma.decode(gemma.encode_text(text)) == text


def test_the_vocabulary_of_a_model_file_is_the_same(
    gemma: Tokenizer, gemma_vocabulary: Path, tmp_path: Path
) -> None:
    shape = TinyShape(hidden=32, vocab=262144)
    model = write_tiny_model(tmp_path / "plain.gguf", types="Q4_0", shape=shape)
    path = splice_vocabulary(model, gemma_vocabulary, tmp_path / "model.gguf")

    assert ModelFile.open(path).has_tokenizer
    with Tokenizer.open(path) as tokenizer:
        assert tokenizer.special_ids == gemma.special_ids
        for text, ids in zip(TEXTS, IDS, strict=True):
            assert tokenizer.encode_text(text) == ids


def test_opening_writes_nothing_to_the_terminal(
    gemma_vocabulary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Tokenizer.open(gemma_vocabulary).close()

    assert capfd.readouterr() == ("", "")


def test_a_small_vocabulary_of_its_own_works(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.gguf", tokenizer=True)

    with Tokenizer.open(path) as tokenizer:
        assert tokenizer.stop_ids == {1, 50, 106}
        ids = tokenizer.encode_text("hello, the user\n\n<|turn>é ß")
        assert tokenizer.special_ids.isdisjoint(ids)
        assert tokenizer.decode(ids) == "hello, the user\n\n<|turn>é ß"
        assert tokenizer.encode_text("\n\n") == [108]


def test_a_merge_that_spells_a_marker_forges_nothing(tmp_path: Path) -> None:
    merges = [*tiny_vocabulary().merges, "< e", "<e o", "<eo s", "<eos >"]
    path = write_tiny_model(
        tmp_path / "m.gguf", tokenizer=True, metadata={"tokenizer.ggml.merges": merges}
    )

    with Tokenizer.open(path) as tokenizer:
        # spelled so that no marker stands in the text, and a merge makes one all the same
        assert tokenizer._encode("<eos>", special=False) == [1]
        ids = tokenizer.encode_text("<<eos>")
        assert tokenizer.special_ids.isdisjoint(ids)
        assert tokenizer.decode(ids) == "<<eos>"
        assert tokenizer._spelled(1) == [tokenizer.encode_text(letter)[0] for letter in "<eos>"]


def test_a_file_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.gguf")

    with pytest.raises(ModelFileError, match="no vocabulary"):
        Tokenizer.open(path)
    with pytest.raises(ModelFileError, match="no vocabulary"):
        Tokenizer.open(tmp_path / "none.gguf")


def test_a_vocabulary_without_turns_is_refused(tmp_path: Path) -> None:
    tokens = [token.replace("<|turn>", "<|tern>") for token in tiny_vocabulary().tokens]
    path = write_tiny_model(
        tmp_path / "m.gguf", tokenizer=True, metadata={"tokenizer.ggml.tokens": tokens}
    )

    with pytest.raises(ModelFileError, match=r"no “<\|turn>” in its vocabulary"):
        Tokenizer.open(path)


OPEN_ALL = """
import sys
from pathlib import Path
from sfumato.engine.tokenizer import Tokenizer
from sfumato.errors import ModelFileError
for path in sorted(Path(sys.argv[1]).glob("*.gguf")):
    print(path.name, flush=True)
    try:
        with Tokenizer.open(path) as tokenizer:
            ids = tokenizer.encode_text("hello the user <|turn> ß 🦙\\n\\n")
            assert tokenizer.special_ids.isdisjoint(ids)
            tokenizer.encode_markup("<bos><|turn>user\\n")
            tokenizer.pieces(range(-1, tokenizer.size + 1))
    except ModelFileError:
        pass
"""


def test_a_damaged_vocabulary_that_passes_the_header_ends_no_process(tmp_path: Path) -> None:
    shape = TinyShape(hidden=32, dense_ffn=32, sliding=(True,), experts=2)
    whole = write_tiny_model(tmp_path / "whole", shape=shape, types="Q8_0", tokenizer=True)
    data = whole.read_bytes()
    begin, end = data.index(b"tokenizer.ggml.model"), data.index(b"token_embd.weight")
    rng = np.random.default_rng(7)
    passed = 0
    while passed < 200:
        damaged = bytearray(data)
        for at in rng.integers(begin, end, rng.choice([1, 2, 4, 20])):
            damaged[at] = rng.integers(256)
        path = tmp_path / f"{passed}.gguf"
        path.write_bytes(damaged)
        try:
            ModelFile.open(path)
        except ModelFileError:
            continue
        passed += 1
    (tmp_path / f"{passed}.gguf").unlink(missing_ok=True)  # the last one was refused

    child = subprocess.run(
        [sys.executable, "-c", OPEN_ALL, str(tmp_path)], capture_output=True, text=True, timeout=100
    )

    assert child.returncode == 0, (child.stdout.split()[-1], child.stderr)
    assert len(child.stdout.split()) == 200
