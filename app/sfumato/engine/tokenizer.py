"""Text ↔ token ids, with the vocabulary of the model file (MODEL.md 4.6).

llama.cpp reads the vocabulary and merges the pieces. It does not know our architecture, so it is
told another one of the same tokenizer; it reads the vocabulary only. Its low-level interface is
used, because the convenient one redirects this process's standard output while it loads (which is
where our events go), drops the tokens of more than 32 bytes and lets user text forge structure.
"""

import codecs
import ctypes
import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llama_cpp import llama_cpp

from sfumato.errors import ModelFileError
from sfumato.sentence import Sentence

ARCHITECTURE_OF_LLAMA_CPP = "gemma4"
# What a conversation is made of (MODEL.md 4.8); without these a file cannot be chatted with.
STRUCTURE = ("<bos>", "<|turn>", "<turn|>", "<|think|>", "<|channel>", "<channel|>")
STOP_TOKENS = ("<eos>", "<turn|>", "<|tool_response>")
PIECE_BYTES = 256  # first size tried; the longest piece of Gemma has 48

_log = logging.getLogger(__name__)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log_from_llama_cpp(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    _log.debug("%s", text.decode("utf-8", "replace").rstrip())


class Tokenizer:
    """The vocabulary of one file. Not for several threads at once."""

    size: int  # tokens
    special_ids: frozenset[int]  # control and user-defined tokens: structure, never text
    stop_ids: frozenset[int]  # an answer ends before the first of these
    pad_id: int | None
    bos_id: int | None

    def __init__(self, model: int) -> None:
        self._model: int | None = model
        self._vocab = llama_cpp.llama_model_get_vocab(model)
        self.size = llama_cpp.llama_vocab_n_tokens(self._vocab)
        attribute = llama_cpp.llama_vocab_get_attr
        control, user_defined = (
            llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN,
            llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED,
        )
        attributes = [attribute(self._vocab, id_) for id_ in range(self.size)]
        self._control = frozenset(i for i, a in enumerate(attributes) if a & control)
        self.special_ids = self._control | {i for i, a in enumerate(attributes) if a & user_defined}
        self._pieces: dict[int, bytes] = {}
        self._special_by_text = {
            self.piece(id_).decode("utf-8", "replace"): id_ for id_ in sorted(self.special_ids)
        }
        self.stop_ids = frozenset(
            self._special_by_text[text] for text in STOP_TOKENS if text in self._special_by_text
        )
        self.pad_id = self._special_by_text.get("<pad>")
        self.bos_id = self._special_by_text.get("<bos>")
        markers = filter(None, self._special_by_text)
        # a marker may begin inside another one, so each is looked for without consuming it
        self._marker = re.compile("(?=" + "|".join(map(re.escape, markers)) + ")")

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the vocabulary of a GGUF file. Raises ModelFileError if it has none we can use."""
        path = Path(path)
        # should llama.cpp abort, it shall not start a debugger to print where
        os.environ.setdefault("GGML_NO_BACKTRACE", "1")
        llama_cpp.llama_log_set(_log_from_llama_cpp, ctypes.c_void_p(0))
        overrides: Any = (llama_cpp.llama_model_kv_override * 2)()  # the second ends the list
        overrides[0].key = b"general.architecture"
        overrides[0].tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR
        overrides[0].value.val_str = ARCHITECTURE_OF_LLAMA_CPP.encode()
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        parameters.n_gpu_layers = 0
        parameters.kv_overrides = overrides
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not model:
            raise ModelFileError(
                Sentence(
                    "Engine",
                    "{file} has no vocabulary that can be read; download the model again or "
                    "choose another.",
                ).filled(file=path.name)
            )
        tokenizer = cls(model)
        missing = [text for text in STRUCTURE if tokenizer.special_id(text) is None]
        if missing:
            tokenizer.close()
            raise ModelFileError(
                Sentence(
                    "Engine",
                    "{file} has no “{name}” in its vocabulary, which a conversation needs; "
                    "choose another file of this model.",
                ).filled(file=path.name, name=missing[0])
            )
        return tokenizer

    def close(self) -> None:
        if self._model is not None:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def encode_text(self, text: str) -> list[int]:
        """Ids of text that somebody wrote: no special token comes out, whatever it spells.

        llama.cpp recognises user-defined tokens even where it is asked not to, so every marker is
        cut behind its first character and the parts are encoded apart.
        """
        cuts = [match.start() + 1 for match in self._marker.finditer(text)]
        ids: list[int] = []
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            ids += self._encode(text[start:end], special=False)
        if not self.special_ids.isdisjoint(ids):
            ids = [part for id_ in ids for part in self._spelled(id_)]
        return ids

    def _spelled(self, id_: int) -> list[int]:
        """A special token that a merge produced (Gemma's merges produce none), in letters."""
        if id_ not in self.special_ids:
            return [id_]
        letters = self.piece(id_).decode("utf-8", "replace")
        parts = [part for letter in letters for part in self._encode(letter, special=False)]
        return [part for part in parts if part not in self.special_ids]

    def encode_markup(self, markup: str) -> list[int]:
        """Ids of our own scaffolding, in which markers are special tokens."""
        return self._encode(markup, special=True)

    def _encode(self, text: str, *, special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")  # a lone surrogate becomes “?”
        if not data:
            return []
        room = len(data) + 1  # a token has at least one byte
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, room, False, special)
        if count < 0:
            raise AssertionError(f"{len(data)} bytes became more than {room} tokens")
        return list(ids[:count])

    def special_id(self, text: str) -> int | None:
        """The special token that is spelled so."""
        return self._special_by_text.get(text)

    def is_control(self, id_: int) -> bool:
        """The token is structure that never shows: `<pad>`, `<turn|>`, `<bos>` …"""
        return id_ in self._control

    def piece(self, id_: int) -> bytes:
        """The bytes of one token, special ones as spelled; none for an id outside the vocabulary.

        The piece of a byte token is that byte, so a piece need not be whole UTF-8.
        """
        known = self._pieces.get(id_)
        if known is None:
            known = self._pieces[id_] = self._piece(int(id_))
        return known

    def _piece(self, id_: int) -> bytes:
        if not 0 <= id_ < self.size:
            return b""
        room = PIECE_BYTES
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = llama_cpp.llama_token_to_piece(self._vocab, id_, buffer, room, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """What each position shows: [len(ids)] strings; joined, they are the decoded text.

        A character that spans several tokens appears at the position of its last byte; bytes that
        are no UTF-8 show U+FFFD where that becomes certain. Control tokens show nothing,
        user-defined ones their text, ids outside the vocabulary nothing. Never raises.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        shown = ["" if self.is_control(id_) else decoder.decode(self.piece(id_)) for id_ in ids]
        if shown:
            shown[-1] += decoder.decode(b"", final=True)
        return shown

    def decode(self, ids: Iterable[int]) -> str:
        """Text of a sequence of ids; see `pieces` for what is shown."""
        return "".join(self.pieces(list(ids)))
