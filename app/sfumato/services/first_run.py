"""What the first run shows before there is a model: a recorded denoising from our resources."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass

import msgspec

from sfumato.errors import StoreError
from sfumato.paths import resources_dir
from sfumato.services.recordings import RecordedBlock
from sfumato.store.recordings import decode_recording

log = logging.getLogger(__name__)

REPLAY_FILE = "replay.json"


class _ReplayFile(msgspec.Struct, frozen=True):
    model: str  # "": made up for this purpose
    question: str
    blocks: list[str]  # base64 of store.recordings.encode_recording


@dataclass(frozen=True, slots=True)
class Replay:
    model: str
    question: str
    blocks: list[RecordedBlock]


def load_replay() -> Replay | None:
    """None where the file is missing or damaged: the first run does without."""
    path = resources_dir() / "demo" / REPLAY_FILE
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_ReplayFile)
        steps = [decode_recording(base64.b64decode(block)) for block in file.blocks]
    except (OSError, ValueError, msgspec.DecodeError, StoreError) as error:
        log.warning("%s cannot be shown: %s", path, error)
        return None
    blocks = [RecordedBlock(number, block) for number, block in enumerate(steps) if block]
    return Replay(file.model, file.question, blocks) if blocks else None
