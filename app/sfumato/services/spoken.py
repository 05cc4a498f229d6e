"""Sentences of other layers, and numbers, in the language of the window."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLocale

from sfumato.sentence import Number, Sentence


def spoken(text: object) -> str:
    """A Sentence, or an error that was raised with one, in the window's language; else its str."""
    if isinstance(text, BaseException) and len(text.args) == 1:
        (text,) = text.args
    if isinstance(text, Sentence):
        return text.said(QCoreApplication.translate, written)
    return str(text)


def written(number: Number) -> str:
    """Digits grouped; a float has one decimal."""
    locale = QLocale()
    # Without a language the C locale groups nothing.
    locale.setNumberOptions(QLocale.NumberOption.DefaultNumberOptions)
    return locale.toString(number) if isinstance(number, int) else locale.toString(number, "f", 1)
