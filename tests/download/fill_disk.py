"""A process that downloads onto a small disk which something else fills up meanwhile:
fill_disk.py ENDPOINT FOLDER. Prints what the first attempt said, makes room, and goes on."""

import contextlib
import sys
from pathlib import Path

from sfumato.download import downloader
from sfumato.download.catalogue import Model
from sfumato.download.downloader import Download
from sfumato.download.hasher import sha256_of
from sfumato.download.hub import Hub
from sfumato.download.progress import Progress, Stage
from sfumato.errors import DownloadError


def main() -> None:
    endpoint, folder = sys.argv[1], Path(sys.argv[2])
    downloader.RESERVE_BYTES = 0
    model = Model(id="test", repository="someone/diffusion-GGUF", file="model.gguf")
    junk = folder / "junk"

    def fill(progress: Progress) -> None:
        if progress.stage is Stage.DOWNLOADING and not junk.exists():
            with contextlib.suppress(OSError), junk.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))

    try:
        Download(
            model, folder, Hub(endpoint), on_progress=fill, speed_limit=20e6, chunk_bytes=1 << 20
        ).run()
    except DownloadError as error:
        print(error)
    junk.unlink()
    again = Download(model, folder, Hub(endpoint), chunk_bytes=1 << 20)
    done = again.run()
    assert done is not None
    print(sha256_of(done.path), again.fetched_bytes)


if __name__ == "__main__":
    main()
