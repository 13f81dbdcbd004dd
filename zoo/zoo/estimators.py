"""Which estimators take part in a run, and what of the question none of them reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.catalogue import expand_names
from zoo.errors import InputError
from zoo.types.model import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.catalogue import Catalogue
    from zoo.runs import Request
    from zoo.types.ranking import ProbeSummary
    from zoo.types.specs import EstimatorSpec, Need


def choose_estimators(
    request: Request, probe: ProbeSummary, catalogue: Catalogue
) -> dict[str, EstimatorSpec]:
    """Take the estimators that were named, else the default ones that fit the task.

    Raises:
        UnknownNameError: with the nearest name.
        InputError: a named estimator, or every one, does not do this task.
    """
    every = catalogue.specs("estimator")
    names = expand_names(request.estimators, every, probe.task)
    named = {name: catalogue.spec("estimator", name) for name in names}
    for name, options in request.options.items():
        if name == request.pretext:  # the data was made with them
            continue
        encoder = name not in every and name in catalogue.specs("label_encoder")
        catalogue.create("label_encoder" if encoder else "estimator", name, options)
    for name, spec in named.items():
        if spec.reads_features and probe.task not in spec.tasks:
            can = ", ".join(spec.tasks)
            raise InputError(
                f"the estimator {name!r} does not do {probe.task}; it does {can}.",
                "zoo plugins list --hook zoo_estimators",
            )
    usable = {
        name: spec
        for name, spec in (named or every).items()
        if spec.reads_features and probe.task in spec.tasks and (named or spec.default)
    }
    if not usable:
        listed = ", ".join(name for name in named)
        raise InputError(
            f"{listed} reads no data: name an estimator that does."
            if named
            else f"no estimator that reads the data does {probe.task}.",
            "zoo plugins list --hook zoo_estimators",
        )
    return usable


def asked_in_vain(
    request: Request,
    probe: ProbeSummary,
    estimators: Mapping[str, EstimatorSpec],
    catalogue: Catalogue,
) -> tuple[str, ...]:
    """Say which options no chosen estimator reads, and which estimators would."""
    known = catalogue.specs("label_encoder")
    for text in request.label_encoders:
        if text not in known and not is_reference(text):
            catalogue.spec("label_encoder", text)
    # Where labels are texts, every estimator reads their embeddings.
    encoders = probe.task != "text" and bool(request.label_encoders)
    asked: tuple[tuple[str, Need, bool], ...] = (
        ("--reference", "reference", bool(request.reference)),
        ("--label-encoder", "label_embeddings", encoders),
    )
    notes = []
    for option, need, given in asked:
        if given and not any(spec.reads(need) for spec in estimators.values()):
            every = catalogue.specs("estimator").items()
            readers = ", ".join(name for name, spec in every if spec.reads(need))
            notes.append(
                f"{option} has no effect: of this run's estimators none reads it. {readers} do."
            )
    return tuple(notes)
