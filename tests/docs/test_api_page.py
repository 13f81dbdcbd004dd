"""The page of the Python API has everything that is public."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

PACKAGES = ("zoo", "zoo.types", "zoo.graph", "zoo.growing", "zoo.testing")
PUBLIC = [(name, each) for name in PACKAGES for each in importlib.import_module(name).__all__]


@pytest.fixture(scope="module")
def sections(page):
    """Give the text below each heading of a package, by package and name."""
    text = page("docs/reference/api.md")
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        package, *members = re.split(r"^### ", part, flags=re.MULTILINE)
        name, _, above = package.partition("\n")
        found[name, ""] = above
        for member in members:
            title, _, body = member.partition("\n")
            found[name, title] = body
    return found


@pytest.mark.parametrize(("package", "name"), PUBLIC, ids=lambda each: each)
def test_every_public_name_is_described_or_linked(package, name, sections):
    if (package, name) not in sections:
        assert re.search(rf"^\* `{name}`: .*\]\(.+\)", sections[package, ""], re.MULTILINE)
        return
    thing = getattr(importlib.import_module(package), name)
    body = sections[package, name]
    assert body.strip()
    if inspect.isfunction(thing):
        for parameter in inspect.signature(thing).parameters:
            assert re.search(rf"\b{parameter}\b", body)
        sentence = inspect.getdoc(thing).splitlines()[0].replace("``", "`")
        assert sentence.partition(":")[0] in body
