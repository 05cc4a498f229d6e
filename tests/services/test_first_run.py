"""The recording that the first run shows."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from sfumato.services.first_run import load_replay
from sfumato.store.recordings import StepRecord, encode_recording


@pytest.fixture
def replay_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sfumato.services.first_run.resources_dir", lambda: tmp_path)
    (tmp_path / "demo").mkdir()
    return tmp_path / "demo" / "replay.json"


def test_the_shipped_recording_can_be_played() -> None:
    replay = load_replay()
    assert replay is not None
    assert replay.question
    assert all(len(block.steps) >= 2 for block in replay.blocks)
    last = replay.blocks[-1].steps[-1]
    assert last.mean_entropy < replay.blocks[0].steps[0].mean_entropy


def test_a_recording_is_read_block_by_block(replay_file: Path) -> None:
    step = StepRecord(1, [7, 8], ["smo", "ke"], b"\x01\x02", b"\x01\x00", 0.5, 20.0)
    block = base64.b64encode(encode_recording([step])).decode()
    replay_file.write_text(json.dumps({"model": "M", "question": "Q?", "blocks": [block, block]}))
    replay = load_replay()
    assert replay is not None
    assert [block.block for block in replay.blocks] == [0, 1]
    assert replay.blocks[0].steps == [step]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"model": "M", "question": "Q?", "blocks": []}',
        '{"model": "M", "question": "Q?", "blocks": ["AAAA"]}',
        '{"model": "M", "question": "Q?", "blocks": ["no base64"]}',
        '{"model": "M", "question": "Q?", "blocks": ["U0ZVTQGA"]}',
    ],
)
def test_a_damaged_recording_is_done_without(replay_file: Path, text: str) -> None:
    replay_file.write_text(text)
    assert load_replay() is None


def test_a_missing_recording_is_done_without(replay_file: Path) -> None:
    assert load_replay() is None
