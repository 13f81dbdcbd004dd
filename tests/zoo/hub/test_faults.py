"""Every fault that the plain client was seen to leave open is closed here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.errors import CheckpointError, HubError
from zoo.hub.cache import RepoCache
from zoo.hub.retry import Retry
from zoo.sources.hub import HubSource
from zoo.types import Candidate, ModelEntry

HUB = Candidate(entry=ModelEntry(ref="hub:org/net"), base="/nowhere")


def weights_of(checkpoint) -> bytes:
    return (Path(checkpoint.folder) / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("match", "fault"),
    [
        ("GET /api/models", {"status": 503}),
        ("GET /api/models", {"status": 500, "times": 3}),
        ("GET /api/models", {"kind": "reset"}),
        ("GET /api/models", {"kind": "truncate"}),
        ("resolve.*config.json", {"status": 503}),
        ("resolve.*config.json", {"kind": "reset", "at": 0}),
        ("resolve.*config.json", {"kind": "no_commit", "times": 9}),
        ("GET /org/net/resolve.*safetensors", {"kind": "reset"}),
        ("GET /cdn", {"status": 503}),
        ("GET /cdn", {"kind": "reset"}),
        ("GET /cdn", {"kind": "reset", "at": 0}),
        ("GET /cdn", {"kind": "truncate"}),
        ("GET /cdn", {"kind": "truncate", "at": 0, "times": 3}),
        ("GET /cdn", {"kind": "no_range", "times": 9}),
        ("GET /cdn", {"kind": "slow", "seconds": 0.2, "times": 9}),
        ("GET /cdn", {"status": 408, "times": 2}),
    ],
)
def test_a_passing_fault_delays_and_does_not_fail(hub, source, files, match, fault):
    hub.fail(match, **fault)

    checkpoint = source.fetch(HUB)

    assert weights_of(checkpoint) == files["model.safetensors"]


def test_a_stalled_body_is_taken_up_after_the_client_s_own_timeout(hub, source, files, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    source.inspect(HUB)
    hub.fail("GET /cdn", kind="stall", seconds=30, at=500_000)

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]
    assert hub.requests[-1].range.startswith("bytes=")


def test_a_request_that_is_never_answered_is_asked_again(hub, source, files, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.2)
    hub.fail("GET /api/models", kind="hang", seconds=30)

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]


def test_a_body_that_breaks_goes_on_where_it_broke(hub, source, files):
    source.inspect(HUB)
    hub.fail("GET /cdn", kind="truncate", at=700_000)

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]
    assert hub.requests[-1].range == "bytes=700000-"


def test_progress_starts_the_count_of_attempts_afresh(hub, source, files):
    source.inspect(HUB)
    hub.fail("GET /cdn", kind="truncate", at=100_000, times=9)

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]


def test_other_bytes_of_the_same_length_are_noticed_and_fetched_again(hub, source, files):
    source.inspect(HUB)
    hub.fail("GET /cdn", kind="corrupt")

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]


def test_a_corrupt_small_file_is_noticed_by_its_git_digest(hub, source, files):
    source.inspect(HUB)
    hub.fail("resolve.*preprocessor_config.json", kind="corrupt")

    folder = Path(source.fetch(HUB).folder)

    assert (folder / "preprocessor_config.json").read_bytes() == files["preprocessor_config.json"]


def test_bytes_that_are_wrong_twice_are_refused_and_leave_nothing(hub, source, tmp_path):
    source.inspect(HUB)
    hub.fail("GET /cdn", kind="corrupt", times=9)

    with pytest.raises(CheckpointError, match=r"model.safetensors: the Hub sent other bytes"):
        source.fetch(HUB)
    blobs = RepoCache(tmp_path / "hf" / "hub", "org/net").folder / "blobs"
    assert not list(blobs.glob("*.zoo-part"))
    assert not list((blobs.parent / "snapshots").glob("*/model.safetensors"))


def test_a_server_error_that_stays_is_one_sentence(hub, source, waits):
    hub.fail("GET /api/models", status=500, times=99)

    with pytest.raises(HubError, match=r"answered 500 for hub:org/net") as caught:
        source.inspect(HUB)
    assert caught.value.hint
    assert len(waits) == 5
    assert waits == sorted(waits)


def test_retry_after_is_heeded(hub, source, waits):
    hub.fail("GET /api/models", status=429, headers={"Retry-After": "17"})

    source.inspect(HUB)

    assert waits == [17.0]


def test_a_rate_limit_longer_than_our_patience_is_told_at_once(hub, source, waits):
    headers = {"RateLimit": '"api";r=0;t=250', "RateLimit-Policy": '"fixed";"api";q=500;w=300'}
    hub.fail("GET /api/models", status=429, times=99, headers=headers)

    with pytest.raises(HubError, match=r"429.*asks to wait 250 s") as caught:
        source.inspect(HUB)
    assert waits == []
    assert "hf auth login" in caught.value.hint


def test_a_dead_hub_is_told_with_its_address(hub, source):
    hub.stop()

    with pytest.raises(HubError, match=r"cannot be reached") as caught:
        source.inspect(HUB)
    assert hub.url in caught.value.message
    assert "--offline" in caught.value.hint


def test_a_dead_hub_is_waited_for_once_and_not_once_a_model(hub, source, waits):
    hub.stop()

    for name in ("org/net", "org/other", "org/third"):
        with pytest.raises(HubError, match=r"cannot be reached"):
            source.inspect(Candidate(entry=ModelEntry(ref=f"hub:{name}"), base="/"))
    assert len(waits) == 2


def test_an_expired_link_to_the_content_is_asked_for_again(hub, source, files):
    source.inspect(HUB)
    hub.fail("GET /cdn", status=403)

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]


def test_orphans_of_the_plain_client_are_swept(hub, source, tmp_path):
    blobs = RepoCache(tmp_path / "hf" / "hub", "org/net").folder / "blobs"
    blobs.mkdir(parents=True)
    orphan, fresh = blobs / f"{'a' * 64}.0123abcd.incomplete", blobs / "b.incomplete"
    orphan.write_bytes(b"half")
    fresh.write_bytes(b"somebody writes this")
    os.utime(orphan, (0, 0))

    source.fetch(HUB)

    assert not orphan.exists()
    assert fresh.exists()


def test_a_blob_that_rots_in_the_cache_is_fetched_again(hub, source, files, tmp_path):
    checkpoint = source.fetch(HUB)
    blob = (Path(checkpoint.folder) / "model.safetensors").resolve()
    blob.write_bytes(b"x" * blob.stat().st_size)

    assert weights_of(source.fetch(HUB)) == files["model.safetensors"]


def test_a_killed_download_is_resumed_by_another_process(hub, source, files, tmp_path):
    script = (
        "import sys; from zoo.sources.hub import HubSource; "
        "from zoo.types import Candidate, ModelEntry; "
        "c = Candidate(entry=ModelEntry(ref='hub:org/net'), base='/'); "
        "HubSource(home=sys.argv[1]).fetch(c)"
    )
    source.inspect(HUB)
    slow = hub.fail("GET /cdn", kind="slow", seconds=60, times=1)
    blobs = RepoCache(tmp_path / "hf" / "hub", "org/net").folder / "blobs"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "home")],
        env=os.environ | hub.environment(tmp_path / "hf"),
    )
    try:
        until = time.monotonic() + 60
        while sum(part.stat().st_size for part in blobs.glob("*.zoo-part")) < 100_000:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert slow.times == 0
    (part,) = blobs.glob("*.zoo-part")
    kept = part.stat().st_size

    checkpoint = source.fetch(HUB)

    assert weights_of(checkpoint) == files["model.safetensors"]
    last = hub.requests[-1]
    assert last.path.startswith("/cdn/")
    assert last.range == f"bytes={kept}-"
    assert not list(blobs.glob("*.zoo-part"))


def test_two_processes_that_want_the_same_file_download_it_once(hub, source, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    source.inspect(HUB)
    hub.fail("GET /cdn", kind="slow", seconds=0.3, times=9)
    before = len(hub.requests)
    other = HubSource(home=str(tmp_path / "home"), retry=Retry(sleep=lambda _: None))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.fetch(HUB), (source, other)))

    assert sum(request.path.startswith("/cdn/") for request in hub.requests[before:]) == 1
