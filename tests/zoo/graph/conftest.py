"""A small graph as Turtle, and a home folder with a run in it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from zoo.runs import Request, start_run
from zoo.types.ranking import Truth

_SPEC = importlib.util.spec_from_file_location(
    "render_fixtures", Path(__file__).parents[1] / "render" / "conftest.py"
)
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)
_ranking = _FIXTURES.ranking

ANIMALS = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wn: <https://globalwordnet.github.io/schemas/wn#> .
@prefix : <https://example.org/> .
:animal skos:prefLabel "animal"@en .
:dog skos:prefLabel "dog"@en ; skos:altLabel "hound"@en ; skos:definition "a pet"@en ;
  wn:hypernym :animal ; wn:mero_part :tail ; skos:related :cat .
:cat skos:prefLabel "cat"@en ; wn:hypernym :animal .
:tail skos:prefLabel "tail"@en .
:beagle skos:prefLabel "Beagle"@en ; wn:hypernym :dog .
:andiron skos:prefLabel "andiron"@en ; skos:altLabel "dog"@en .
"""
TRIPLES = 14


@pytest.fixture
def animals(tmp_path):
    path = tmp_path / "animals.ttl"
    path.write_text(ANIMALS)
    return path


@pytest.fixture
def home(tmp_path):
    return tmp_path / "zoo-home"


@pytest.fixture
def ranking():
    """A ranking of six models, two of them fine-tuned."""
    ranking = _ranking.__wrapped__()
    truth = tuple(
        Truth(
            model=row.model,
            accuracy=0.9 - 0.1 * place,
            interval=(0.8 - 0.1 * place, 0.95 - 0.1 * place),
            samples=50,
            steps=10,
            seconds=1.0,
            folder="x",
        )
        for place, row in enumerate(ranking.ranking[:2])
    )
    made = replace(ranking.provenance, command=("zoo", "recommend", "--token", "SECRET"))
    return replace(ranking, truth=truth, provenance=made)


@pytest.fixture
def record(home, ranking):
    """Keep a run: ``record()`` or ``record(another_ranking)``."""

    def make(kept=None):
        run = start_run(home, Request(data="photos"))
        kept = replace(kept or ranking, run=run.name)
        (run.folder / "ranking.json").write_bytes(msgspec.json.encode(kept))
        return run

    return make
