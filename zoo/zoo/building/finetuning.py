"""What preflight settles for a fine-tuning: labels teach, and the student may keep its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.building.data import settle_truth
from zoo.building.label_spaces import LabelSpace, distinct, fold
from zoo.building.naming import find, split
from zoo.building.presets import LABELS
from zoo.errors import InputError
from zoo.probes.words import are, listed
from zoo.render.quantities import some

if TYPE_CHECKING:
    from zoo.building.draft import Draft
    from zoo.building.members import Member
    from zoo.types.specs import Spec

#: Methods of these kinds look at the student alone.
_ALONE = ("regulariser", "augmenter", "pretext")
#: What a recipe of another command may say and nobody would hear.
_UNHEARD = ("base", "label_map", "keep")
_NONE = ("", "auto", LABELS)


def methods_beside(draft: Draft) -> str:
    """Give the methods that are named beside the labels; empty for none.

    Raises:
        InputError: one of them needs a teacher, or is none.
    """
    recipe, catalogue = draft.recipe, draft.desk.catalogue
    if recipe.method in _NONE:
        draft.why = "the labels of the data teach it"
        return ""
    for name, _ in split(recipe.method):
        kind, spec = find(name, catalogue)
        if kind not in _ALONE:
            raise _needs_teacher(spec)
    draft.why = "as asked for, beside the labels of the data"
    return recipe.method


def check_alone(draft: Draft) -> None:
    """Refuse what a fine-tuning would make no use of; hold nothing out beside labelled data."""
    recipe, problems = draft.recipe, draft.problems
    if recipe.evaluation and draft.is_free("held_out"):
        draft.revise(held_out=0.0)
    if recipe.teachers:
        problems.add(
            f"`zoo finetune` learns from labels alone, and {some(len(recipe.teachers), 'teacher')} "
            f"{are(len(recipe.teachers))} named.",
            "zoo distill --labels learns from both.",
        )
    if not recipe.labelled:
        problems.add(
            "`zoo finetune` learns the labels of the data, and the recipe says `labelled: false`.",
            "zoo distill learns without labels.",
        )
    for name in _UNHEARD:
        if getattr(recipe, name):
            problems.add(f"`zoo finetune` makes no use of {name}.", "Leave it out of the recipe.")


def settle_head(draft: Draft) -> None:
    """Decide whether the head is kept, and with it the student's columns."""
    names = draft.label_names
    if not names or draft.recipe.student is None:
        return
    labels = names
    with draft.problems.watching():
        _check_names(names, draft.recipe.data)
        if draft.student is not None:
            kept, draft.head = kept_labels(draft.student, draft.recipe.student.head, names)
            labels = kept or names
        draft.space = LabelSpace(labels=labels, teachers=())
    settle_truth(draft)
    _check_classes(draft)


def kept_labels(member: Member, wanted: str, names: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Give the labels of a trained head that is kept, empty where a new one is drawn; and why.

    Args:
        member: the student.
        wanted: ``auto``, ``keep`` or ``new``.
        names: classes of the data.

    Raises:
        InputError: a head is to be kept that cannot be.
    """
    if wanted == "new":
        return (), "new, as asked for"
    labels = distinct(member.head.labels) if member.head else ()
    known, ours = {fold(each) for each in labels}, {fold(each) for each in names}
    why = ""
    if not member.weights:
        why = "the model starts from random weights"
    elif member.head is None:
        why = "the checkpoint has no trained one"
    elif member.head.kind != "classification":
        why = f"that of the checkpoint is for {member.head.kind}"
    elif not ours <= known:
        missing = [each for each in names if fold(each) not in known]
        why = f"that of the checkpoint does not know {listed(missing, most=3)}"
    if why and wanted == "keep":
        raise InputError(
            f"--head keep: {why}.", "--head new draws one for the classes of the data."
        )
    more = [each for each in labels if fold(each) not in ours]
    if not why and more and wanted == "auto":
        why = f"of its labels, {listed(more, most=3)} {are(len(more))} no class of the data"
    if why:
        return (), f"new: {why}"
    same = "its labels are the classes of the data"
    return labels, f"kept{', as asked for' if more else f': {same}'}"


def _check_names(names: tuple[str, ...], data: str) -> None:
    """Refuse classes that would share a column.

    Raises:
        InputError: two of them are one label, as labels are compared.
    """
    first: dict[str, str] = {}
    for each in names:
        other = first.setdefault(fold(each), each)
        if other != each:
            raise InputError(
                f"--data {data}: the classes {other!r} and {each!r} are one, as labels are "
                "compared without regard to case and spaces.",
                "Give them the same name in the data, or names that differ in more.",
            )


def _check_classes(draft: Draft) -> None:
    """Refuse fewer samples than show two classes."""
    if draft.truth is None or not len(draft.rows):
        return
    used = {int(draft.truth[row]) for row in draft.rows}
    if len(used) == 1:
        only = draft.space.labels[used.pop()] if draft.space else ""
        draft.problems.add(
            f"the {some(len(draft.rows), 'sample')} of --data {draft.recipe.data} that are used "
            f"are all of one class, {only!r}.",
            "--samples 0 takes all.",
        )


def _needs_teacher(spec: Spec) -> InputError:
    return InputError(
        f"{spec.name} needs a teacher, and `zoo finetune` has none.",
        f"zoo distill --teacher MODEL --student MODEL --method {spec.name} --labels",
    )
