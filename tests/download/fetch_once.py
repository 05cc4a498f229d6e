"""A process that downloads one file, to be killed: fetch_once.py ENDPOINT FOLDER [CALL NUMBER].

With CALL ("os.replace", "os.fsync", "Path.unlink") it kills itself before the NUMBERth such call.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfumato.download import downloader
from sfumato.download.catalogue import Model
from sfumato.download.hub import Hub


def kill_before(owner: Any, name: str, number: int) -> None:
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def call(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)

    setattr(owner, name, call)


def main() -> None:
    endpoint, folder, *kill = sys.argv[1:]
    if kill:
        owner, _, name = kill[0].partition(".")
        kill_before({"os": os, "Path": Path}[owner], name, int(kill[1]))
    downloader.RESERVE_BYTES = 0
    model = Model(id="test", repository="someone/diffusion-GGUF", file="model.gguf")
    done = downloader.Download(model, Path(folder), Hub(endpoint)).run()
    assert done is not None
    print(done.path)


if __name__ == "__main__":
    main()
