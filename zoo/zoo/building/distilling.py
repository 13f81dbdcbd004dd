"""What preflight settles for a distillation: methods that fit, and labels that they teach."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.data import settle_truth
from zoo.building.finetuning import methods_beside
from zoo.building.label_decisions import names_in
from zoo.building.label_spaces import (
    LabelSpace,
    TeacherLabels,
    distinct,
    fold,
    keep,
    space_of,
    union,
)
from zoo.building.members import head_of
from zoo.building.methods import Part, Several
from zoo.building.naming import find, join, parts_of
from zoo.building.needs import check_logits, check_needs, classifies
from zoo.building.presets import LABELS, SOFT
from zoo.catalogue import build, load_target, options_of
from zoo.errors import InputError
from zoo.types.specs import AmalgamatorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.building.draft import Draft
    from zoo.building.label_spaces import TeacherHead
    from zoo.building.members import Member
    from zoo.catalogue import Catalogue

_AUTO = ("", "auto")
_GIVES_LOSSES = ("distiller", "objective", "regulariser")
#: More classes than these have logits that say more at a high temperature.
_FEW_CLASSES, _FEW_TEMPERATURE = 20, 2.0


def choose_methods(draft: Draft) -> None:
    """Take the methods that are named, or those that fit, and make them with their options."""
    recipe, catalogue = draft.recipe, draft.desk.catalogue
    heads = bool(draft.teachers) and all(classifies(each) for each in draft.teachers)
    method, draft.why = recipe.method, "as asked for"
    with draft.problems.watching():
        if draft.alone:
            method = methods_beside(draft)
        elif method in _AUTO:
            method = _default(catalogue, heads=heads)
            draft.why = _why(draft.teachers, heads=heads)
        options = _by_method(recipe.options, method, catalogue)
        others = {name: options.pop(name) for name in (recipe.calibrate,) if name in options}
        parts = parts_of(method, options, catalogue, published=recipe.preset == "paper")
        parts = _with_logits(draft, parts, heads=heads)
        draft.parts = parts
        draft.spec = _summary(parts)
        draft.method = Several(
            parts=tuple(p for p in parts if p.kind in _GIVES_LOSSES and not _soft(p)),
            added=_added(parts, labelled=recipe.labelled),
        )
        draft.recipe = msgspec.structs.replace(
            recipe,
            method=join(parts) or LABELS,
            options={each.name: dict(each.options) for each in parts if each.options} | others,
        )
        check_needs(draft)


def settle_columns(draft: Draft) -> None:
    """Decide the student's labels: those that the teachers share, or those of the data."""
    if draft.spec is None or not draft.all_teachers:
        return
    heads = [_logits_of(each) for each in draft.teachers]
    names = draft.label_names
    with draft.problems.watching():
        space = _of_data(heads, names) if names else _of_teachers(draft, heads)
        if space is not None and draft.recipe.keep:
            space = keep(space, names_in(draft.recipe.keep))
        draft.space = space
    settle_truth(draft)
    if draft.space is not None:
        check_logits(draft, draft.space)
        if draft.is_free("targets.temperature") and len(draft.space.labels) < _FEW_CLASSES:
            draft.revise(targets={"temperature": _FEW_TEMPERATURE})
    if isinstance(draft.method, Several):
        draft.method = replace(draft.method, columns=_columns(draft))


def _logits_of(member: Member) -> TeacherHead:
    """Describe the logits of a teacher; those that tell no classes apart teach nobody."""
    head = head_of(member)
    return head if classifies(member) else msgspec.structs.replace(head, labels=())


def _default(catalogue: Catalogue, *, heads: bool) -> str:
    """Name the first distiller that can do with what there is."""
    fitting = [
        each
        for each in catalogue.specs("distiller").values()
        if each.teachers == "each" and (heads or "logits" not in each.needs)
    ]
    fitting.sort(key=lambda each: (not each.default, not each.teaches_logits))
    if not fitting:
        raise InputError("no distiller is installed.", "zoo plugins list --hook zoo_distillers")
    return str(fitting[0].name)


def _why(teachers: Sequence[Member], *, heads: bool) -> str:
    if heads:
        return "the teacher has logits" if len(teachers) == 1 else "all teachers have logits"
    if any(each.head for each in teachers):
        return "not every teacher has a head that tells classes apart"
    return "no teacher has a trained head"


def _by_method(options: Mapping[str, Any], method: str, catalogue: Catalogue) -> dict[str, Any]:
    """Nest options that are written flat: of the only method, or with a method before a point."""
    names = [each.partition(":")[0].strip() for each in method.split(",") if each]
    found: dict[str, Any] = {}
    for key, value in options.items():
        owner, point, option = key.rpartition(".")
        if not point and isinstance(value, dict):
            found.setdefault(key, {}).update(value)
        elif point:
            found.setdefault(owner, {})[option] = value
        elif len(names) == 1:
            found.setdefault(names[0], {})[key] = value
        elif not names:
            raise InputError(f"--set {key}: no method is named.", "--method NAME")
        else:
            owner = _owner(key, names, catalogue)
            raise InputError(f"--set {key}: whose option is it?", f"--set {owner}.{key}={value}")
    return found


def _owner(option: str, names: Sequence[str], catalogue: Catalogue) -> str:
    """Guess whose option is meant: the first method's that has one of this name."""
    specs = [find(name, catalogue)[1] for name in names]
    having = [each.name for each in specs if option in options_of(load_target(each))]
    return str((having or names)[0])


def _soft(part: Part) -> bool:
    return part.kind == "distiller" and bool(part.spec.soft)


def _with_logits(draft: Draft, parts: tuple[Part, ...], *, heads: bool) -> tuple[Part, ...]:
    """Add soft targets to methods of which none would reach the student's head."""
    taught = any(p.kind in _GIVES_LOSSES[:2] and p.spec.teaches_logits for p in parts)
    if taught or not heads or draft.recipe.labelled:
        return parts
    soft = next((s for s in draft.desk.catalogue.specs("distiller").values() if s.soft), None)
    if soft is None:
        return parts
    names = ", ".join(each.name for each in parts)
    draft.notes.append(
        f"{names} teach{'es' * (len(parts) == 1)} the student's head nothing, so {soft.name} is "
        f"added; {soft.name}:0 leaves it out, and the student without a head."
    )
    return (Part(kind="distiller", spec=soft, method=build(soft), weight=soft.weight), *parts)


def _added(parts: Sequence[Part], *, labelled: bool) -> dict[str, float]:
    """Give the weights of the losses that are the core's own."""
    soft = sum(each.weight for each in parts if _soft(each))
    found = {SOFT: soft} if soft else {}
    return found | ({LABELS: 1.0} if labelled else {})


def _summary(parts: Sequence[Part]) -> AmalgamatorSpec:
    """Describe several methods as the rest of a build reads one."""
    return AmalgamatorSpec(
        name=join(parts) or LABELS,
        target="",
        summary="; ".join(str(each.spec.summary) for each in parts),
        reference="; ".join(each.spec.reference for each in parts if each.spec.reference),
        soft=any(_soft(each) and each.weight for each in parts),
        smallest_batch=max((getattr(p.spec, "smallest_batch", 1) for p in parts), default=1),
        advised_batch=max((getattr(p.spec, "advised_batch", 1) for p in parts), default=1),
    )


def _of_teachers(draft: Draft, heads: Sequence[TeacherHead]) -> LabelSpace | None:
    """Give the labels of the teachers; None where nothing teaches them."""
    taught = any(
        p.kind in {"distiller", "objective"} and p.spec.teaches_logits and p.weight
        for p in draft.parts
    )
    needed = any("logits" in getattr(p.spec, "needs", ()) and p.weight for p in draft.parts)
    if not heads or not all(each.labels for each in heads) or not (taught or needed):
        return None
    folded = [[fold(label) for label in distinct(head.labels)] for head in heads]
    if all(each == folded[0] for each in folded):
        return space_of(heads, distinct(heads[0].labels) * len(heads))
    return union(heads)


def _of_data(heads: Sequence[TeacherHead], names: Sequence[str]) -> LabelSpace:
    """Give the labels of the data, or those of the only teacher where it knows them all."""
    columns = {fold(each): number for number, each in enumerate(names)}
    first = [fold(each) for each in heads[0].labels] if len(heads) == 1 else []
    if first and set(columns) <= set(first):
        return space_of(heads, distinct(heads[0].labels))
    teachers = tuple(
        TeacherLabels(
            alias=head.alias,
            model=head.model,
            revision=head.revision,
            labels=head.labels,
            columns=tuple(columns.get(fold(label)) for label in distinct(head.labels)),
        )
        for head in heads
    )
    return LabelSpace(labels=tuple(names), teachers=teachers)


def _columns(draft: Draft) -> tuple[tuple[int, ...] | None, ...]:
    """Give for each teacher the number of its logit in each column of the student."""
    space = draft.space
    if space is None:
        return tuple(None for _ in draft.teachers)
    found = []
    for teacher in space.teachers:
        by_column = {c: number for number, c in enumerate(teacher.columns) if c is not None}
        whole = len(by_column) == len(space.labels)
        found.append(tuple(by_column[c] for c in range(len(space.labels))) if whole else None)
    return tuple(found)
