"""What preflight settles about labels and training, and what it finds wrong with them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.building.caching import free_bytes, require_room, should_cache
from zoo.building.distilling import settle_columns
from zoo.building.estimates import free_memory
from zoo.building.finetuning import settle_head
from zoo.building.label_decisions import BY_TEACHER, make_space, names_in, problems
from zoo.building.label_maps import read_map
from zoo.building.label_spaces import distinct, fold, separate, space_of, union
from zoo.building.members import head_of
from zoo.building.needs import check_losses
from zoo.building.place import TEACHERS, TRAINING
from zoo.building.prepared import held_out
from zoo.building.presets import loss_weights, rates_for
from zoo.building.recipe import ADDING, Views
from zoo.building.stages import cache_bytes
from zoo.errors import InputError, PluginError, ZooError
from zoo.render.quantities import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.building.draft import Draft
    from zoo.building.label_spaces import LabelSpace, TeacherHead
    from zoo.building.methods import Method
    from zoo.types.distilling import Classroom

_WORDS = ("", "separate", "union")
#: Fewer samples for each label say little about the scale of its logit.
_SAMPLES_A_LABEL = 5


def settle_labels(draft: Draft) -> None:
    """Decide the columns of the student's head."""
    if draft.recipe.command in ADDING:
        (settle_head if draft.alone else settle_columns)(draft)
        return
    heads = [head_of(each) for each in draft.teachers]
    if not draft.soft:
        if draft.spec and draft.spec.kind == "merging" and heads and all(h.labels for h in heads):
            draft.space = _merged_space(heads)
        return
    wrong = problems(heads)
    draft.problems.problems += wrong
    if wrong or not draft.all_teachers or not heads:
        return
    with draft.problems.watching():
        draft.space = _space(draft, heads)


def _space(draft: Draft, heads: list[TeacherHead]) -> LabelSpace:
    """Form the columns; targets that nobody chose become such that can teach them."""
    recipe, kind = draft.recipe, draft.recipe.targets.kind
    said, free = recipe.label_map, draft.is_free("targets.kind")
    file = "" if said in _WORDS else str(draft.desk.base / said)
    shared = False
    if file or said == "union":
        shared = bool((read_map(Path(file), heads) if file else union(heads)).shared)
    if shared and kind not in BY_TEACHER and not free:
        which = f"the label map {said!r}" if file else "--labels union"
        raise InputError(
            f"{which} gives several teachers one column, and --targets {kind} gives every column "
            "one teacher.",
            "--targets union, or --labels separate.",
        )
    space = make_space(
        heads,
        targets="union" if shared else kind,
        labels="separate" if said == "separate" else "auto",
        label_map=file,
        kept=names_in(recipe.keep),
    )
    if shared and kind not in BY_TEACHER:
        draft.revise(targets={"kind": "union"})
        draft.notes.append("Teachers share labels: targets are union, the sum of their losses.")
    return space


def _merged_space(heads: list[TeacherHead]) -> LabelSpace:
    """Give the labels that merged heads have: one set where all are equal, else side by side."""
    folded = [[fold(label) for label in distinct(head.labels)] for head in heads]
    if all(each == folded[0] for each in folded):
        return space_of(heads, distinct(heads[0].labels) * len(heads))
    if all(sorted(each) == sorted(folded[0]) for each in folded):
        return union(heads)
    return separate(heads)


def settle_training(draft: Draft) -> None:
    """Settle rates, views, stages, weights and the cache; check the batch and the numbers."""
    if not draft.trains:
        return
    _settle_rates(draft)
    if draft.modality == "text":  # texts have no crops
        draft.revise(views=Views(kind="fixed", count=1))
    _check_precision(draft)
    if draft.spec is not None and draft.method is not None:
        _pair(draft)
        with draft.problems.watching(), _guarded(draft.spec.name):
            draft.weights = loss_weights(
                draft.method.weights(len(draft.recipe.teachers)),
                draft.recipe.loss_weights,
                draft.recipe.loss_factor,
                soft=draft.spec.soft,
            )
    check_losses(draft)
    _check_batch(draft)
    _check_statistics(draft)
    _settle_cache(draft)


def _settle_rates(draft: Draft) -> None:
    if draft.student is None:
        return
    advised = rates_for(
        draft.student.parameters, trained=draft.student.weights, head=draft.keeps_head
    )
    rates = {name: rate for name, rate in advised.items() if draft.is_free(f"schedule.{name}")}
    if not draft.is_free("schedule.learning_rate"):
        rates = {}  # its multiples were meant for another one
    if rates:
        draft.revise(schedule=rates)
        start = "trained" if draft.student.weights else "random"
        rate = draft.recipe.schedule.learning_rate
        draft.notes.append(f"The student starts from {start} weights: learning rate {rate:g}.")
    elif draft.recipe.preset == "paper" and not draft.student.weights:
        draft.warnings.append(
            "The preset paper is made for a student with trained weights, and this one has none: "
            "--preset balanced starts faster."
        )
    elif draft.recipe.preset == "paper" and draft.alone and draft.modality == "text":
        draft.warnings.append(
            "The preset paper is made for networks of images, and this one reads texts: "
            "--preset balanced fits them."
        )


def _check_statistics(draft: Draft) -> None:
    """Warn where the scale of every label is taken from next to no samples of it."""
    space, rows = draft.space, len(draft.rows)
    if not draft.soft or space is None or draft.recipe.targets.kind != "standardised" or not rows:
        return
    if rows < _SAMPLES_A_LABEL * len(space.labels):
        draft.warnings.append(
            f"Standardised targets want data of every label, and there are {some(rows, 'sample')} "
            f"for {some(len(space.labels), 'label')}: --targets gated does not."
        )


def _check_precision(draft: Draft) -> None:
    precision = draft.recipe.precision
    if precision == "fp16" and draft.device == "cpu":
        draft.problems.add(
            "fp16 trains on a GPU only, and this run is on cpu.", "--precision fp32 or bf16"
        )


def _pair(draft: Draft) -> None:
    """Ask the method where to compare, and whether it can work so."""
    spec, student = draft.spec, draft.student
    assert spec is not None
    layers = [each.layers for each in draft.teachers]
    whole = (
        draft.fitting
        and draft.all_teachers
        and student is not None
        and all(layers)
        and bool(student.layers)
    )
    if not spec.features or not whole or student is None or not (layers or draft.alone):
        return
    with draft.problems.watching(), _guarded(spec.name):
        draft.method = draft.method.paired(layers, student.layers)
        draft.stages = draft.method.stages
        if draft.augmenter is not None:
            draft.tap = draft.augmenter.method.tap(student.layers)
        classroom = draft.classroom(batch=max(_batch_of(draft), spec.smallest_batch))
        for sentence in draft.method.check(classroom):
            draft.problems.add(sentence)
        draft.extras = _count(draft.method, classroom)


def _batch_of(draft: Draft) -> int:
    """Give the samples of a forward pass, which are never more than there are."""
    count = len(draft.rows)
    return min(draft.recipe.schedule.batch, count - held_out(count, draft.recipe.held_out)) or 1


@contextmanager
def _guarded(method: str) -> Iterator[None]:
    """Turn whatever a method raises beyond its contract into one sentence."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise PluginError(
            f"the method {method!r} failed on these networks ({what}).",
            "ZOO_DEBUG=1 shows where; another --method may do.",
        ) from error


def _count(method: Method, classroom: Classroom) -> int:
    """Count what would be trained beside the student, without memory for it."""
    import torch

    with torch.device("meta"):
        return sum(each.numel() for each in method.build(classroom).parameters())


def _check_batch(draft: Draft) -> None:
    spec, count = draft.spec, len(draft.rows)
    smallest = spec.smallest_batch if spec else 1
    trained = count - held_out(count, draft.recipe.held_out)
    if draft.inputs is not None and trained < draft.recipe.schedule.batch:
        if draft.is_free("schedule.batch") and trained >= smallest:
            draft.revise(schedule={"batch": trained})
            draft.notes.append(f"There are {some(trained, 'sample')} to train on: one batch.")
        else:
            kept = f" ({count - trained} are held out)" if count > trained else ""
            hint = f"--batch {trained}" if trained >= smallest else "Bring more samples."
            draft.problems.add(
                f"{some(trained, 'sample')} to train on{kept} are fewer than a batch of "
                f"{draft.recipe.schedule.batch}.",
                hint,
            )
    batch = draft.recipe.schedule.batch
    if spec and batch < smallest:
        draft.problems.add(
            f"a batch of {batch} is too small for {spec.name}, which compares the samples of a "
            f"batch: {smallest} are the least.",
            f"--batch {max(smallest, spec.advised_batch)}",
        )
    elif spec and batch < spec.advised_batch:
        draft.warnings.append(
            f"A batch of {batch} is small for {spec.name}: {spec.advised_batch} or more are "
            "advised; accumulated batches do not help, it sees one at a time."
        )


def _settle_cache(draft: Draft) -> None:
    if draft.alone:
        return
    recipe = draft.recipe
    heads = [len(each.head.labels) if each.head else None for each in draft.teachers]
    size = cache_bytes(draft.stages, heads, len(draft.rows), recipe.views.count)
    kept = draft.place / TRAINING / TEACHERS  # of a build that goes on
    with draft.problems.watching():
        draft.cache = should_cache(
            recipe.cache,
            recipe.views,
            recipe.schedule.epochs,
            size=size,
            free=free_bytes(draft.place, kept),
            teachers=4 * sum(each.parameters or 0 for each in draft.teachers),
            memory=free_memory(draft.device),
        )
        if draft.cache.cache:
            draft.cache_size = size
            require_room(draft.place, size, kept)
