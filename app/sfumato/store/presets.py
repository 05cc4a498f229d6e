"""Named system prompts with sampler values."""

from __future__ import annotations

import sqlite3

from sfumato.errors import StoreError
from sfumato.sentence import Sentence
from sfumato.store.chats import decode_sampler, encode_sampler
from sfumato.store.database import storable
from sfumato.store.types import Preset, SamplerValues

_NO_VALUES = SamplerValues()


def list_presets(db: sqlite3.Connection) -> list[Preset]:
    """By name."""
    rows = db.execute(
        "SELECT id, name, system_prompt, sampler FROM presets ORDER BY name COLLATE NOCASE, id"
    )
    return [
        Preset(id=row[0], name=row[1], system_prompt=row[2], sampler=decode_sampler(row[3]))
        for row in rows
    ]


def add_preset(
    db: sqlite3.Connection,
    name: str,
    *,
    system_prompt: str = "",
    sampler: SamplerValues = _NO_VALUES,
) -> Preset:
    cursor = db.execute(
        "INSERT INTO presets (name, system_prompt, sampler) VALUES (?, ?, ?)",
        (storable(name), storable(system_prompt), encode_sampler(sampler)),
    )
    assert cursor.lastrowid is not None
    return Preset(id=cursor.lastrowid, name=name, system_prompt=system_prompt, sampler=sampler)


def save_preset(db: sqlite3.Connection, preset: Preset) -> None:
    """Change an existing one. Raises StoreError where it is gone."""
    changed = db.execute(
        "UPDATE presets SET name = ?, system_prompt = ?, sampler = ? WHERE id = ?",
        (
            storable(preset.name),
            storable(preset.system_prompt),
            encode_sampler(preset.sampler),
            preset.id,
        ),
    ).rowcount
    if not changed:
        raise StoreError(
            Sentence(
                "Store", "The preset {name} does not exist any more; save it as a new one."
            ).filled(name=preset.name)
        )


def delete_preset(db: sqlite3.Connection, preset_id: int) -> None:
    """Chats that were begun with it keep their prompt and values."""
    db.execute("DELETE FROM presets WHERE id = ?", (preset_id,))
