"""The public Python API, as each package's ``__all__`` lists it."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from generating.docstrings import first_line
from generating.members import described, single_spaced

_PACKAGES = ("zoo", "zoo.types", "zoo.graph", "zoo.growing", "zoo.testing")


def public() -> dict[str, list[str]]:
    """Give the public names of every public package."""
    return {name: sorted(importlib.import_module(name).__all__) for name in _PACKAGES}


def api() -> str:
    """Describe everything public; what another page describes is linked."""
    lines: list[str] = []
    told: dict[int, str] = {}
    for package, names in public().items():
        module = importlib.import_module(package)
        things = {name: getattr(module, name) for name in names}
        linked = {name: _elsewhere(name, thing, told) for name, thing in things.items()}
        lines += ["", f"## {package}", "", first_line(module)]
        lines += ["", *(f"* {text}" for text in linked.values() if text)]
        for name, thing in things.items():
            if not linked[name]:
                told[id(thing)] = package
                lines += ["", *described(name, thing)]
    return "\n".join(single_spaced(lines))


def _elsewhere(name: str, thing: Any, told: dict[int, str]) -> str:
    if getattr(thing, "_is_protocol", False):
        return f"`{name}`: a protocol; see [hooks](hooks.md#{name.lower()}). {first_line(thing)}"
    if inspect.isclass(thing) and name.endswith("Spec"):
        return f"`{name}`: a spec; see [hooks](hooks.md#{_anchor(name)}). {first_line(thing)}"
    if inspect.isclass(thing) and id(thing) in told:
        return f"`{name}`: see [{told[id(thing)]}](#{name.lower()})."
    return ""


def _anchor(name: str) -> str:
    return "what-every-spec-has" if name == "Spec" else name.lower()
