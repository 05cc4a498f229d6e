"""The empty conversation: one sentence, three questions to click, the model named as it is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from sfumato.ui.theme import Theme
from sfumato.ui.widgets import button, label

QUESTIONS_SHOWN = 3
# Not translated: the guide understands English only.
GUIDE_QUESTIONS = (
    "What is Sfumato?",
    "How does text diffusion work?",
    "What do I need to run DiffusionGemma?",
)


class Welcome(QScrollArea):
    asked = Signal(str)
    models_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title = label("", "title", wrap=True)
        self._note = label("", "secondary", wrap=True)
        self._buttons: list[QPushButton] = []
        self._column = QWidget()
        box = QVBoxLayout(self._column)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addWidget(self._title)
        box.addWidget(self._note)
        box.addSpacing(16)
        for _ in range(QUESTIONS_SHOWN):
            made = button("", "question", lambda: None)
            made.clicked.connect(lambda _=False, made=made: self.asked.emit(made.text()))
            made.setCursor(Qt.CursorShape.PointingHandCursor)
            self._buttons.append(made)
            box.addWidget(made)
        box.addSpacing(4)
        self._models = button(self.tr("Get DiffusionGemma…"), "link", self.models_wanted.emit)
        box.addWidget(self._models, 0, Qt.AlignmentFlag.AlignLeft)
        page = QWidget()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setWidget(page)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        outer = QVBoxLayout(page)
        outer.setContentsMargins(24, 12, 24, 12)
        outer.addStretch(2)
        outer.addWidget(self._column, 0, Qt.AlignmentFlag.AlignHCenter)
        outer.addStretch(3)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_guide(self) -> None:
        self._models.show()
        self._title.setText(self.tr("Ask, and watch the answer come into focus."))
        self._note.setText(
            self.tr(
                "Built-in guide · a small demonstration, not DiffusionGemma. "
                "It knows Sfumato and text diffusion, and little else."
            )
        )
        self._ask(*GUIDE_QUESTIONS)

    def show_model(self, name: str, where: str) -> None:
        self._models.hide()
        self._title.setText(self.tr("Ask, and watch the answer come into focus."))
        self._note.setText(f"{name} · {where}")
        self._ask(
            self.tr("Explain why the sky is blue, in three sentences."),
            self.tr("Write a Python function that merges two sorted lists."),
            self.tr("Suggest a plan for learning to draw portraits in four weeks."),
        )

    def _ask(self, *questions: str) -> None:
        for made, text in zip(self._buttons, questions, strict=True):
            made.setText(text)

    def _restyle(self) -> None:
        self._column.setFixedWidth(min(self._theme.measure_px, 560))
        font = self._theme.text_font()
        for made in self._buttons:
            made.setFont(font)

    def buttons(self) -> list[QPushButton]:
        return list(self._buttons)
