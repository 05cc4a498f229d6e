"""Where the bytes are, how they are asked for, and whether an answer holds them."""

import re
import threading
from urllib.parse import urlsplit

import httpx

from sfumato import __version__
from sfumato.download.backoff import FaultError
from sfumato.download.catalogue import Model
from sfumato.download.hub import Hub, HubBusyError, RemoteFile, seconds
from sfumato.download.part import Header
from sfumato.errors import DownloadError
from sfumato.sentence import Sentence

# Answers with the whole file, in a row, before we believe that the server has no ranges.
WHOLE_ANSWERS = 4
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Source:
    """The content `header` of `model` on a hub; `remote`: its address, if known already."""

    def __init__(
        self, hub: Hub, model: Model, header: Header, remote: RemoteFile | None = None
    ) -> None:
        self._hub = hub
        self._model = model
        self._header = header
        self._remote = remote
        self._asking = threading.Lock()
        self._lock = threading.Lock()  # guards the answers seen so far
        self._etag: str | None = None
        self._whole_answers = 0

    @property
    def host(self) -> str:
        """Who sends the bytes."""
        remote = self._remote
        return (urlsplit(remote.url).hostname if remote else None) or self._hub.host

    def forget(self) -> None:
        """Ask the hub again before the next request."""
        with self._lock:
            self._remote = self._etag = None

    def request(self, start: int, end: int) -> tuple[str, dict[str, str]]:
        """URL and headers that ask for the bytes from `start` up to `end`. Raises FaultError if
        the hub is busy, DownloadError if it offers another content by now."""
        remote = self._where()
        headers = {
            "Range": f"bytes={start}-{end - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": f"sfumato/{__version__}",
        }
        if self._etag is not None:
            headers["If-Range"] = self._etag
        if token := self._hub.token_for(remote.url):
            headers["Authorization"] = f"Bearer {token}"
        return remote.url, headers

    def _where(self) -> RemoteFile:
        with self._asking:
            remote = self._remote
            if remote is None:
                try:
                    remote = self._hub.ask(self._model)
                except HubBusyError as busy:
                    raise FaultError(busy.fact, retry_after=busy.retry_after) from None
                if (remote.sha256, remote.bytes) != (self._header.sha256, self._header.bytes):
                    name = self._model.file.rsplit("/", 1)[-1]
                    raise DownloadError(
                        Sentence(
                            "Download",
                            "{host} now offers another {name} than the one that was begun: cancel "
                            "this download and start it again.",
                        ).filled(host=self._hub.host, name=name)
                    )
                self._remote = remote
            return remote

    def check(self, response: httpx.Response, start: int) -> None:
        """Raises FaultError unless these are the bytes from `start` on of the right file."""
        host, status = response.url.host, response.status_code
        if status in (408, 429) or status >= 500:
            raise FaultError(
                Sentence("Download", "{host} answers {status}").filled(host=host, status=status),
                retry_after=seconds(response.headers),
            )
        if "html" in response.headers.get("content-type", ""):
            raise FaultError(
                Sentence(
                    "Download", "{host} answers with a web page instead of the file (a login page?)"
                ).filled(host=host),
                ask_again=True,
            )
        if status == 200:
            # The file changed since, or the server cannot do ranges.
            with self._lock:
                self._whole_answers += 1
                if self._whole_answers >= WHOLE_ANSWERS:
                    raise DownloadError(
                        Sentence(
                            "Download",
                            "{host} sends whole files only, so a download from there could not be "
                            "continued: choose another address.",
                        ).filled(host=host)
                    )
            raise FaultError(
                Sentence("Download", "{host} sends the whole file instead of a part").filled(
                    host=host
                ),
                ask_again=True,
            )
        if status != 206:
            raise FaultError(
                Sentence("Download", "{host} answers {status}").filled(host=host, status=status),
                ask_again=True,
            )
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FaultError(
                Sentence("Download", "{host} changes the file on the way").filled(host=host),
                ask_again=True,
            )
        said = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if said is None or int(said[1]) != start or int(said[2]) != self._header.bytes:
            raise FaultError(
                Sentence("Download", "{host} sends another part than the one asked for").filled(
                    host=host
                ),
                ask_again=True,
            )
        etag = response.headers.get("etag")
        with self._lock:
            if etag is not None and not etag.startswith("W/"):
                if self._etag is not None and self._etag != etag:
                    raise FaultError(
                        Sentence("Download", "{host} says that the file has changed").filled(
                            host=host
                        ),
                        ask_again=True,
                    )
                self._etag = etag
            self._whole_answers = 0
