"""Whether the checks of sources pass ours, and find what is wrong with others."""

from __future__ import annotations

import hashlib
import shutil
import socket
from pathlib import Path

import pytest

import zoo.builtin
from zoo import embedded
from zoo.errors import CheckpointError
from zoo.testing.kit import Trial, checks_of, run_check
from zoo.testing.sources import KIT, check_source
from zoo.types import Checkpoint, ModelEntry, SourceSpec

OURS = {spec.name: spec for spec in zoo.builtin.zoo_sources()}
SMALL = embedded.names()[0]


def problems(name, example):
    trial = Trial(noun="source", spec=OURS[name], example=example)
    outcomes = [run_check(check, trial) for check in checks_of(trial)]
    assert not [each for each in outcomes if each.not_tried]
    return [sentence for each in outcomes for sentence in each.problems]


def test_the_embedded_checkpoints_keep_every_promise():
    assert not problems("embedded", f"embedded:{SMALL}")


def test_a_folder_keeps_every_promise(tmp_path):
    assert not problems("folder", shutil.copytree(embedded.folder(SMALL), tmp_path / "small"))


def test_the_hub_keeps_every_promise(tmp_path, loopback_hub):
    loopback_hub.add("org/small", embedded.folder(SMALL))
    assert not problems("hub", "org/small")
    assert loopback_hub.requests


@pytest.mark.exhaustive
def test_what_is_grown_keeps_every_promise():
    assert not problems("grow", "grow:embedded:vit-digit-parity:depth=+1")


@pytest.mark.parametrize("name", OURS)
def test_without_an_example_less_is_tried(name):
    trial = Trial(noun="source", spec=OURS[name])
    outcomes = {each.name: run_check(each, trial) for each in KIT.checks}
    assert [name for name, each in outcomes.items() if not each.not_tried] == [
        "methods",
        "unknown",
        "offline",
    ]
    assert not [each.problems for each in outcomes.values() if each.problems]


class Mine:
    """Has one checkpoint, in a folder of its home; what a subclass does is its fault."""

    def __init__(self, *, home: str = "", offline: bool | None = None):
        self.home, self.offline = Path(home), offline

    def known(self, candidate):
        if candidate.entry.parsed.name != "tiny":
            raise CheckpointError(f"there is no {candidate.model}.")
        return ModelEntry(ref=candidate.model, library="transformers")

    def inspect(self, candidate):
        return self.known(candidate)

    def missing_bytes(self, candidate):
        return 0 if (self.home / "tiny").exists() else 8

    def files(self):
        return {"config.json": b"{}", "model.safetensors": b"12345678"}

    def fetch(self, candidate):
        entry, folder = self.known(candidate), self.home / "tiny"
        folder.mkdir(exist_ok=True)
        for name, content in self.files().items():
            (folder / name).write_bytes(content)
        digest = hashlib.sha256(repr(sorted(self.files().items())).encode()).hexdigest()
        return Checkpoint(entry=entry, folder=str(folder), digest=digest)


class Bare(Mine):
    def known(self, candidate):
        return {"tiny": ModelEntry(ref=candidate.model)}[candidate.entry.parsed.name]


class Curious(Mine):
    def known(self, candidate):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("192.0.2.1", 9))
        return super().known(candidate)


class Pickled(Mine):
    def files(self):
        return {"config.json": b"{}", "pytorch_model.bin": b"1"}


class Fickle(Mine):
    count = 0

    def files(self):
        Fickle.count += 1
        return {**super().files(), "config.json": b" " * Fickle.count}


class Lost(Mine):
    def fetch(self, candidate):
        if self.offline:
            raise CheckpointError("it is not here.")
        return super().fetch(candidate)

    def missing_bytes(self, candidate):
        return 3.5


class Renamed(Mine):
    def inspect(self, candidate):
        return ModelEntry(ref="hub:other/model")


class Loud(Mine):
    def fetch(self, candidate):
        print("fetching")
        return super().fetch(candidate)


class Old(Mine):
    def fetch(self, reference, folder):
        raise NotImplementedError


FAULTS = {
    "Mine": (),
    "Bare": ("inspect of 'mine:no-such-checkpoint', which is not there, raises KeyError",),
    "Curious": ("it asks 192.0.2.1 while offline",),
    "Pickled": ("'pytorch_model.bin': opening it can run code", "no safetensors weights"),
    "Fickle": ("another digest", "it changes the file 'config.json'", "offline it gives other"),
    "Lost": ("offline what was fetched before raises CheckpointError", "and gives 3.5"),
    "Renamed": ("inspect of mine:tiny gives an entry of hub:other/model", "raises nothing"),
    "Loud": ("it prints 'fetching'",),
    "Old": ("fetch is called as fetch(candidate)",),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_found(name, monkeypatch):
    spec = SourceSpec(name="mine", target=f"zoo:{name}", summary="mine")
    target = globals()[name]
    monkeypatch.setattr("zoo.testing.sources.load_target", lambda _: target)
    monkeypatch.setattr("zoo.testing.sources.build", lambda _, options: target(**options))
    found = check_source(spec, "mine:tiny")
    assert bool(found) == bool(FAULTS[name]), found
    for words in FAULTS[name]:
        assert any(words in each for each in found), found


def test_what_cannot_be_had_here_is_not_tried(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    trial = Trial(noun="source", spec=OURS["hub"], example="nobody/none@" + "0" * 40)
    tried = [each.name for each in KIT.checks if not run_check(each, trial).not_tried]
    assert tried == ["methods", "unknown"]
