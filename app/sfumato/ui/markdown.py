"""A message's Markdown as a list of blocks, safe to show whatever a model wrote. No widgets.

Nothing of a message is executed, fetched or opened: HTML is text, images are their address in
words, links are http, https or mailto. Sizes are capped so that no message freezes the window.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.tasklists import tasklists_plugin
from mdit_py_plugins.texmath import texmath_plugin

MAX_MESSAGE = 64 * 1024  # characters, four times the longest answer; more is plain text, cut
MAX_LINE = 10_000  # characters; a longer line is broken
MAX_TABLE_CELLS = 1000
MAX_TABLE_COLUMNS = 32  # laying out some hundreds takes Qt half a minute
# More of these than any real message holds make the parser slow.
MAX_SIGNS = (
    ("|", 8000),
    ("[", 4000),
    ("*", 16_000),
    ("_", 16_000),
    ("\\(", 400),
    ("\\[", 400),
    ("$", 4000),
)
SCHEMES = frozenset(("http", "https", "mailto"))

_BARE_URL = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]}]")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\u200e\u200f]")


@dataclass(frozen=True, slots=True)
class Marks:
    """Which part of a shown text is unsettled: see ui/unsettled.py."""

    sign: str = ""  # stands in the text wherever that changes; "": all of it is settled
    opened: bool = False  # its beginning is unsettled


SETTLED = Marks()


@dataclass(frozen=True, slots=True)
class Prose:
    """Running text as the HTML subset of QTextDocument."""

    html: str
    marks: Marks = SETTLED


@dataclass(frozen=True, slots=True)
class Table:
    """A table as HTML; wide ones scroll sideways."""

    html: str
    marks: Marks = SETTLED


@dataclass(frozen=True, slots=True)
class Code:
    language: str
    text: str
    hidden: int = 0  # invisible or direction-changing characters taken out
    marks: Marks = SETTLED


@dataclass(frozen=True, slots=True)
class Math:
    """A displayed formula: its source."""

    source: str


@dataclass(frozen=True, slots=True)
class Plain:
    """Text shown as it is."""

    text: str
    marks: Marks = SETTLED


Block = Prose | Table | Code | Math | Plain


def safe_target(address: str) -> str:
    """`address` if it may be opened on a click, else ""."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme.lower() not in SCHEMES:
        return ""
    if parts.scheme.lower() != "mailto" and not parts.hostname:
        return ""
    return address


def misleading(text: str, address: str) -> bool:
    """True where a link's text looks like another address than the one it opens."""
    shown = re.search(r"(?:https?://)?([\w-]+(?:\.[\w-]+)+)", text.strip().lower())
    if shown is None:
        return False
    host = (urlsplit(address).hostname or address.partition("@")[2]).lower()
    return shown[1].removeprefix("www.") != host.removeprefix("www.")


def shown_address(address: str) -> str:
    """The address for people: a host that is not plain ASCII also as punycode."""
    try:
        host = urlsplit(address).hostname or ""
        if host.isascii():
            return address
        return f"{address} ({host.encode('idna').decode()})"
    except (ValueError, UnicodeError):
        return address


class _Renderer(RendererHTML):
    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Qt enlarges h1 to h3 beyond what a style sheet says; h4 is left as it is."""
        return f'<h4 class="{tokens[idx].tag}">'

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return "</h4>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        words = token.content or "image"
        address = str(token.attrGet("src") or "")
        return f"<i>[{html.escape(words)}: {html.escape(address)}]</i>"

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        text = tokens[idx].content
        if env.get("link") or "://" not in text:
            return html.escape(text, quote=False)
        parts = []
        end = 0
        for match in _BARE_URL.finditer(text):
            parts.append(html.escape(text[end : match.start()], quote=False))
            address = match[0]
            if safe_target(address):
                parts.append(f'<a href="{html.escape(address)}">{html.escape(address)}</a>')
            else:
                parts.append(html.escape(address, quote=False))
            end = match.end()
        parts.append(html.escape(text[end:], quote=False))
        return "".join(parts)

    def link_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        address = safe_target(str(tokens[idx].attrGet("href") or ""))
        env["link"] = True
        env["linked"] = bool(address)
        return f'<a href="{html.escape(address)}">' if address else ""

    def link_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        env["link"] = False
        return "</a>" if env.pop("linked", False) else ""

    def code_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return f"<code>{html.escape(tokens[idx].content, quote=False)}</code>"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Code inside a list or quote; fences at the top level become Code blocks."""
        return f"<pre>{html.escape(tokens[idx].content.rstrip(), quote=False)}</pre>"

    code_block = fence

    def html_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """Only the check boxes of task lists come here, and `parse` has marked their items."""
        return ""

    def math_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A mark that the view replaces by a drawing or the source; no text can hold a tag."""
        return f"<math>{html.escape(tokens[idx].content.strip(), quote=False)}</math>"

    math_block = math_inline
    math_block_label = math_inline
    math_inline_double = math_inline
    math_single = math_inline


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "maxNesting": 24}, renderer_cls=_Renderer
    )
    parser.enable(["table", "strikethrough"])
    parser.use(tasklists_plugin)
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, allow_labels=False)
    parser.use(texmath_plugin, delimiters="brackets")
    # The plugins set renderers of their own that emit HTML Qt does not know.
    for name in ("math_inline", "math_inline_double", "math_block", "math_block_label"):
        parser.add_render_rule(name, _Renderer.math_inline)
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # the renderer decides
    return parser


_PARSER = _make_parser()


@lru_cache(maxsize=128)
def parse(text: str) -> Sequence[Block]:
    """The blocks of a message, first to last."""
    if len(text) > MAX_MESSAGE:
        cut = text[:MAX_MESSAGE]
        note = f"\n\n… {len(text) - MAX_MESSAGE:,} more characters; copy the message to read them."
        return [Plain(_break_lines(cut) + note)]
    if any(text.count(sign) > most for sign, most in MAX_SIGNS):
        return [Plain(_break_lines(text))]
    source = _break_lines(text)
    env: dict[str, Any] = {}
    tokens = _PARSER.parse(source, env)
    _mark_tasks(tokens)
    blocks: list[Block] = []
    prose: list[Token] = []

    def close_prose() -> None:
        if prose:
            blocks.append(Prose(_PARSER.renderer.render(prose, _PARSER.options, env)))
            prose.clear()

    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.level == 0 and token.type in ("fence", "code_block"):
            close_prose()
            blocks.append(_code(token))
        elif token.level == 0 and token.type in ("math_block", "math_block_label"):
            close_prose()
            blocks.append(Math(token.content.strip()))
        elif token.level == 0 and token.type == "table_open":
            close_prose()
            end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
            blocks.append(_table(tokens[at : end + 1], source, env))
            at = end
        else:
            prose.append(token)
        at += 1
    close_prose()
    return blocks


def _mark_tasks(tokens: list[Token]) -> None:
    """Qt draws the box of a list item whose class says that it is (un)checked."""
    item: Token | None = None
    for token in tokens:
        if token.type == "list_item_open":
            item = token
        elif token.type == "inline" and item is not None and token.children:
            box = token.children[0]
            if box.type == "html_inline":
                checked = "checked=" in box.content
                item.attrSet("class", "checked" if checked else "unchecked")
                if len(token.children) > 1:
                    token.children[1].content = token.children[1].content.lstrip()
            item = None


def _code(token: Token) -> Code:
    language = (token.info or "").strip().split(maxsplit=1)
    text, hidden = _INVISIBLE.subn("", token.content)
    return Code(language[0][:32] if language else "", text.rstrip("\n"), hidden)


def _table(tokens: list[Token], source: str, env: dict[str, Any]) -> Block:
    cells = sum(token.type in ("th_open", "td_open") for token in tokens)
    columns = sum(token.type == "th_open" for token in tokens)
    if (cells > MAX_TABLE_CELLS or columns > MAX_TABLE_COLUMNS) and tokens[0].map:
        first, last = tokens[0].map
        return Plain("\n".join(source.split("\n")[first:last]))
    for token in tokens:
        if token.type in ("th_open", "td_open"):
            style = str(token.attrGet("style") or "")
            alignment = style.removeprefix("text-align:")
            token.attrs = {"align": alignment} if style else {}
    return Table(_PARSER.renderer.render(tokens, _PARSER.options, env))


def _break_lines(text: str) -> str:
    if all(len(line) <= MAX_LINE for line in text.split("\n")):
        return text
    lines = []
    for line in text.split("\n"):
        lines += [line[i : i + MAX_LINE] for i in range(0, max(len(line), 1), MAX_LINE)]
    return "\n".join(lines)
