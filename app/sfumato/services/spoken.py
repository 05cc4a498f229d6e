"""Sentences of other layers in the language of the window."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from sfumato.sentence import Sentence


def spoken(text: str) -> str:
    return text.said(QCoreApplication.translate) if isinstance(text, Sentence) else text
