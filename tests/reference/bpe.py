"""Gemma's byte-pair encoding from its description (MODEL.md 4.6), slowly and without llama.cpp."""

import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True)
class Vocabulary:
    tokens: list[str]
    types: list[int]  # 1 normal, 3 control, 4 user-defined, 6 byte
    ranks: dict[tuple[str, str], int]
    ids: dict[str, int]

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; nothing in it is special."""
        ids: list[int] = []
        for run in re.findall(r"[^\n]+|\n+", text.replace(" ", "▁")):
            if run[0] == "\n" and run in self.ids:
                ids.append(self.ids[run])
                continue
            for piece in self._merge(run):
                if piece in self.ids:
                    ids.append(self.ids[piece])
                else:
                    ids += [self.ids[f"<0x{byte:02X}>"] for byte in piece.encode()]
        return ids

    def _merge(self, word: str) -> list[str]:
        """Merge the adjacent pair of lowest rank, the leftmost of equals, until none is left."""
        pieces = list(word)
        while True:
            ranked = [
                (self.ranks[pair], at)
                for at, pair in enumerate(pairwise(pieces))
                if pair in self.ranks
            ]
            if not ranked:
                return pieces
            _, at = min(ranked)
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]


def read_vocabulary(path: Path) -> Vocabulary:
    """The tokenizer arrays of a GGUF file."""
    data = path.read_bytes()
    tokens = _strings(data, "tokenizer.ggml.tokens")
    merges = _strings(data, "tokenizer.ggml.merges")
    ranks: dict[tuple[str, str], int] = {}
    for rank, merge in enumerate(merges):
        at = merge.find(" ", 1)
        ranks.setdefault((merge[:at], merge[at + 1 :]), rank)
    types, count = _array(data, "tokenizer.ggml.token_type")
    return Vocabulary(
        tokens,
        list(struct.unpack_from(f"<{count}i", data, types)),
        ranks,
        {token: id_ for id_, token in enumerate(tokens)},
    )


def _array(data: bytes, key: str) -> tuple[int, int]:
    """Where the elements of an array begin, and how many they are."""
    at = data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key) + 8
    return at + 8, int(struct.unpack_from("<Q", data, at)[0])


def _strings(data: bytes, key: str) -> list[str]:
    at, count = _array(data, key)
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(data[at + 8 : at + 8 + length].decode())
        at += 8 + length
    return found
