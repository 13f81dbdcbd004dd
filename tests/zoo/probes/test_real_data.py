"""Every real data set of the shared folder, as a person would name it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from zoo.errors import InputError


def folders(shared_data, kind):
    found = sorted(path for path in (shared_data / kind).glob("*") if path.is_dir())
    if not found:
        pytest.skip(f"no {kind} in {shared_data}")
    return found


@pytest.mark.parametrize(("kind", "modality"), [("images", "image"), ("texts", "text")])
def test_every_set_is_understood_without_a_flag(read, shared_data, kind, modality):
    for folder in folders(shared_data, kind):
        said = json.loads((folder / "info.json").read_text())
        probe = read(folder)
        assert probe.modality == modality, folder.name
        assert probe.split == "train"
        assert 0.99 * said["n_train"] <= probe.rows <= said["n_train"]
        if said.get("classes"):
            assert probe.label_names == tuple(said["classes"])
            counts = np.bincount(probe.labels, minlength=probe.classes)
            assert counts.min() >= min(2, math.ceil(probe.rows / probe.classes))
        else:
            assert probe.task == "regression"


def test_samples_of_real_sets_are_nested_and_keep_the_shares(read, shared_data):
    for folder in folders(shared_data, "texts"):
        small, large = read(folder, samples=300), read(folder, samples=900)
        assert set(small.inputs) <= set(large.inputs)
        if small.task == "classification":
            shares = [np.bincount(each.labels) / each.samples for each in (small, large)]
            assert np.abs(shares[0] - shares[1]).max() < 0.01


def test_pairs_and_targets_of_real_data(read, shared_data):
    folder = shared_data / "texts" / "stsb"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    probe = read(folder)
    assert isinstance(probe.inputs[0], tuple)
    assert probe.label_names == ("label",)
    assert 0 <= probe.labels.min() < probe.labels.max() <= 5


def test_pictures_with_sentences_ask_for_one_of_the_two(read, shared_data):
    for folder in folders(shared_data, "multimodal"):
        with pytest.raises(InputError, match="one of them at a time") as caught:
            read(folder)
        assert "--image image" in caught.value.hint
        assert read(folder, text=("text",)).modality == "text"
        assert read(folder, image="image").modality == "image"


def test_sentences_about_pictures_are_captions_when_asked(read, shared_data):
    for folder in folders(shared_data, "multimodal"):
        probe = read(folder, task="text", samples=200)
        assert (probe.task, probe.modality) == ("text", "image")
        assert 1 < len(probe.label_names) <= probe.samples == 200
