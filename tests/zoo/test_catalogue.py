from __future__ import annotations

import sys
import types

import pytest

from zoo import hookimpl
from zoo.catalogue import Catalogue, build, options_of
from zoo.errors import InputError, PluginError, UnknownNameError
from zoo.host import PluginHost
from zoo.types import EstimatorSpec


class Thing:
    def __init__(self, *, size: int = 3) -> None:
        self.size = size


def plugin(*specs):
    class Plugin:
        @hookimpl
        def zoo_estimators(self):
            return list(specs)

    return Plugin()


def spec(name, target="x:y"):
    return EstimatorSpec(name=name, target=target, summary="s")


def catalogue(**plugins):
    host = PluginHost()
    for name, each in plugins.items():
        host.register(each, name=name.replace("__", ":"))
    return Catalogue(host)


def test_the_first_to_claim_a_name_keeps_it_and_the_second_is_told():
    found = catalogue(first=plugin(spec("same", "a:b")), second=plugin(spec("same", "c:d")))
    assert found.spec("estimator", "same").target in {"a:b", "c:d"}
    assert "already provided by" in found.host.failures[0].error


def test_ours_wins_a_name_whatever_the_order_of_registration():
    ours = {"zoo-reuse:x": plugin(spec("same", "ours:x"))}
    theirs = {"stranger:x": plugin(spec("same", "theirs:x"))}
    for order in ({**ours, **theirs}, {**theirs, **ours}):
        host = PluginHost()
        for name, each in order.items():
            host.register(each, name=name)
        assert Catalogue(host).spec("estimator", "same").target == "ours:x"
        assert host.failures[0].plugin == "stranger:x"


def test_something_that_is_no_spec_is_refused_and_the_rest_kept():
    found = catalogue(bad=plugin("not a spec", spec("good")))
    assert list(found.specs("estimator")) == ["good"]
    assert "no EstimatorSpec" in found.host.failures[0].error


def test_expected_failures_that_no_other_process_can_read_are_refused():
    odd = EstimatorSpec(
        name="odd", target="x:y", summary="s", expected_failures=types.MappingProxyType({})
    )
    found = catalogue(mine=plugin(odd, spec("fine")))
    assert list(found.specs("estimator")) == ["fine"]
    assert "expected_failures is mappingproxy({}), no dictionary" in found.host.failures[0].error


def test_an_unknown_name_gets_the_nearest_one_and_the_list():
    found = catalogue(p=plugin(spec("logme"), spec("knn")))
    with pytest.raises(UnknownNameError) as error:
        found.spec("estimator", "logmee")
    assert error.value.message == (
        "no estimator called 'logmee'. Did you mean 'logme'? Available: knn, logme (2 total)."
    )
    assert error.value.exit_code == 2


def test_options_are_the_keyword_parameters_of_the_class(monkeypatch):
    module = types.ModuleType("zoo_test_things")
    module.Thing = Thing
    monkeypatch.setitem(sys.modules, module.__name__, module)
    thing = spec("thing", "zoo_test_things:Thing")
    assert list(options_of(Thing)) == ["size"]
    assert build(thing, {"size": 5}).size == 5
    for wrong in ("five", 5.5, True):
        with pytest.raises(InputError, match=r"thing\.size = .*Expected `int`"):
            build(thing, {"size": wrong})
    with pytest.raises(InputError, match=r"no option 'sise'\. Options: size"):
        build(thing, {"sise": 5})


def test_a_target_that_cannot_be_imported_names_itself():
    with pytest.raises(PluginError, match="cannot be loaded from nowhere:Thing"):
        build(spec("x", "nowhere:Thing"))
