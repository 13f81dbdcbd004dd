"""The public API is a checked-in list: changing it is a decision, not an accident."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

LIST = Path(__file__).with_name("public_api.txt")


def current() -> list[str]:
    import zoo
    import zoo.graph
    import zoo.growing
    import zoo.hookspecs
    import zoo.types

    lines = [f"zoo.{name}" for name in zoo.__all__]
    lines += [f"zoo.types.{name}" for name in zoo.types.__all__]
    lines += [f"zoo.growing.{name}" for name in zoo.growing.__all__]
    lines += [f"zoo.graph.{name}" for name in zoo.graph.__all__]
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
