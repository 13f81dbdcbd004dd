"""Which methods ``--method kd,rkd,hkd:3`` names, with their weights and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.methods import Part
from zoo.building.recipe import ADDING
from zoo.catalogue import build
from zoo.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.building.recipe import Recipe
    from zoo.catalogue import Catalogue

#: What can be named, in the order in which a name is looked for.
KINDS = ("distiller", "objective", "regulariser", "augmenter", "pretext")


def split(method: str) -> list[tuple[str, float | None]]:
    """Take ``kd,hkd:3`` apart.

    Raises:
        InputError: a name or a weight that is none, or a name that stands twice.
    """
    found: list[tuple[str, float | None]] = []
    for text in method.split(","):
        name, colon, weight = (each.strip() for each in text.partition(":"))
        if not name:
            raise InputError(
                f"--method {method!r} names no method at one place.", "--method NAME,OTHER"
            )
        if name in dict(found):
            raise InputError(f"--method {method!r} names {name} twice.", f"--method {name}:2")
        found.append((name, _weight(text, weight) if colon else None))
    return found


def join(parts: Sequence[Part]) -> str:
    """Write methods as they are typed; weights that are a method's own are left out."""
    return ",".join(
        each.name if each.weight == own_weight(each.spec) else f"{each.name}:{_text(each.weight)}"
        for each in parts
    )


def own_weight(spec: Any) -> float:
    """Give what a method counts where nobody says another weight."""
    return float(getattr(spec, "weight", getattr(spec, "share", 1.0)))


def parts_of(
    method: str, options: Mapping[str, Any], catalogue: Catalogue, *, published: bool
) -> tuple[Part, ...]:
    """Find and make the methods that are named.

    Args:
        method: names with weights; empty for none.
        options: method -> its options.
        catalogue: what the plugins provide.
        published: methods take the options of their authors where nothing else is said.

    Raises:
        InputError: a name, weight or option that is wrong.
    """
    named = split(method) if method else []
    for owner in options:
        if owner not in dict(named):
            listed = ", ".join(name for name, _ in named) or "none"
            raise InputError(
                f"options of {owner} are given, and the methods are {listed}.",
                f"--method {method},{owner}" if method else f"--method {owner}",
            )
    return tuple(_part(name, weight, options, catalogue, published) for name, weight in named)


def find(name: str, catalogue: Catalogue) -> tuple[str, Any]:
    """Find the kind and the spec of a method.

    Raises:
        UnknownNameError: there is none of this name.
    """
    for kind in KINDS:
        spec = catalogue.specs(kind).get(name)
        if spec is not None:
            return kind, spec
    known = [each for kind in KINDS for each in catalogue.specs(kind)]
    raise unknown_name("method", name, known, "zoo plugins list --hook zoo_distillers")


def with_findings(recipe: Recipe, findings: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """Write what methods found into a recipe, so that carrying it out again searches nothing."""
    options = {
        name: {**recipe.options.get(name, {}), **findings.get(name, {})}
        for name in dict.fromkeys((*recipe.options, *findings))
    }
    return msgspec.structs.replace(recipe, options=options) if findings else recipe


def forget_others(filed: dict[str, Any], typed: Mapping[str, Any]) -> tuple[str, ...]:
    """Take options of methods that are named no more out of what a file says; say which."""
    options, method, said = filed.get("options"), typed.get("method"), {**filed, **typed}
    # Other commands have one method, and its options may be tables themselves.
    several = said.get("command") in ADDING
    if not several or not isinstance(options, dict) or not isinstance(method, str):
        return ()
    named = {*dict(split(method)), said.get("calibrate")}
    others = [name for name, own in options.items() if isinstance(own, dict) and name not in named]
    if not others:
        return ()
    filed["options"] = {name: own for name, own in options.items() if name not in others}
    return (f"The file's options of {', '.join(others)} are left out: --method {method}.",)


def _part(
    name: str,
    weight: float | None,
    options: Mapping[str, Any],
    catalogue: Catalogue,
    published: bool,
) -> Part:
    kind, spec = find(name, catalogue)
    if weight is not None:
        _check_weight(kind, name, weight)
    chosen = {**(getattr(spec, "published", {}) if published else {}), **options.get(name, {})}
    return Part(
        kind=kind,
        spec=spec,
        method=build(spec, chosen),
        weight=own_weight(spec) if weight is None else weight,
        options=chosen,
    )


def _check_weight(kind: str, name: str, weight: float) -> None:
    """Refuse a number that means nothing for this kind of method."""
    if kind == "augmenter":
        raise InputError(
            f"{name} gives no loss that {weight:g} could be the weight of.",
            f"--method {name}; zoo plugins show {name} says what can be set.",
        )


def _text(weight: float) -> str:
    """Write a number so that the same one is read again."""
    short = f"{weight:g}"
    return short if float(short) == weight else repr(weight)


def _weight(text: str, weight: str) -> float:
    try:
        found = float(weight)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1e12:
        raise InputError(
            f"--method {text.strip()!r}: {weight!r} is no weight.",
            "Write a number from 0 on after the colon: --method NAME:3",
        )
    return found
