"""Colours, type and icons: how Sfumato looks. The values are in resources/themes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from sfumato.paths import cache_dir, resources_dir

INTERFACE_PX = 13
TITLE_PX = 22
LINE_HEIGHT = 1.55  # of the message text
COLUMN_PX = 688  # composer, code, tables and the grid, at the default text size
MEASURE_PX = 584  # running text: 72 to 78 characters
GRID = 4
SIDEBAR_PX = 264
NARROW_PX = 820
ICON_PX = 18

SERIF_FREE_FALLBACK = ["Inter", "Noto Sans", "Segoe UI", "DejaVu Sans", "Noto Color Emoji"]
MONO_FALLBACK = ["JetBrains Mono", "Noto Sans Mono", "Consolas", "DejaVu Sans Mono"]


@dataclass(frozen=True, slots=True)
class Colors:
    """One colour a role; LOOK says where each is used."""

    ground: QColor
    surface: QColor
    sunken: QColor
    bubble: QColor
    hover: QColor
    ink: QColor
    secondary: QColor
    line: QColor
    accent: QColor
    on_accent: QColor
    danger: QColor
    smoke: QColor
    selection: QColor
    tint: QColor  # the strongest ground under an unsettled token
    code_keyword: QColor
    code_string: QColor
    code_comment: QColor
    code_number: QColor
    code_name: QColor


@cache
def load_colors(dark: bool, high_contrast: bool) -> Colors:
    path = resources_dir() / "themes" / ("dark.toml" if dark else "light.toml")
    values = tomllib.loads(path.read_text("utf-8"))
    contrast = values.pop("contrast")
    if high_contrast:
        values.update(contrast)
    return Colors(**{role: QColor(value) for role, value in values.items()})


def load_fonts() -> None:
    """Register the bundled fonts; the system's own are used where a file cannot be read."""
    for path in sorted((resources_dir() / "fonts").glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(path))


def mix(a: QColor, b: QColor, amount: float) -> QColor:
    """`a` at 0, `b` at 1, straight in between."""
    amount = min(1.0, max(0.0, amount))
    return QColor(
        round(a.red() + (b.red() - a.red()) * amount),
        round(a.green() + (b.green() - a.green()) * amount),
        round(a.blue() + (b.blue() - a.blue()) * amount),
    )


class Theme(QObject):
    """The look in force. `changed` says that colours or sizes are others now."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._choice = "system"
        self._high_contrast = False
        self._text_px = 15
        self._zoom = 1.0
        self._bundled_fonts = True
        self._reduced_motion = False
        self._styled = False
        self._icons: dict[tuple[str, str], QIcon] = {}
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._system_changed)

    # What is in force

    @property
    def dark(self) -> bool:
        if self._choice == "system":
            return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return self._choice == "dark"

    @property
    def colors(self) -> Colors:
        return load_colors(self.dark, self._high_contrast)

    @property
    def high_contrast(self) -> bool:
        return self._high_contrast

    @property
    def reduced_motion(self) -> bool:
        return self._reduced_motion

    @property
    def zoom(self) -> float:
        return self._zoom

    @property
    def column_px(self) -> int:
        return round(COLUMN_PX * self._text_px / 15 * self._zoom)

    @property
    def narrow_px(self) -> int:
        """Width of a window that has no room for a sidebar beside the conversation."""
        return round(NARROW_PX * self._text_px / 15 * self._zoom)

    @property
    def measure_px(self) -> int:
        """Width of running text: the same number of characters at any size."""
        return round(MEASURE_PX * self._text_px / 15 * self._zoom)

    @property
    def line_px(self) -> int:
        """From baseline to baseline of the message text."""
        return round(self.text_font().pixelSize() * LINE_HEIGHT)

    @property
    def paragraph_gap_px(self) -> int:
        return self.px(12 * self._text_px / 15)

    def px(self, size: float) -> int:
        return max(1, round(size * self._zoom))

    def interface_font(self, size: int = INTERFACE_PX, *, semibold: bool = False) -> QFont:
        font = self._family(SERIF_FREE_FALLBACK, "sans-serif")
        font.setPixelSize(self.px(size))
        if semibold:
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def figures_font(self, size: int = INTERFACE_PX) -> QFont:
        """The interface font with figures of one width, for anything that counts."""
        font = self.interface_font(size)
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def text_font(self) -> QFont:
        font = self._family(SERIF_FREE_FALLBACK, "sans-serif")
        font.setPixelSize(self.px(self._text_px))
        return font

    def mono_font(self, size: float = 13) -> QFont:
        font = self._family(MONO_FALLBACK, "monospace")
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPixelSize(self.px(size * self._text_px / 15))
        font.setFeature(QFont.Tag("calt"), 0)  # no ligatures: != stays two characters
        return font

    def _family(self, bundled: list[str], generic: str) -> QFont:
        font = QFont()
        if self._bundled_fonts:
            font.setFamilies(bundled)
        elif generic == "monospace":
            font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        else:
            font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        return font

    # Changing it

    def apply(
        self,
        *,
        choice: str | None = None,
        high_contrast: bool | None = None,
        text_px: int | None = None,
        zoom: float | None = None,
        bundled_fonts: bool | None = None,
        reduced_motion: bool | None = None,
    ) -> None:
        """Take over what is given and restyle the application, if it makes a difference."""
        before = self._state()
        if choice is not None:
            self._choice = choice
        if high_contrast is not None:
            self._high_contrast = high_contrast
        if text_px is not None:
            self._text_px = text_px
        if zoom is not None:
            self._zoom = zoom
        if bundled_fonts is not None:
            self._bundled_fonts = bundled_fonts
        if reduced_motion is not None:
            self._reduced_motion = reduced_motion
        if self._state() != before or not self._styled:
            self._styled = True
            self._restyle()

    def _state(self) -> tuple[object, ...]:
        return (
            self._choice,
            self._high_contrast,
            self._text_px,
            self._zoom,
            self._bundled_fonts,
            self._reduced_motion,
        )

    def _system_changed(self) -> None:
        if self._choice == "system":
            self._restyle()

    def _restyle(self) -> None:
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        self._icons.clear()
        colors = self.colors
        palette = QPalette()
        roles = QPalette.ColorRole
        for role, color in (
            (roles.Window, colors.ground),
            (roles.Base, colors.surface),
            (roles.AlternateBase, colors.sunken),
            (roles.Button, colors.surface),
            (roles.WindowText, colors.ink),
            (roles.Text, colors.ink),
            (roles.ButtonText, colors.ink),
            (roles.ToolTipBase, colors.surface),
            (roles.ToolTipText, colors.ink),
            (roles.PlaceholderText, colors.secondary),
            (roles.Highlight, colors.selection),
            (roles.HighlightedText, colors.ink),
            (roles.Link, colors.accent),
            (roles.LinkVisited, colors.accent),
            (roles.Mid, colors.line),
        ):
            palette.setColor(role, color)
        for role in (roles.WindowText, roles.Text, roles.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, colors.secondary)
        app.setPalette(palette)
        app.setFont(self.interface_font())
        app.setStyleSheet(self._style_sheet(colors))
        self.changed.emit()

    def _style_sheet(self, colors: Colors) -> str:
        text = (resources_dir() / "themes" / "sfumato.qss").read_text("utf-8")
        values = {role: getattr(colors, role).name() for role in Colors.__slots__}
        values["accent_hover"] = mix(colors.accent, colors.ink, 0.15).name()
        values["title_px"] = str(self.px(TITLE_PX))
        values["chevron"] = self._icon_file("chevron-down", colors.secondary)
        values["menu_tick"] = self._icon_file("check", colors.ink)
        values["submenu"] = self._icon_file("chevron-right", colors.secondary)
        values["tick"] = self._icon_file("check", colors.on_accent)
        for role, value in values.items():
            text = text.replace("{" + role + "}", value)
        return text

    # Icons

    def icon(self, name: str, color: QColor | None = None, size: int = ICON_PX) -> QIcon:
        """A Lucide icon in `color` (secondary by default), sharp at 1× and 2×."""
        color = color or self.colors.secondary
        key = (f"{name}/{size}", color.name())
        if key not in self._icons:
            icon = QIcon()
            for scale in (1, 2):
                icon.addPixmap(_draw_svg(_svg(name, color), size, scale))
            self._icons[key] = icon
        return self._icons[key]

    def _icon_file(self, name: str, color: QColor) -> str:
        """Style sheets take images from files only."""
        folder = cache_dir() / "icons"
        path = folder / f"{name}-{color.name()[1:]}.svg"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_svg(name, color))
        except OSError:
            return ""
        return path.as_posix()


@cache
def _svg_source(name: str) -> str:
    return (Path(resources_dir()) / "icons" / f"{name}.svg").read_text("utf-8")


def _svg(name: str, color: QColor) -> bytes:
    source = _svg_source(name).replace("currentColor", color.name())
    if name == "square":  # Stop is a solid square
        source = source.replace('fill="none"', f'fill="{color.name()}"')
        source = source.replace('viewBox="0 0 24 24"', 'viewBox="-4 -4 32 32"')
    return source.replace('stroke-width="2"', 'stroke-width="1.6"').encode()


def _draw_svg(source: bytes, size: int, scale: int) -> QPixmap:
    pixmap = QPixmap(QSize(size, size) * scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(source)).render(painter, QRectF(0, 0, size * scale, size * scale))
    painter.end()
    pixmap.setDevicePixelRatio(scale)
    return pixmap
