"""A hub on loopback that speaks what huggingface-hub asks, and misbehaves on request.

Two servers, as in life: the hub answers questions (model information, HEAD of a file with
`X-Repo-Commit`, `X-Linked-Etag`, `X-Linked-Size`) and redirects to the store, another origin with
signed addresses, which sends the bytes. What is sent is made up on the fly, so a file may have any
size.
"""

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

MIB = 1 << 20
REPOSITORY = "someone/diffusion-GGUF"
COMMIT = "c0ffee" + "0" * 34


class Content:
    """`size` bytes, different in every MiB, that are never held as a whole."""

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self._page = Random(seed).randbytes(MIB - 16)
        self._sha256: str | None = None

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from `start`, within one MiB."""
        page, offset = divmod(start, MIB)
        count = min(count, self.size - start, MIB - offset)
        return (page.to_bytes(16, "little") + self._page)[offset : offset + count]

    def pieces(self, start: int, end: int, size: int = MIB) -> Iterator[bytes]:
        while start < end:
            piece = self.read(start, min(size, end - start))
            start += len(piece)
            yield piece

    @property
    def sha256(self) -> str:
        if self._sha256 is None:
            digest = hashlib.sha256()
            for piece in self.pieces(0, self.size):
                digest.update(piece)
            self._sha256 = digest.hexdigest()
        return self._sha256


@dataclass
class Fault:
    """What the store does wrong, once, after `after` bytes of the answer that are right."""

    kind: str
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    position: int = -1
    """For a flipped bit: the byte of the file, whenever it is sent next."""
    hit: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class LocalHub:
    """Start with `with LocalHub() as hub`; put files into `hub.files`, faults into `hub.faults`."""

    def __init__(self) -> None:
        self.files: dict[str, Content] = {}
        self.faults: list[Fault] = []
        self.hub_faults: list[Fault] = []
        self.requests: list[tuple[str, str, str, dict[str, str]]] = []
        """(server, method, path, headers) of every request."""
        self.etag = '"store-1"'
        self.said_sha256: str | None = None
        self.gated = False
        self.on_sent: Callable[[int], None] = lambda count: None
        self._met: list[Fault] = []
        self._sent = 0
        self._signature = 0
        self._valid_from = 0
        self._lock = threading.Lock()
        self._hub = _Server(_HubHandler, self)
        self._store = _Server(_StoreHandler, self)

    def __enter__(self) -> "LocalHub":
        for server in (self._hub, self._store):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        for fault in self._met:
            fault.release.set()
        for server in (self._hub, self._store):
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._hub.server_port}"

    @property
    def store_origin(self) -> str:
        return f"http://127.0.0.1:{self._store.server_port}"

    @property
    def sent_bytes(self) -> int:
        """Bytes of files that went into a socket."""
        return self._sent

    def asked(self, server: str) -> list[dict[str, str]]:
        return [headers for name, _, _, headers in self.requests if name == server]

    def expire(self) -> None:
        """Every address given out so far stops working."""
        with self._lock:
            self._valid_from = self._signature + 1

    def sign(self) -> int:
        with self._lock:
            self._signature += 1
            return self._signature

    def is_valid(self, signature: int) -> bool:
        return self._valid_from <= signature <= self._signature

    def count(self, sent: int) -> None:
        with self._lock:
            self._sent += sent
        self.on_sent(self._sent)

    def next_fault(self, start: int, end: int) -> Fault | None:
        """The first fault; one with a position waits until that byte is asked for."""
        with self._lock:
            for fault in self.faults:
                if fault.position < 0 or start <= fault.position < end:
                    self.faults.remove(fault)
                    self._met.append(fault)
                    fault.hit.set()
                    return fault
        return None

    def next_hub_fault(self) -> Fault | None:
        with self._lock:
            return self.hub_faults.pop(0) if self.hub_faults else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], hub: LocalHub) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.hub = hub

    def get_request(self) -> Any:
        # Small buffers: what is counted as sent has mostly been received.
        connection, address = super().get_request()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 << 10)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients hang up on purpose here


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""

    @property
    def hub(self) -> LocalHub:
        server = self.server
        assert isinstance(server, _Server)
        return server.hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def note(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.requests.append((self.name, self.command, self.path, headers))

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _HubHandler(_Handler):
    name = "hub"

    def do_HEAD(self) -> None:
        self.note()
        if fault := self.hub.next_hub_fault():
            self.answer(fault.status, **fault.headers)
            return
        found = re.fullmatch(rf"/{REPOSITORY}/resolve/([^/]+)/(.+)", urlsplit(self.path).path)
        if found is None:
            self.answer(404, X_Error_Code="RepoNotFound")
            return
        if self.hub.gated and "authorization" not in {k.lower() for k in self.headers}:
            self.answer(401, X_Error_Code="GatedRepo")
            return
        content = self.hub.files.get(found[2])
        if content is None:
            self.answer(404, X_Error_Code="EntryNotFound")
            return
        if found[1] not in ("main", COMMIT):
            self.answer(404, X_Error_Code="RevisionNotFound")
            return
        address = f"{self.hub.store_origin}/{found[2]}?sign={self.hub.sign()}"
        self.answer(
            302,
            Location=address,
            X_Repo_Commit=COMMIT,
            X_Linked_Etag=f'"{self.hub.said_sha256 or content.sha256}"',
            X_Linked_Size=str(content.size),
            Accept_Ranges="bytes",
        )

    def do_GET(self) -> None:
        if not self.path.startswith(f"/api/models/{REPOSITORY}"):
            self.do_HEAD()
            return
        self.note()
        files = [
            {
                "rfilename": name,
                "size": content.size,
                "lfs": {"sha256": content.sha256, "size": content.size, "pointerSize": 135},
            }
            for name, content in self.hub.files.items()
        ]
        body = {"id": REPOSITORY, "modelId": REPOSITORY, "sha": COMMIT, "siblings": files}
        self.answer(200, json.dumps(body).encode(), Content_Type="application/json")


class _StoreHandler(_Handler):
    name = "store"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.note()
        parts = urlsplit(self.path)
        content = self.hub.files[parts.path.lstrip("/")]
        if not self.hub.is_valid(int(parse_qs(parts.query).get("sign", ["0"])[0])):
            self.answer(403, b"<Error>Request has expired</Error>", Content_Type="application/xml")
            return
        start, end = 0, content.size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is not None:
            start = int(wanted[1])
            end = min(int(wanted[2]) + 1, content.size) if wanted[2] else content.size
        if_range = self.headers.get("If-Range")
        partial = wanted is not None and if_range in (None, self.hub.etag)
        fault = self.hub.next_fault(start, end)
        kind = fault.kind if fault else ""
        if fault and kind == "status":
            self.answer(fault.status, b"no", **fault.headers)
            return
        if kind == "html":
            page = b"<html><body>Welcome to our hotel</body></html>" * 100
            self.answer(200, page, Content_Type="text/html; charset=utf-8")
            return
        if kind == "whole":
            partial = False
        if kind == "shift":
            start += 4096
        if not partial:
            start, end = 0, content.size
        self.send_response(206 if partial else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        etag = '"another"' if kind == "etag" else self.hub.etag
        self.send_header("ETag", etag)
        if partial:
            total = content.size - 1 if kind == "wrong total" else content.size
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        self.end_headers()
        if self.command != "HEAD":
            self.send(content, start, end, fault)

    def send(self, content: Content, start: int, end: int, fault: Fault | None) -> None:
        good = end
        if fault is not None and (
            fault.kind in ("cut", "hold", "drip") or (fault.kind == "flip" and fault.after)
        ):
            good = min(end, start + fault.after)
        for piece in content.pieces(start, good, 64 << 10):
            if (
                fault is not None
                and fault.kind == "flip"
                and (start <= fault.position < start + len(piece))
            ):
                wrong = bytearray(piece)
                wrong[fault.position - start] ^= 0x10
                piece = bytes(wrong)
            self.wfile.write(piece)
            start += len(piece)
            self.hub.count(len(piece))
        if good == end or fault is None:
            return
        if fault.kind == "hold":
            fault.release.wait(60)
        elif fault.kind == "drip":
            for piece in content.pieces(start, end, 1):
                self.wfile.write(piece)
                self.hub.count(1)
                if fault.release.wait(0.02):
                    break
        self.close_connection = True


def main() -> None:
    """For measurements: serve one file of the size given, and print where."""
    import sys

    with LocalHub() as hub:
        hub.files["model.gguf"] = Content(int(sys.argv[1]))
        print(hub.endpoint, hub.files["model.gguf"].sha256, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
