"""What the fixture open_tiny gives."""

from collections.abc import Callable

from sfumato.engine._native import Model

Open = Callable[..., Model]
