"""How far a download is, as the window and the command line show it."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    ASKING = "asking"
    DOWNLOADING = "downloading"
    WAITING = "waiting"
    PAUSED = "paused"
    CHECKING = "checking"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """`bytes` of `total` are on disk (while checking: are checked). `note` says in a sentence what
    is being waited for."""

    stage: Stage
    bytes: int
    total: int
    bytes_per_second: float = 0.0
    eta_seconds: float | None = None
    note: str = ""
