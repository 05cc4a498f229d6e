"""What a hub says about a file: where its bytes are, how many, and their checksum.

The one place that speaks to a hub, through huggingface-hub, which is imported on the first
question only: a program that downloads nothing opens no socket. `HF_ENDPOINT`, `HF_TOKEN`,
`HF_HOME`, `HF_HUB_OFFLINE` and the proxy variables mean what they mean everywhere. Its telemetry is
off: before a first question it would ask huggingface.co for a list of coding agents, to name one of
them in its requests, and wait where that host cannot be reached.
"""

import os
import re
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, urlsplit

from sfumato.download.catalogue import Model
from sfumato.errors import DownloadError
from sfumato.sentence import Sentence

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read when huggingface-hub is imported

HUGGING_FACE = "https://huggingface.co"
# The token is a secret between the user and these; a mirror or a redirect target never sees it.
_TOKEN_HOSTS = frozenset({"https://huggingface.co", "https://hf.co"})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMEOUT_SECONDS = 15.0


class HubBusyError(Exception):
    """No answer now; asking again later may help. `retry_after` in seconds, if the hub said so."""

    def __init__(self, fact: Sentence, retry_after: float | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`url` is where the bytes are now: often signed, so it may expire."""

    url: str
    bytes: int
    sha256: str
    revision: str


class Hub:
    """A hub: huggingface.co, or a mirror of it that `endpoint` or HF_ENDPOINT names."""

    def __init__(self, endpoint: str | None = None) -> None:
        chosen = endpoint or os.environ.get("HF_ENDPOINT") or HUGGING_FACE
        self.endpoint = chosen.rstrip("/")
        if urlsplit(self.endpoint).scheme not in ("https", "http") or not self.host:
            raise DownloadError(
                Sentence(
                    "Download",
                    "“{chosen}” is not the address of a hub: write it as https://huggingface.co.",
                ).filled(chosen=chosen)
            )

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc

    @property
    def is_mirror(self) -> bool:
        return not is_token_host(self.endpoint)

    def link(self, model: Model) -> str:
        """Where a browser, or another machine, gets the file."""
        path = f"{model.repository}/resolve/{model.revision}/{model.file}"
        return f"{self.endpoint}/{quote(path)}"

    def token_for(self, url: str) -> str | None:
        """The user's token, if `url` is on the hub's own host."""
        if not is_token_host(url):
            return None
        from huggingface_hub import get_token

        return get_token()

    def ask(self, model: Model) -> RemoteFile:
        """Raises HubBusyError if it is worth asking again, DownloadError if not."""
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
            raise DownloadError(
                Sentence(
                    "Download",
                    "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it and try again.",
                )
            )
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url

        # The HTTP library's own base class: httpx in huggingface-hub 1.x, httpx2 in 2.x.
        transport_error = cast(type[Exception], errors.HfHubHTTPError.__mro__[1])
        url = hf_hub_url(
            model.repository, model.file, revision=model.revision, endpoint=self.endpoint
        )
        try:
            said = get_hf_file_metadata(
                url,
                token=self.token_for(url) or False,
                timeout=_TIMEOUT_SECONDS,
                endpoint=self.endpoint,
                library_name="sfumato",
            )
        except errors.GatedRepoError:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{repository} asks you to accept its terms: do so at "
                    "{address}/{repository} and set HF_TOKEN to a token of yours.",
                ).filled(repository=model.repository, address=HUGGING_FACE)
            ) from None
        except (errors.EntryNotFoundError, errors.RevisionNotFoundError):
            raise DownloadError(
                Sentence(
                    "Download",
                    "{host} has no {file} in {repository} at revision {revision}: check the name.",
                ).filled(
                    host=self.host,
                    file=model.file,
                    repository=model.repository,
                    revision=model.revision,
                )
            ) from None
        except errors.RepositoryNotFoundError:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{host} has no repository {repository}, or it is private: check the "
                    "name, or set HF_TOKEN.",
                ).filled(host=self.host, repository=model.repository)
            ) from None
        except errors.OfflineModeIsEnabled:
            raise DownloadError(
                Sentence(
                    "Download",
                    "HF_HUB_OFFLINE was set at the start, so nothing is downloaded: unset it "
                    "and start again.",
                )
            ) from None
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status in (408, 429) or status >= 500:
                raise HubBusyError(
                    Sentence("Download", "{host} answers {status}").filled(
                        host=self.host, status=status
                    ),
                    seconds(error.response.headers),
                ) from None
            raise DownloadError(
                Sentence(
                    "Download",
                    "{host} refuses the question about {file} (HTTP {status}): try again "
                    "later, or set the address of a mirror.",
                ).filled(host=self.host, file=model.file, status=status)
            ) from None
        except (transport_error, OSError) as error:
            raise HubBusyError(
                Sentence("Download", "{host} cannot be reached ({error})").filled(
                    host=self.host, error=first_line(error)
                )
            ) from None

        sha256 = said.etag or ""
        if not _SHA256.fullmatch(sha256):
            sha256 = model.sha256 or ""
        if said.size is None or not sha256:
            raise DownloadError(
                Sentence(
                    "Download",
                    "{host} does not tell the size and checksum of {file}, so it could not "
                    "be verified: use huggingface.co or another mirror.",
                ).filled(host=self.host, file=model.file)
            )
        if self.is_mirror and model.sha256 not in (None, sha256):
            raise DownloadError(
                Sentence(
                    "Download",
                    "{host} offers another {file} than the published one (its SHA-256 "
                    "differs): use huggingface.co or another mirror.",
                ).filled(host=self.host, file=model.file)
            )
        return RemoteFile(said.location, said.size, sha256, said.commit_hash or model.revision)


def is_token_host(url: str) -> bool:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" in _TOKEN_HOSTS


def seconds(headers: object) -> float | None:
    """Retry-After in seconds; a date or nonsense counts as not said."""
    value = headers.get("retry-after") if hasattr(headers, "get") else None
    return float(value) if isinstance(value, str) and value.strip().isdigit() else None


def first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
