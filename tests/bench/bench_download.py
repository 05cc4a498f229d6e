"""Downloader and hashing beside curl, both onto the same disk, from the same server on loopback.

    python tests/bench/bench_download.py [GIB] [REPETITIONS]

Prints medians and ratios, and what SHA-256 alone does on this machine; appends them to
results/download.csv. A download ends when the file is verified and safe on the disk. curl does
neither: it is also timed with an fsync, and with an fsync and a SHA-256 after it. The server is a
process of its own that sends with sendfile, so that it is not what is measured; the works take
turns in an order that is drawn anew, so that neither a busy moment nor what one leaves behind
meets always the same.
"""

import csv
import hashlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sfumato.download.catalogue import Model
from sfumato.download.downloader import Download
from sfumato.download.hasher import sha256_of
from sfumato.download.hub import Hub, RemoteFile
from sfumato.download.machine import look_at_cpu

GIB = 1 << 30
RESULTS = Path(__file__).with_name("results") / "download.csv"
COLUMNS = (
    "processor",
    "cores",
    "gib",
    "repetitions",
    "work",
    "gb_per_s",
    "least",
    "most",
    "beside_curl",
)


def serve(source: Path) -> None:
    """Ranges of one file, as fast as the kernel can."""
    size = source.stat().st_size
    file = os.open(source, os.O_RDONLY)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def answer(connection: socket.socket) -> None:
        while True:
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            start, end, status = 0, size, "200 OK"
            for line in head.decode().split("\r\n"):
                if line.lower().startswith("range: bytes="):
                    first, last = line.split("=")[1].split("-")
                    start, end = int(first), int(last) + 1
                    status = "206 Partial Content"
            connection.sendall(
                f"HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\n"
                f"Content-Range: bytes {start}-{end - 1}/{size}\r\n\r\n".encode()
            )
            while start < end:
                start += os.sendfile(connection.fileno(), file, start, end - start)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


class Known(Hub):
    """A hub that needs not be asked: only the transfer is measured."""

    def __init__(self, remote: RemoteFile) -> None:
        super().__init__("http://127.0.0.1")
        self._remote = remote

    def ask(self, model: Model) -> RemoteFile:
        return self._remote


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 1) * GIB)
    repetitions = int(sys.argv[2] if len(sys.argv) > 2 else 10)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        block = os.urandom(1 << 20)
        digest = hashlib.sha256()
        with source.open("wb") as out:
            for _ in range(size >> 20):
                out.write(block)
                digest.update(block)
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", str(source)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/"
            measure(folder, url, source.stat().st_size, digest.hexdigest(), repetitions)
        finally:
            server.terminate()
            server.wait()


def measure(folder: Path, url: str, size: int, sha256: str, repetitions: int) -> None:
    model = Model(id="bench", repository="a/b", file="m.gguf")
    hub = Known(RemoteFile(url, size, sha256, "main"))
    block = os.urandom(64 << 20)

    def curl() -> None:
        subprocess.run(["curl", "-s", "-o", str(folder / "curl"), url], check=True)

    def curl_and_fsync() -> None:
        curl()
        with (folder / "curl").open("rb+") as file:
            os.fsync(file.fileno())

    def curl_fsync_and_sha256() -> None:
        curl_and_fsync()
        assert sha256_of(folder / "curl") == sha256

    def ours(connections: int) -> None:
        done = Download(model, folder / "ours", hub, connections=connections).run()
        assert done is not None

    works: dict[str, Callable[[], None]] = {
        "curl": curl,
        "curl, fsync": curl_and_fsync,
        "curl, fsync, SHA-256": curl_fsync_and_sha256,
        "4 connections": lambda: ours(4),
        "1 connection": lambda: ours(1),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    order = list(works.items())
    for _ in range(repetitions):
        random.shuffle(order)
        for name, work in order:
            os.sync()
            rates[name].append(size / seconds(work) / 1e9)
            (folder / "curl").unlink(missing_ok=True)
            shutil.rmtree(folder / "ours", ignore_errors=True)
    hashing = [len(block) / seconds(lambda: hashlib.sha256(block)) / 1e9 for _ in range(10)]
    cpu = look_at_cpu()
    print(f"{cpu.name}, {cpu.cores} cores, {size / GIB:g} GiB, {repetitions} repetitions")
    of_curl = statistics.median(rates["curl"])
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="") as file:
        table = csv.writer(file)
        if new:
            table.writerow(COLUMNS)
        for name, values in [*rates.items(), ("SHA-256 alone", hashing)]:
            median, least, most = statistics.median(values), min(values), max(values)
            beside = median / of_curl
            print(f"{name:21} {median:5.2f} GB/s ({least:.2f} to {most:.2f}), {beside:.2f} of curl")
            figures = [f"{figure:.3f}" for figure in (median, least, most, beside)]
            table.writerow([cpu.name, cpu.cores, f"{size / GIB:g}", repetitions, name, *figures])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]))
    else:
        main()
