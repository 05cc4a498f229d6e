"""Running text of a message: selectable, links shown and confirmed, nothing fetched."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from math import ceil, floor

from PySide6.QtCore import QMimeData, QPointF, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QShowEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextOption,
    QTextTable,
    QTextTableCellFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextBrowser, QTextEdit, QWidget

from sfumato.ui import math
from sfumato.ui.markdown import SETTLED, Marks
from sfumato.ui.theme import LINE_HEIGHT, Theme
from sfumato.ui.unsettled import underline

_FIXED = QTextBlockFormat.LineHeightTypes.FixedHeight.value
HEADING_LINE_HEIGHT = 1.35
HEADING_SIZES = {1: 1.35, 2: 1.18}
BASELINE = 0.8  # of a line of fixed height is above its baseline: Qt's choice
OVERHANG_PX = 4  # a formula may reach this far into the gap to the next line
_MINIMUM = QTextBlockFormat.LineHeightTypes.MinimumHeight.value
_MATH = re.compile(r"<math>([^<]*)</math>")
_HEADING = re.compile(r'<h4 class="h(\d)">')
QUOTE_PX = 16
SQUEEZED_PX = 112  # of text in a column: a table scrolls rather than squeeze columns below this,
SCROLLED_PX = 240  # and once it scrolls, its columns need not be narrower than this
CELL_X_PX = 20  # between columns
CELL_Y_PX = 6


class ProseView(QTextBrowser):
    """Shows one HTML document as high as it is; its owner asks `height_for` and sets geometry."""

    link_clicked = Signal(str, str)  # address, the text it is under
    link_hovered = Signal(str)  # address, "" when it is left

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._quoted: list[QTextBlock] = []
        self._formulas: dict[str, math.Formula] = {}  # by the name of their image
        self._overhang_px = 0  # what a formula of the last block needs below its line
        self.math_cost = 0  # of the formulas shown, see math.cost
        self.setObjectName("prose")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.document().setDocumentMargin(0)
        self.document().setUseDesignMetrics(True)
        self.setTabChangesFocus(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.anchorClicked.connect(self._clicked)
        self.highlighted.connect(self._hovered)

    def show_html(
        self,
        source: str,
        *,
        secondary: bool = False,
        math_limit: int = math.MAX_COST_SHOWN,
        marks: Marks = SETTLED,
    ) -> None:
        """Replace the text; `source` comes from markdown.parse and holds no foreign HTML.

        Formulas are drawn until they have cost `math_limit`; the others show their source.
        """
        theme = self._theme
        document = self.document()
        font = theme.text_font()
        document.setDefaultFont(font)
        document.setDefaultStyleSheet(_style(theme))
        if secondary:
            source = f'<div style="color:{theme.colors.secondary.name()}">{source}</div>'
        self._formulas.clear()
        self.math_cost = 0
        color = (theme.colors.secondary if secondary else theme.colors.ink).name()
        source = _MATH.sub(lambda found: self._inline(found[1], color, math_limit), source)
        document.setHtml(source)
        underline(document, marks, theme.colors.secondary)
        _set_headings(document, [int(level) for level in _HEADING.findall(source)], font)
        self._quoted = _set_line_heights(document, font, theme.paragraph_gap_px, theme.colors.line)
        self._make_room()
        # A screen reader has one sign for each image; here it finds the sources.
        spoken = self.shown_text() if self._formulas else ""
        self.setAccessibleDescription(spoken.strip())

    def _inline(self, escaped: str, color: str, limit: int) -> str:
        """The HTML of one formula in the text: an image, or its source."""
        source = html.unescape(escaped)
        font = self._theme.text_font()
        work = math.cost(source, display=False)
        made = None
        if work and self.math_cost + work <= limit:
            made = math.formula(source, font.pixelSize(), color, display=False)
        if made is None:
            return f"<code>{escaped}</code>"
        self.math_cost += work
        name = f"math:{len(self._formulas)}"
        self._formulas[name] = made
        height = made.inline_height(QFontMetrics(font).xHeight())
        return (
            f'<img src="{name}" width="{ceil(made.width)}" height="{height}"'
            ' style="vertical-align: middle">'
        )

    def _make_room(self) -> None:
        """A block with a formula that needs more than a line may have higher lines."""
        line = self._theme.line_px
        above, below = line * BASELINE, line * (1 - BASELINE)
        shape = QTextBlockFormat()
        shape.setLineHeight(line, _MINIMUM)
        self._overhang_px = 0
        block = self.document().begin() if self._formulas else QTextBlock()
        while block.isValid():
            self._overhang_px = 0
            fragments = block.begin()
            while not fragments.atEnd():
                made = self._formulas.get(fragments.fragment().charFormat().toImageFormat().name())
                if made and (made.ascent > above or made.descent > below + OVERHANG_PX):
                    QTextCursor(block).mergeBlockFormat(shape)
                    self._overhang_px = 0
                    break
                if made:
                    self._overhang_px = max(self._overhang_px, ceil(made.descent - below))
                fragments += 1
            block = block.next()

    def show_plain(self, text: str, marks: Marks = SETTLED) -> None:
        document = self.document()
        font = self._theme.text_font()
        document.setDefaultFont(font)
        self._formulas.clear()
        self._overhang_px = 0
        self.math_cost = 0
        document.setPlainText(text)
        underline(document, marks, self._theme.colors.secondary)
        self._quoted = _set_line_heights(document, font, 0, self._theme.colors.line)

    def height_for(self, width: int) -> int:
        document = self.document()
        for _ in range(2):  # a view not yet shown answers the first by its own width
            if document.textWidth() != width:
                document.setTextWidth(width)
        return int(document.size().height() + 0.999) + self._overhang_px

    def tail(self) -> tuple[str, QPointF] | None:
        """Where a draft would go on: the text after the last line break, and its top left.

        None where it cannot go on in the same line: after a heading, a table or a formula.
        """
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        block = cursor.block()
        if cursor.currentTable() is not None or block.blockFormat().headingLevel():
            return None
        layout = block.layout()
        text = block.text()
        start = text.rfind("\u2028") + 1
        if "\ufffc" in text[start:]:
            return None
        line = layout.lineForTextPosition(min(start, max(0, len(text) - 1)))
        number = line.lineNumber() if line.isValid() else 0
        place = layout.position() + QPointF(line.x() if line.isValid() else 0, 0)
        return text[start:], place + QPointF(0, number * self._theme.line_px)

    # Nothing is loaded, nothing but plain text is copied

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        address = name.toString() if isinstance(name, QUrl) else name
        if made := self._formulas.get(address):
            x_height = QFontMetrics(self._theme.text_font()).xHeight()
            return made.inline_image(x_height, self.devicePixelRatioF())
        # Not None: for that, Qt goes on and opens the file itself.
        nothing = QImage(1, 1, QImage.Format.Format_ARGB32)
        nothing.fill(Qt.GlobalColor.transparent)
        return nothing

    def createMimeDataFromSelection(self) -> QMimeData:
        data = QMimeData()
        cursor = self.textCursor()
        data.setText(self.text_between(cursor.selectionStart(), cursor.selectionEnd()))
        return data

    def shown_text(self) -> str:
        return self.text_between(0, self.document().characterCount() - 1)

    def text_between(self, start: int, end: int) -> str:
        """The plain text of these positions, formulas as their LaTeX source."""
        cursor = QTextCursor(self.document())
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        text = cursor.selection().toPlainText()
        sources = []
        block = self.document().findBlock(start) if self._formulas else QTextBlock()
        while block.isValid() and block.position() < end:
            fragments = block.begin()
            while not fragments.atEnd():
                piece = fragments.fragment()
                made = self._formulas.get(piece.charFormat().toImageFormat().name())
                for at in range(piece.position(), piece.position() + piece.length()):
                    if made and start <= at < end:
                        sources.append(f"${made.source}$")
                fragments += 1
            block = block.next()
        parts = iter(sources)
        return re.sub("\ufffc", lambda _: next(parts, ""), text)

    def _clicked(self, url: QUrl) -> None:
        address = url.toString()
        self.link_clicked.emit(address, self._text_of(address))

    def _hovered(self, url: QUrl) -> None:
        self.link_hovered.emit(url.toString())

    def _text_of(self, address: str) -> str:
        block = self.document().begin()
        while block.isValid():
            fragments = block.begin()
            while not fragments.atEnd():
                piece = fragments.fragment()
                if piece.charFormat().anchorHref() == address:
                    return str(piece.text())
                fragments += 1
            block = block.next()
        return ""

    # The conversation scrolls, not the message

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        scrolling = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Space)
        if event.key() in scrolling and not event.modifiers():
            event.ignore()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._paint_quote_bars()
        super().paintEvent(event)

    def _paint_quote_bars(self) -> None:
        if not self._quoted:
            return
        painter = QPainter(self.viewport())
        bottoms: list[float] = []  # of the bars of the block before, where they go on
        for block in self._quoted:
            level = round(block.blockFormat().leftMargin() / QUOTE_PX)
            layout = block.layout()
            following = block.next()
            bottom = layout.boundingRect().translated(layout.position()).bottom() + 4
            goes_on = following.isValid() and bool(following.blockFormat().leftMargin())
            if goes_on:
                bottom = following.layout().position().y()
            top = layout.position().y() + 4
            for step in range(level):
                start = bottoms[step] if step < len(bottoms) else top
                painter.fillRect(
                    QRectF(step * QUOTE_PX, start, 2, bottom - start), self._theme.colors.line
                )
            bottoms = [bottom] * level if goes_on else []


class TableView(ProseView):
    """A table; one with many columns keeps them readable and scrolls sideways."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)
        self._table: QTextTable | None = None
        self._columns: list[tuple[float, float]] = []  # width of the longest word, of all text
        self._given: list[int] = []  # the widths that the columns have

    def show_html(
        self,
        source: str,
        *,
        secondary: bool = False,
        math_limit: int = math.MAX_COST_SHOWN,
        marks: Marks = SETTLED,
    ) -> None:
        self._columns, self._given = [], []
        super().show_html(source, secondary=secondary, math_limit=math_limit, marks=marks)
        _set_row_heights(self.document(), self._theme.text_font())
        self._make_room()
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.NextBlock)
        self._table = cursor.currentTable()
        if self._table is not None:
            self._rule(self._table)

    def _rule(self, table: QTextTable) -> None:
        """A hairline under each row, and nothing else."""
        shape = table.format()
        shape.setBorder(0)
        shape.setCellSpacing(0)
        shape.setCellPadding(0)
        shape.setMargin(0)
        table.setFormat(shape)
        px = self._theme.px
        for row in range(table.rows()):
            for column in range(table.columns()):
                cell = table.cellAt(row, column)
                box = QTextTableCellFormat(cell.format().toTableCellFormat())
                box.setTopPadding(px(CELL_Y_PX))
                box.setBottomPadding(px(CELL_Y_PX))
                box.setLeftPadding(0)
                box.setRightPadding(px(CELL_X_PX))
                box.setBottomBorder(1)
                box.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
                box.setBottomBorderBrush(self._theme.colors.line)
                cell.setFormat(box)

    def height_for(self, width: int) -> int:
        document = self.document()
        widths = [ceil(column) + self._theme.px(CELL_X_PX) for column in self._widths(width)]
        wanted = max(width, sum(widths))
        if self._table is not None and widths != self._given:
            self._given = widths
            shape = self._table.format()
            fixed = QTextLength.Type.FixedLength
            shape.setColumnWidthConstraints([QTextLength(fixed, column) for column in widths])
            self._table.setFormat(shape)
        self.setLineWrapColumnOrWidth(wanted)
        document.setTextWidth(wanted)
        bar = self.horizontalScrollBar().sizeHint().height() if wanted > width else 0
        return int(document.size().height() + 0.999) + bar

    def _widths(self, width: int) -> Sequence[float]:
        """Of the text in each column: what it needs, or a fair share of what there is."""
        px = self._theme.px
        table = self._table
        if not self._columns and table is not None:
            self.document().setTextWidth(-1)
            self.document().size()  # lays it out, so that the blocks know how wide they are
            self._columns = [_text_widths(table, column) for column in range(table.columns())]
        room = width - len(self._columns) * px(CELL_X_PX)
        natural = [whole for _, whole in self._columns]
        if sum(natural) <= room:
            return natural
        least = [max(word, min(whole, px(SQUEEZED_PX))) for word, whole in self._columns]
        spare = room - sum(least)
        if spare < 0:
            return [max(word, min(whole, px(SCROLLED_PX))) for word, whole in self._columns]
        lacking = [whole - few for whole, few in zip(natural, least, strict=True)]
        share = spare / max(1e-6, sum(lacking))
        return [floor(few + share * lack) for few, lack in zip(least, lacking, strict=True)]

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.horizontalScrollBar().setValue(0)  # Qt begins at the end of a wide table

    def wheelEvent(self, event: QWheelEvent) -> None:
        sideways = event.angleDelta().x() or (
            event.modifiers() & Qt.KeyboardModifier.ShiftModifier and event.angleDelta().y()
        )
        if sideways:
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - sideways)
            event.accept()
        else:
            event.ignore()

    def tail(self) -> tuple[str, QPointF] | None:
        return None


def _text_widths(table: QTextTable, column: int) -> tuple[float, float]:
    """Of a column that is laid out: the width of its longest word, and of its longest text."""
    word = whole = 0.0
    for row in range(table.rows()):
        cell = table.cellAt(row, column)
        block = cell.firstCursorPosition().block()
        last = cell.lastCursorPosition().block()
        while block.isValid():
            word = max(word, block.layout().minimumWidth())
            whole = max(whole, block.layout().maximumWidth())
            if block == last:
                break
            block = block.next()
    return word, max(word, whole)


def _style(theme: Theme) -> str:
    colors = theme.colors
    gap = theme.paragraph_gap_px
    mono = theme.mono_font(13.5).pixelSize()
    code = f"font-family:'JetBrains Mono','Noto Sans Mono',monospace;font-size:{mono}px;"
    return f"""
        p, ul, ol, blockquote, pre {{ margin: 0 0 {gap}px 0; }}
        li p {{ margin: 0; }}
        h4 {{ margin: {gap}px 0 {gap // 2}px 0; }}
        strong, th {{ font-weight: 600; }}
        code {{ {code} background-color: {colors.sunken.name()}; }}
        pre {{ {code} white-space: pre-wrap; }}
        a {{ color: {colors.accent.name()}; text-decoration: underline; }}
        blockquote {{ margin-left: {QUOTE_PX}px; color: {colors.secondary.name()}; }}
        th {{ color: {colors.secondary.name()}; text-align: left; }}
    """


def _set_headings(document: QTextDocument, levels: list[int], font: QFont) -> None:
    """Size and level of each heading: markdown makes h4 of all, as Qt enlarges the others."""
    block = document.begin()
    for level in levels:
        while block.isValid() and not block.blockFormat().headingLevel():
            block = block.next()
        if not block.isValid():
            return
        cursor = QTextCursor(block)
        pixels = round(font.pixelSize() * HEADING_SIZES.get(level, 1.0))
        spans = []
        fragments = block.begin()
        while not fragments.atEnd():
            piece = fragments.fragment()
            spans.append((piece.position(), piece.length(), piece.charFormat()))
            fragments += 1
        for start, length, look in spans:
            look.clearProperty(QTextFormat.Property.FontSizeAdjustment)
            look.setProperty(QTextFormat.Property.FontPixelSize, pixels)
            look.setFontWeight(QFont.Weight.DemiBold)
            cursor.setPosition(start)
            cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
            cursor.setCharFormat(look)
        shape = QTextBlockFormat()
        shape.setHeadingLevel(level)
        cursor.mergeBlockFormat(shape)
        block = block.next()


def _set_line_heights(
    document: QTextDocument, font: QFont, gap: int, line: QColor
) -> list[QTextBlock]:
    """One line pitch for running text whatever fonts a line mixes; the last margin goes.

    Returns the blocks that are quoted.
    """
    document.setIndentWidth(26)
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    cursor.select(QTextCursor.SelectionType.Document)
    usual = QTextBlockFormat()
    usual.setLineHeight(round(font.pixelSize() * LINE_HEIGHT), _FIXED)
    cursor.mergeBlockFormat(usual)
    quoted = []
    last = document.lastBlock()
    block = document.begin()
    first = True
    while block.isValid():
        present = block.blockFormat()
        shape = QTextBlockFormat()
        if level := present.headingLevel():
            pixels = font.pixelSize() * HEADING_SIZES.get(level, 1.0)
            shape.setLineHeight(round(pixels * HEADING_LINE_HEIGHT), _FIXED)
        if block == last:
            shape.setBottomMargin(0)
        elif block.textList() is not None:
            following = block.next()
            shape.setBottomMargin(gap / 3 if following.textList() is not None else gap)
        if first:
            shape.setTopMargin(0)
        if present.hasProperty(QTextFormat.Property.BlockTrailingHorizontalRulerWidth):
            shape.setBackground(line)  # of a rule, this is its colour
        if present.leftMargin():
            quoted.append(block)
        if shape.propertyCount():
            cursor.setPosition(block.position())
            cursor.mergeBlockFormat(shape)
        first = False
        block = block.next()
    cursor.endEditBlock()
    return quoted


def _set_row_heights(document: QTextDocument, font: QFont) -> None:
    """Lines of a table are as high as their font: the padding of its cells keeps them apart."""
    cursor = QTextCursor(document)
    cursor.select(QTextCursor.SelectionType.Document)
    shape = QTextBlockFormat()
    shape.setLineHeight(round(QFontMetricsF(font).height() + 1), _FIXED)
    shape.setBottomMargin(0)
    cursor.mergeBlockFormat(shape)
