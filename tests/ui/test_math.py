"""Formulas: drawn where they can be, their source where not, and nothing hostile gets far."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter, QTextCursor
from pytestqt.qtbot import QtBot
from sfumato.ui.block_stack import BlockStack
from sfumato.ui.markdown import Math, Prose, parse
from sfumato.ui.math import MAX_COST, Formula, cost, formula
from sfumato.ui.math_view import MathView
from sfumato.ui.prose_view import ProseView
from sfumato.ui.theme import Theme

USUAL = [
    r"E = mc^2",
    r"\frac{-b \pm \sqrt{b^2 - 4ac}}{2a}",
    r"\sum_{i=1}^{n} i = \frac{n(n+1)}{2}",
    r"\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}",
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
    r"f(x)=\begin{cases}1 & x>0\\ 0 & \text{else}\end{cases}",
    r"\begin{aligned} a &= b \\ c &< d \end{aligned}",
    r"\operatorname{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V",
    r"\nabla\times\mathbf{E} = -\frac{\partial \mathbf{B}}{\partial t}",
    r"\forall \varepsilon > 0\ \exists \delta: |x - a| < \delta",
    r"\lim_{x\to 0}\frac{\sin x}{x} = 1 \tag{1}",
    r"P(A \mid B) \in \mathbb{R}, \hat{\beta}, \vec{v}, \dot{x}",
]
HOSTILE = [
    r"\frac{" * 60 + "x" + "}{y}" * 60,
    r"\frac{" * 20 + "x" + "}{y}" * 20,
    r"\left(" * 100 + "x" + r"\right)" * 100,
    r"\begin{matrix}" * 12 + "x" + r"\end{matrix}" * 12,
    r"\begin{cases}" * 6 + "x" + r"\end{cases}" * 6,
    r"\sqrt" * 300 + "x",
    "{" * 900 + "}" * 900,
    "x" * 100_000,
    "x^" * 500 + "x",
    r"\hspace{99999999em}x",
    r"\rule{9999999em}{9999999em}x",
    r"\newcommand{\a}{\b\b}\newcommand{\b}{\c\c}\newcommand{\c}{\a\a}\a",
    r"\def\a{\a\a}\a",
    r"\color{url(file:///etc/passwd)}x",
    r"\href{http://example.org}{x}",
    r"\text{<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;}",
    r"\frobnicate{x}",
    "日本語",
    "\ud800",
    "&#0;\x00",
    "",
    "}" * 50,
]


def draw(source: str, *, display: bool = True, color: str = "#000000") -> Formula | None:
    return formula(source, 15, color, display=display)


def html_of(text: str) -> str:
    return "".join(block.html for block in parse(text) if isinstance(block, Prose))


def prose(qtbot: QtBot, theme: Theme, text: str) -> ProseView:
    view = ProseView(theme)
    qtbot.addWidget(view)
    view.show_html(html_of(text))
    return view


def painted(made: Formula, ratio: float = 1) -> QImage:
    return made.inline_image(8, ratio)


@pytest.mark.parametrize("display", [True, False])
@pytest.mark.parametrize("source", USUAL)
def test_a_usual_formula_leaves_ink(qapp: object, source: str, display: bool) -> None:
    made = draw(source, display=display)
    assert made is not None
    image = painted(made)
    assert any(
        image.pixelColor(x, y).alpha() > 128
        for x in range(image.width())
        for y in range(image.height())
    )


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_what_cannot_be_drawn_is_refused_at_once(source: str) -> None:
    began = time.process_time()
    assert draw(source) is None
    assert time.process_time() - began < 0.5


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            r"\frac \sqrt \left( \right) \begin{matrix} \end{matrix} { } ^ _ & \\"  # noqa: SIM905
            r" x 12 + \hat \overbrace \text{a} \sum \int \begin{cases} \end{cases}"
            r" \over \color{red} < \not \substack \limits \mathbb \hspace{1em} ' % # ~ [3]".split()
        ),
        max_size=60,
    )
)
def test_any_latex_is_drawn_or_refused_in_bounded_time(parts: list[str]) -> None:
    source = " ".join(parts)
    began = time.process_time()
    made = draw(source)
    assert made is None or 0 < cost(source, display=True) <= MAX_COST
    assert time.process_time() - began < 2


def test_a_formula_has_the_colour_asked_for(qapp: object) -> None:
    made = draw("x", color="#ff0000")
    assert made is not None
    image = painted(made, 4)
    colors = {
        image.pixelColor(x, y).name()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    }
    assert colors == {"#ff0000"}


def test_a_sharper_screen_gets_more_pixels(qapp: object) -> None:
    made = draw("x+y", display=False)
    assert made is not None
    once, twice = painted(made, 1), painted(made, 2)
    assert (twice.width(), twice.height()) == (2 * once.width(), 2 * once.height())


def ink_bottom(view: ProseView) -> int:
    """The lowest row of the first line that is darker than its ground."""
    image = QImage(view.size(), QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    view.document().drawContents(painter)
    painter.end()
    rows = [
        y
        for y in range(image.height())
        if any(image.pixelColor(x, y).lightness() < 110 for x in range(image.width()))
    ]
    return max(rows)


def test_a_formula_stands_on_the_baseline_of_the_text(qtbot: QtBot, theme: Theme) -> None:
    bottoms = []
    for text in ("HHH", "HH $H$", "HH $H^{2^2}$"):
        view = prose(qtbot, theme, text)
        view.resize(300, view.height_for(300))
        bottoms.append(ink_bottom(view))
    assert max(bottoms) - min(bottoms) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "Between $5 and $10 or $ 7 $.",
        r"Escaped \$x\$ dollars",
        "US$ and A$ and $",
    ],
)
def test_prices_are_no_formulas(text: str) -> None:
    assert "<math>" not in html_of(text)


def test_code_is_no_formula() -> None:
    assert "<math>" not in html_of("`$x$` and `\\(y\\)`")
    assert not any(isinstance(block, Math) for block in parse("```\n$$x$$\n```"))


@pytest.mark.parametrize("text", ["a $x_1*y*z$ b", r"a \(x_1*y*z\) b"])
def test_both_delimiters_make_an_inline_formula(text: str) -> None:
    assert "<math>x_1*y*z</math>" in html_of(text)


@pytest.mark.parametrize("text", ["$$\nx_1\n$$", "\\[\nx_1\n\\]", "$$x_1$$", "\\[x_1\\]"])
def test_both_delimiters_make_a_block(text: str) -> None:
    assert parse(text) == [Math("x_1")]


def test_no_text_can_pass_for_a_formula() -> None:
    assert "<math>" not in html_of("<math>x</math> &lt;math>x</math>")


def test_unknown_latex_shows_its_source(qtbot: QtBot, theme: Theme) -> None:
    view = prose(qtbot, theme, r"See $\frobnicate{x_1*y*}$ here.")
    assert view.toPlainText().rstrip() == r"See \frobnicate{x_1*y*} here."


def test_an_unknown_block_shows_its_source(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown("$$\n\\frobnicate{x_1}\n$$")
    assert not stack.findChildren(MathView)
    [view] = stack.findChildren(ProseView)
    assert view.toPlainText() == r"\frobnicate{x_1}"


def test_selected_formulas_are_copied_as_their_source(qtbot: QtBot, theme: Theme) -> None:
    view = prose(qtbot, theme, r"So $a$ and $b$$c$ are.")
    view.selectAll()
    assert view.createMimeDataFromSelection().text().rstrip() == r"So $a$ and $b$$c$ are."
    cursor = view.textCursor()
    cursor.setPosition(5)
    cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
    view.setTextCursor(cursor)
    assert view.createMimeDataFromSelection().text().rstrip() == r"and $b$$c$ are."


def test_a_screen_reader_hears_the_source(qtbot: QtBot, theme: Theme) -> None:
    view = prose(qtbot, theme, r"So $x^2$.")
    assert view.accessibleDescription() == "So $x^2$."
    made = draw("y^2")
    assert made is not None
    block = MathView(made, 1)
    qtbot.addWidget(block)
    assert block.accessibleName() == "y^2"


def test_a_long_block_scrolls_within_the_column(qtbot: QtBot, theme: Theme) -> None:
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown("$$" + " + ".join(["x_1"] * 60) + "$$")
    stack.resize(500, stack.height_for(500))
    stack.show()
    [view] = stack.findChildren(MathView)
    assert view.width() == 500
    assert view.horizontalScrollBar().maximum() > 0


def test_copy_in_a_block_gives_its_source(qtbot: QtBot, theme: Theme) -> None:
    made = draw("y^2")
    assert made is not None
    view = MathView(made, 1)
    qtbot.addWidget(view)
    view.show()
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "y^2"


def test_a_larger_text_has_larger_formulas(theme: Theme) -> None:
    small, large = (formula("x", px, "#000000", display=False) for px in (15, 30))
    assert small is not None
    assert large is not None
    assert 1.7 < large.ascent / small.ascent < 2.1


def test_a_message_of_formulas_is_drawn_up_to_a_limit(qtbot: QtBot, theme: Theme) -> None:
    text = "\n\n".join(f"$$x_{{{n}}} + " + "y" * 200 + "$$" for n in range(40))
    stack = BlockStack(theme)
    qtbot.addWidget(stack)
    stack.show_markdown(text)
    drawn = len(stack.findChildren(MathView))
    assert 0 < drawn < 40
    assert len(stack.findChildren(ProseView)) == 40 - drawn


def test_a_fraction_in_the_last_line_is_not_cut(qtbot: QtBot, theme: Theme) -> None:
    plain, fraction = (prose(qtbot, theme, text) for text in ("H", r"H $\frac{a}{b}$"))
    below = plain.height_for(300) - theme.line_px * 0.8
    made = formula(
        r"\frac{a}{b}", theme.text_font().pixelSize(), theme.colors.ink.name(), display=False
    )
    assert made is not None
    assert made.descent > below
    assert fraction.height_for(300) - theme.line_px * 0.8 >= made.descent
