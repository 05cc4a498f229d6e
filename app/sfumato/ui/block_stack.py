"""The blocks of one message, one under the other: prose, code, tables, formulas."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from PySide6.QtCore import QPoint, QPointF, QRect, Signal
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from sfumato.store.types import Spans
from sfumato.ui.code_block import CodeBlock
from sfumato.ui.found_words import mark_words
from sfumato.ui.markdown import Block, Code, Math, Plain, Prose, Table
from sfumato.ui.math import MAX_COST_SHOWN, cost, formula
from sfumato.ui.math_view import MathView
from sfumato.ui.prose_view import ProseView, TableView
from sfumato.ui.theme import Theme
from sfumato.ui.unsettled import parse_marked

_View = ProseView | CodeBlock | MathView


class BlockStack(QWidget):
    """Its owner asks `height_for` and gives it that height. Unchanged blocks keep their widget."""

    link_clicked = Signal(str, str)
    link_hovered = Signal(str)
    text_made = Signal(object)  # a view whose text can be selected

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        name: str = "",
        secondary: bool = False,
    ) -> None:
        """`name`: whose text it is, for a screen reader."""
        super().__init__(parent)
        self._name = name
        self._theme = theme
        self._secondary = secondary
        self._blocks: list[Block] = []
        self._views: list[_View] = []

    def show_markdown(self, text: str, unsettled: Spans = ()) -> None:
        self.show_blocks(parse_marked(text, unsettled))

    def show_blocks(self, blocks: Sequence[Block]) -> None:
        for _ in self.build(blocks):
            pass

    def build(self, blocks: Sequence[Block]) -> Iterator[None]:
        """Show `blocks`, one a step: what is out of sight can be made between two frames."""
        same = 0
        while same < min(len(blocks), len(self._blocks)) and blocks[same] == self._blocks[same]:
            same += 1
        for at in range(same, len(blocks)):
            old = self._views[at] if at < len(self._views) else None
            block = blocks[at]
            alike = at < len(self._blocks) and type(self._blocks[at]) is type(block)
            if isinstance(old, ProseView) and alike and not isinstance(block, Math):
                self._fill(old, block, at)
            else:
                if old is not None:
                    old.deleteLater()
                    self._views[at] = self._make(block, at)
                else:
                    self._views.append(self._make(block, at))
            yield
        for view in self._views[len(blocks) :]:
            view.hide()
            view.deleteLater()
        del self._views[len(blocks) :]
        self._blocks = list(blocks)

    def _math_limit(self, at: int) -> int:
        """What formulas from block `at` on may still cost."""
        spent = (v.math_cost for v in self._views[:at] if not isinstance(v, CodeBlock))
        return MAX_COST_SHOWN - sum(spent)

    def _make(self, block: Block, at: int) -> _View:
        if isinstance(block, Code):
            code = CodeBlock(self._theme, block, self)
            code.show()
            self.text_made.emit(code.text_view)
            return code
        if isinstance(block, Math) and (drawn := self._make_math(block.source, at)):
            return drawn
        view = (TableView if isinstance(block, Table) else ProseView)(self._theme, self)
        view.setAccessibleName(self._name)
        view.link_clicked.connect(self.link_clicked)
        view.link_hovered.connect(self.link_hovered)
        self._fill(view, block, at)
        view.show()
        self.text_made.emit(view)
        return view

    def _make_math(self, source: str, at: int) -> MathView | None:
        work = cost(source, display=True)
        if not work or work > self._math_limit(at):
            return None
        colors = self._theme.colors
        color = (colors.secondary if self._secondary else colors.ink).name()
        made = formula(source, self._theme.text_font().pixelSize(), color, display=True)
        if made is None:
            return None
        view = MathView(made, work, self)
        view.show()
        return view

    def _fill(self, view: ProseView, block: Block, at: int) -> None:
        match block:
            case Prose() | Table():
                limit = self._math_limit(at)
                view.show_html(
                    block.html, secondary=self._secondary, math_limit=limit, marks=block.marks
                )
            case Math():
                view.show_html(f"<pre>{html.escape(block.source, quote=False)}</pre>")
            case Plain():
                view.show_plain(block.text, block.marks)

    def height_for(self, width: int) -> int:
        """Lay the blocks out in this width; the height they take together."""
        gap = self._theme.paragraph_gap_px
        measure = min(width, self._theme.measure_px)
        y = 0
        for number, view in enumerate(self._views):
            if number:
                y += gap
            wide = isinstance(view, CodeBlock | TableView | MathView)
            view_width = width if wide else measure
            height = view.height_for(view_width)
            view.setGeometry(QRect(0, y, view_width, height))
            y += height
        return y

    def tail(self) -> tuple[str, QPointF] | None:
        """Where a draft goes on in the last line, if the last block is running text."""
        if not self._views or not isinstance(self._blocks[-1], Prose):
            return None
        view = self._views[-1]
        assert isinstance(view, ProseView)
        tail = view.tail()
        return (tail[0], tail[1] + QPointF(view.pos())) if tail else None

    def mark_words(self, query: str) -> QRect | None:
        """See found_words; the first place in coordinates of the stack."""
        first = None
        for text in self.text_views():
            place = mark_words(text, query, self._theme.colors.selection)
            if place is not None and first is None:
                first = place.translated(text.mapTo(self, QPoint(0, 0)))
        return first

    def text_views(self) -> list[ProseView | QPlainTextEdit]:
        """The views whose text can be selected, in order."""
        texts = [view for view in self._views if not isinstance(view, MathView)]
        return [text.text_view if isinstance(text, CodeBlock) else text for text in texts]

    def shown_text(self) -> str:
        """What can be read, a line a paragraph; formulas are their source."""
        return "\n".join(view.shown_text() for view in self._views)

    @property
    def is_empty(self) -> bool:
        return not self._views
