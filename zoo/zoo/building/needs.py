"""What methods of distillation need, and what speaks against them; one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.building.label_decisions import BY_TEACHER
from zoo.building.presets import LABELS, SOFT
from zoo.probes.words import listed

if TYPE_CHECKING:
    from zoo.building.draft import Draft
    from zoo.building.label_spaces import LabelSpace
    from zoo.building.members import Member
    from zoo.building.methods import Part

_DISTILLERS = ("distiller", "objective")


def check_needs(draft: Draft) -> None:
    """Say of each method what it lacks, before labels and layers are known."""
    before = len(draft.problems.problems)
    for part in draft.parts:
        if part.kind in _DISTILLERS:
            _check_teachers(draft, part)
            _check_labels(draft, part)
        elif part.kind == "pretext":
            _check_pretext(draft, part)
    _check_augmenters(draft)
    _warn_of_maps(draft)
    if draft.recipe.calibrate:
        _check_calibrator(draft, draft.recipe.calibrate)
    draft.fitting = len(draft.problems.problems) == before


def check_logits(draft: Draft, space: LabelSpace) -> None:
    """Say where logits cannot teach: the teachers lack labels that the student has."""
    _check_targets(draft, space)
    needy = [
        each
        for each in draft.parts
        if each.kind in _DISTILLERS and each.reads("logits") and each.weight
    ]
    if not needy:
        return
    for teacher in space.teachers:
        if teacher.labels and len(teacher.block) < 2:
            draft.problems.add(
                f"{needy[0].name} needs logits of the student's labels, and teacher "
                f"{teacher.alias} knows {len(teacher.block) or 'none'} of them "
                f"({listed(space.labels, most=3)}).",
                features_alone(draft),
            )
    strict = [each for each in needy if "logits" in each.spec.needs and not each.spec.soft]
    partial = [each for each in space.teachers if len(each.block) < len(space.labels)]
    if strict and partial:
        draft.problems.add(
            f"{strict[0].name} compares logits of one label set, and teacher {partial[0].alias} "
            f"knows {len(partial[0].block)} of the student's {len(space.labels)} labels.",
            "zoo amalgamate makes one student of teachers with different labels.",
        )


def _check_targets(draft: Draft, space: LabelSpace) -> None:
    """Refuse a joint target of columns that have several teachers, or none."""
    kind = draft.recipe.targets.kind
    if kind in BY_TEACHER or not all(each.block for each in space.teachers):
        return
    known = {column for each in space.teachers for column in each.block}
    alone = [name for column, name in enumerate(space.labels) if column not in known]
    wrong = space.shared or alone
    if wrong:
        who = "several teachers know" if space.shared else "no teacher knows"
        draft.problems.add(
            f"--targets {kind} gives every label one teacher, and {who} {listed(wrong, most=3)}.",
            "--targets union, which sums the teachers' losses.",
        )


def check_losses(draft: Draft) -> None:
    """Say where nothing teaches the student, and what is asked for in vain."""
    if draft.parts and draft.recipe.label_map:
        draft.problems.add(
            f"the label map {draft.recipe.label_map!r} says what labels of several teachers are, "
            "and distillation wants teachers of one label set.",
            "Leave it out, or: zoo amalgamate",
        )
    if draft.parts and draft.recipe.keep and draft.space is None and draft.fitting:
        draft.warnings.append("--keep names labels, and this student has no head.")
    # Weights that are wrong are not settled, and have been spoken of.
    silent = not any(draft.weights.values()) and not draft.problems.problems
    if draft.alone and silent:
        draft.problems.add("`labels` with the weight 0 teaches nothing.", "--weight labels=1")
    elif draft.parts and silent:
        names = listed([each.name for each in draft.parts], quote=False)
        draft.problems.add(
            f"{names} give{'s' * (len(draft.parts) == 1)} the student no loss to learn from.",
            f"--method {_first(draft)}",
        )
    _check_mixing(draft)
    if draft.recipe.calibrate and draft.space is None:
        draft.problems.add(
            f"--calibrate {draft.recipe.calibrate} makes probabilities honest, and this student "
            "has no head that gives any.",
            "Leave it out.",
        )


def classifies(member: Member) -> bool:
    """Whether a teacher's logits are those of one label of many, which alone can be learned."""
    return member.head is not None and member.head.kind == "classification"


def features_alone(draft: Draft) -> str:
    """Name a method that needs no logits."""
    specs = draft.desk.catalogue.specs("distiller").values()
    blind = [each for each in specs if "logits" not in each.needs and not each.imitates_maps]
    blind.sort(key=lambda each: not each.default)
    name = blind[0].name if blind else "NAME"
    return f"Methods that read features alone do without: --method {name}"


def _first(draft: Draft) -> str:
    specs = draft.desk.catalogue.specs("distiller").values()
    return next((each.name for each in specs if each.default), "NAME")


def _check_teachers(draft: Draft, part: Part) -> None:
    count = len(draft.recipe.teachers)
    if part.spec.teachers == "one" and count > 1:
        draft.problems.add(
            f"{part.name} learns from one teacher, and {count} are named.",
            f"Name one, or take a method that takes several: --method {_first(draft)}",
        )
    if part.spec.teachers == "several" and count == 1:
        draft.problems.add(
            f"{part.name} compares several teachers with one another, and one is named.",
            "--teacher MODEL once more",
        )


def _check_labels(draft: Draft, part: Part) -> None:
    if "labels" in part.spec.needs and not draft.recipe.labelled:
        draft.problems.add(
            f"{part.name} needs the labels of the data, and nothing says that they may be used.",
            "--labels, with labelled --data",
        )
    blind = [each for each in draft.teachers if not classifies(each)]
    if "logits" in part.spec.needs and blind and part.weight:
        what = f"{blind[0].alias} ({blind[0].model}) has no trained head"
        if blind[0].head:
            what = f"the head of {blind[0].alias} ({blind[0].model}) tells no classes apart"
        draft.problems.add(
            f"{part.name} needs the teacher's logits, and {what}.", features_alone(draft)
        )


def _check_pretext(draft: Draft, part: Part) -> None:
    everybody = [*draft.teachers, *filter(None, (draft.student,))]
    reads = next((str(each.entry.modality) for each in everybody), "")
    if reads and reads not in part.spec.modalities:
        made_from = listed(part.spec.modalities, quote=False)
        draft.problems.add(
            f"{part.name} makes its task from {made_from}s, and this student reads {reads}s.",
            "Leave it out.",
        )
    if not 0 < part.weight < 1:
        draft.problems.add(
            f"{part.name}:{part.weight:g} is no share of the training to warm up with.",
            f"--method {part.name}:0.2 takes a fifth.",
        )
    else:
        draft.notes.append(
            f"{part.name} warms the student up first, for {part.weight:.0%} more steps"
            f"{'.' if draft.alone else '; the baseline begins without.'}"
        )


def _check_calibrator(draft: Draft, name: str) -> None:
    with draft.problems.watching():
        draft.desk.catalogue.create("calibrator", name, draft.recipe.options.get(name))
    if not draft.recipe.evaluation:
        draft.warnings.append(
            f"{name} helps models that are surer than they are right and harms others, and without "
            "labelled --eval nobody sees which this one is."
        )


def _check_augmenters(draft: Draft) -> None:
    for kind in ("augmenter", "pretext"):
        found = [each.name for each in draft.parts if each.kind == kind]
        if len(found) > 1:
            draft.problems.add(
                f"{listed(found, quote=False)} cannot be used together.", "Name one of them."
            )


def _check_mixing(draft: Draft) -> None:
    """Refuse to mix samples where nothing says what a mixture should become."""
    mixer = draft.augmenter
    taught = any(draft.weights.get(name) for name in (SOFT, LABELS))
    if mixer is not None and not taught and not draft.problems.problems:
        draft.problems.add(
            f"{mixer.name} mixes samples, and only soft targets and labels can be mixed alike: "
            "this student learns neither.",
            "Leave it out, or learn labels too: --labels, with labelled --data.",
        )


def _warn_of_maps(draft: Draft) -> None:
    """Imitating maps across architectures may be worse than nothing.

    RepDistiller's CIFAR-100 table: VGG-13 to MobileNet-V2 64.6 alone, 59.4 with attention maps,
    64.1 with hints, 67.4 with logits.
    """
    names = [
        each.name for each in draft.parts if each.kind in _DISTILLERS and each.spec.imitates_maps
    ]
    student = draft.student
    if not names or student is None:
        return
    ours = student.entry.architecture
    other = next((each for each in draft.teachers if each.entry.architecture != ours), None)
    if other is not None:
        are = "compares" if len(names) == 1 else "compare"
        draft.warnings.append(
            f"{listed(names, quote=False)} {are} maps place by place, and {other.alias} is a "
            f"{other.entry.architecture}, the student a {ours}: across architectures that can be "
            "worse than no distillation; logits and vectors are safe."
        )
