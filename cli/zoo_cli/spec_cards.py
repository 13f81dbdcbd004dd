"""What ``zoo plugins show`` says about one spec: what it is, what it needs, its options."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from zoo.catalogue import options_of
from zoo.host import PLUGIN_ERRORS
from zoo_cli.spec_words import WORDED, rows_in_words

if TYPE_CHECKING:
    from zoo.catalogue import Provided
    from zoo.host import InstalledPlugin
    from zoo.types.specs import Spec

_SHARED = frozenset(("name", "target", "summary", "reference"))
_UNSAID = frozenset(("kind", "name", "summary", "options", "error", "distribution", "version"))
_UNSAID |= {"expected_failures"}
_WIDTH = 96


def describe(noun: str, provided: Provided, owner: InstalledPlugin) -> dict[str, Any]:
    """Gather what is known about a spec; ``error`` says why its object cannot be had."""
    spec: Spec = provided.spec
    target, options, error = None, {}, ""
    if noun != "command":
        module, _, attribute = spec.target.partition(":")
        try:
            target = getattr(importlib.import_module(module), attribute)
            options = _options(target)
        except PLUGIN_ERRORS as failure:
            error = f"{spec.target} cannot be loaded: {type(failure).__name__}: {failure}"
    needs_base = getattr(target, "needs_base", None)
    return {
        "kind": noun,
        "name": spec.name,
        "summary": spec.summary,
        **facts_of(spec),
        **({"needs_base": needs_base} if isinstance(needs_base, bool) else {}),
        "reference": spec.reference,
        "plugin": provided.plugin,
        "distribution": owner.distribution,
        "version": owner.version,
        "target": spec.target,
        "options": options,
        "error": error,
    }


def facts_of(spec: Spec) -> dict[str, Any]:
    """Give what only this kind of spec has; an amalgamator's own kind is its ``way``."""
    facts = {name: value for name, value in asdict(spec).items() if name not in _SHARED}
    return {"way" if name == "kind" else name: value for name, value in facts.items()}


def card(described: dict[str, Any]) -> str:
    """Put it into words for a person."""
    lines = [f"{described['name']}  ({described['kind']})", f"  {described['summary']}"]
    rows = dict(_rows(described))
    width = max(11, *map(len, rows)) + 1
    lines += [f"  {name:<{width}}{text}" for name, text in rows.items()]
    for name, option in described["options"].items():
        default = "required" if option["required"] else f"default {_typed(option['default'])}"
        kind = " | ".join(option["choices"]) or option["type"]
        about = ", ".join(filter(None, (kind, default)))
        lines.append(f"  --set {described['name']}.{name}=...  ({about})")
        if option["meaning"]:
            wrapped = textwrap.wrap(option["meaning"], _WIDTH - 6, break_long_words=False)
            lines += [f"      {line}" for line in wrapped]
    return "\n".join(lines)


def _rows(described: dict[str, Any]) -> list[tuple[str, Any]]:
    worded = WORDED.get(described["kind"], ())
    rows = [row for row in rows_in_words(described) if row[1]]
    rows += [
        (key.replace("_", " "), _said(value))
        for key, value in described.items()
        if key not in (*_UNSAID, *worded) and value not in ("", (), {})
    ]
    broken = described["expected_failures"].items()
    if broken:
        said = "; ".join(f"{check} ({reason})" for check, reason in broken)
        rows.append(("does not promise", said))
    rows.append(("from", f"{described['distribution']} {described['version']}"))
    return [*rows, *([("error", described["error"])] if described["error"] else [])]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{name}={_typed(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _typed(value: Any) -> str:
    """Write a value as a person types it after ``--set``."""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in ("", (), None) else str(value)


def _options(target: Any) -> dict[str, Any]:
    maker = target.__init__ if inspect.isclass(target) else target
    try:
        hints = get_type_hints(maker)
    except (NameError, TypeError):  # known to type checkers only
        hints = {}
    meanings = _meanings(target) or _meanings(maker)
    return {
        name: _option(parameter, hints.get(name, parameter.annotation), meanings.get(name, ""))
        for name, parameter in options_of(target).items()
    }


def _option(parameter: inspect.Parameter, kind: Any, meaning: str) -> dict[str, Any]:
    required = parameter.default is inspect.Parameter.empty
    choices = [str(each) for each in get_args(kind)] if get_origin(kind) is Literal else []
    return {
        "type": "" if kind is inspect.Parameter.empty else _type(kind, bool(choices)),
        "default": None if required else parameter.default,
        "required": required,
        "choices": choices,
        "meaning": meaning,
    }


def _type(kind: Any, chosen: bool) -> str:
    if chosen:
        return type(get_args(kind)[0]).__name__
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _meanings(thing: Any) -> dict[str, str]:
    """Read ``Args:`` of a docstring: name -> text."""
    _, _, listed = (inspect.getdoc(thing) or "").partition("Args:\n")
    found: dict[str, str] = {}
    for line in listed.splitlines():
        if line and not line.startswith(" "):
            break
        entry = re.fullmatch(r" {4}(\w+)(?: \(.*?\))?: (.+)", line)
        if entry:
            found[entry[1]] = entry[2]
        elif line.strip() and found:
            found[list(found)[-1]] += f" {line.strip()}"
    return {name: text.replace("``", "`") for name, text in found.items()}
