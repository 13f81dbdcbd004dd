"""Whether the checks of graph sources pass ours, and find what is wrong with others."""

from __future__ import annotations

import io
import json
import socket

import pytest

import zoo_explanation
from zoo.errors import InputError
from zoo.testing.graph_sources import KIT, check_graph_source
from zoo.testing.kit import Trial, checks_of, run_check
from zoo.types import GraphSourceSpec, SourceFacts

DATA = """\
  1 This software and database is being provided to you, the LICENSEE, by
  2 WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.
00001740 03 n 01 entity 0 001 ~ 00015388 n 0000 | that which exists
00015388 05 n 02 animal 0 beast 1 001 @ 00001740 n 0000 | a living thing
"""
INDEX = """\
  1 This software and database is being provided to you, the LICENSEE, by
animal n 1 2 @ ~ 1 1 00015388
beast n 1 1 @ 1 0 00015388
entity n 1 1 ~ 1 1 00001740
"""
OURS = {spec.name: spec for spec in zoo_explanation.zoo_graph_sources()}


def wordnet(folder):
    (folder / "data.noun").write_text(DATA)
    (folder / "index.noun").write_text(INDEX)
    return folder


def file(name, text):
    def write(folder):
        (folder / name).write_text(text)
        return folder / name

    return write


ITEM = {
    "id": "Q144",
    "type": "item",
    "labels": {"en": {"language": "en", "value": "dog"}},
    "claims": {},
}
PLACES = {
    "wordnet": wordnet,
    "imagenet": file("synsets.txt", "n01440764\nn01443537\n"),
    "conceptnet": file("assertions.csv", '/a/x\t/r/IsA\t/c/en/dog\t/c/en/pet\t{"weight": 2.0}\n'),
    "atomic": file("train.txt", "dog\tIsA\tpet\ncat\tIsA\tpet\n"),
    "wikidata": file("dump.json", "[\n" + json.dumps(ITEM) + "\n]\n"),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_keep_every_promise(name, tmp_path):
    trial = Trial(noun="graph_source", spec=OURS[name], example=PLACES[name](tmp_path))
    for check in checks_of(trial):
        outcome = run_check(check, trial)
        assert (outcome.problems, outcome.not_tried) == ((), ""), check.name


class Kinds:
    """A CSV of things and kinds; what a subclass does is its fault."""

    def write(self, place, out, *, offline):
        if place is None or not place.is_file():
            raise InputError(f"there is no {place}.", "Name a CSV.")
        try:
            lines = place.read_text().splitlines()
            pairs = [line.split(",") for line in lines]
            triples = [f"<urn:{one}> <urn:is> <urn:{two}> .\n" for one, two in pairs]
        except ValueError as error:
            raise InputError(f"{place} is no CSV.") from error
        out.write("".join(triples).encode())
        return SourceFacts()


class Trusting(Kinds):
    def write(self, place, out, *, offline):
        out.write(place.read_bytes())
        return SourceFacts()


class Careless(Kinds):
    def write(self, place, out, *, offline):
        facts = super().write(place, out, offline=offline)
        out.write(b"and so on\n")
        place.write_text(place.read_text() + "fly,pet\n")
        return facts


class Silent(Kinds):
    def write(self, place, out, *, offline):
        super().write(place, io.BytesIO(), offline=offline)


class Old(Kinds):
    def write(self, place, out):
        return SourceFacts()


class Curious(Kinds):
    def write(self, place, out, *, offline):
        if place is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.connect(("192.0.2.1", 9))
        return super().write(place, out, offline=offline)


FAULTS = {
    "Kinds": (),
    "Trusting": ("no N-Triples", "FileNotFoundError", "AttributeError"),
    "Careless": ("no N-Triples", "it changes the file"),
    "Silent": ("no triple of its example", "must give zoo.types.SourceFacts"),
    "Old": ("write is called as write(place, out, *, offline)",),
    "Curious": ("it asks 192.0.2.1 while offline",),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_found(name, tmp_path, monkeypatch):
    place = tmp_path / "kinds.csv"
    place.write_text("dog,pet\ncat,pet\n")
    spec = GraphSourceSpec(name="kinds", target="zoo:x", summary="kinds", reads="a CSV")
    monkeypatch.setattr("zoo.testing.kit.build", lambda _: globals()[name]())
    found = check_graph_source(spec, place)
    assert bool(found) == bool(FAULTS[name]), found
    for words in FAULTS[name]:
        assert any(words in each for each in found), found


def test_without_an_example_less_is_tried():
    outcomes = [
        run_check(each, Trial(noun="graph_source", spec=OURS["atomic"])) for each in KIT.checks
    ]
    assert [each.check.name for each in outcomes if each.not_tried] == [
        "triples",
        "untouched-input",
    ]
