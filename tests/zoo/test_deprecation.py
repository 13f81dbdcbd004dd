"""What goes away works until it is gone, and says what to use instead."""

from __future__ import annotations

import sys
import textwrap
from types import MappingProxyType

import pytest

import zoo
import zoo.types
from zoo.deprecation import Deprecated, Moved
from zoo.host import PluginHost
from zoo.types import Limits

#: Written for 0.1, in which the limits came as a mapping.
OLDER = """
from zoo import hookimpl

@hookimpl
def zoo_exclude_candidates(candidates, limits):
    if limits["licenses"] and limits["max_size"] is None and not limits["inspected"]:
        limits.get("licenses")
        return {candidates[0]: "as in 0.1"}
    return {}
"""
NEWER = """
from zoo import hookimpl

@hookimpl
def zoo_exclude_candidates(candidates, asked):
    return {candidates[0]: f"licences {asked.licenses}"}
"""
ASKED = Limits(licenses=("mit",))
NOTICE = (
    "the parameter 'limits' of zoo_exclude_candidates is deprecated since Zoo 0.2 and gone in 0.4; "
    "use 'asked', a zoo.types.Limits."
)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install both as distributions of their own."""
    for name, source in (("zoo-older", OLDER), ("zoo-newer", NEWER)):
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = tmp_path / f"{module}-1.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.4\n")
        (info / "entry_points.txt").write_text(f"[zoo.v1]\n{module} = {module}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for module in ("zoo_older", "zoo_newer"):
        sys.modules.pop(module, None)


def excluded(host):
    limits = MappingProxyType({"max_size": None, "licenses": ("mit",), "inspected": False})
    answers = host.call(
        "zoo_exclude_candidates", candidates=("m",), probe=None, asked=ASKED, limits=limits
    )
    return {plugin: answer for plugin, answer in answers if plugin.startswith(("zoo-o", "zoo-n"))}


def test_a_plugin_of_an_older_contract_works_and_is_told_what_changes(installed):
    host = PluginHost(disabled=["zoo-reuse"]).discover()
    assert excluded(host) == {
        "zoo-older:zoo_older": {"m": "as in 0.1"},
        "zoo-newer:zoo_newer": {"m": "licences ('mit',)"},
    }
    assert host.failures == []
    (warning,) = host.warnings
    assert str(warning) == f"zoo-older:zoo_older 1.4 (deprecated): {NOTICE}"
    assert "zoo plugins install --upgrade zoo-older" in warning.hint


def test_the_tests_of_an_author_are_warned_where_warnings_are_looked_for(installed):
    with pytest.warns(Deprecated, match="use 'asked'"):
        host = PluginHost(strict=True, disabled=["zoo-reuse"]).discover()
    assert excluded(host).keys() == {"zoo-older:zoo_older", "zoo-newer:zoo_newer"}


@pytest.mark.parametrize("module", [zoo, zoo.types])
def test_a_public_name_that_goes_still_works_and_says_what_to_use(module, monkeypatch):
    monkeypatch.setitem(module._DEPRECATED, "Bounds", Moved("zoo.types:Limits", since="0.2"))
    with pytest.warns(
        Deprecated, match=r"\.Bounds is deprecated since Zoo 0\.2 .* 0\.4; use zoo\."
    ):
        assert module.Bounds is Limits
    with pytest.raises(AttributeError, match="Boundss"):
        module.Boundss  # noqa: B018


def test_what_is_announced_goes_two_minor_versions_later():
    notice = Deprecated("x", since="0.9", instead="y")
    assert str(notice) == "x is deprecated since Zoo 0.9 and gone in 0.11; use y"


def test_nothing_is_left_beyond_its_time():
    """A release in which something is due has to remove it."""
    from zoo import hookspecs

    host = PluginHost()
    notices = [each for each in vars(hookspecs).values() if isinstance(each, Deprecated)]
    specs = [
        getattr(host.manager.hook, name).spec for name in vars(hookspecs) if name[:4] == "zoo_"
    ]
    notices += [each for spec in specs for each in (spec.warn_on_impl_args or {}).values()]
    now = tuple(map(int, zoo.__version__.split(".")[:2]))
    for each in notices:
        assert now < tuple(map(int, each.gone.split("."))), f"{each}, and this is {zoo.__version__}"
