"""What preflight reads of the data: which samples there are, and whether their labels are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from zoo.building.label_spaces import columns_of
from zoo.errors import InputError
from zoo.probes.unlabelled import STDIN, Inputs, load_inputs, read_inputs
from zoo.probes.words import are, did_you_mean, listed
from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.draft import Draft
    from zoo.building.label_spaces import LabelSpace
    from zoo.probes.unlabelled import Modality
    from zoo.types.probe import Probe
    from zoo.types.protocols import ProbeOptions


def read_data(draft: Draft) -> None:
    """Find the unlabelled samples; nothing is decoded."""
    recipe = draft.recipe
    if not recipe.data:
        return
    if recipe.data == STDIN:
        draft.problems.add(
            "the data of a training is read many times, and standard input only once.",
            "Write the lines into a .txt file, and name that.",
        )
        return
    with draft.problems.watching():
        path, options = _place(draft, recipe.data), _options(draft)
        if recipe.labelled:
            _read_labelled(draft, path, options)
            return
        if draft.modality:
            everybody = [*draft.teachers, *filter(None, (draft.student,))]
            inputs = read_inputs(path, draft.modality, options, model=everybody[0].model)
        else:
            inputs = load_inputs(path, options)
        draft.inputs = inputs
        draft.rows = spread(len(inputs), recipe.samples)
        draft.notes += inputs.notes


def read_evaluation(draft: Draft) -> None:
    """Read the labelled samples, and compare their labels with the student's."""
    recipe = draft.recipe
    if not recipe.evaluation:
        return
    from zoo.probes import load

    with draft.problems.watching():
        options = replace(_options(draft), samples=None, seed=recipe.seed, split=None)
        probe = load(_place(draft, recipe.evaluation), options, draft.desk.catalogue)
        _check_task(probe, draft, "--eval", recipe.evaluation)
        if draft.space is not None:
            _check_labels(probe, draft.space, draft, recipe.evaluation)
        draft.evaluation = probe


def _read_labelled(draft: Draft, path: str, options: ProbeOptions) -> None:
    """Find samples whose labels are learned."""
    from zoo.probes import load

    options = replace(options, samples=None, seed=draft.recipe.seed)
    probe = load(path, options, draft.desk.catalogue)
    _check_task(probe, draft, "--data", draft.recipe.data)
    draft.inputs = Inputs(
        source=probe.source,
        modality=cast("Modality", probe.modality),
        inputs=probe.inputs,
        names=[
            each.name if isinstance(each, ImageInput) else f"sample {number}"
            for number, each in enumerate(probe.inputs, start=1)
        ],
        notes=probe.notes,
    )
    draft.truth, draft.label_names = probe.labels, probe.label_names
    draft.rows = spread(len(draft.inputs), draft.recipe.samples)
    draft.notes += probe.notes


def settle_truth(draft: Draft) -> None:
    """Number the labels of the data as the student's columns are."""
    if draft.truth is None or draft.space is None:
        return
    columns, unknown = columns_of(draft.label_names, draft.space)
    draft.truth = np.array(columns, dtype=np.int64)[draft.truth]
    if unknown:
        draft.warnings.append(
            f"--data {draft.recipe.data}: {listed(unknown, most=4)} {are(len(unknown))} no label "
            "of the student: those samples teach no label."
        )


def spread(count: int, most: int) -> Sequence[int]:
    """Choose samples that are evenly spread, so that sorted classes are all among them."""
    if not most or most >= count:
        return range(count)
    return tuple(number * count // most for number in range(most))


def _check_task(probe: Probe, draft: Draft, flag: str, typed: str) -> None:
    if probe.task != "classification":
        raise InputError(
            f"{flag} {typed}: its labels are {probe.task}, and a student says one label of many.",
            "Name data with one class a sample; --label COLUMN says which it is.",
        )
    if draft.modality and probe.modality != draft.modality:
        raise InputError(
            f"{flag} {typed} holds {probe.modality}s, but "
            f"{'the model reads' if draft.alone else 'the teachers read'} {draft.modality}s."
        )


def _check_labels(probe: Probe, space: LabelSpace, draft: Draft, typed: str) -> None:
    columns, unknown = columns_of(probe.label_names, space)
    if not unknown:
        return
    guess = did_you_mean(unknown[0], space.labels)
    said = f"{listed(unknown, most=4)} {are(len(unknown))} no label of the student"
    if len(unknown) == len(columns):
        raise InputError(
            f"--eval {typed}: {said}, so nothing can be judged by it.{guess}",
            f"Its labels are {listed(space.labels, most=6)}; the classes of the data have to be "
            "called the same.",
        )
    draft.warnings.append(f"--eval {typed}: {said}: those samples are left out of accuracies.")


def _place(draft: Draft, data: str) -> str:
    """Find data where the recipe's relative paths start; keep the words where that is here."""
    path = draft.desk.base / data
    here = not draft.recipe.folder or draft.desk.base == path.cwd()
    return data if here or not path.exists() else str(path)


def _options(draft: Draft) -> ProbeOptions:
    probe: Any = draft.recipe.probe
    return cast("ProbeOptions", replace(probe, offline=probe.offline or _offline(draft)))


def _offline(draft: Draft) -> bool:
    return draft.desk.settings.offline
