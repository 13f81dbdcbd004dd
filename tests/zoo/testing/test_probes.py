"""Whether the checks of readers of data pass ours, and find what is wrong with others."""

from __future__ import annotations

import csv
import hashlib
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zoo.builtin
from zoo.errors import InputError
from zoo.testing.kit import Trial, checks_of, run_check
from zoo.testing.probes import KIT, check_probe
from zoo.testing.tiny_probes import make_tiny_probe
from zoo.types import ProbeSpec

OURS = {spec.name: spec for spec in zoo.builtin.zoo_probes()}


def table(folder):
    probe = make_tiny_probe("text")
    with (folder / "texts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows(
            (text, probe.label_names[n]) for text, n in zip(probe.inputs, probe.labels, strict=True)
        )
    return folder / "texts.csv"


def arrays(folder):
    probe = make_tiny_probe("features")
    np.savez(folder / "features.npz", X=probe.inputs, y=probe.labels)
    return folder / "features.npz"


def pictures(folder):
    probe = make_tiny_probe("image")
    for number, (image, label) in enumerate(zip(probe.inputs, probe.labels, strict=True)):
        path = folder / "pictures" / probe.label_names[label] / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.data)
    return folder / "pictures"


def shards(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    probe = make_tiny_probe("text")
    place = folder / "set" / "data"
    place.mkdir(parents=True)
    names = [probe.label_names[label] for label in probe.labels]
    pq.write_table(pa.table({"text": probe.inputs, "label": names}), place / "train-0.parquet")
    return folder / "set"


PLACES = {
    "demo": lambda _: "demo",
    "arrays": arrays,
    "table": table,
    "dataset-folder": shards,
    "image-folder": pictures,
}


@pytest.mark.parametrize("name", OURS)
def test_ours_keep_every_promise(name, tmp_path):
    example = PLACES[name](tmp_path) if name in PLACES else None
    trial = Trial(noun="probe", spec=OURS[name], example=example)
    for check in checks_of(trial):
        outcome = run_check(check, trial)
        assert outcome.problems == (), check.name
        if name in PLACES and not (name == "demo" and check.name == "untouched-input"):
            assert outcome.not_tried == "", check.name


def test_an_example_may_be_named_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(table(tmp_path).parent)
    trial = Trial(noun="probe", spec=OURS["table"], example="texts.csv")
    assert not [each for check in checks_of(trial) for each in run_check(check, trial).problems]


def test_a_data_set_that_is_not_here_is_not_tried(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    trial = Trial(noun="probe", spec=OURS["hub-dataset"], example="hub:nobody/no-such-set")
    outcomes = [run_check(check, trial) for check in KIT.checks]
    assert {each.check.name for each in outcomes if each.not_tried} == {
        "whole",
        "sample",
        "untouched-input",
    }
    assert not [each.problems for each in outcomes if each.problems]


class Letters:
    """Reads a file of words by their first letter; what a subclass does is its fault."""

    def claims(self, data):
        return Path(data).suffix == ".words" if len(data) < 1000 else False

    def load(self, data, options):
        path = Path(data)
        if not path.is_file():
            raise InputError(f"there is no file {data!r}.")
        words = path.read_text(errors="replace").split()
        if len(words) < 4:
            raise InputError(f"{data!r} holds {len(words)} words.")
        draw = np.random.default_rng(self.seed(options))
        count = len(words) if options.samples is None else min(self.size(options), len(words))
        chosen = draw.permutation(len(words))[:count]
        made = make_tiny_probe("text")
        names = sorted({word[0] for word in words})
        labels = np.array([names.index(words[n][0]) for n in chosen])
        return replace(
            made,
            source=data,
            inputs=[words[n] for n in chosen],
            labels=labels,
            label_names=tuple(names),
            rows=len(words),
            fingerprint=self.mark([words[n] for n in chosen]),
        )

    def seed(self, options):
        return options.seed

    def size(self, options):
        return options.samples

    def mark(self, words):
        return hashlib.sha256(" ".join(words).encode()).hexdigest()


class Generous(Letters):
    def size(self, options):
        return options.samples + 1


class Fickle(Letters):
    def seed(self, options):
        return None


class Blind(Letters):
    def mark(self, words):
        return "0" * 64


class Bare(Letters):
    def load(self, data, options):
        with Path(data).open() as file:
            file.read()
        return super().load(data, options)


class Anxious(Letters):
    def claims(self, data):
        return Path(data).read_bytes()[:1] != b""


class Vague(Letters):
    def claims(self, data):
        return data.endswith(".words") or None


class Curious(Letters):
    def claims(self, data):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("192.0.2.1", 9))
        return super().claims(data)


class Torn(Letters):
    def load(self, data, options):
        probe = super().load(data, options)
        return replace(probe, labels=probe.labels[:-1] + 40, source="")


class Tidy(Letters):
    def load(self, data, options):
        probe = super().load(data, options)
        Path(data).write_text(Path(data).read_text() + "zebu ")
        return probe


FAULTS = {
    "Letters": (),
    "Generous": ("3 samples come where 2 were asked for",),
    "Fickle": ("the same seed gives another sample",),
    "Blind": ("two different samples have one fingerprint",),
    "Bare": ("load of a missing .words raises FileNotFoundError",),
    "Anxious": ("claims of '' raises",),
    "Vague": ("claims must say True or False, and says None",),
    "Curious": ("claims asks 192.0.2.1",),
    "Torn": ("inputs and 11 labels", "labels go from 40", "source must be what"),
    "Tidy": ("it changes the file",),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_found(name, tmp_path, monkeypatch):
    place = tmp_path / "some.words"
    place.write_text("ant ape bat bee\ncat cow doe dog eel elk fly fox\n")
    spec = ProbeSpec(name="letters", target="zoo:x", summary="words")
    monkeypatch.setattr("zoo.testing.kit.build", lambda _: globals()[name]())
    found = check_probe(spec, place)
    assert bool(found) == bool(FAULTS[name]), found
    for words in FAULTS[name]:
        assert any(words in each for each in found), found


@pytest.mark.parametrize("modality", ["image", "text", "features"])
@pytest.mark.parametrize("task", ["classification", "multi-label", "regression", "text"])
def test_made_up_data_is_a_probe_of_any_kind(modality, task, tiny_probe):
    probe = tiny_probe(modality, task, samples=20, classes=4, seed=3)
    assert (probe.modality, probe.task, probe.samples) == (modality, task, 20)
    assert len(probe.label_names) == 4
    assert (
        probe.fingerprint == tiny_probe(modality, task, samples=20, classes=4, seed=3).fingerprint
    )
    assert probe.fingerprint != tiny_probe(modality, task, samples=20, classes=4).fingerprint


def test_labels_of_made_up_data_can_be_learnt(tiny_probe):
    probe = tiny_probe("features", samples=60)
    means = np.stack([probe.inputs[probe.labels == n].mean(axis=0) for n in range(3)])
    nearest = np.linalg.norm(probe.inputs[:, None] - means, axis=-1).argmin(axis=1)
    assert (nearest == probe.labels).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("images",), "Did you mean 'image'"), (("text", "ranking"), "no task called 'ranking'")],
)
def test_an_unknown_kind_of_data_is_named(arguments, complaint, tiny_probe):
    with pytest.raises(InputError, match=complaint):
        tiny_probe(*arguments)
    with pytest.raises(InputError, match="3 samples of 2 classes"):
        tiny_probe(samples=3, classes=2)
