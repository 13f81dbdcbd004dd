"""Every hook: its signature, its spec, the protocols of the object behind the spec."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from typing import Any

from generating.docstrings import first_line, prose, sections
from generating.members import code, fields, methods, signature, single_spaced

#: Protocols behind a hook that no spec's docstring names: what an object may have beside, and
#: what it is handed.
_MORE = {
    "zoo_estimators": ("ManyLabels", "ManyFolds", "Prior", "Combiner"),
    "zoo_sources": ("Source", "Describes"),
    "zoo_probes": ("ProbeLoader",),
    "zoo_amalgamators": ("Amalgamator", "Merger", "Observes"),
    "zoo_runtimes": (
        *("Runtime", "Backbone", "Attributes", "HasHead", "OnDevice", "Outlines", "OpensSlowly"),
        *("Exports", "Trains", "TrainableNetwork", "InputReader", "Forecasts", "Rebuilds"),
        "WholeNetwork",
    ),
    "zoo_growers": ("Learns",),
    "zoo_families": ("ModuleFamily", "Amends"),
    "zoo_completers": ("LinkScorer",),
    "zoo_objectives": ("Distiller",),
}
_ROLE = re.compile(r":class:`~?zoo\.types\.[a-z]+\.(\w+)`")


def hooks() -> dict[str, Any]:
    """Give every hook by its name, in the order of the specification."""
    from zoo import hookspecs

    found = [each for each in vars(hookspecs).items() if each[0].startswith("zoo_")]
    return {name: function for name, function in found if inspect.isfunction(function)}


def protocols() -> dict[str, type]:
    """Give every protocol of :mod:`zoo.types` by its name."""
    import zoo.types

    found = {}
    for module in pkgutil.iter_modules(zoo.types.__path__, "zoo.types."):
        loaded = importlib.import_module(module.name)
        found |= {
            name: thing
            for name, thing in vars(loaded).items()
            if getattr(thing, "_is_protocol", False) and thing.__module__ == module.name
        }
    return found


def spec_of(function: Any) -> type | None:
    """Find the spec that a hook collects."""
    import zoo.types

    named = re.search(r"\[(\w+Spec)\]", str(inspect.signature(function).return_annotation))
    return getattr(zoo.types, named[1]) if named else None


def hook_sections() -> str:
    """Describe every hook."""
    from zoo.types.specs import Spec

    lines = ["## What every spec has", "", *prose(Spec), *fields(Spec)]
    told: dict[str, str] = {}
    for name, function in hooks().items():
        lines += ["", f"## {name}", *code(f"def {signature(name, function)}: ...")]
        lines += [*prose(function), *sections(function)]
        spec = spec_of(function)
        if spec is not None:
            lines += _spec(spec)
            lines += _protocols(_named(name, spec), told, name)
    # Three brackets end a piece of code of cog's.
    return "\n".join(single_spaced(lines)).replace("]]]", "]] ]")


def _spec(spec: type) -> list[str]:
    lines = ["", f"### {spec.__name__}", "", *prose(spec), *fields(spec, own=True)]
    base = spec.__mro__[1]
    if base.__name__ != "Spec":
        lines += ["", f"It has the fields of `{base.__name__}`, too."]
    return [*lines, *methods(spec)]


def _named(hook: str, spec: type) -> list[str]:
    found = _ROLE.findall(inspect.getdoc(spec) or "")
    return list(dict.fromkeys([*found, *_MORE.get(hook, ())]))


def _protocols(names: list[str], told: dict[str, str], hook: str) -> list[str]:
    known = protocols()
    lines: list[str] = []
    for name in names:
        if name not in known:
            continue
        if name in told:
            lines += ["", f"`{name}` stands under [{told[name]}](#{told[name]})."]
            continue
        told[name] = hook
        lines += ["", f"### {name}", "", first_line(known[name])]
        lines += code(_source(known[name]))
    return lines


def _source(protocol: type) -> str:
    """Give the class as it is written, without a docstring of one line, which stands above."""
    lines = [line for line in inspect.getsource(protocol).splitlines() if line[:1] != "@"]
    alone = re.fullmatch(r'    """.+"""', lines[1])
    kept = [lines[0], *lines[3:]] if alone and not lines[2] else lines
    return re.sub(r":\w+:`~?([^`]+)`", r"``\1``", "\n".join(kept))
