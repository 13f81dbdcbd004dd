"""Who is asked, in which order, and what happens when a stranger's loader breaks."""

from __future__ import annotations

import types

import pytest

import zoo
import zoo.builtin
from zoo.catalogue import Catalogue
from zoo.errors import InputError, PluginError
from zoo.host import PluginHost
from zoo.probes import load, summary
from zoo.types.protocols import ProbeOptions
from zoo.types.specs import ProbeSpec


class Broken:
    def claims(self, data):
        raise RuntimeError("no idea")


class BrokenLater:
    def claims(self, data):
        return data.endswith(".csv")

    def load(self, data, options):
        raise ZeroDivisionError("division by zero")


def with_loader(kind):
    module = types.ModuleType("strange")
    setattr(module, kind.__name__, kind)
    module.__dict__["zoo_probes"] = zoo.builtin.hookimpl(
        lambda: [
            ProbeSpec(name="odd", target=f"strange:{kind.__name__}", summary="odd", priority=1)
        ]
    )
    host = PluginHost()
    host.register(zoo.builtin, name="zoo-reuse:core")
    host.register(module, name="strange:strange")
    return module, Catalogue(host)


@pytest.fixture
def strange(monkeypatch):
    def install(kind):
        import sys

        module, catalogue = with_loader(kind)
        monkeypatch.setitem(sys.modules, "strange", module)
        return catalogue

    return install


def test_a_loader_that_breaks_when_asked_is_passed_over_and_recorded(strange, write):
    catalogue = strange(Broken)
    path = write("a.csv", "text,label\na,x\nb,y\nc,x\n")
    assert load(str(path), ProbeOptions(), catalogue).samples == 3
    assert [failure.plugin for failure in catalogue.host.failures] == ["strange:strange"]


def test_a_loader_that_breaks_while_it_reads_is_named(strange, write):
    path = write("a.csv", "text,label\na,x\nb,y\nc,x\n")
    with pytest.raises(PluginError, match="'odd' of strange:strange failed on"):
        load(str(path), ProbeOptions(), strange(BrokenLater))


def test_the_demo_has_ten_digits_and_no_columns(read, refused):
    probe = read("demo", samples=60)
    assert (probe.task, probe.modality, probe.classes) == ("classification", "image", 10)
    assert probe.inputs[0].data.startswith(b"BM")
    assert probe.fingerprint == read("demo", samples=60).fingerprint
    assert "no columns" in refused("demo", label=("x",))
    assert read("demo", samples=60, task="regression").labels.dtype == float


def test_a_summary_says_what_a_ranking_remembers(read, write):
    probe = read(write("a.csv", "text,label\na,x\nb,y\nc,x\n"))
    found = summary(probe)
    assert (found.task, found.samples, found.classes, found.rows) == ("classification", 3, 2, 3)
    assert found.fingerprint == probe.fingerprint
    assert found.notes == probe.notes


def test_wrong_paths_say_what_would_work(refused, write):
    write("data/reviews.csv", "x")
    assert "Did you mean 'data/reviews.csv'?" in refused("data/review.csv")
    assert "hub:data/other" in refused("data/other")
    assert "Zoo reads folders of images" in refused("./nothing/at/all")
    assert "DATA is empty" in refused(" ")


def test_impossible_options_are_refused(refused, write):
    path = write("a.csv", "text,label\na,x\nb,y\nc,x\n")
    assert "the seed -1 is negative" in refused(path, seed=-1)
    assert "-5 samples cannot rank" in refused(path, samples=-5)
    assert "1 sample cannot rank" in refused(path, samples=1)
    assert "there is no task 'guess'" in refused(path, task="guess")
    assert "--text is given 3 times" in refused(path, text=("text", "label", "text"))


def test_a_folder_that_may_not_be_read_is_named(read, tmp_path):
    import os

    (tmp_path / "locked").mkdir(mode=0)
    if os.access(tmp_path / "locked", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="may not be read"):
        read(tmp_path / "locked")


@pytest.mark.parametrize("data", ["~nobody-of-this-name/photos", "a" * 5000, "b" * 300 + ".csv"])
def test_a_path_that_cannot_be_is_not_there(refused, data):
    assert "there is no file" in refused(data)
