"""Taps without weights; with them where the runtime cannot do without."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from zoo.errors import CheckpointError, InputError
from zoo.hub.retry import Retry
from zoo.outlines import outline
from zoo.sources.hub import HubSource
from zoo.types import Candidate, Describes, ModelEntry


@pytest.fixture
def look(catalogue, settings):
    def look(model, **question):
        return outline(model, settings, catalogue, **question)

    return look


def test_the_points_are_named_with_their_shapes_and_the_usual_cut(look, net):
    found = look(net())
    assert [(each.tap, each.shape, each.dimension, each.default) for each in found.taps] == [
        ("head_input", (None, 3), 3, True),
        ("logits", (), 3, False),
    ]
    assert (found.runtime, found.modality) == ("pocket", "image")
    assert found.architecture == "ViTForImageClassification"


def test_no_weight_has_to_be_there(look, net, pocket):
    model = net()
    (Path(model) / "model.safetensors").unlink()
    assert len(look(model).taps) == 2
    assert not pocket.opened


def test_a_runtime_without_outlines_opens_what_is_here(look, net, pocket, monkeypatch):
    monkeypatch.delattr(pocket, "outline")
    model = net()
    assert [each.tap for each in look(model).taps] == ["head_input", "logits"]
    assert pocket.opened == [model]


def test_it_downloads_nothing_for_that(look, net, pocket, monkeypatch):
    monkeypatch.delattr(pocket, "outline")
    monkeypatch.setattr("zoo.sources.folder.FolderSource.missing_bytes", lambda *_: 7)
    model = net()
    with pytest.raises(CheckpointError, match="needs the weights") as caught:
        look(model)
    assert "zoo models pull" in caught.value.hint


@pytest.mark.parametrize("model", ["./nowhere", "nowhere"])
def test_a_model_that_is_not_there(look, model):
    with pytest.raises(InputError, match="nowhere"):
        look(model)


def test_what_no_runtime_opens(look, net):
    model = net()
    (Path(model) / "config.json").write_text('{"architecture": "x", "pretrained_cfg": {}}')
    with pytest.raises(CheckpointError, match="no runtime opens image checkpoints of timm"):
        look(model)


def test_only_the_small_files_come_from_the_hub(loopback_hub, net, tmp_path):
    folder = Path(net())
    loopback_hub.add("org/net", {path.name: path.read_bytes() for path in folder.iterdir()})
    retry = Retry(sleep=lambda _: None)
    source = HubSource(home=str(tmp_path / "home"), retry=retry)
    candidate = Candidate(entry=ModelEntry(ref="hub:org/net"), base="/nowhere")
    assert isinstance(source, Describes)
    checkpoint = source.describe(candidate)
    assert sorted(path.name for path in Path(checkpoint.folder).iterdir()) == [
        "config.json",
        "preprocessor_config.json",
    ]
    assert checkpoint.entry.labels == 3
    assert source.missing_bytes(candidate) > 0
    whole = [
        each for each in loopback_hub.requests if "safetensors" in each.path and not each.range
    ]
    assert not [each for each in whole if "/resolve/" in each.path]
    offline = HubSource(home=str(tmp_path / "home"), retry=retry, offline=True)
    again = offline.describe(candidate)
    assert again.digest == checkpoint.digest
    pinned = msgspec.structs.replace(candidate, entry=ModelEntry(ref=again.entry.ref))
    assert offline.describe(pinned).folder == checkpoint.folder
