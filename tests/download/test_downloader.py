"""Each fault ends complete and verified, or stopped with a sentence, and costs at most one chunk."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from download.conftest import FastClock, Heard
from download.hub_server import MIB, Content, Fault, LocalHub

from sfumato.download.downloader import Download, Stage
from sfumato.errors import DownloadError

Prepare = Callable[..., Download]


def assert_whole(path: Path, content: Content) -> None:
    assert path.stat().st_size == content.size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == content.sha256


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(
    hub: LocalHub, download: Prepare
) -> None:
    done = download().run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])
    assert [p.name for p in done.path.parent.iterdir()] == ["model.gguf"]
    assert hub.sent_bytes == hub.files["model.gguf"].size


def test_it_is_one_sentence_when_the_file_there_is_another(
    hub: LocalHub, download: Prepare
) -> None:
    transfer = download()
    transfer.path.parent.mkdir(parents=True)
    transfer.path.write_bytes(b"something of the user's")
    with pytest.raises(DownloadError, match="already there and is not the file"):
        transfer.run()
    assert transfer.path.read_bytes() == b"something of the user's"


def test_a_file_that_is_already_there_is_checked_and_not_fetched(
    hub: LocalHub, download: Prepare
) -> None:
    download().run()
    again = download().run()
    assert again is not None
    assert again.fetched_bytes == 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("cut", after=3_333_333), id="cut"),
        pytest.param(Fault("cut", after=0), id="cut at once"),
        pytest.param(Fault("whole"), id="200 instead of 206"),
        pytest.param(Fault("status", status=416), id="416"),
        pytest.param(Fault("status", status=403), id="403"),
        pytest.param(Fault("status", status=500), id="500"),
        pytest.param(Fault("status", status=429, headers={"Retry-After": "7"}), id="429"),
        pytest.param(Fault("status", status=503, headers={"Retry-After": "7"}), id="503"),
        pytest.param(Fault("etag"), id="another etag"),
        pytest.param(Fault("wrong total"), id="another length"),
        pytest.param(Fault("html"), id="web page"),
        pytest.param(Fault("hold", after=2_000_000), id="silence"),
        pytest.param(Fault("drip", after=2_000_000), id="drip"),
    ],
)
@pytest.mark.parametrize("connections", [1, 4])
def test_a_fault_midway_is_survived_and_costs_at_most_a_chunk(
    hub: LocalHub, download: Prepare, fault: Fault, connections: int
) -> None:
    fault = Fault(fault.kind, fault.after, fault.headers, fault.status)
    hub.faults = [Fault("cut", after=5 * MIB), fault]
    transfer = download(connections=connections)
    done = transfer.run()
    assert done is not None
    assert fault.hit.is_set()
    content = hub.files["model.gguf"]
    assert_whole(done.path, content)
    assert done.fetched_bytes - content.size <= MIB


def test_retry_after_is_waited_for(hub: LocalHub, download: Prepare, clock: FastClock) -> None:
    hub.faults = [Fault("status", status=429, headers={"Retry-After": "30"})]
    heard = Heard()
    before = clock.now()
    download(on_progress=heard, connections=1).run()
    assert clock.now() - before >= 30
    assert any(p.stage is Stage.WAITING and "answers 429" in p.note for p in heard)


def test_an_expired_address_is_renewed(hub: LocalHub, download: Prepare) -> None:
    hub.on_sent = lambda sent: hub.expire() if sent == 3 * MIB else None
    done = download(connections=1).run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])
    assert len(hub.asked("hub")) == 2


def test_a_store_whose_etag_changed_is_believed_after_the_hub_confirmed_the_file(
    hub: LocalHub, download: Prepare
) -> None:
    def change(sent: int) -> None:
        if sent >= 3 * MIB:
            hub.etag = '"store-2"'

    hub.on_sent = change
    done = download(connections=1).run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])
    assert done.fetched_bytes == hub.files["model.gguf"].size
