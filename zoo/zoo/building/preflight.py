"""Preflight: settle a recipe and find every predictable problem before a weight is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.advice import AUTO, Facts, advise, advise_against, facts_of
from zoo.building.checks import check_extras, check_members
from zoo.building.choices import settle_labels, settle_training
from zoo.building.data import read_data, read_evaluation
from zoo.building.distilling import choose_methods
from zoo.building.draft import Draft
from zoo.building.finetuning import check_alone
from zoo.building.members import (
    BASE,
    Desk,
    Member,
    aliases,
    look_at_student,
    look_at_teacher,
    with_layers,
)
from zoo.building.methods import Alone
from zoo.building.place import check_place
from zoo.building.prepared import Prepared
from zoo.building.recipe import ADDING, Recipe, TeacherChoice
from zoo.checkpoints import device_here
from zoo.events import Listener, ignore
from zoo.types.training import StudentRequest

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.catalogue import Catalogue
    from zoo.settings import Settings
    from zoo.types.specs import AmalgamatorSpec

_NAME_TEACHERS = "--teacher birds=MODEL --teacher dogs=MODEL, two or more."
#: What to say, and what to type, where student or data are missing.
_NO_STUDENT = ("no student is named.", "--student MODEL, a folder with a config.json will do.")
_NO_DATA = ("no data is named to train on.", "--data FOLDER, without labels.")
_NO_MODEL = ("no model is named to fine-tune.", "zoo finetune MODEL --data DATA -o DIR")
_NO_LABELS = ("no data is named to learn from.", "--data DATA, a folder a class or a table.")


def prepare(
    recipe: Recipe,
    settings: Settings,
    catalogue: Catalogue,
    *,
    place: Path,
    on_event: Listener = ignore,
    free: frozenset[str] = frozenset(),
    resumed: bool = False,
) -> Prepared:
    """Settle everything about a recipe; no weight is fetched, and nothing is written.

    Args:
        recipe: what is wanted.
        settings: how to run.
        catalogue: what the plugins provide.
        place: the output folder, as the person wrote it.
        on_event: is told what happens.
        free: dotted names of what nobody set, so that it may be chosen because of the data.
        resumed: the folder holds this very run.

    Raises:
        Problems: everything that is wrong, in one list.
        HubError: nothing but that the Hub does not answer.
    """
    draft = Draft(
        desk=Desk(recipe=recipe, settings=settings, catalogue=catalogue, on_event=on_event),
        place=place,
        free=free,
    )
    if not resumed:
        with draft.problems.watching():
            check_place(place, str(place))
    with draft.problems.watching():
        draft.device = device_here(settings.device)
    _look(draft)
    _choose_method(draft)
    _settle_student(draft)
    check_members(draft)
    read_data(draft)
    settle_labels(draft)
    _look_inside(draft)
    settle_training(draft)
    read_evaluation(draft)
    check_extras(draft)
    draft.problems.finish()
    return _finished(draft)


def _look(draft: Draft) -> None:
    """Look at every checkpoint; the failure of one hides nothing of the others."""
    recipe, problems = draft.recipe, draft.problems
    names, wrong = aliases(recipe.teachers)
    problems.problems += wrong
    if draft.alone:
        check_alone(draft)
    elif not recipe.teachers:
        one = recipe.command == "distill"
        problems.add("no teacher is named.", "--teacher MODEL" if one else _NAME_TEACHERS)
    for name, choice in zip(names, recipe.teachers, strict=True):
        draft.event(f"looking at teacher {name}")
        with problems.watching(choice.model):
            draft.teachers.append(look_at_teacher(draft.desk, choice, name))
            draft.taps[name] = choice.tap
    draft.all_teachers = len(draft.teachers) == len(recipe.teachers)
    if recipe.student is not None:
        draft.event("looking at the student")
        with problems.watching(recipe.student.model):
            draft.student = look_at_student(draft.desk, recipe.student)
    if recipe.base:
        with problems.watching(recipe.base):
            choice = TeacherChoice(model=recipe.base)
            draft.base = look_at_teacher(draft.desk, choice, BASE)


def _choose_method(draft: Draft) -> None:
    """Take the method that is named, or the one that fits, and build it with its options."""
    if draft.recipe.command in ADDING:
        choose_methods(draft)
        return
    recipe, catalogue = draft.recipe, draft.desk.catalogue
    specs: dict[str, AmalgamatorSpec] = catalogue.specs("amalgamator")
    facts = facts_of(draft.teachers, draft.student) if draft.teachers else Facts(teachers=0)
    facts = _with_intent(facts, recipe)
    if recipe.method in AUTO:
        with draft.problems.watching():
            advice = advise(facts, specs)
            draft.spec, draft.why = specs[advice.method], advice.why
            draft.notes += advice.notes
    else:
        with draft.problems.watching():
            draft.spec = catalogue.spec("amalgamator", recipe.method)
            draft.why = "as asked for"
            draft.warnings += advise_against(draft.spec, facts)
    if draft.spec is not None:
        published = draft.spec.published if recipe.preset == "paper" else {}
        options = {**published, **recipe.options}
        draft.recipe = msgspec.structs.replace(
            draft.recipe, method=draft.spec.name, options=options
        )
        with draft.problems.watching():
            made = catalogue.create("amalgamator", draft.spec.name, options)
            training = draft.spec.kind == "training"
            draft.method = Alone(amalgamator=made) if training else made


def _with_intent(facts: Facts, recipe: Recipe) -> Facts:
    """A student that was named but cannot be read is still wanted."""
    from dataclasses import replace

    return replace(facts, student=recipe.student is not None)


def _settle_student(draft: Draft) -> None:
    """Say what is missing, or not wanted, beside the teachers."""
    spec, recipe = draft.spec, draft.recipe
    if spec is None:
        return
    if spec.kind == "training":
        if recipe.student is None:
            draft.problems.add(*(_NO_MODEL if draft.alone else _NO_STUDENT))
        elif recipe.student.head == "keep" and not draft.alone:
            said = "`head: keep` is for fine-tuning: a student that is taught gets a new head."
            draft.problems.add(said, "zoo finetune --head keep")
        if not recipe.data:
            draft.problems.add(*(_NO_LABELS if draft.alone else _NO_DATA))
    elif recipe.student is not None:
        draft.notes.append(f"{spec.name} makes no use of --student: nothing is trained.")
        draft.student = None
    needs_base = bool(getattr(draft.method, "needs_base", False))
    if needs_base and not recipe.base:
        draft.problems.add(
            f"{spec.name} needs the checkpoint that all teachers were made from.", "--base MODEL"
        )
    if recipe.base and not needs_base and draft.method is not None:
        draft.notes.append(f"{spec.name} makes no use of --base.")


def _look_inside(draft: Draft) -> None:
    """Name the layers of everybody who is compared, from the configuration alone."""
    if draft.spec is None or draft.spec.kind == "merging":
        return
    draft.teachers = [
        _inside(draft, each, tap=draft.taps[each.alias]) or each for each in draft.teachers
    ]
    if draft.student is None or draft.recipe.student is None:
        return
    draft.request = StudentRequest(
        labels=draft.space.labels if draft.space else (),
        initial="pretrained" if draft.student.weights else "random",
        head="keep" if draft.keeps_head else "new",
        seed=draft.recipe.seed,
        inputs_like=draft.teachers[0].described if draft.teachers else None,
    )
    tap = draft.recipe.student.tap
    draft.student = _inside(draft, draft.student, tap=tap, student=draft.request) or draft.student


def _inside(draft: Draft, member: Member, **how: Any) -> Member | None:
    with draft.problems.watching(member.model):
        return with_layers(member, draft.modality, **how)
    return None


def _finished(draft: Draft) -> Prepared:
    from zoo.building.estimates import estimate

    assert draft.spec is not None
    return Prepared(
        recipe=draft.pinned(),
        place=draft.place,
        spec=draft.spec,
        method=draft.method,
        why=draft.why,
        teachers=tuple(draft.teachers),
        student=draft.student,
        base=draft.base,
        request=draft.request,
        space=draft.space,
        modality=draft.modality,
        stages=draft.stages,
        watched=draft.method.watched if draft.trains else (),
        weights=draft.weights,
        parts=draft.parts,
        tap=draft.tap,
        head=draft.head,
        compare=draft.compared,
        extras=draft.extras,
        inputs=draft.inputs,
        rows=draft.rows,
        truth=draft.truth,
        evaluation=draft.evaluation,
        cache=draft.cache,
        device=draft.device,
        estimates=estimate(draft),
        notes=tuple(draft.notes),
        warnings=tuple(draft.warnings),
    )
