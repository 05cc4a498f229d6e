"""PySide6 releases that drop a reference to None with every void call abort within minutes."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

CALLS = 2000


def test_void_calls_keep_their_references_to_none(qapp: QApplication) -> None:
    image = QImage(8, 8, QImage.Format.Format_ARGB32)
    thing = QObject()
    before = sys.getrefcount(None)
    painter = QPainter(image)
    for _ in range(CALLS):
        painter.fillRect(0, 0, 4, 4, QColor("red"))
        painter.save()
        painter.restore()
        thing.setObjectName("canary")
    painter.end()
    assert abs(sys.getrefcount(None) - before) < CALLS // 10
