"""``grow:MODEL:width=2x``: what it means, and when it is made."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from zoo.errors import InputError
from zoo.sources.grown import GrownSource, parse
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types.growing import Deepen, Widen
from zoo.types.model import Candidate, ModelEntry


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    return build_tiny_checkpoint("vit", tmp_path_factory.mktemp("grown") / "small")


@pytest.fixture
def small(built, tmp_path):
    """A tiny checkpoint in the folder of the test."""
    return shutil.copytree(built, tmp_path / "small")


@pytest.fixture
def source(tmp_path):
    """Give a source; each call another one, as in another process."""
    return lambda: GrownSource(home=str(tmp_path / "home"), offline=True)


@pytest.fixture
def grown(tmp_path):
    """Count the growths that are carried out."""
    return lambda: len(list((tmp_path / "home" / "grown").glob("*/checkpoint")))


def candidate(text, tmp_path=None, **more):
    entry = ModelEntry(ref=text, modality="image", library="transformers")
    return Candidate(entry=entry, base=str(tmp_path or ""), **more)


def test_sizes_place_method_and_seed_are_read():
    text = "grow:hub:org/name@v1:width=1.5x,mlp=64,depth=+2,place=between,method=lemon,seed=4"
    request = parse(candidate(text))
    assert request.model == "hub:org/name@v1"
    assert request.steps == (Widen(width="1.5x", mlp="64"), Deepen(depth="+2", place="between"))
    assert (request.method, request.seed) == ("lemon", 4)


def test_a_folder_is_beside_the_file_that_names_it(tmp_path):
    request = parse(candidate("grow:./small:depth=+1", tmp_path))
    assert request.model == str(tmp_path / "small")


def test_trust_is_passed_on_to_the_smaller_checkpoint():
    trusting = parse(candidate("grow:org/name:width=2x", trust_remote_code=True))
    assert trusting.trust_remote_code == ("org/name",)
    assert parse(candidate("grow:org/name:width=2x")).trust_remote_code == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grow:./small", "does not say how a model is to grow"),
        ("grow:", "does not say how"),
        ("grow::width=2x", "does not say how"),
        ("grow:./small:", "does not say how"),
        ("grow:./small:width", "does not say how"),
        ("grow:./small:width=", "does not say how"),
        ("grow:./small:width=2x,", "does not say how"),
        ("grow:./small:seed=3", "does not say how"),
        ("grow:./small:width=2x,width=3x", "says a size twice"),
        ("grow:./small:widht=2x", "Did you mean 'width'?"),
        ("grow:./small:width=2x,seed=one", "the seed 'one' is no number"),
        ("grow:./small:depth=+1,place=top", "no place called 'top'"),
    ],
)
def test_what_is_no_growth(text, words):
    with pytest.raises(InputError) as caught:
        parse(candidate(text))
    assert words in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("width=1.3x", "no whole number of them"),
        ("hidden=8", "would shrink from 32 to 8"),
        ("width=2x,method=stack", "stack does not keep it"),
        ("width=2x,method=nothing", "no grower called 'nothing'"),
        ("width=1x", "would stay as it is"),
    ],
)
def test_what_cannot_grow_is_said_before_anything_is_made(source, grown, tmp_path, options, words):
    asked = candidate(f"grow:./small:{options}", tmp_path)
    for ask in (source().inspect, source().describe, source().fetch, source().missing_bytes):
        with pytest.raises(InputError, match=words):
            ask(asked)
    assert grown() == 0


def test_it_is_described_without_being_made(source, grown, small, tmp_path):
    asked = candidate("grow:./small:width=2x,depth=+1", tmp_path)
    found = source().describe(asked)
    config = json.loads((tmp_path / found.folder / "config.json").read_bytes())
    assert (config["hidden_size"], config["num_hidden_layers"]) == (64, 4)
    assert found.entry.ref == asked.model
    assert found.entry.parameters > 100_000
    assert found.entry.labels == 5
    written = {path.name for path in (tmp_path / found.folder).iterdir()}
    assert written == {"config.json", "preprocessor_config.json"}
    assert source().inspect(asked) == found.entry
    assert source().missing_bytes(asked) == 0
    assert grown() == 0


def test_it_is_made_once_and_then_found(source, grown, small, tmp_path):
    asked = candidate("grow:./small:width=2x", tmp_path)
    first = source().fetch(asked)
    assert grown() == 1
    assert first.entry.ref == asked.model
    assert first.entry.parameters == source().inspect(asked).parameters
    before = (tmp_path / first.folder / "model.safetensors").stat().st_mtime_ns
    again = source().fetch(asked)
    assert again.digest == first.digest
    assert (tmp_path / again.folder / "model.safetensors").stat().st_mtime_ns == before
    assert source().missing_bytes(asked) == 0


def test_other_sizes_seeds_and_weights_are_other_checkpoints(source, grown, small, tmp_path):
    texts = ("mlp=64", "mlp=64,seed=1", "mlp=65", "mlp=64,method=lemon")
    folders = {source().fetch(candidate(f"grow:./small:{text}", tmp_path)).folder for text in texts}
    path = small / "model.safetensors"
    weights = load_file(path)
    weights["classifier.bias"] += 1
    save_file(weights, path, metadata={"format": "pt"})
    folders.add(source().fetch(candidate("grow:./small:mlp=64", tmp_path)).folder)
    assert len(folders) == grown() == 5


def test_growths_grow(source, small, tmp_path):
    asked = candidate("grow:grow:./small:mlp=64:depth=+1", tmp_path)
    config = json.loads((tmp_path / source().fetch(asked).folder / "config.json").read_bytes())
    assert (config["intermediate_size"], config["num_hidden_layers"]) == (64, 4)


def test_somebody_who_was_faster_made_the_same(source, grown, small, tmp_path, monkeypatch):
    asked = candidate("grow:./small:mlp=64", tmp_path)
    from zoo.growing import journey

    right = journey.grow_checkpoint

    def twice(*arguments, **options):
        right(*arguments, **options)
        return right(*arguments, **options)

    monkeypatch.setattr(journey, "grow_checkpoint", twice)
    assert source().fetch(asked).entry.ref == asked.model
    assert grown() == 1
