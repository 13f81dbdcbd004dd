"""Registries as lock files."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from zoo.hub.retry import Retry
from zoo.lock import diff, lock, put, verify
from zoo.registry import Registry
from zoo.sources.folder import FolderSource
from zoo.sources.hub import HubSource
from zoo.types import ModelEntry


@pytest.fixture
def files() -> dict[str, bytes]:
    import numpy as np
    from safetensors.numpy import save

    config = {"model_type": "vit", "architectures": ["ViTModel"], "image_size": 8}
    weights = save({"w": np.ones((3, 4), "float32")})
    return {"config.json": json.dumps(config).encode(), "model.safetensors": weights}


@pytest.fixture
def sources(tmp_path):
    home = str(tmp_path / "home")
    hub = HubSource(home=home, retry=Retry(sleep=lambda _: None))
    return {"hub": hub, "folder": FolderSource(home=home)}


def registry_of(tmp_path: Path, *refs: str) -> Registry:
    entries = tuple(ModelEntry(ref=ref) for ref in refs)
    return Registry(path=tmp_path / "registry.json", entries=entries)


@pytest.fixture
def registry(loopback_hub, files, tmp_path):
    loopback_hub.add("org/net", files)
    (tmp_path / "mine").mkdir()
    for name, content in files.items():
        (tmp_path / "mine" / name).write_bytes(content)
    return registry_of(tmp_path, "./mine", "hub:org/net", "hub:org/none")


def test_locking_pins_what_it_can_and_reports_the_rest(registry, sources, loopback_hub):
    locked = lock(registry, sources)

    by_name = {entry.parsed.name: entry for entry in locked.registry.entries}
    commit = loopback_hub.find("model", "org/net").refs["main"]
    assert by_name["org/net"].ref == f"hub:org/net@{commit}"
    assert by_name["org/net"].parameters == 12
    assert set(by_name["org/net"].files) == {"config.json", "model.safetensors"}
    assert by_name["./mine"].ref == "./mine"
    assert by_name["org/none"] == ModelEntry(ref="hub:org/none")
    assert [failure.model for failure in locked.failures] == ["hub:org/none"]
    assert locked.failures[0].hint


def test_locking_again_changes_nothing_and_asks_nothing(registry, sources, loopback_hub):
    once = lock(registry.replace(registry.entries[:2]), sources)
    loopback_hub.push("org/net", {"config.json": "{}"})
    before = len(loopback_hub.requests)

    again = lock(once.registry, sources)

    assert again.changed == ()
    assert again.registry == once.registry
    assert len(loopback_hub.requests) == before


def test_verifying_finds_every_file_that_is_not_as_registered(registry, sources, tmp_path):
    locked = lock(registry, sources).registry
    states = {(check.model, check.file): check.state for check in verify(locked, sources)}
    assert set(states.values()) == {"ok", "absent"}

    checkpoint = sources["hub"].fetch(locked.candidates()[1])
    assert {check.state for check in verify(locked, sources)} == {"ok"}
    weights = (Path(checkpoint.folder) / "model.safetensors").resolve()
    weights.write_bytes(b"x" * weights.stat().st_size)
    (tmp_path / "mine" / "config.json").unlink()

    wrong = {
        (check.model.partition("@")[0], check.file): check.state
        for check in verify(locked, sources)
        if check.state != "ok"
    }
    assert wrong == {
        ("hub:org/net", "model.safetensors"): "changed",
        ("./mine", "config.json"): "missing",
    }


def test_differences_are_field_by_field_and_across_revisions(tmp_path):
    old = registry_of(tmp_path, "hub:a/b@v1", "hub:gone/gone")
    new = Registry(
        path=old.path,
        entries=(ModelEntry(ref="hub:a/b@v2", bytes=3), ModelEntry(ref="./new")),
    )

    found = diff(old, new)

    assert found.added == ("./new",)
    assert found.removed == ("hub:gone/gone",)
    assert [(change.field, change.old, change.new) for change in found.changed] == [
        ("ref", "hub:a/b@v1", "hub:a/b@v2"),
        ("bytes", None, 3),
    ]
    assert diff(old, old).empty


def test_putting_an_entry_takes_the_place_of_another_revision(tmp_path):
    registry = registry_of(tmp_path, "hub:a/b@v1", "hub:c/d")

    refs = [entry.ref for entry in put(registry, ModelEntry(ref="hub:a/b@v2")).entries]

    assert refs == ["hub:a/b@v2", "hub:c/d"]
    assert msgspec.json.encode(registry.entries[0]) == b'{"ref":"hub:a/b@v1"}'
