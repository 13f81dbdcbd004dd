"""Opening sources, and the checkpoints that come with Zoo."""

from __future__ import annotations

import pytest

from zoo import embedded
from zoo.catalogue import Catalogue
from zoo.errors import InputError
from zoo.registry import load_registry, packaged_registry
from zoo.settings import Settings
from zoo.sources import open_sources
from zoo.sources.embedded import EmbeddedSource
from zoo.types import Candidate, ModelEntry


def test_every_source_is_opened_with_the_options_that_it_has(zoo_host, tmp_path):
    events = []

    sources = open_sources(
        Catalogue(zoo_host), Settings(home=str(tmp_path), offline=True), events.append
    )

    assert {"hub", "folder", "embedded"} <= set(sources)
    assert sources["hub"].offline is True
    assert sources["hub"].home == tmp_path
    sources["hub"].on_event("heard")
    assert events == ["heard"]


@pytest.mark.parametrize("name", embedded.names())
def test_embedded_checkpoints_are_those_that_the_registry_lists(name, tmp_path):
    registry = load_registry(packaged_registry())
    (candidate,) = (each for each in registry.candidates() if each.model == f"embedded:{name}")

    checkpoint = EmbeddedSource(home=str(tmp_path)).fetch(candidate)

    assert checkpoint.entry == candidate.entry
    assert checkpoint.folder == str(embedded.folder(name).resolve())


def test_an_unknown_embedded_checkpoint_gets_the_nearest_name(tmp_path):
    first = embedded.names()[0]
    candidate = Candidate(entry=ModelEntry(ref=f"embedded:{first}x"), base="/")

    with pytest.raises(InputError, match=f"Did you mean '{first}'"):
        EmbeddedSource(home=str(tmp_path)).fetch(candidate)
