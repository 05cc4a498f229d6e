"""Each fault ends complete and verified, or with a sentence, and costs at most one chunk."""

import errno
import hashlib
import shutil
import threading
import zlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import httpcore
import pytest
from download.conftest import FastClock, Heard
from download.hub_server import MIB, Content, Fault, LocalHub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sfumato.download import speed
from sfumato.download.downloader import Download
from sfumato.download.part import Header, Part, discard, journal_path, part_path, unfinished
from sfumato.download.progress import Progress, Stage
from sfumato.download.transfer import READ_BYTES, Transfer
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
        pytest.param(Fault("shift"), id="another part"),
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


def test_every_request_but_the_first_insists_on_the_same_file(
    hub: LocalHub, download: Prepare
) -> None:
    download(connections=1).run()
    first, *others = hub.asked("store")
    assert "if-range" not in first
    assert {headers["if-range"] for headers in others} == {hub.etag}


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


def test_a_bit_flipped_where_a_fault_was_is_found_by_fetching_one_chunk_again(
    hub: LocalHub, download: Prepare
) -> None:
    # The second request begins at 8 MiB; it carries the wrong bit and breaks off in that chunk.
    hub.faults = [Fault("flip", position=9 * MIB + 77, after=MIB + 400_000)]
    done = download(connections=1).run()
    assert done is not None
    content = hub.files["model.gguf"]
    assert_whole(done.path, content)
    assert done.fetched_bytes - content.size <= MIB


def test_a_bit_flipped_in_silence_is_found_by_fetching_the_file_at_most_once_more(
    hub: LocalHub, download: Prepare
) -> None:
    hub.faults = [Fault("flip", position=9 * MIB + 77)]
    done = download(connections=1).run()
    assert done is not None
    content = hub.files["model.gguf"]
    assert_whole(done.path, content)
    assert done.fetched_bytes - content.size <= 10 * MIB


def test_two_flipped_bits_are_both_found(hub: LocalHub, download: Prepare) -> None:
    hub.faults = [Fault("flip", position=3 * MIB + 5), Fault("flip", position=20 * MIB)]
    done = download(connections=3).run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])


def test_a_file_that_stays_wrong_stops_with_a_sentence_and_keeps_the_part(
    hub: LocalHub, download: Prepare
) -> None:
    hub.said_sha256 = "0" * 64
    transfer = download()
    with pytest.raises(DownloadError, match="does not have the checksum it should have"):
        transfer.run()
    assert not transfer.path.exists()
    assert part_path(transfer.path).stat().st_size == hub.files["model.gguf"].size
    assert transfer.fetched_bytes <= 2 * hub.files["model.gguf"].size


def test_pause_stops_the_bytes_and_resume_goes_on_without_fetching_any_twice(
    hub: LocalHub, download: Prepare
) -> None:
    counts: list[int] = []

    def hear(progress: Progress) -> None:
        if progress.stage is Stage.DOWNLOADING and not counts:
            transfer.pause()
            counts.append(-1)
        elif progress.stage is Stage.PAUSED:
            counts.append(transfer.fetched_bytes)
            if len(counts) == 6:
                transfer.speed_limit = None
                transfer.resume()

    transfer = download(on_progress=hear, speed_limit=MIB / 10)
    done = transfer.run()
    assert done is not None
    assert len(set(counts[2:])) == 1  # the first may still count what was on its way
    assert_whole(done.path, hub.files["model.gguf"])
    assert done.fetched_bytes == hub.files["model.gguf"].size


def test_a_cancelled_download_goes_on_where_it_was(hub: LocalHub, download: Prepare) -> None:
    first = download()
    hub.on_sent = lambda sent: first.cancel(keep_part=True) if sent >= 9 * MIB else None
    assert first.run() is None
    assert not first.path.exists()
    left = unfinished(first.path.parent)
    assert [u.final for u in left] == [first.path]
    assert left[0].received >= first.fetched_bytes - 64_000

    hub.on_sent = lambda sent: None
    second = download()
    done = second.run()
    assert done is not None
    content = hub.files["model.gguf"]
    assert_whole(done.path, content)
    assert first.fetched_bytes + second.fetched_bytes - content.size <= MIB


def test_cancel_without_the_part_leaves_nothing(hub: LocalHub, download: Prepare) -> None:
    transfer = download()
    hub.on_sent = lambda sent: transfer.cancel(keep_part=False) if sent >= 9 * MIB else None
    assert transfer.run() is None
    assert list(transfer.path.parent.iterdir()) == []


def test_what_an_earlier_run_recorded_but_the_disk_lost_is_fetched_again(
    hub: LocalHub, download: Prepare
) -> None:
    """After a power cut the journal may know of bytes that never reached the disk."""
    first = download(connections=1)
    hub.on_sent = lambda sent: first.cancel(keep_part=True) if sent >= 20 * MIB else None
    assert first.run() is None
    hub.on_sent = lambda sent: None
    with part_path(first.path).open("rb+") as part:
        part.seek(5 * MIB)
        part.write(bytes(4096))
    second = download()
    done = second.run()
    assert done is not None
    content = hub.files["model.gguf"]
    assert_whole(done.path, content)
    assert first.fetched_bytes + second.fetched_bytes - content.size <= 2 * MIB


def test_a_piece_of_a_chunk_counts_only_if_the_disk_still_has_it(tmp_path: Path) -> None:
    content = Content(2 * MIB)
    header = Header(
        repository="a/b",
        file="m.gguf",
        revision="main",
        bytes=content.size,
        sha256=content.sha256,
        chunk_bytes=MIB,
    )
    part = Part(tmp_path / "m.gguf", header)
    part.path.write_bytes(content.read(0, 5000))
    part.chunks[0].received, part.chunks[0].crc32 = 5000, zlib.crc32(content.read(0, 5000))
    part.record(part.chunks[0])
    part.close()

    again = Part(tmp_path / "m.gguf", header)
    assert again.confirm(again.chunks[0])
    assert again.received == 5000
    again.close()

    part.path.write_bytes(content.read(0, 4999) + b"?")
    damaged = Part(tmp_path / "m.gguf", header)
    assert not damaged.confirm(damaged.chunks[0])
    assert damaged.received == 0
    damaged.close()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(damage=st.binary(max_size=200), at=st.floats(0, 1), cut=st.floats(0, 1))
def test_a_damaged_journal_costs_bytes_and_never_the_file(
    tmp_path: Path, damage: bytes, at: float, cut: float
) -> None:
    content = Content(3 * MIB)
    header = Header(
        repository="a/b",
        file="m.gguf",
        revision="main",
        bytes=content.size,
        sha256=content.sha256,
        chunk_bytes=MIB,
    )
    final = tmp_path / "m.gguf"
    discard(final)
    part = Part(final, header)
    part.path.write_bytes(b"".join(content.pieces(0, content.size)))
    for chunk in part.chunks[:2]:
        chunk.received, chunk.crc32 = MIB, zlib.crc32(content.read(chunk.start, MIB))
        part.record(chunk)
    part.close()
    text = journal_path(final).read_bytes()
    where = int(at * len(text))
    journal_path(final).write_bytes((text[:where] + damage + text[where:])[: int(cut * 1e3)])

    again = Part(final, header)
    for chunk in again.chunks:
        assert 0 <= chunk.received <= chunk.length
        again.confirm(chunk)
        if chunk.received:
            data = b"".join(bytes(piece) for piece in again.read(chunk, chunk.received))
            assert zlib.crc32(data) == chunk.crc32
    again.close()


def test_a_full_disk_stops_with_a_sentence_before_a_byte_is_fetched(
    hub: LocalHub, download: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(DownloadError, match=r"needs 25 MB more in .* and 0 MB are free"):
        download().run()
    assert hub.asked("store") == []


def test_a_disk_that_fills_up_midway_stops_with_a_sentence_and_keeps_what_arrived(
    hub: LocalHub, download: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = download(connections=1)

    def full(file: FileIO, data: memoryview) -> None:
        if file.tell() >= 10 * MIB:
            raise OSError(errno.ENOSPC, "No space left on device")
        assert file.write(data) == len(data)

    monkeypatch.setattr("sfumato.download.transfer._write", full)
    with pytest.raises(DownloadError, match="is full: make room"):
        transfer.run()
    monkeypatch.undo()
    assert unfinished(transfer.path.parent)[0].received == 10 * MIB


def test_a_server_that_never_sends_parts_stops_with_a_sentence(
    hub: LocalHub, download: Prepare
) -> None:
    hub.faults = [Fault("whole") for _ in range(20)]
    with pytest.raises(DownloadError, match="sends whole files only"):
        download().run()


def test_a_dead_server_stops_with_a_sentence_after_a_while(
    hub: LocalHub, download: Prepare, clock: FastClock
) -> None:
    hub.faults = [Fault("status", status=503) for _ in range(100)]
    before = clock.now()
    with pytest.raises(DownloadError, match="answers 503, again and again: what has arrived"):
        download(connections=1).run()
    assert 120 < clock.now() - before < 600


def test_a_server_that_drips_for_ever_stops_with_a_sentence(
    hub: LocalHub, download: Prepare
) -> None:
    hub.faults = [Fault("drip") for _ in range(100)]
    with pytest.raises(DownloadError, match="has sent next to nothing for 30 seconds, again and"):
        download(connections=1, clock=FastClock(400)).run()


def test_interruptions_without_end_are_survived_as_long_as_bytes_arrive(
    hub: LocalHub, download: Prepare
) -> None:
    random = Random(4)
    hub.faults = [Fault("cut", after=random.randrange(10_000, 400_000)) for _ in range(60)]
    done = download().run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])


def test_a_jump_of_the_clock_is_neither_a_stall_nor_a_speed(
    hub: LocalHub, download: Prepare, clock: FastClock
) -> None:
    jumped = threading.Event()

    def jump(sent: int) -> None:
        if sent >= 5 * MIB and not jumped.is_set():
            jumped.set()
            clock.jump(100_000.0)

    hub.on_sent = jump
    heard = Heard()
    done = download(on_progress=heard, connections=1).run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])
    assert len(hub.asked("store")) <= 25
    assert all(p.stage is not Stage.WAITING for p in heard)
    assert all(p.eta_seconds is None or p.eta_seconds >= 0 for p in heard)


def test_the_speed_limit_holds_over_all_connections(
    hub: LocalHub, download: Prepare, clock: FastClock
) -> None:
    size = hub.files["model.gguf"].size
    before = clock.now()
    download(speed_limit=size / 50).run()
    assert clock.now() - before >= 49


def test_the_same_file_is_not_downloaded_twice_at_once(hub: LocalHub, download: Prepare) -> None:
    second: list[str] = []

    def start_another() -> None:
        with pytest.raises(DownloadError) as refused:
            download().run()
        second.append(str(refused.value))

    heard = Heard(lambda p: p.stage is Stage.DOWNLOADING, start_another)
    done = download(on_progress=heard, speed_limit=hub.files["model.gguf"].size / 100).run()
    assert done is not None
    assert second == ["model.gguf is already being downloaded by another Sfumato."]


def test_progress_counts_up_to_the_whole_and_ends_with_done(
    hub: LocalHub, download: Prepare
) -> None:
    heard = Heard()
    size = hub.files["model.gguf"].size
    download(on_progress=heard, speed_limit=size / 20).run()
    counts = [p.bytes for p in heard if p.stage is Stage.DOWNLOADING]
    assert counts == sorted(counts)
    assert any(p.eta_seconds is not None and 0 < p.eta_seconds < 60 for p in heard)
    assert heard[-1] == Progress(Stage.DONE, size, size)


def test_nothing_is_asked_of_the_network_when_only_the_renaming_is_left(
    hub: LocalHub, download: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Part, "publish", lambda part: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download().run()
    asked = len(hub.requests)
    done = download().run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])
    assert len(hub.requests) == asked


# As fast as a disk


def test_a_read_may_bring_more_than_the_http_library_asks_for_by_itself() -> None:
    asked: list[int] = []

    class Stream(httpcore.NetworkStream):
        answer: ClassVar = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"body"]

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            asked.append(max_bytes)
            return self.answer[len(asked) - 1]

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            pass

        def close(self) -> None:
            pass

        def get_extra_info(self, info: str) -> None:
            return None

    class Backend(httpcore.NetworkBackend):
        def connect_tcp(self, *args: object, **options: object) -> Stream:
            return Stream()

    with httpcore.ConnectionPool(network_backend=Backend()) as pool:
        assert pool.request("GET", "http://hub/").content == b"body"
    assert asked == [READ_BYTES, READ_BYTES]


@pytest.mark.parametrize(("fast", "connections"), [(0.0, 1), (float("inf"), 3)])
def test_only_a_slow_line_gets_more_than_one_connection(
    hub: LocalHub,
    download: Prepare,
    monkeypatch: pytest.MonkeyPatch,
    fast: float,
    connections: int,
) -> None:
    monkeypatch.setattr(speed, "FAST", fast)
    under_way, most = [], []
    together = threading.Barrier(connections)
    fetch = Transfer._fetch

    def watched(self: Transfer, *args: Any) -> None:
        under_way.append(1)
        most.append(len(under_way))
        try:
            if len(most) <= connections:
                together.wait(60)  # the first goes on once the others came
            fetch(self, *args)
        finally:
            under_way.pop()

    monkeypatch.setattr(Transfer, "_fetch", watched)
    done = download(connections=3).run()
    assert done is not None
    assert_whole(done.path, hub.files["model.gguf"])
    assert max(most) == connections
