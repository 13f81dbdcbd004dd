"""What label names alone give: models without names, and classes without a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_explanation.alignment.labels import background, key, meaningless, names_of
from zoo_explanation.overlap_evidence import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.types.reporting import Case, LabelSpace

_EXAMPLES = 5


def no_names(case: Case, models: Sequence[str]) -> None:
    """Say which models name no classes of their own."""
    for name in models:
        nothing = case.ledger.observe(
            "absence", name, "names of classes", source="the files of the checkpoint", name=name
        )
        case.ledger.claim(
            "not known",
            "The files of {name} name no classes: what it was trained on is not known here.",
            nothing,
            name=name,
        )


def by_names_alone(case: Case, named: Mapping[str, str]) -> None:
    """Compare names as they are written, and say what a graph would add."""
    for model, name in named.items():
        _equal_names(case, case.spaces[model], name, model)
    nothing = case.ledger.observe(
        "absence",
        case.target.name or "your classes",
        "knowledge graph",
        source="the graph",
        check="zoo graph list",
        command="zoo graph fetch wordnet",
    )
    case.ledger.claim(
        "not known",
        "Which of your classes are kinds or relatives of training classes is not known: there is "
        "no graph of kinds to look them up in ({command} builds one).",
        nothing,
        command="zoo graph fetch wordnet",
    )


def _equal_names(case: Case, space: LabelSpace, name: str, model: str) -> None:
    theirs = {key(each) for label in space.labels for each in names_of(label)}
    counted = [label for label in space.labels if not background(label)]
    if counted and all(map(meaningless, counted)):
        say_meaningless(case, space, name, model)
        return
    equal = [shown(label) for label in case.target.labels if key(label) in theirs]
    mine = case.ledger.observe(
        "record",
        case.target.name or "your classes",
        "names of classes",
        source=case.target.source or "labels",
        sha256=case.target.sha256,
        labels=list(case.target.labels),
    )
    others = case.ledger.observe(
        "record",
        model,
        "names of classes",
        source=space.source or "labels",
        sha256=space.sha256,
        classes=len(counted),
        name=name,
    )
    compared = case.ledger.derive(
        "record",
        model,
        "names equal to yours",
        [mine, others],
        name=name,
        count=len(equal),
        total=len(case.target.labels),
        equal=equal,
    )
    text = (
        "{count} of your {total} classes have a name that {name} has as well, which is not "
        "always the same thing: {equal}."
    )
    if not equal:
        text = "None of the names of your {total} classes is the name of a class of {name}."
    elif len(equal) == 1:
        text = text.replace("classes have", "classes has")
    elif len(equal) > _EXAMPLES:
        text = text.replace("thing: {equal}", "thing; such as {equal}")
    slots: dict[str, Any] = {"count": len(equal), "total": len(case.target.labels), "name": name}
    slots |= {"equal": tuple(equal[:_EXAMPLES])}
    used = {slot: value for slot, value in slots.items() if f"{{{slot}}}" in text}
    case.ledger.claim("known", text, compared, models=(model,), **used)


def say_meaningless(case: Case, space: LabelSpace, name: str, model: str) -> None:
    """Say that the labels of a checkpoint are only numbers."""
    numbers = case.ledger.observe(
        "absence",
        model,
        "meaning of its labels",
        source=space.source or "labels",
        sha256=space.sha256,
        name=name,
        examples=[shown(label) for label in space.labels[:_EXAMPLES]],
    )
    case.ledger.claim(
        "not known",
        "The labels of {checkpoint} carry no usable meaning; no statement about class overlap is "
        "made.",
        numbers,
        models=(model,),
        checkpoint=name,
    )
