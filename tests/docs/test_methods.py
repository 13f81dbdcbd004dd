"""Every method of ours is explained: what it does, when to believe it, where it comes from."""

from __future__ import annotations

import re

import pytest

from zoo.catalogue import KINDS, Catalogue
from zoo.host import PluginHost

#: They find, run and read: nothing about them has to be believed.
NO_METHODS = {"source", "runtime", "probe", "command"}
CATALOGUE = Catalogue(PluginHost().discover())
OURS = [
    (kind.noun, each.spec)
    for kind in KINDS
    if kind.noun not in NO_METHODS
    for each in CATALOGUE.provided(kind.noun).values()
    if each.plugin.startswith("zoo-reuse:")
]


@pytest.mark.parametrize(("noun", "spec"), OURS, ids=lambda each: getattr(each, "name", each))
def test_every_method_has_an_entry_with_its_source(noun, spec, page):
    if noun == "estimator":
        text = page("docs/reference/estimators.md")
        assert f"\n## {spec.name}\n" in text
        assert spec.reference in text
        return
    rows = re.findall(
        rf"^\| `{re.escape(spec.name)}` \|.*$", page("docs/explanation/methods.md"), re.MULTILINE
    )
    assert rows, f"no row of {spec.name}"
    assert any(spec.reference in row for row in rows)
    assert all(cell.strip() for row in rows for cell in row.strip("|").split("|"))


def test_no_entry_is_of_a_method_that_is_gone(page):
    names = set(re.findall(r"^\| `([\w-]+)` \|", page("docs/explanation/methods.md"), re.MULTILINE))
    assert names == {spec.name for noun, spec in OURS if noun != "estimator"}
