"""The typed settings: one row a field, so that fields of a newer version are kept untouched."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal

import msgspec

from sfumato.store.types import SamplerValues

Switch = Literal["system", "on", "off"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a person can set; the defaults are what a new installation does."""

    # appearance
    theme: Literal["system", "light", "dark"] = "system"
    high_contrast: Switch = "system"
    reduced_motion: Switch = "system"
    language: str = ""  # "" follows the system
    font_family: str = ""  # "" follows the system
    font_size: int = 0  # points; 0 follows the system
    code_font_family: str = ""
    zoom_percent: int = 100

    # canvas
    canvas_layout: Literal["flow", "grid"] = "flow"
    canvas_shows: Literal["draft", "noise"] = "draft"
    replay_steps_per_second: float = 8.0
    show_settledness: bool = False

    # conversation
    system_prompt: str = ""
    preset_id: int | None = None
    thinking: bool = False
    sampler: SamplerValues = SamplerValues()
    send_with: Literal["enter", "ctrl+enter"] = "enter"
    last_chat_id: int | None = None

    # model
    model_path: str = ""  # "" is the built-in guide
    device: str = "auto"  # auto | cpu | cuda:N
    context: int = 8192  # tokens
    profile: Literal["exact", "compact"] = "exact"
    models_folder: str = ""  # "" is paths.models_dir()
    hub: str = ""  # an address; "" is HF_ENDPOINT or huggingface.co
    download_limit: int = 0  # bytes per second of each download; 0 is no limit

    # desktop
    tray: bool = False
    notify_when_done: bool = True
    first_run_done: bool = False

    # storage
    keep_recordings: bool = True
    recordings_limit_bytes: int = 512 * 1024 * 1024


_FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}


def load(db: sqlite3.Connection) -> Settings:
    """The stored settings; a value that cannot be understood counts as its default, and stays."""
    values: dict[str, Any] = {}
    for key, value in db.execute("SELECT key, value FROM settings"):
        field = _FIELDS.get(key)
        if field is None:
            continue
        try:
            values[key] = msgspec.json.decode(value, type=field.type)
        except (msgspec.DecodeError, TypeError, ValueError):
            continue
    return Settings(**values)


def save(db: sqlite3.Connection, settings: Settings) -> Settings:
    """Store what differs from what is stored; every other row is left alone."""
    stored = load(db)
    for name in _FIELDS:
        value = getattr(settings, name)
        if value != getattr(stored, name):
            db.execute(
                "INSERT INTO settings (key, value) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (name, msgspec.json.encode(value).decode()),
            )
    return settings
