"""The model proves itself on this computer; then the first chat."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from sfumato.services.model import ModelService
from sfumato.services.self_test import SelfTest
from sfumato.ui.first_run_pages.screen import Screen
from sfumato.ui.self_test_view import SelfTestView
from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button


class TestScreen(Screen):
    __test__ = False  # no test of pytest's

    gpu_wanted = Signal()
    load_cancelled = Signal()

    def __init__(
        self,
        theme: Theme,
        self_test: SelfTest,
        model: ModelService,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self._test = self_test
        self._model = model
        self.view = SelfTestView(theme, self_test, model)
        self.box.addSpacing(16)
        self.box.addWidget(self.view)
        self._why = button(
            self.tr("Why is my GPU not used?"), "link", lambda: self.gpu_wanted.emit()
        )
        self._again = button(self.tr("Test again"), "", self_test.run)
        self.cancel = button(self.tr("Cancel loading"), "", self.load_cancelled.emit)
        self.box.addSpacing(8)
        for made in (self.cancel, self._again, self._why):
            self.box.addWidget(made, 0, Qt.AlignmentFlag.AlignLeft)
        self.box.addStretch(1)
        self_test.changed.connect(self._show)
        model.changed.connect(self._show)
        self._show()

    @property
    def failed(self) -> bool:
        report = self._test.report
        return report is not None and not report.works

    def next_text(self) -> str:
        return self.tr("Start chatting")

    def _show(self) -> None:
        report = self._test.report
        if report is None:
            title = self.tr("A test on this computer")
        elif report.works:
            title = self.tr("Ready")
        else:
            title = self.tr("The test failed")
        self.say(
            title,
            self.tr("A few real steps show that the model computes, where, and how fast."),
        )
        self.cancel.setVisible(self._model.can_cancel)
        self._again.setVisible(self.failed)
        self._why.setVisible(report is not None and not self._model.computes_on_gpu)
        self.changed.emit()
