"""Children of the tests: Python processes with the same build of the extension as the tests."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def command(code: str, *arguments: str) -> list[str]:
    load = f"import sys; sys.path.insert(0, {str(HERE)!r}); import native_library\n"
    return [sys.executable, "-c", load + code, *arguments]


def environment(**names: str) -> dict[str, str]:
    """This process's, with `names` in it."""
    return {**os.environ, **names}


def run(code: str, *arguments: str, **names: str) -> subprocess.CompletedProcess[str]:
    """Ends with the child; `names` are for its environment."""
    return subprocess.run(
        command(code, *arguments), env=environment(**names), capture_output=True, text=True
    )
