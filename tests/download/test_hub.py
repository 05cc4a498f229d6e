"""Questions to a hub: who gets the token, what each refusal says, and that the hub is real."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import huggingface_hub
import msgspec
import pytest
from download.hub_server import COMMIT, MIB, REPOSITORY, Content, Fault, LocalHub
from sfumato.download import hub as hub_module
from sfumato.download.catalogue import Model
from sfumato.download.downloader import Download
from sfumato.download.hub import Hub, HubBusyError
from sfumato.errors import DownloadError

Prepare = Callable[..., Download]


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return "hf_secret"


def own_hub(monkeypatch: pytest.MonkeyPatch, hub: LocalHub) -> None:
    """Treat the local hub as huggingface.co itself."""
    monkeypatch.setattr(hub_module, "_TOKEN_HOSTS", frozenset({hub.endpoint}))


# Prints the hosts that a question to a hub looks up, in a process that has asked nothing before.
ASK = """
import socket, sys
asked, look_up = set(), socket.getaddrinfo
def noted(host, *rest, **options):
    asked.add(host if isinstance(host, str) else host.decode())
    return look_up(host, *rest, **options)
socket.getaddrinfo = noted
from sfumato.download.catalogue import Model
from sfumato.download.hub import Hub
Hub(sys.argv[1]).ask(Model(id="test", repository=sys.argv[2], file="model.gguf"))
print(*sorted(asked))
"""


def test_a_question_goes_to_the_hub_and_nowhere_else(hub: LocalHub) -> None:
    command = [sys.executable, "-c", ASK, hub.endpoint, REPOSITORY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["127.0.0.1"]


def test_the_unmodified_client_downloads_from_the_local_hub(hub: LocalHub, tmp_path: Path) -> None:
    hub.files["model.gguf"] = Content(3 * MIB)
    path = huggingface_hub.hf_hub_download(
        REPOSITORY, "model.gguf", endpoint=hub.endpoint, cache_dir=tmp_path, token=False
    )
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == hub.files["model.gguf"].sha256


def test_the_unmodified_client_reads_the_model_information(hub: LocalHub) -> None:
    api = huggingface_hub.HfApi(endpoint=hub.endpoint, token=False)
    [file] = api.model_info(REPOSITORY, files_metadata=True).siblings or []
    assert file.lfs is not None
    assert (file.size, file.lfs.sha256) == (
        hub.files["model.gguf"].size,
        hub.files["model.gguf"].sha256,
    )


def test_a_hub_tells_size_checksum_and_revision(hub: LocalHub, model: Model) -> None:
    said = Hub(hub.endpoint).ask(model)
    content = hub.files["model.gguf"]
    assert (said.bytes, said.sha256, said.revision) == (content.size, content.sha256, COMMIT)
    assert said.url.startswith(hub.store_origin)


def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(
    hub: LocalHub, download: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_hub(monkeypatch, hub)
    download().run()
    assert {r.get("authorization") for r in hub.asked("hub")} == {"Bearer hf_secret"}
    assert {r.get("authorization") for r in hub.asked("store")} == {None}


def test_a_mirror_never_sees_the_token(hub: LocalHub, download: Prepare) -> None:
    download().run()
    assert {r.get("authorization") for _, _, _, r in hub.requests} == {None}


def test_hf_endpoint_names_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Hub().is_mirror
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert Hub().endpoint == "https://mirror.example"
    assert Hub().is_mirror


def test_a_link_for_a_browser_leads_to_the_file(hub: LocalHub, model: Model) -> None:
    link = Hub(hub.endpoint).link(model)
    data = httpx.get(link, follow_redirects=True).content
    assert hashlib.sha256(data).hexdigest() == hub.files["model.gguf"].sha256


def test_nonsense_is_not_the_address_of_a_hub() -> None:
    with pytest.raises(DownloadError, match="is not the address of a hub"):
        Hub("mirror.example")


def test_a_mirror_with_another_file_under_the_same_name_is_refused(
    hub: LocalHub, model: Model
) -> None:
    known = msgspec.structs.replace(model, sha256="a" * 64)
    with pytest.raises(DownloadError, match=r"offers another .* than the published one"):
        Hub(hub.endpoint).ask(known)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"file": "other.gguf"}, "has no other.gguf in someone/diffusion-GGUF"),
        ({"revision": "v9"}, "has no model.gguf .* at revision v9"),
        ({"repository": "no/body"}, "has no repository no/body, or it is private"),
    ],
)
def test_what_the_hub_does_not_have_is_said_in_a_sentence(
    hub: LocalHub, model: Model, change: dict[str, str], sentence: str
) -> None:
    with pytest.raises(DownloadError, match=sentence):
        Hub(hub.endpoint).ask(msgspec.structs.replace(model, **change))


def test_a_gated_repository_says_where_its_terms_are(hub: LocalHub, model: Model) -> None:
    hub.gated = True
    with pytest.raises(DownloadError, match="asks you to accept its terms"):
        Hub(hub.endpoint).ask(model)


def test_offline_means_no_question_at_all(
    hub: LocalHub, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE is set"):
        Hub(hub.endpoint).ask(model)
    assert hub.requests == []


def test_a_busy_hub_is_asked_again_as_it_wishes(hub: LocalHub, download: Prepare) -> None:
    hub.hub_faults = [Fault("", status=429, headers={"Retry-After": "9"}), Fault("", status=502)]
    done = download().run()
    assert done is not None
    assert len(hub.asked("hub")) == 3


def test_an_unreachable_hub_is_worth_another_try(model: Model) -> None:
    with pytest.raises(HubBusyError, match="cannot be reached"):
        Hub("http://127.0.0.1:9").ask(model)


def test_bytes_come_through_the_proxy_that_the_environment_names(
    hub: LocalHub, download: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy answers in the store's place, so that only its use can make the download work."""
    seen: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setattr(Hub, "ask", lambda self, model: pretend(hub, model))
        with pytest.raises(DownloadError, match="answers 503"):
            download(connections=1).run()
        proxy.shutdown()
    assert seen
    assert all(path.startswith("http://store.example/") for path in seen)


def pretend(hub: LocalHub, model: Model) -> hub_module.RemoteFile:
    content = hub.files["model.gguf"]
    return hub_module.RemoteFile(
        "http://store.example/model.gguf", content.size, content.sha256, COMMIT
    )
