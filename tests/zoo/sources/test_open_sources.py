"""Building the sources: one that breaks is its plugin's failure."""

from __future__ import annotations

import sys
import types

from zoo import hookimpl
from zoo.catalogue import Catalogue
from zoo.host import PluginHost
from zoo.settings import Settings
from zoo.sources import open_sources
from zoo.types.specs import SourceSpec


class Broken:
    def __init__(self) -> None:
        raise ValueError("no bucket")


class Stranger:
    @hookimpl
    def zoo_sources(self):
        return [SourceSpec(name="bucket", target="zoo_test_bucket:Broken", summary="s")]


def test_a_source_that_breaks_leaves_the_others(monkeypatch, tmp_path):
    module = types.ModuleType("zoo_test_bucket")
    module.Broken = Broken
    monkeypatch.setitem(sys.modules, module.__name__, module)
    host = PluginHost().discover()
    host.register(Stranger(), name="stranger:x")

    sources = open_sources(Catalogue(host), Settings(home=str(tmp_path), offline=True))

    assert set(sources) >= {"hub", "folder", "embedded"}
    assert "bucket" not in sources
    (failure,) = host.failures
    assert (failure.plugin, failure.stage) == ("stranger:x", "zoo_sources")
    assert "no bucket" in failure.error
