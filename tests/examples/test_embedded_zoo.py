"""The demo zoo that ships with the package is what its cards say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from huggingface_hub import ModelCard

from zoo import embedded

NAMES = embedded.names()
LIMIT = 4_000_000


def config(name: str) -> dict:
    return json.loads((embedded.folder(name) / "config.json").read_text("utf-8"))


def test_there_are_eight_checkpoints_of_at_least_six_families():
    assert len(NAMES) == 8
    assert len({config(name)["model_type"] for name in NAMES}) >= 6


def test_the_whole_zoo_stays_below_four_megabytes():
    files = [path for name in NAMES for path in embedded.folder(name).iterdir()]
    assert sum(path.stat().st_size for path in files) < LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_holds_safetensors_and_no_pickle(name):
    files = {path.name for path in embedded.folder(name).iterdir()}
    assert files == {"README.md", "config.json", "model.safetensors", "preprocessor_config.json"}


@pytest.mark.parametrize("name", NAMES)
def test_the_card_carries_license_task_and_a_measured_accuracy_above_chance(name):
    card = ModelCard.load(embedded.folder(name) / "README.md").data
    assert (card.license, card.library_name) == ("apache-2.0", "transformers")
    assert card.pipeline_tag == "image-classification"
    [result] = card.eval_results
    assert 1.8 / len(config(name)["id2label"]) < result.metric_value <= 1


@pytest.mark.parametrize("name", NAMES)
def test_every_label_has_a_name(name):
    labels = config(name)["id2label"]
    assert len(set(labels.values())) == len(labels)
    assert not any(label.startswith("LABEL_") for label in labels.values())
    assert config(name)["label2id"] == {label: int(index) for index, label in labels.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_loads_through_the_auto_classes_and_gives_finite_logits(name):
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    folder = embedded.folder(name)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(folder)
    inputs = processor(embedded.demo_probe().images[:4], return_tensors="pt")
    with torch.inference_mode():
        logits = model(**inputs).logits
    assert not model.training
    assert logits.shape == (4, len(config(name)["id2label"]))
    assert logits.isfinite().all()


def test_the_digits_checkpoint_knows_the_digits_of_the_probe_it_was_trained_for():
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    folder = embedded.folder("resnet-digits-0-4")
    images, labels, _ = embedded.demo_probe()
    known = [row for row, label in enumerate(labels) if label < 5]
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    inputs = processor([images[row] for row in known], return_tensors="pt")
    with torch.inference_mode():
        found = AutoModelForImageClassification.from_pretrained(folder)(**inputs).logits.argmax(1)
    assert (found == torch.tensor([labels[row] for row in known])).float().mean() > 0.9


def test_probe_and_source_share_no_image_and_both_hold_every_digit():
    probe, source = embedded.demo_probe(), embedded.source_digits()
    pixels = [{image.tobytes() for image in half.images} for half in (probe, source)]
    assert not pixels[0] & pixels[1]
    for half in (probe, source):
        assert len(half.images) == len(half.labels)
        assert min(half.labels.count(digit) for digit in range(10)) > 80
        assert half.label_names == tuple("0123456789")


def test_the_probe_is_rgb_at_the_size_of_the_checkpoints():
    assert {(image.mode, image.size) for image in embedded.demo_probe().images} == {
        ("RGB", (32, 32))
    }


def test_the_probe_is_the_same_on_every_call():
    first, second = embedded.demo_probe(), embedded.demo_probe()
    assert first.labels == second.labels
    assert [image.tobytes() for image in first.images] == [i.tobytes() for i in second.images]


@pytest.mark.parametrize("name", ["nonesuch", "", ".", "..", "resnet-digits-0-4/.."])
def test_an_unknown_name_is_a_key_error(name):
    with pytest.raises(KeyError):
        embedded.folder(name)


def test_the_package_is_light_to_import():
    heavy = {"numpy", "sklearn", "PIL", "torch"}
    code = f"import sys, zoo.embedded; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
