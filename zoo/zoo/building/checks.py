"""What preflight checks of the checkpoints: what they read, whether they merge, their licences."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zoo.building.licences import joint_licence
from zoo.building.recipe import ADDING
from zoo.probes.words import listed

if TYPE_CHECKING:
    from zoo.building.draft import Draft

_NON_COMMERCIAL = re.compile(r"(^|-)nc(-|$)|non-?commercial|research-only|academic")
_NO_DERIVATIVES = re.compile(r"(^|-)nd(-|$)|no-?derivatives")
_EXPORTING = ("onnx", "onnxscript")
_TRAIN = "Leave --method out: teachers of any architecture teach a student."


def check_members(draft: Draft) -> None:
    """Check that all of them read the same, and what a merger asks of them."""
    _check_modality(draft)
    spec = draft.spec
    if spec is None or draft.method is None:
        return
    if spec.kind == "merging":
        _check_merging(draft)
    elif draft.recipe.command in ADDING:
        return
    elif (
        len(draft.teachers) == 1
        and draft.all_teachers
        and draft.recipe.method == spec.name
        and not draft.parts
    ):
        plain = "There is one teacher: this is distillation, with what the method adds to it."
        if not any("one teacher" in note for note in draft.notes):
            draft.notes.append(plain)


def check_extras(draft: Draft) -> None:
    """Check what is wanted beside the model, and under which licences it is made."""
    missing = [name for name in _EXPORTING if find_spec(name) is None]
    if draft.recipe.onnx and missing:
        draft.problems.add(
            f"--onnx needs {listed(missing, quote=False)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed.",
            "pip install 'zoo-reuse[onnx]'",
        )
    _check_licences(draft)
    spec = draft.spec
    if spec and spec.kind == "ensemble" and not (draft.recipe.data or draft.recipe.evaluation):
        draft.problems.add("no data is named to ask the teachers about.", "--eval LABELLED")


def _check_modality(draft: Draft) -> None:
    everybody = [*draft.teachers, *filter(None, (draft.student, draft.base))]
    for member in everybody:
        reads = member.entry.modality
        if reads not in {"image", "text"}:
            what = f"reads {reads}" if reads else "does not say what it reads"
            draft.problems.add(
                f"{member.alias} ({member.model}) {what}; Zoo trains with images and texts."
            )
    first = next((each for each in everybody if each.entry.modality in {"image", "text"}), None)
    if first is None:
        return
    draft.modality = str(first.entry.modality)
    for member in everybody:
        if member.entry.modality in {"image", "text"} - {draft.modality}:
            draft.problems.add(
                f"{member.alias} ({member.model}) reads {member.entry.modality}s, but "
                f"{first.alias} ({first.model}) reads {draft.modality}s.",
                "All of them have to read the same data.",
            )


def _check_merging(draft: Draft) -> None:
    """Ask the merger, and compare architectures tensor by tensor from the headers."""
    for sentence in draft.method.check(len(draft.recipe.teachers)):
        draft.problems.add(sentence)
    with draft.problems.watching():
        _check_architectures(draft)


def _check_architectures(draft: Draft) -> None:
    """Compare tensor by tensor from the headers; by configuration where those are not here."""
    everybody = [*draft.teachers, *filter(None, (draft.base,))]
    if len(draft.teachers) < 2:
        return
    if any(each.download for each in everybody):
        first, *others = draft.teachers
        kind = first.entry.architecture
        for other in others:
            if other.entry.architecture != kind:
                draft.problems.add(
                    f"{other.alias} is a {other.entry.architecture} and {first.alias} a {kind}; "
                    "only weights of one architecture can be combined.",
                    _TRAIN,
                )
        return
    from zoo.training.mergeable import ADVICE, check_mergeable

    read = draft.base is not None and draft.method.needs_base
    base = draft.base.described if draft.base and read else None
    for sentence in check_mergeable([each.described for each in draft.teachers], base):
        if sentence != ADVICE:
            draft.problems.add(sentence, _TRAIN)


def _check_licences(draft: Draft) -> None:
    named = {each.alias: each.entry.license for each in draft.teachers}
    if draft.student is not None and draft.student.weights:
        named[draft.student.alias] = draft.student.entry.license
    if draft.base is not None:
        named[draft.base.alias] = draft.base.entry.license
    for alias, licence in named.items():
        word = (licence or "").casefold()
        if _NON_COMMERCIAL.search(word):
            draft.warnings.append(
                f"{alias} is licensed for non-commercial use ({licence}): so is what is made of it."
            )
        if _NO_DERIVATIVES.search(word):
            draft.warnings.append(
                f"{alias} is licensed without derivatives ({licence}): what is made of it may not "
                "be passed on."
            )
    if named:
        joint, why = joint_licence(named)
        if joint == "other":
            draft.warnings.append(why)
