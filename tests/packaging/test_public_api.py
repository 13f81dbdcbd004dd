"""The public API is a checked-in list: changing it is a decision, not an accident."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path

LIST = Path(__file__).with_name("public_api.txt")


def current() -> list[str]:
    import zoo
    import zoo.graph
    import zoo.growing
    import zoo.hookspecs
    import zoo.testing
    import zoo.types

    lines = [f"zoo.{name}" for name in zoo.__all__]
    lines += [f"zoo.types.{name}" for name in zoo.types.__all__]
    lines += [f"zoo.growing.{name}" for name in zoo.growing.__all__]
    lines += [f"zoo.graph.{name}" for name in zoo.graph.__all__]
    lines += [f"zoo.testing.{name}" for name in zoo.testing.__all__]
    for name, hook in vars(zoo.hookspecs).items():
        if name.startswith("zoo_") and inspect.isfunction(hook):
            lines.append(f"zoo.hookspecs.{name}({', '.join(inspect.signature(hook).parameters)})")
    return sorted(lines)


def test_the_public_names_are_the_checked_in_ones():
    listed = LIST.read_text(encoding="utf-8").split("\n")
    listed = [line for line in listed if line and not line.startswith("#")]
    found = current()
    added, gone = sorted(set(found) - set(listed)), sorted(set(listed) - set(found))
    assert not gone, f"gone from the public API: {gone}; deprecate first"
    assert not added, f"new in the public API: {added}; add them to {LIST.name} on purpose"


def test_every_public_name_exists_and_is_documented():
    for line in current():
        module, _, name = line.partition("(")[0].rpartition(".")
        thing = getattr(importlib.import_module(module), name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), line


def test_the_version_is_that_of_the_distribution_and_has_its_part_of_the_changelog():
    import zoo

    root = LIST.parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert zoo.__version__ == project["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", zoo.__version__)
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == zoo.__version__
