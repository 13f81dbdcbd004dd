"""Merging real checkpoints on disk: what comes out, what is refused, what stays after a failure."""

from __future__ import annotations

import json
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import zoo
from zoo.errors import CheckpointError, InputError, ZooError
from zoo.testing.tiny_checkpoints import CLASSES, build_tiny_checkpoint
from zoo.training import weight_files
from zoo.training.mergeable import check_mergeable
from zoo.training.merging import merge_checkpoints
from zoo.training.weight_files import WeightReader
from zoo.types.model import Checkpoint, ModelEntry

EMBEDDED = Path(zoo.__file__).parent / "embedded"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


class Mean:
    needs_base = False

    def check(self, models):
        return ()

    def merge(self, name, tensors, base):
        return torch.stack(list(tensors)).mean(dim=0)


class Changes(Mean):
    """The base plus so many times all that was changed."""

    needs_base = True

    def __init__(self, times=1.0):
        self.times = times

    def merge(self, name, tensors, base):
        return base + self.times * sum(tensor - base for tensor in tensors)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Build each tiny architecture once."""
    folder = tmp_path_factory.mktemp("originals")

    def original(name, head=True):
        if (EMBEDDED / name).is_dir():
            return EMBEDDED / name
        place = folder / f"{name}-{head}"
        return place if place.exists() else build_tiny_checkpoint(name, place, head=head)

    return original


@pytest.fixture
def model(originals, tmp_path):
    """Copy a checkpoint under a name, with weights that are a little off, and other labels."""

    def make(name, alias, *, seed=1, noise=0.02, labels=None, head=True, change=None, config=None):
        folder = tmp_path / alias
        shutil.copytree(originals(name, head), folder)
        weights = load_file(folder / WEIGHTS)
        drawn = torch.Generator().manual_seed(seed)
        for key, value in weights.items():
            if value.is_floating_point() and "running" not in key:
                step = torch.randn(value.shape, generator=drawn) * value.std(correction=0)
                weights[key] = value + noise * step.to(value.dtype)
        settings = json.loads((folder / "config.json").read_text()) | (config or {})
        if labels:
            for key in [each for each in weights if each.startswith(("classifier", "score"))]:
                rows = torch.arange(len(labels)) % len(weights[key])
                weights[key] = weights[key][rows].clone()
            settings["id2label"] = dict(enumerate(labels))
            settings["label2id"] = {label: number for number, label in enumerate(labels)}
        if change:
            change(weights)
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(settings))
        return checkpoint(folder)

    return make


def checkpoint(folder):
    return Checkpoint(
        entry=ModelEntry(ref=f"./{folder.name}"), folder=str(folder), digest=folder.name
    )


def weights_of(found):
    folder = Path(getattr(found, "folder", found))
    return {k: v for path in folder.glob("*.safetensors") for k, v in load_file(path).items()}


def opened(folder, kind="AutoModelForImageClassification"):
    import transformers

    network, report = getattr(transformers, kind).from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return network.eval()


def logits(network):
    drawn = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return network(pixel_values=torch.randn(2, 3, 64, 64, generator=drawn)).logits


@pytest.mark.parametrize("name", ["vit", "resnet", "mobilenet_v2"])
def test_merged_folder_opens_with_plain_transformers_and_holds_the_mean(model, tmp_path, name):
    models = [model(name, "a"), model(name, "b", seed=2)]
    heard = []
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out", on_event=heard.append)
    first, second, merged = (weights_of(each) for each in (*models, tmp_path / "out"))
    assert merged.keys() == first.keys()
    assert [(event.done, event.total) for event in heard][-1] == (len(merged), len(merged))
    for key, value in merged.items():
        expected = (first[key] + second[key]) / 2 if value.is_floating_point() else first[key]
        torch.testing.assert_close(value, expected.to(value.dtype))
    assert logits(opened(tmp_path / "out")).shape == (2, 5)
    assert report.head.way == "merge"
    assert report.norms == sum(key.endswith("running_var") for key in first)
    assert report.tensors + report.copied == len(merged)
    assert report.cosines[0, 1] > 0.9
    assert sorted(report.files) == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert (tmp_path / "out" / "preprocessor_config.json").exists()


def test_a_text_classifier_keeps_its_tokenizer_and_its_positions(model, tmp_path):
    models = [model("bert", "a"), model("bert", "b", seed=2)]
    merge_checkpoints(Mean(), models, None, tmp_path / "out")
    opened(tmp_path / "out", "AutoModelForSequenceClassification")
    assert (tmp_path / "out" / "tokenizer.json").exists()


def test_an_embedded_model_merged_with_its_copy_is_itself(model, tmp_path):
    models = [model("resnet-digits-0-4", each, noise=0) for each in "ab"]
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out")
    before, after = weights_of(models[0]), weights_of(tmp_path / "out")
    assert all(torch.equal(before[key], value) for key, value in after.items())
    assert report.head.space.labels == tuple("01234")


def test_other_labels_stand_side_by_side_and_each_model_finds_its_own_logits(model, tmp_path):
    spaces = [("cat", "dog", "bird"), ("Cat", "car")]
    models = [
        model("vit", alias, noise=0, labels=space)
        for alias, space in zip("ab", spaces, strict=True)
    ]
    out = tmp_path / "out"
    report = merge_checkpoints(Mean(), models, None, out, aliases=["pets", "street"])
    network = opened(out)
    labels = ("pets/cat", "dog", "bird", "street/Cat", "car")
    assert report.head.way == "concatenate"
    assert report.head.space.labels == labels
    assert report.head.space.columns == ((0, 1, 2), (3, 4))
    assert tuple(network.config.id2label.values()) == labels
    assert network.config.label2id["car"] == 4
    # Their bodies are one, so the logits of each are what they were.
    alone = torch.cat([logits(opened(each.folder)) for each in models], dim=1)
    torch.testing.assert_close(logits(network), alone)
    assert any("3 + 2 = 5 logits" in note for note in report.notes)


def test_heads_of_timm_checkpoints_stand_side_by_side_under_their_own_fields(tmp_path):
    models = []
    for alias, width in (("a", CLASSES), ("b", 3)):
        folder = tmp_path / alias
        folder.mkdir()
        names = [f"{alias}{number}" for number in range(width)]
        config = {"architecture": "resnet10t", "num_classes": width, "label_names": names}
        config |= {"pretrained_cfg": {"num_classes": width}, "label_descriptions": {}}
        (folder / "config.json").write_text(json.dumps(config))
        weights = {"conv1.weight": (4, 3, 3, 3), "layer1.0.weight": (4, 4), "fc.weight": (width, 4)}
        drawn = {key: torch.randn(shape) for key, shape in weights.items()}
        save_file(drawn | {"fc.bias": torch.randn(width)}, folder / WEIGHTS)
        models.append(checkpoint(folder))
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out")
    assert report.head.module == "fc"
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["num_classes"] == CLASSES + 3 == len(config["label_names"])
    assert "label_descriptions" not in config
    first, second, merged = (weights_of(each) for each in (*models, tmp_path / "out"))
    assert torch.equal(merged["fc.bias"], torch.cat([first["fc.bias"], second["fc.bias"]]))


def test_labels_in_another_order_are_brought_into_that_of_the_first(model, tmp_path):
    order = [2, 0, 1, 4, 3]
    labels = [f"label {letter}" for letter in "abcde"]

    def reorder(weights):
        for key in ("classifier.weight", "classifier.bias"):
            weights[key] = weights[key][order].clone()

    first = model("vit", "a", noise=0, labels=labels)
    second = model("vit", "b", noise=0, labels=[labels[i] for i in order], change=reorder)
    report = merge_checkpoints(Mean(), [first, second], None, tmp_path / "out")
    assert report.head.way == "merge"
    assert report.head.space.labels == tuple(labels)
    assert report.head.space.columns[1] == tuple(order)
    torch.testing.assert_close(logits(opened(tmp_path / "out")), logits(opened(first.folder)))
    assert any("reordered" in note and "./b" in note for note in report.notes)


def test_heads_of_several_layers_are_joined_only_where_their_labels_agree(model):
    labels = [str(number) for number in range(5)]
    assert not check_mergeable([model("roberta", "a"), model("roberta", "b", seed=2)], None)
    other = model("roberta", "c", config={"id2label": dict(enumerate(labels))})
    (problem,) = check_mergeable([model("roberta", "d"), other], None)
    assert "not one linear layer" in problem
    assert "./c" in problem
    named = {"id2label": dict(enumerate(labels))}
    (problem,) = check_mergeable([model("levit", "e"), model("levit", "f", config=named)], None)
    assert "not one linear layer" in problem


def test_changes_are_added_to_a_base_whose_body_was_saved_without_a_head(model, tmp_path):
    base = model("vit", "base", noise=0, head=False)
    assert not any(key.startswith("vit.") for key in weights_of(base))
    models = [model("vit", "a"), model("vit", "b", seed=2)]
    assert not check_mergeable(models, base)
    report = merge_checkpoints(Changes(), models, base, tmp_path / "out")
    first, second, merged = (weights_of(each) for each in (*models, tmp_path / "out"))
    key = "vit.layernorm.weight"
    root = weights_of(base)["layernorm.weight"]
    torch.testing.assert_close(merged[key], first[key] + second[key] - root)
    head = "classifier.weight"
    torch.testing.assert_close(merged[head], (first[head] + second[head]) / 2)
    assert any("classifier.bias and 1 more tensor " in note for note in report.notes)
    assert set(report.cosines) == {(0, 1), (0, 2), (1, 2)}


def test_a_base_with_other_labels_lends_its_body_alone(model, tmp_path):
    base = model("vit", "base", noise=0, labels=[f"base {number}" for number in range(5)])
    models = [model("vit", "a"), model("vit", "b", seed=2)]
    merge_checkpoints(Changes(0.0), models, base, tmp_path / "out")
    root, first, second, merged = map(weights_of, (base, *models, tmp_path / "out"))
    for key, value in merged.items():
        mean = (first[key] + second[key]) / 2
        torch.testing.assert_close(value, mean if "classifier" in key else root[key])


def test_a_method_that_reads_changes_needs_to_know_of_what(model, tmp_path):
    with pytest.raises(InputError, match="--base"):
        merge_checkpoints(Changes(), [model("vit", "a"), model("vit", "b")], None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_variances_stay_where_a_norm_can_take_their_root(model, tmp_path):
    def shrink(weights):
        for key in weights:
            if key.endswith("running_var"):
                weights[key] = weights[key] / 2

    base = model("resnet", "base", noise=0)
    models = [model("resnet", each, change=shrink) for each in "ab"]
    report = merge_checkpoints(Changes(1.5), models, base, tmp_path / "out")
    merged, least = weights_of(tmp_path / "out"), weights_of(models[0])
    norms = [key for key in merged if key.endswith("running_var")]
    assert all(torch.equal(merged[key], least[key]) for key in norms)
    assert any("moved back" in note for note in report.notes)
    assert torch.isfinite(logits(opened(tmp_path / "out"))).all()


def shard(found, largest):
    """Rewrite a checkpoint as transformers does with a large one."""
    folder = Path(found.folder)
    opened(folder).save_pretrained(folder, max_shard_size=largest)
    (folder / WEIGHTS).unlink(missing_ok=True)
    return found


def test_shards_are_read_and_written_like_one_file(model, tmp_path):
    models = [model("vit", "a"), model("vit", "b", seed=2)]
    merge_checkpoints(Mean(), models, None, tmp_path / "one")
    shard(models[1], "30KB")
    assert len(list(Path(models[1].folder).glob("*.safetensors"))) > 2
    merge_checkpoints(Mean(), models, None, tmp_path / "many", shard_bytes=30_000)
    shards = sorted((tmp_path / "many").glob("*.safetensors"))
    assert len(shards) > 2
    total = json.loads((tmp_path / "many" / INDEX).read_text())["metadata"]["total_size"]
    whole, parts = weights_of(tmp_path / "one"), weights_of(tmp_path / "many")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert total == sum(value.nbytes for value in whole.values())
    torch.testing.assert_close(logits(opened(tmp_path / "many")), logits(opened(tmp_path / "one")))


class Alive:
    """Keeps count of the tensors that a function gave and that are still in memory."""

    def __init__(self, give):
        self.give, self.given, self.most, self.most_bytes = give, [], 0, 0

    def __call__(self, *arguments):
        tensor = self.give(*arguments)
        self.given.append(weakref.ref(tensor))
        alive = [each for each in (one() for one in self.given) if each is not None]
        self.most = max(self.most, len(alive))
        self.most_bytes = max(self.most_bytes, sum(each.nbytes for each in alive))
        return tensor


def test_no_more_than_a_shard_is_in_memory(model, tmp_path, monkeypatch):
    def grow(weights):
        weights.update({f"vit.more.{number}": torch.ones(4000) for number in range(60)})

    models = [model("vit", "a", change=grow), model("vit", "b", seed=2, change=grow)]
    sizes = [value.nbytes for value in weights_of(models[0]).values()]
    made, read = Alive(None), Alive(WeightReader.read)
    write = weight_files.write_shards

    def watched(folder, shards, make):
        made.give = make
        return write(folder, shards, made)

    monkeypatch.setattr("zoo.training.merging.write_shards", watched)
    # An object in a class is no method: it would not be given the reader.
    monkeypatch.setattr(WeightReader, "read", lambda *given: read(*given))  # noqa: PLW0108
    merge_checkpoints(Mean(), models, None, tmp_path / "out", shard_bytes=40_000)
    assert made.most_bytes <= max(40_000, *sizes) < sum(sizes) / 8
    assert len(made.given) == len(sizes)
    assert read.most == len(models)


def test_numbers_are_combined_in_float32_and_stored_as_the_first_model_stores_them(model, tmp_path):
    def half(weights):
        weights.update({key: value.half() for key, value in weights.items()})

    def double(weights):
        weights.update({key: value.double() for key, value in weights.items()})

    whole, short = model("vit", "whole", seed=3), model("vit", "short", change=half)
    report = merge_checkpoints(Mean(), [short, whole], None, tmp_path / "out")
    first, second, merged = (weights_of(each) for each in (short, whole, tmp_path / "out"))
    for key, value in merged.items():
        assert torch.equal(value, ((first[key].float() + second[key]) / 2).half())
    assert any("stored in F32" in note for note in report.notes)
    merge_checkpoints(Mean(), [whole, short], None, tmp_path / "bf16", dtype=torch.bfloat16)
    assert {value.dtype for value in weights_of(tmp_path / "bf16").values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "bf16" / "config.json").read_text())["dtype"] == "bfloat16"

    seen = set()

    class Kinds(Mean):
        def merge(self, name, tensors, base):
            seen.update(each.dtype for each in tensors)
            return super().merge(name, tensors, base)

    long = model("vit", "long", change=double)
    merge_checkpoints(Kinds(), [long, whole], None, tmp_path / "long-out")
    assert seen == {torch.float64}
    assert {value.dtype for value in weights_of(tmp_path / "long-out").values()} == {torch.float64}


def test_counters_that_differ_are_those_of_the_first_model(model, tmp_path):
    def count(weights):
        for key in weights:
            if key.endswith("num_batches_tracked"):
                weights[key] += 7

    models = [model("resnet", "a"), model("resnet", "b", change=count)]
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out")
    first, merged = weights_of(models[0]), weights_of(tmp_path / "out")
    counters = [key for key in first if key.endswith("num_batches_tracked")]
    assert all(torch.equal(first[key], merged[key]) for key in counters)
    assert report.copied == len(counters)
    assert any("num_batches_tracked" in note and "./a" in note for note in report.notes)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_a_failure_in_the_middle_leaves_no_folder(model, tmp_path, failure):
    class Broken(Mean):
        calls = 0

        def merge(self, name, tensors, base):
            self.calls += 1
            if self.calls > 20:
                raise failure
            return super().merge(name, tensors, base)

    models = [model("vit", "a"), model("vit", "b", seed=2)]
    before = sorted(tmp_path.iterdir())
    with pytest.raises(failure):
        merge_checkpoints(Broken(), models, None, tmp_path / "out", shard_bytes=5_000)
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_is_one_sentence_and_leaves_no_folder(model, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    models = [model("vit", "a"), model("vit", "b", seed=2)]
    monkeypatch.setattr(weight_files, "save_file", full)
    with pytest.raises(ZooError, match=r"cannot be written .*No space left"):
        merge_checkpoints(Mean(), models, None, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_an_empty_folder_is_filled_and_any_other_is_left_alone(model, tmp_path):
    models = [model("vit", "a"), model("vit", "b", seed=2)]
    (tmp_path / "empty").mkdir()
    merge_checkpoints(Mean(), models, None, tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not an empty folder"):
        merge_checkpoints(Mean(), models, None, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_damaged_and_infinite_weights_are_named(model, tmp_path):
    def overflow(weights):
        weights["vit.layernorm.weight"][0] = float("inf")

    good, bad = model("vit", "a"), model("vit", "b", change=overflow)
    with pytest.raises(CheckpointError, match=r"vit\.layernorm\.weight holds infinite"):
        merge_checkpoints(Mean(), [good, bad], None, tmp_path / "out")
    merge_checkpoints(Mean(), [bad, bad], None, tmp_path / "same")
    path = Path(bad.folder) / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"\./b: model\.safetensors is damaged"):
        merge_checkpoints(Mean(), [good, bad], None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unrelated_weights_are_merged_with_a_warning(model, tmp_path):
    def redraw(weights):
        drawn = torch.Generator().manual_seed(5)
        for key, value in weights.items():
            weights[key] = torch.randn(value.shape, generator=drawn) * 0.02

    models = [model("vit", "a"), model("vit", "b", change=redraw)]
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out")
    assert abs(report.cosines[0, 1]) < 0.2
    assert any("look unrelated" in note and "./a and ./b" in note for note in report.notes)


def test_cards_that_name_other_ancestors_are_reported(model, tmp_path):
    models = [model("vit", "a"), model("vit", "b", seed=2)]
    for found, ancestor in zip(models, ["org/one", "[org/two, org/three]"], strict=True):
        card = f"---\nbase_model: {ancestor}\n---\n"
        (Path(found.folder) / "README.md").write_text(card)
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out")
    (note,) = report.notes
    assert "different checkpoints" in note
    assert "./b from org/three, org/two" in note
    base = model("vit", "base", noise=0)
    report = merge_checkpoints(Changes(), models, base, tmp_path / "with-base")
    assert any("not made from ./base" in note for note in report.notes)


def test_differences_of_what_feeds_them_are_reported(model, tmp_path):
    models = [model("vit", "a"), model("vit", "b", seed=2)]
    path = Path(models[1].folder) / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_mean": [0, 0, 0]}))
    report = merge_checkpoints(Mean(), models, None, tmp_path / "out")
    assert any("./b prepares its inputs differently" in note for note in report.notes)


def test_numpy_agrees_with_what_is_written(model, tmp_path):
    from safetensors.numpy import load_file as load

    models = [model("vit", "a"), model("vit", "b", seed=2)]
    merge_checkpoints(Mean(), models, None, tmp_path / "out")
    found = load(tmp_path / "out" / WEIGHTS)
    each = [load(Path(one.folder) / WEIGHTS) for one in models]
    for key, value in found.items():
        np.testing.assert_allclose(
            value, np.mean([one[key] for one in each], axis=0), rtol=1e-5, atol=1e-7
        )
