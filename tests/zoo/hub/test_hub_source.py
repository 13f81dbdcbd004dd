"""The Hub as a source: what is asked, what is decided before a weight, what offline means."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from zoo.errors import CheckpointError, OfflineError
from zoo.hub.cache import RepoCache
from zoo.hub.retry import Retry
from zoo.sources.hub import HubSource
from zoo.types import Candidate, ModelEntry

REPO = "org/net"


def candidate(text: str = f"hub:{REPO}", *, trusted: bool = False, **facts) -> Candidate:
    entry = ModelEntry(ref=text, **facts)
    return Candidate(entry=entry, base="/nowhere", trust_remote_code=trusted)


@pytest.fixture
def new_source(tmp_path):
    def make(**options) -> HubSource:
        return HubSource(home=str(tmp_path / "home"), retry=Retry(sleep=lambda _: None), **options)

    return make


def bodies(hub) -> list[str]:
    """Whole files that were asked for, apart from headers of weights."""
    return [each.path for each in hub.requests if "/resolve/" in each.path and not each.range]


def test_inspecting_reads_the_config_and_a_header_and_no_weight(hub, source):
    entry = source.inspect(candidate())

    commit = hub.find("model", REPO).refs["main"]
    assert entry.ref == f"hub:{REPO}@{commit}"
    assert (entry.task, entry.modality) == ("image-classification", "image")
    assert (entry.library, entry.architecture) == ("transformers", "ViTForImageClassification")
    assert (entry.parameters, entry.labels, entry.license) == (301_000, 3, "mit")
    assert [path.rpartition("/")[2] for path in bodies(hub)] == ["config.json"]
    assert all(each.range for each in hub.requests if each.path.startswith("/cdn/"))


def test_only_what_a_run_needs_is_fetched(hub, source):
    source.inspect(candidate())
    assert source.missing_bytes(candidate()) == source.inspect(candidate()).bytes

    checkpoint = source.fetch(candidate())

    assert sorted(path.name for path in Path(checkpoint.folder).iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert Path(checkpoint.folder).is_absolute()
    assert source.missing_bytes(candidate()) == 0


def test_the_plain_client_finds_what_was_fetched(hub, source, files):
    from huggingface_hub import hf_hub_download, scan_cache_dir

    source.fetch(candidate())
    before = len(hub.requests)

    path = hf_hub_download(REPO, "model.safetensors", local_files_only=True)

    assert Path(path).read_bytes() == files["model.safetensors"]
    assert not scan_cache_dir().warnings
    assert len(hub.requests) == before


def test_what_the_plain_client_fetched_is_used(hub, source, new_source):
    from huggingface_hub import snapshot_download

    snapshot_download(REPO)
    before = len(hub.requests)

    assert new_source(offline=True).fetch(candidate()).entry.parameters == 301_000
    assert len(hub.requests) == before


def test_a_pinned_cached_checkpoint_costs_no_request(hub, source, new_source):
    entry = source.fetch(candidate()).entry
    before = len(hub.requests)

    again = new_source().fetch(candidate(entry.ref))

    assert again.entry == entry
    assert len(hub.requests) == before


def test_a_locked_entry_is_planned_without_a_request(hub, source, new_source, tmp_path):
    locked = msgspec.structs.asdict(source.inspect(candidate()))
    before = len(hub.requests)
    elsewhere = HubSource(home=str(tmp_path / "other"))

    asked = Candidate(entry=ModelEntry(**locked), base="/")
    assert elsewhere.inspect(asked).bytes == locked["bytes"]
    assert elsewhere.missing_bytes(asked) == locked["bytes"]
    assert len(hub.requests) == before
    assert elsewhere.fetch(asked).digest == source.fetch(candidate()).digest


def test_offline_and_cached_works_with_no_request(hub, source, new_source):
    online = source.fetch(candidate())
    before = len(hub.requests)

    offline = new_source(offline=True).fetch(candidate())

    assert offline.digest == online.digest
    assert len(hub.requests) == before


def test_offline_and_missing_names_the_file_and_the_command(hub, new_source):
    with pytest.raises(OfflineError, match=r"offline, and config.json of hub:org/net") as caught:
        new_source(offline=True).inspect(candidate())
    assert caught.value.hint == "zoo models pull hub:org/net"
    assert hub.requests == []


def test_offline_and_half_missing_names_the_weights(hub, source, new_source):
    checkpoint = source.fetch(candidate())
    (Path(checkpoint.folder) / "model.safetensors").unlink()

    for look in (new_source(offline=True).inspect, new_source(offline=True).fetch):
        with pytest.raises(OfflineError, match=r"model.safetensors of hub:org/net"):
            look(candidate())


def test_offline_without_a_memory_reads_the_snapshot(hub, source, tmp_path):
    online = source.fetch(candidate())

    forgetful = HubSource(home=str(tmp_path / "new-home"), offline=True)

    assert forgetful.fetch(candidate()).digest == online.digest
    (Path(online.folder) / "model.safetensors").unlink()
    with pytest.raises(OfflineError, match=r"model.safetensors of hub:org/net"):
        HubSource(home=str(tmp_path / "newer-home"), offline=True).fetch(candidate())


def test_an_unplugged_network_changes_nothing_for_what_is_cached(hub, source, new_source):
    online = source.fetch(candidate())
    hub.stop()

    assert new_source().fetch(candidate()).digest == online.digest


def test_offline_damage_in_the_cache_is_told(hub, source, new_source):
    folder = Path(source.fetch(candidate()).folder)
    blob = (folder / "model.safetensors").resolve()
    blob.write_bytes(b"x" * blob.stat().st_size)

    with pytest.raises(CheckpointError, match="damaged in the cache") as caught:
        new_source(offline=True).fetch(candidate())
    assert caught.value.hint.startswith("zoo models pull")


def test_the_environment_s_offline_switch_is_heeded(hub, new_source, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(OfflineError):
        new_source().inspect(candidate())
    assert hub.requests == []


def test_a_folder_of_the_same_name_does_not_shadow_the_hub(hub, source, tmp_path, monkeypatch):
    (tmp_path / REPO).mkdir(parents=True)
    (tmp_path / REPO / "config.json").write_text('{"model_type": "evil"}')
    monkeypatch.chdir(tmp_path)

    checkpoint = source.fetch(candidate())

    assert json.loads((Path(checkpoint.folder) / "config.json").read_text())["model_type"] == "vit"
    assert "snapshots" in checkpoint.folder


def test_a_branch_that_moves_is_followed_and_a_pinned_commit_is_not(hub, source, new_source):
    old = source.fetch(candidate())
    commit = hub.push(REPO, {"preprocessor_config.json": '{"image_mean": [0]}'})

    new = new_source().fetch(candidate())

    assert new.entry.parsed.revision == commit
    assert new.digest != old.digest
    assert new_source().fetch(candidate(old.entry.ref)).digest == old.digest


def test_one_run_sees_one_commit(hub, source):
    first = source.inspect(candidate())
    hub.push(REPO, {"preprocessor_config.json": "{}"})

    assert source.fetch(candidate()).entry.ref == first.ref


def test_looking_does_not_move_the_branch_that_offline_would_use(hub, source, new_source, tmp_path):
    old = source.fetch(candidate())
    hub.push(REPO, {"preprocessor_config.json": "{}"})
    new_source().inspect(candidate())

    assert new_source(offline=True).fetch(candidate()).digest == old.digest
    assert RepoCache(tmp_path / "hf" / "hub", REPO).commit_of("main") in old.folder


def test_a_repository_with_only_pickles_is_refused_before_any_download(hub, source):
    hub.add("org/pickled", {"config.json": '{"model_type": "vit"}', "pytorch_model.bin": b"x"})

    with pytest.raises(CheckpointError, match="only pickle weights") as caught:
        source.fetch(candidate("hub:org/pickled"))
    assert caught.value.hint
    assert not any("pytorch_model.bin" in each.path for each in hub.requests)


def test_a_repository_that_wants_to_run_code_is_refused_unless_trusted(hub, source, files):
    config = {"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}}
    code = {"modeling_own.py": "x = 1", "config.json": json.dumps(config)}
    hub.add("org/own", files | code)

    with pytest.raises(CheckpointError, match=r"its own code \(modeling_own.py\)"):
        source.inspect(candidate("hub:org/own"))
    assert not any(".py" in each.path for each in hub.requests)
    trusted = source.fetch(candidate("hub:org/own", trusted=True))
    assert (Path(trusted.folder) / "modeling_own.py").exists()


def test_weights_that_are_cut_short_on_the_hub_are_not_downloaded(hub, source, files):
    hub.add("org/short", files | {"model.safetensors": files["model.safetensors"][:-1000]})

    with pytest.raises(CheckpointError, match=r"model.safetensors is damaged"):
        source.inspect(candidate("hub:org/short"))
    assert all(each.range for each in hub.requests if each.path.startswith("/cdn/"))


def test_sharded_weights_are_fetched_shard_by_shard(hub, source, files):
    import numpy as np
    from safetensors.numpy import save

    shards = {
        f"model-0000{i}-of-00002.safetensors": save({f"w{i}": np.ones((i, 5), "float32")})
        for i in (1, 2)
    }
    index = {"weight_map": {f"w{i}": f"model-0000{i}-of-00002.safetensors" for i in (1, 2)}}
    del files["model.safetensors"]
    hub.add("org/big", files | shards | {"model.safetensors.index.json": json.dumps(index)})

    checkpoint = source.fetch(candidate("hub:org/big"))

    assert checkpoint.entry.parameters == 15
    assert {*shards, "model.safetensors.index.json"} <= set(checkpoint.entry.files)


def test_a_gated_repository_says_how_to_get_in(hub, source, files, monkeypatch):
    hub.add("org/gated", files, gated=True)

    with pytest.raises(CheckpointError, match="hub:org/gated is gated") as caught:
        source.inspect(candidate("hub:org/gated"))
    assert "hf auth login" in caught.value.hint
    assert hub.url in caught.value.hint

    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert source.fetch(candidate("hub:org/gated")).entry.labels == 3


def test_the_token_stays_with_the_hub_and_is_never_told(hub, source, monkeypatch, caplog):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    caplog.set_level("DEBUG")

    source.fetch(candidate())

    assert all(
        each.authorized
        for each in hub.requests
        if each.host == "127.0.0.1" and "/org/" in each.path
    )
    assert not any(each.authorized for each in hub.requests if each.host == "localhost")
    assert hub.token not in caplog.text


def test_a_missing_repository_is_one_sentence(hub, source):
    with pytest.raises(CheckpointError, match="the Hub has no model 'org/nothing'") as caught:
        source.inspect(candidate("hub:org/nothing"))
    assert "spelling" in caught.value.hint


def test_a_missing_repository_that_is_a_folder_here_says_how_to_type_it(
    hub, source, tmp_path, monkeypatch
):
    (tmp_path / "org" / "folder").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CheckpointError) as caught:
        source.inspect(candidate("hub:org/folder"))
    assert "./org/folder" in caught.value.hint


def test_a_missing_revision_is_named(hub, source):
    with pytest.raises(CheckpointError, match="hub:org/net has no revision 'v9'"):
        source.inspect(candidate("hub:org/net@v9"))


def test_a_short_commit_is_no_revision(hub, source):
    commit = hub.find("model", REPO).refs["main"]

    with pytest.raises(CheckpointError, match="no revision") as caught:
        source.inspect(candidate(f"hub:org/net@{commit[:7]}"))
    assert "40 hex digits" in caught.value.hint


def test_digests_of_the_registry_must_be_those_of_the_hub(hub, source):
    entry = source.inspect(candidate())
    forged = {**entry.files, "model.safetensors": "0" * 64}

    with pytest.raises(CheckpointError, match=r"model.safetensors has another digest at the Hub"):
        source.fetch(candidate(f"hub:{REPO}", files=forged))
    locked = msgspec.structs.replace(entry, files=forged)
    with pytest.raises(CheckpointError, match=r"model.safetensors has another digest at the Hub"):
        source.fetch(Candidate(entry=locked, base="/"))


def test_progress_is_told_in_bytes(hub, new_source):
    events = []
    source = new_source(on_event=events.append)

    entry = source.fetch(candidate()).entry

    assert events[-1].done == events[-1].total == entry.bytes
    assert all(event.kind == "fetch" for event in events)


def test_a_cache_that_cannot_be_written_is_one_sentence(hub, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    source = HubSource(home=str(tmp_path / "home"), cache=str(blocked))

    with pytest.raises(CheckpointError, match="cannot be stored"):
        source.fetch(candidate())
