"""Every merger on real checkpoints, from the folders of the models to a folder that opens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import zoo
from zoo.catalogue import Catalogue, build
from zoo.errors import InputError
from zoo.training.merging import merge_checkpoints
from zoo.training.norms import reestimate_norms
from zoo.types.model import Checkpoint, ModelEntry

ORIGINAL = Path(zoo.__file__).parent / "embedded" / "resnet-digits-0-4"
WEIGHTS = "model.safetensors"


def checkpoint(folder):
    return Checkpoint(
        entry=ModelEntry(ref=f"./{folder.name}"), folder=str(folder), digest=folder.name
    )


@pytest.fixture
def models(tmp_path):
    """An embedded checkpoint, and two that differ a little from it."""

    def make(alias, seed, noise):
        folder = shutil.copytree(ORIGINAL, tmp_path / alias)
        weights = load_file(folder / WEIGHTS)
        drawn = torch.Generator().manual_seed(seed)
        for key, value in weights.items():
            if value.is_floating_point() and "running" not in key:
                weights[key] = value + noise * torch.randn(value.shape, generator=drawn)
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        return checkpoint(folder)

    return checkpoint(ORIGINAL), [make("a", 1, 0.01), make("b", 2, 0.01)]


@pytest.fixture
def specs(zoo_host):
    found = Catalogue(zoo_host).specs("amalgamator")
    return {name: spec for name, spec in found.items() if spec.kind == "merging"}


def weights_of(folder):
    return load_file(folder / WEIGHTS)


def test_every_merger_makes_a_checkpoint_that_opens_and_stays_near_its_models(
    specs, models, tmp_path
):
    from transformers import AutoModelForImageClassification

    base, (first, second) = models
    for name, spec in specs.items():
        merger, out = build(spec), tmp_path / name
        report = merge_checkpoints(merger, [first, second], base, out)
        network, found = AutoModelForImageClassification.from_pretrained(
            out, output_loading_info=True
        )
        assert not found["missing_keys"]
        assert not found["unexpected_keys"]
        assert network.config.id2label[4] == "4"
        assert report.norms
        near, root = weights_of(out), weights_of(ORIGINAL)
        for key, value in near.items():
            assert (value - root[key]).abs().max() < 0.2


def test_what_is_dropped_at_random_is_the_same_in_every_run(specs, models, tmp_path):
    base, both = models
    for out, options in (("one", {}), ("two", {}), ("other", {"seed": 1})):
        merge_checkpoints(build(specs["merge-dare"], options), both, base, tmp_path / out)
    first, second, other = (weights_of(tmp_path / each) for each in ("one", "two", "other"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_an_impossible_request_is_refused_before_anything_is_read(specs, models, tmp_path):
    base, both = models
    (Path(both[0].folder) / WEIGHTS).write_bytes(
        (Path(both[0].folder) / WEIGHTS).read_bytes()[:20_000]
    )
    with pytest.raises(InputError, match="1 weights were given for 2 models"):
        merge_checkpoints(
            build(specs["merge-linear"], {"weights": [1.0]}), both, base, tmp_path / "out"
        )
    with pytest.raises(InputError, match="exactly 2 models, and there are 3"):
        merge_checkpoints(build(specs["merge-slerp"]), [*both, base], None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_merged_network_learns_its_statistics_anew_and_keeps_its_weights(specs, models, tmp_path):
    from transformers import AutoModelForImageClassification

    _, both = models
    merge_checkpoints(build(specs["merge-linear"]), both, None, tmp_path / "out")
    network = AutoModelForImageClassification.from_pretrained(tmp_path / "out").eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    drawn = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    batches = [{"pixel_values": part} for part in drawn.split(5)]
    count = sum(key.endswith("running_var") for key in before)
    assert reestimate_norms(network, batches) == count
    network.save_pretrained(tmp_path / "settled")
    after = weights_of(tmp_path / "settled")
    for key, value in before.items():
        statistic = "running" in key or "num_batches" in key
        assert torch.equal(value, after[key]) != statistic
    assert json.loads((tmp_path / "settled" / "config.json").read_text())["id2label"]["0"] == "0"
