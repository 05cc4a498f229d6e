"""The guide's vocabulary: Gemma-style byte-pair encoding, learned from the text.

Spaces become `▁`; pieces never cross a word, so merging a whole line (as llama.cpp does for
`tokenizer.ggml.model = "gemma4"`) and merging word by word (as here, for speed) give the same ids.
Special tokens, runs of newlines and of spaces, and the byte pieces keep the ids of the published
model; ids that are unused there hold ordinary pieces here.
"""

import json
import re
from functools import cache
from pathlib import Path

PAD, EOS, BOS, UNK, MASK = range(5)
TURN, END_OF_TURN, CHANNEL, END_OF_CHANNEL, NEWLINE = 105, 106, 100, 101, 107
STOP = {EOS, END_OF_TURN, 50}
CONTROL = {
    0: "<pad>",
    1: "<eos>",
    2: "<bos>",
    3: "<unk>",
    4: "<mask>",
    46: "<|tool>",
    47: "<tool|>",
    98: "<|think|>",
    105: "<|turn>",
    106: "<turn|>",
}
USER_DEFINED = {
    48: "<|tool_call>",
    49: "<tool_call|>",
    50: "<|tool_response>",
    51: "<tool_response|>",
    52: '<|"|>',
    100: "<|channel>",
    101: "<channel|>",
}
BYTES = 238  # id of <0x00>
NORMAL, CONTROL_TYPE, USER_TYPE, BYTE_TYPE = 1, 3, 4, 6
ROLES = ["user", "model", "system", "thought"]  # one token each, as in the published vocabulary
WORDS = re.compile(r"\n+|▁{2,}|▁?[A-Za-zÀ-ÿ']+|▁?[^A-Za-zÀ-ÿ'\n▁]|▁")


def words(text: str) -> list[str]:
    """Cut text (spaces already `▁`) where no merge may cross."""
    return WORDS.findall(text.replace(" ", "▁"))


class Vocabulary:
    """tokens [V], types [V], merges in rank order."""

    def __init__(self, tokens: list[str], types: list[int], merges: list[tuple[str, str]]) -> None:
        self.tokens, self.types, self.merges = tokens, types, merges
        self.ids = {t: i for i, t in enumerate(tokens)}
        self.ranks = {m: r for r, m in enumerate(merges)}
        self._word = cache(self._encode_word)

    def __len__(self) -> int:
        return len(self.tokens)

    def _encode_word(self, word: str) -> tuple[int, ...]:
        if word[0] == "\n" and word in self.ids:
            return (self.ids[word],)
        parts = list(word)
        while len(parts) > 1:
            best = min(
                range(len(parts) - 1),
                key=lambda i: self.ranks.get((parts[i], parts[i + 1]), 1 << 30),
            )
            if (parts[best], parts[best + 1]) not in self.ranks:
                break
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        ids: list[int] = []
        for part in parts:
            ids += [self.ids[part]] if part in self.ids else [BYTES + b for b in part.encode()]
        return tuple(ids)

    def encode(self, text: str) -> list[int]:
        """Plain text to ids; nothing in it is read as a special token."""
        return [i for word in words(text) for i in self._word(word)]

    def decode(self, ids: list[int]) -> str:
        out = b""
        for i in ids:
            if self.types[i] == BYTE_TYPE:
                out += bytes([i - BYTES])
            elif self.types[i] != CONTROL_TYPE:
                out += self.tokens[i].replace("▁", " ").encode()
        return out.decode(errors="replace")

    def save(self, path: Path) -> None:
        merges = [f"{a} {b}" for a, b in self.merges]
        path.write_text(
            json.dumps(
                {"tokens": self.tokens, "types": self.types, "merges": merges}, ensure_ascii=False
            )
        )

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        data = json.loads(path.read_text())
        merges = [(m[: (i := m.index(" ", 1))], m[i + 1 :]) for m in data["merges"]]
        return cls(data["tokens"], data["types"], merges)


def learn(counts: dict[str, int], size: int) -> Vocabulary:
    """Byte-pair encoding over word counts (words as cut by `words`) up to `size` tokens."""
    fixed = dict(CONTROL) | USER_DEFINED
    fixed |= {NEWLINE + n - 1: "\n" * n for n in range(1, 32)}
    fixed |= {138 + n - 2: "▁" * n for n in range(2, 32)}
    fixed |= {BYTES + b: f"<0x{b:02X}>" for b in range(256)}
    taken = set(fixed.values())
    alphabet = (
        {c for w in counts for c in w if c != "\n"} | {chr(c) for c in range(33, 127)} | {"▁"}
    )
    pieces = sorted(alphabet)
    room = size - len(fixed)
    # runs of spaces first: every way to put two runs together
    merges = [("▁" * a, "▁" * (n - a)) for n in range(2, 32) for a in range(1, n)]
    weights = {
        w: 1 << 20 if w in ROLES else n
        for w, n in counts.items()
        if w[0] != "\n" and not w.startswith("▁▁")
    }
    state = {w: list(w) for w in weights}
    pairs: dict[tuple[str, str], int] = {}
    users: dict[tuple[str, str], set[str]] = {}

    def count(word: str, sign: int) -> None:
        for pair in zip(state[word], state[word][1:], strict=False):
            pairs[pair] = pairs.get(pair, 0) + sign * weights[word]
            users.setdefault(pair, set()).add(word)

    for word in state:
        count(word, 1)
    while len(pieces) < room:
        best = max(pairs.items(), key=lambda p: (p[1], p[0]))
        if best[1] <= 0:
            break
        left, right = best[0]
        merges.append((left, right))
        if left + right not in taken:
            taken.add(left + right)
            pieces.append(left + right)
        for word in sorted(users.pop((left, right))):
            count(word, -1)
            parts, i = state[word], 0
            while i < len(parts) - 1:
                if (parts[i], parts[i + 1]) == (left, right):
                    parts[i : i + 2] = [left + right]
                i += 1
            count(word, 1)
        pairs.pop((left, right), None)
    tokens = [""] * (len(fixed) + len(pieces))
    for i, t in fixed.items():
        tokens[i] = t
    # ids follow merge order above the byte pieces; the last pieces take the free low ids
    free = [i for i in range(len(tokens)) if i not in fixed]
    for i, piece in zip(free[160:] + free[:160], pieces, strict=False):
        tokens[i] = piece
    types = [NORMAL] * len(tokens)
    for ids, kind in ((CONTROL, CONTROL_TYPE), (USER_DEFINED, USER_TYPE)):
        for i in ids:
            types[i] = kind
    for i in range(BYTES, BYTES + 256):
        types[i] = BYTE_TYPE
    return Vocabulary(tokens, types, merges)


# ------------------------------------------------------------------------------------------ prompts


def prompt(
    vocab: Vocabulary, turns: list[tuple[str, str]], question: str, system: str | None = None
) -> list[int]:
    """Ids of a conversation up to where the answer begins (chat template, thinking off)."""
    role = {r: vocab.ids[r] for r in ROLES}
    ids = [BOS]

    def turn(name: str, text: str) -> None:
        ids.extend([TURN, role[name], NEWLINE, *vocab.encode(text.strip()), END_OF_TURN, NEWLINE])

    if system:
        turn("system", system)
    for asked, answered in turns:
        turn("user", asked)
        turn("model", answered)
    turn("user", question)
    ids.extend([TURN, role["model"], NEWLINE, CHANNEL, role["thought"], NEWLINE, END_OF_CHANNEL])
    return ids
