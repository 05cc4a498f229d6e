"""Where Sfumato keeps things. Directories are created by whoever writes into them."""

from pathlib import Path

import platformdirs

_DIRS = platformdirs.PlatformDirs("sfumato", appauthor=False)


def data_dir() -> Path:
    """Chats and their backups."""
    return Path(_DIRS.user_data_dir)


def models_dir() -> Path:
    """Downloaded models, unless the user chose another place."""
    return data_dir() / "models"


def config_dir() -> Path:
    return Path(_DIRS.user_config_dir)


def cache_dir() -> Path:
    """Anything that can be made again."""
    return Path(_DIRS.user_cache_dir)


def log_dir() -> Path:
    return Path(_DIRS.user_log_dir)


def state_dir() -> Path:
    """Window geometry, the crash marker, the socket of the running window."""
    return Path(_DIRS.user_state_dir)


def resources_dir() -> Path:
    """Icons, themes, catalogue, built-in guide: in the wheel, or beside app/ in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parents[1] / "resources"


def built_in_guide() -> Path:
    return resources_dir() / "demo" / "guide.gguf"
