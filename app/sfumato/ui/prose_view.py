"""Running text of a message: selectable, links shown and confirmed, nothing fetched."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPointF, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextBrowser, QTextEdit, QWidget

from sfumato.ui.theme import LINE_HEIGHT, Theme

_FIXED = QTextBlockFormat.LineHeightTypes.FixedHeight.value
HEADING_LINE_HEIGHT = 1.35
TABLE_COLUMN_PX = 112  # a wide table scrolls rather than squeeze its columns below this


class ProseView(QTextBrowser):
    """Shows one HTML document as high as it is; its owner asks `height_for` and sets geometry."""

    link_clicked = Signal(str, str)  # address, the text it is under
    link_hovered = Signal(str)  # address, "" when it is left

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
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
        self.anchorClicked.connect(self._clicked)
        self.highlighted.connect(self._hovered)

    def show_html(self, source: str, *, secondary: bool = False) -> None:
        """Replace the text; `source` comes from markdown.parse and holds no foreign HTML."""
        theme = self._theme
        document = self.document()
        font = theme.text_font()
        document.setDefaultFont(font)
        document.setDefaultStyleSheet(_style(theme, secondary))
        document.setHtml(source)
        _set_line_heights(document, font, theme.paragraph_gap_px)

    def show_plain(self, text: str) -> None:
        document = self.document()
        font = self._theme.text_font()
        document.setDefaultFont(font)
        document.setPlainText(text)
        _set_line_heights(document, font, 0)

    def height_for(self, width: int) -> int:
        document = self.document()
        if document.textWidth() != width:
            document.setTextWidth(width)
        return int(document.size().height() + 0.999)

    def tail(self) -> tuple[str, QPointF] | None:
        """Where a draft would go on: the text after the last line break, and its top left.

        None where it cannot go on in the same line: after a heading or a table.
        """
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        block = cursor.block()
        if cursor.currentTable() is not None or block.blockFormat().headingLevel():
            return None
        layout = block.layout()
        text = block.text()
        start = text.rfind("\u2028") + 1
        line = layout.lineForTextPosition(min(start, max(0, len(text) - 1)))
        number = line.lineNumber() if line.isValid() else 0
        place = layout.position() + QPointF(line.x() if line.isValid() else 0, 0)
        return text[start:], place + QPointF(0, number * self._theme.line_px)

    # Nothing is loaded, nothing but plain text is copied

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        return None

    def createMimeDataFromSelection(self) -> QMimeData:
        data = QMimeData()
        data.setText(self.textCursor().selection().toPlainText().replace("\ufffc", ""))
        return data

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
        painter: QPainter | None = None
        block = self.document().begin()
        while block.isValid():
            level = block.blockFormat().property(QTextFormat.Property.BlockQuoteLevel)
            if level:
                painter = painter or QPainter(self.viewport())
                layout = block.layout()
                box = layout.boundingRect().translated(layout.position())
                following = block.next()
                bottom = box.bottom()
                if following.isValid() and following.blockFormat().property(
                    QTextFormat.Property.BlockQuoteLevel
                ):
                    bottom = following.layout().position().y()
                for step in range(int(level)):
                    bar = QRectF(step * 16, layout.position().y(), 2, bottom - box.top() + 4)
                    painter.fillRect(bar, self._theme.colors.line)
            block = block.next()


class TableView(ProseView):
    """A table; one with many columns keeps them readable and scrolls sideways."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)
        self._columns = 1

    def show_html(self, source: str, *, secondary: bool = False) -> None:
        self._columns = max(1, source.count("<th"))
        super().show_html(source, secondary=secondary)

    def height_for(self, width: int) -> int:
        wanted = max(width, self._columns * self._theme.px(TABLE_COLUMN_PX))
        document = self.document()
        document.setTextWidth(-1)
        wanted = int(min(max(wanted, width), max(document.idealWidth() + 2, width)))
        self.setLineWrapColumnOrWidth(wanted)
        document.setTextWidth(wanted)
        bar = self.horizontalScrollBar().sizeHint().height() if wanted > width else 0
        return int(document.size().height() + 0.999) + bar

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


def _style(theme: Theme, secondary: bool) -> str:
    colors = theme.colors
    gap = theme.paragraph_gap_px
    px = theme.text_font().pixelSize()
    ink = (colors.secondary if secondary else colors.ink).name()
    mono = theme.mono_font(13.5).pixelSize()
    code = f"font-family:'JetBrains Mono','Noto Sans Mono',monospace;font-size:{mono}px;"
    return f"""
        * {{ color: {ink}; }}
        p, ul, ol, blockquote, pre {{ margin: 0 0 {gap}px 0; }}
        ul, ol {{ margin-left: 0; -qt-list-indent: 1; }}
        li p {{ margin: 0; }}
        h1 {{ font-size: {round(px * 1.3)}px; font-weight: 600; margin: {gap}px 0 {gap // 2}px 0; }}
        h2 {{ font-size: {round(px * 1.15)}px; font-weight: 600;
              margin: {gap}px 0 {gap // 2}px 0; }}
        h3, h4, h5, h6 {{ font-size: {px}px; font-weight: 600;
              margin: {gap}px 0 {gap // 3}px 0; }}
        strong, th {{ font-weight: 600; }}
        code {{ {code} background-color: {colors.sunken.name()}; }}
        pre {{ {code} white-space: pre-wrap; }}
        a {{ color: {colors.accent.name()}; text-decoration: underline; }}
        blockquote {{ margin-left: 16px; color: {colors.secondary.name()}; }}
        table {{ border-collapse: collapse; margin: 0; }}
        th, td {{ padding: 6px 16px 6px 0; border-style: solid; border-width: 0;
                  border-bottom-width: 1px; border-bottom-style: solid;
                  border-color: {colors.line.name()}; }}
        th {{ color: {colors.secondary.name()}; text-align: left; }}
    """


def _set_line_heights(document: QTextDocument, font: QFont, gap: int) -> None:
    """One line pitch for running text whatever fonts a line mixes; the last margin goes."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    block = document.begin()
    last = document.lastBlock()
    while block.isValid():
        cursor.setPosition(block.position())
        level = block.blockFormat().headingLevel()
        pixels = block.charFormat().font().pixelSize() if level else font.pixelSize()
        if pixels <= 0:
            pixels = font.pixelSize()
        shape = QTextBlockFormat()
        factor = HEADING_LINE_HEIGHT if level else LINE_HEIGHT
        shape.setLineHeight(round(pixels * factor), _FIXED)
        if cursor.currentTable() is not None:
            needed = QFontMetricsF(font).height() + 1
            shape.setLineHeight(round(needed), _FIXED)
        elif block == last:
            shape.setBottomMargin(0)
        if block == document.begin():
            shape.setTopMargin(0)
        if block.textList() is not None and block != last:
            following = block.next()
            in_list = following.isValid() and following.textList() is not None
            shape.setBottomMargin(gap / 3 if in_list else gap)
        cursor.mergeBlockFormat(shape)
        if block.textList() is not None:
            style = block.textList().format()
            if block.textList().itemNumber(block) == 0 and style.indent() == 1:
                document.setIndentWidth(28)
        block = block.next()
    cursor.endEditBlock()
