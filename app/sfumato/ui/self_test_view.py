"""The self-test as it goes: three lines that are ticked off, then what came out."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from sfumato.services.model import ModelService
from sfumato.services.self_test import STEPS, SelfTest, duration
from sfumato.services.spoken import spoken
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import label, set_role

_ORDER = ("idle", "waiting", "loading", "reading", "stepping")
MARK_PX = 16


class SelfTestView(QWidget):
    def __init__(
        self,
        theme: Theme,
        self_test: SelfTest,
        model: ModelService,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._test = self_test
        self._model = model
        self._lines: list[tuple[QLabel, QLabel, QLabel]] = []
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        grid.setColumnStretch(2, 1)
        names = (
            self.tr("Load the model"),
            self.tr("Read a prompt"),
            self.tr("Take three denoise steps"),
        )
        for at, name in enumerate(names):
            line = (label(""), label(name), label("", "secondary"))
            for column, part in enumerate(line):
                grid.addWidget(part, at, column)
            self._lines.append(line)
        self._sentence = label("", wrap=True)
        self._advice = label("", "secondary", wrap=True)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addLayout(grid)
        box.addSpacing(16)
        box.addWidget(self._sentence)
        box.addWidget(self._advice)
        self_test.changed.connect(self.show_now)
        model.changed.connect(self.show_now)
        theme.changed.connect(self.show_now)
        self.show_now()

    @property
    def sentence(self) -> str:
        return self._sentence.text()

    def show_now(self) -> None:
        test, theme = self._test, self._theme
        report = test.report
        done = 0
        if report is not None and report.works:
            done = 3
        elif test.running:
            done = max(0, _ORDER.index(test.stage) - _ORDER.index("loading"))
        elif test.steps:
            done = 2
        for at, (mark, name, figures) in enumerate(self._lines):
            name.setFont(theme.text_font())
            figures.setFont(theme.figures_font())
            under_way = test.running and at == done
            mark.setFixedWidth(theme.px(MARK_PX))
            size = theme.px(MARK_PX)
            failed = report is not None and not report.works and at == done
            if at < done:
                mark.setPixmap(theme.icon("check", theme.colors.accent, size).pixmap(size, size))
            elif failed:
                mark.setPixmap(theme.icon("x", theme.colors.danger, size).pixmap(size, size))
            else:
                mark.setText("·")
            set_role(name, "" if at < done or under_way or failed else "secondary")
            figures.setText(self._figures(at, done))
        self._sentence.setFont(theme.interface_font(15, semibold=True))
        self._sentence.setText(spoken(report.sentence) if report else self._waiting())
        set_role(self._sentence, "" if report is None or report.works else "danger")
        self._advice.setText(spoken(report.advice) if report else "")
        self._advice.setVisible(bool(report and report.advice))

    def _waiting(self) -> str:
        if self._test.stage == "waiting":
            return self.tr("Waiting for the answer that is being written …")
        return self.tr("Testing …") if self._test.running else self.tr("Not tested yet.")

    def _figures(self, at: int, done: int) -> str:
        test = self._test
        if at == 0 and done == 0 and test.running:
            share = 100 * self._model.fraction if self._model.state == "loading" else 0.0
            return self.tr("%1 %").replace("%1", f"{share:.0f}")
        if at == 0 and done and self._model.loaded is not None:
            return self._model.loaded.name
        if at == 1 and test.prefilled is not None:
            read = self.tr("%n token(s)", "", test.prefilled.tokens)
            return f"{read} · {spoken(duration(test.prefilled.ms))}"
        if at == 2 and test.report is not None and test.report.ms_per_step is not None:
            return self.tr("%1 per step").replace("%1", spoken(duration(test.report.ms_per_step)))
        if at == 2 and test.running and test.stage == "stepping":
            return self.tr("%1 of %2").replace("%1", str(test.steps)).replace("%2", str(STEPS))
        return ""
