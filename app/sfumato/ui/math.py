"""LaTeX formulas as drawings. What cannot be drawn, or not fast enough, is None: show its source.

ziamath lays out MathML with its own font and opens nothing but that font. Its work doubles with
each level of nesting, so the MathML is measured before any layout and refused if it is too much.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, isfinite

from PySide6.QtCore import QByteArray, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer
from ziamath.config import config
from ziamath.tex import tex2mml
from ziamath.zmath import Math, loadedfonts

MAX_LENGTH = 2000  # characters
MAX_NESTING = 24  # braces, before any parsing
MAX_DEPTH = 60  # MathML elements
MAX_COST = 2000  # see `cost`; about a tenth of a millisecond each
MAX_COST_SHOWN = 12_000  # of all formulas of a message: a second, and none would need it
MAX_PX = QSizeF(6000, 1500)  # at 15 px text; spaces can be asked for in any width
SCALE = 1.12  # the formula font is smaller to the eye than the text font of the same size
MARGIN_PX = 1

_ROWS = frozenset(("math", "mrow", "mtd", "mstyle", "menclose", "mphantom", "mpadded"))
_FORMS = frozenset(
    "mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr".split()  # noqa: SIM905
)
_LEAVES = frozenset(("mi", "mn", "mo", "mtext", "ms", "mspace"))
_COLOR = re.compile(r"#?\w+")
_MACRO = re.compile(r"\\(?:(?:re)?new|provide|def|let|[egx]def)")  # they multiply their text
_TAG = re.compile(r"\\tag\{([^{}]*)\}")

config.svg2 = False  # glyphs as plain paths, which is all that QtSvg needs to know


@dataclass(frozen=True)
class Formula:
    """A laid out formula. Sizes are in device-independent pixels."""

    source: str
    svg: bytes
    width: float
    ascent: float
    descent: float

    def paint(self, painter: QPainter, baseline: QPointF) -> None:
        """Draw with the left end of its baseline at `baseline`."""
        renderer = QSvgRenderer(QByteArray(self.svg))
        top = baseline - QPointF(0, self.ascent)
        renderer.render(painter, QRectF(top, QSizeF(self.width, self.ascent + self.descent)))

    def inline_height(self, x_height: int) -> int:
        """Height of an image that a text document centres on half the x-height.

        Qt gives such an image (height + x_height / 2) / 2 above the baseline and the rest below.
        """
        half = x_height / 2
        return ceil(max(2 * self.ascent - half, 2 * self.descent + half))

    def inline_image(self, x_height: int, ratio: float) -> QImage:
        """The formula as an image of `inline_height`, its baseline where Qt puts the text's."""
        height = self.inline_height(x_height)
        size = QSizeF(ceil(self.width), height) * ratio
        image = QImage(size.toSize(), QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(ratio, ratio)
        self.paint(painter, QPointF(0, (height + x_height / 2) / 2))
        painter.end()
        return image


@lru_cache(maxsize=256)
def formula(source: str, pixels: float, color: str, *, display: bool) -> Formula | None:
    """`source` at a text size of `pixels`; `display` is for a formula in a paragraph of its own."""
    if not cost(source, display=display):
        return None
    try:
        tree = _read(source, display)
        tree.set("mathcolor", QColor(color).name())
        drawn = Math(tree, size=pixels * SCALE, margin=MARGIN_PX)
        width, height = drawn.getsize()
        below = -drawn.getyofst()
        limit = MAX_PX * max(1.0, pixels / 15)
        if not (isfinite(width) and isfinite(height) and isfinite(below)):
            return None
        if not (0 < width <= limit.width() and 0 < height <= limit.height()):
            return None
        svg = drawn.svg().encode()
    except Exception:  # a formula is foreign input to two libraries: any of their errors means no
        return None
    return Formula(
        source, svg, width + 2 * MARGIN_PX, height - below + MARGIN_PX, below + MARGIN_PX
    )


@lru_cache(maxsize=1024)
def cost(source: str, *, display: bool) -> int:
    """How much work the layout of `source` is, in glyphs of a flat formula; 0: not to be drawn."""
    if not source.strip() or len(source) > MAX_LENGTH or _nesting(source) > MAX_NESTING:
        return 0
    if _MACRO.search(source):
        return 0
    try:
        work = _cost(_read(source, display), 1, 0)
    except Exception:  # as above
        return 0
    return ceil(work) if work <= MAX_COST else 0


def _read(source: str, display: bool) -> ET.Element:
    mathml = tex2mml(_TAG.sub(r"\\qquad \\text{(\1)}", source), inline=not display)
    return ET.fromstring(mathml)


def _cost(element: ET.Element, each: float, depth: int) -> float:
    """Raises ValueError for what the formula font or the layout does not know."""
    kind = element.tag.rpartition("}")[2]
    text = element.text or ""
    if depth > MAX_DEPTH or each > MAX_COST:
        raise ValueError("nested too deeply")
    for name, value in element.attrib.items():
        if name == "href" or ("color" in name and not _COLOR.fullmatch(value)):
            raise ValueError(f"{name} is not drawn")
    if kind in _LEAVES:
        if "\\" in text or not all(map(_has_glyph, text)):
            raise ValueError(f"{text!r} is not in the font")
        return each * max(1, len(text))
    if kind not in _ROWS | _FORMS:
        raise ValueError(f"{kind} is not drawn")
    inner = each * 2 if kind in _ROWS else each
    work = each
    for child in element:
        work += _cost(child, inner, depth + 1)
        if work > MAX_COST:
            break
    return work


@lru_cache(maxsize=4096)
def _has_glyph(sign: str) -> bool:
    return sign.isspace() or ord(sign) == 0x2061 or bool(loadedfonts["default"].glyphindex(sign))


def _nesting(source: str) -> int:
    """How deep braces go; MAX_LENGTH where they do not pair."""
    depth = deepest = 0
    for sign in re.findall(r"\\.|[{}]", source, re.DOTALL):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return MAX_LENGTH
        deepest = max(deepest, depth)
    return deepest if depth == 0 else MAX_LENGTH
