import msgspec
import pytest
from sfumato.errors import StoreError
from sfumato.store import chats, presets, settings
from sfumato.store.settings import Settings
from sfumato.store.types import SamplerValues


def test_settings_begin_with_their_defaults(db):
    assert settings.load(db) == Settings()


def test_settings_come_back_as_they_were_saved(db):
    saved = Settings(
        theme="dark", zoom_percent=125, sampler=SamplerValues(t_max=0.5), last_chat_id=3
    )
    settings.save(db, saved)
    assert settings.load(db) == saved


def test_settings_of_a_newer_version_are_kept(db):
    db.execute("INSERT INTO settings VALUES ('from_the_future', '[1]')")
    settings.save(db, Settings(theme="light"))
    assert db.execute("SELECT value FROM settings WHERE key = 'from_the_future'").fetchone() == (
        "[1]",
    )


@pytest.mark.parametrize("value", ['"purple"', "7", "{broken", "", b"\xff"])
def test_a_value_that_cannot_be_understood_counts_as_the_default_and_stays(db, value):
    db.execute("INSERT INTO settings VALUES ('theme', ?)", (value,))
    assert settings.load(db).theme == "system"
    settings.save(db, msgspec.structs.replace(settings.load(db), zoom_percent=110))
    assert db.execute("SELECT value FROM settings WHERE key = 'theme'").fetchone() == (value,)


def test_a_setting_put_back_to_its_default_is_stored(db):
    settings.save(db, Settings(theme="dark"))
    settings.save(db, Settings())
    assert settings.load(db).theme == "system"


def test_presets_are_listed_by_name(db):
    presets.add_preset(db, "terse", system_prompt="Be terse.")
    presets.add_preset(db, "Poet", sampler=SamplerValues(t_max=1.2))
    assert [preset.name for preset in presets.list_presets(db)] == ["Poet", "terse"]


def test_a_preset_can_be_changed(db):
    preset = presets.add_preset(db, "terse")
    presets.save_preset(db, msgspec.structs.replace(preset, name="Short"))
    assert [preset.name for preset in presets.list_presets(db)] == ["Short"]


def test_a_chat_outlives_its_preset(db):
    preset = presets.add_preset(db, "terse", system_prompt="Be terse.")
    chat = chats.create_chat(db, system_prompt=preset.system_prompt, preset_id=preset.id)
    presets.delete_preset(db, preset.id)
    left = chats.get_chat(db, chat.id)
    assert (left.preset_id, left.system_prompt) == (None, "Be terse.")
    with pytest.raises(StoreError, match="does not exist any more"):
        presets.save_preset(db, preset)
