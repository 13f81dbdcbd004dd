"""The loopback Hub against the real client: what plugin authors rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.testing.loopback_hub import LoopbackHub

README = "---\nlicense: mit\nlibrary_name: transformers\npipeline_tag: fill-mask\n---\n# A card\n"


@pytest.fixture
def hub(loopback_hub):
    loopback_hub.add("org/net", {"README.md": README, "w/model.safetensors": b"12345678" * 9})
    return loopback_hub


@pytest.fixture
def api(hub):
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url)


def test_facts_and_tree_are_those_of_the_files(hub, api):
    info = api.model_info("org/net", files_metadata=True)

    assert (info.pipeline_tag, info.library_name) == ("fill-mask", "transformers")
    assert info.card_data.license == "mit"
    assert {file.rfilename: file.size for file in info.siblings} == {
        "README.md": len(README),
        "w/model.safetensors": 72,
    }
    tree = list(api.list_repo_tree("org/net", recursive=True))
    assert [entry.path for entry in tree] == ["w", "README.md", "w/model.safetensors"]
    assert [entry.path for entry in api.list_repo_tree("org/net")] == ["w", "README.md"]
    assert api.get_paths_info("org/net", ["README.md", "nothing"])[0].size == len(README)
    assert api.list_repo_refs("org/net").branches[0].target_commit == info.sha


def test_models_are_listed_searched_and_paged(hub, api):
    for number in range(5):
        hub.add(f"org/more-{number}", {"README.md": README})

    assert len(list(api.list_models())) == 6
    assert [each.id for each in api.list_models(search="more-3")] == ["org/more-3"]
    assert len(list(api.list_models(limit=2))) == 2


def test_a_snapshot_downloads_and_its_checksums_agree(hub, api):
    folder = Path(api.snapshot_download("org/net"))

    assert (folder / "w" / "model.safetensors").read_bytes() == b"12345678" * 9
    assert api.verify_repo_checksums("org/net").checked_count == 2
    assert hub.requests[0].host == "127.0.0.1"
    assert any(each.host == "localhost" for each in hub.requests)


def test_every_commit_stays_available(hub, api):
    old = api.model_info("org/net").sha
    new = hub.push("org/net", {"README.md": "another", "more.txt": "x"})
    hub.push("org/net", {"w/model.safetensors": None}, revision="slim")

    assert api.model_info("org/net").sha == new != old
    assert api.list_repo_files("org/net", revision=old) == ["README.md", "w/model.safetensors"]
    assert api.list_repo_files("org/net", revision="slim") == ["README.md", "more.txt"]


def test_refusals_are_the_client_s_own_exceptions(hub, api, monkeypatch):
    from huggingface_hub import errors

    hub.add("org/secret", {"a.txt": "x"}, private=True)
    hub.add("org/gated", {"a.txt": "x"}, gated=True)

    with pytest.raises(errors.RepositoryNotFoundError):
        api.model_info("org/none")
    with pytest.raises(errors.RepositoryNotFoundError):
        api.model_info("org/secret")
    with pytest.raises(errors.GatedRepoError):
        api.hf_hub_download("org/gated", "a.txt")
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info("org/net", revision="v9")
    with pytest.raises(errors.RemoteEntryNotFoundError):
        api.hf_hub_download("org/net", "nothing.txt")
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert api.model_info("org/secret").id == "org/secret"
    assert api.hf_hub_download("org/gated", "a.txt")
    assert api.whoami()["name"] == "tester"


def test_a_folder_of_repositories_is_served(tmp_path):
    (tmp_path / "org" / "a").mkdir(parents=True)
    (tmp_path / "org" / "a" / "config.json").write_text("{}")
    (tmp_path / "datasets" / "org" / "d").mkdir(parents=True)
    (tmp_path / "datasets" / "org" / "d" / "x.csv").write_text("a,b\n")

    hub = LoopbackHub(tmp_path)

    assert [each.id for each in hub.all("model")] == ["org/a"]
    assert [each.id for each in hub.all("dataset")] == ["org/d"]
    with hub:
        pass


def test_a_fault_wears_off_and_is_logged(hub, api):
    from huggingface_hub import errors

    hub.fail("GET /api/models/org/net", status=418, code="Teapot", times=1)

    with pytest.raises(errors.HfHubHTTPError, match="418"):
        api.model_info("org/net")
    assert hub.requests[-1].fault == "status"
    assert api.model_info("org/net").id == "org/net"


def test_data_sets_are_read_by_a_client_in_another_process(hub, tmp_path):
    rows = "text,label\n" + "".join(f"sentence {i},{i % 2}\n" for i in range(20))
    hub.add("org/reviews", {"train.csv": rows, "test.csv": rows}, kind="dataset")
    script = (
        "from datasets import load_dataset; d = load_dataset('org/reviews'); "
        "print(sorted(d), d['train'].num_rows, d['test'][3]['text'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | hub.environment(tmp_path / "hf") | {"HF_DATASETS_OFFLINE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['test', 'train'] 20 sentence 3"
    assert any("/datasets/org/reviews/resolve/" in each.path for each in hub.requests)
