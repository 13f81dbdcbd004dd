"""What a prepared run will cost: bytes to fetch and to keep, memory, time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from zoo.building.plan import Estimates
from zoo.building.prepared import held_out
from zoo.checkpoints import guarded
from zoo.engine.machine import usable_cores, usable_memory
from zoo.errors import ZooError
from zoo.render.quantities import size_text
from zoo.types.training import Forecasts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.cost import Workload
    from zoo.building.draft import Draft
    from zoo.building.members import Member
    from zoo.types.training import StepCost, StudentRequest


def estimate(draft: Draft) -> Estimates:
    """Estimate what can be known before a weight is fetched; a cost that cannot is left out."""
    everybody = [*draft.teachers, *filter(None, (draft.student, draft.base))]
    download = {each.model: each.download for each in everybody}
    found = Estimates(download=sum(download.values()), disk=draft.cache_size)
    if not draft.trains or draft.student is None or draft.inputs is None:
        return found
    networks = [*draft.teachers, draft.student]
    if not all(isinstance(each.trains, Forecasts) for each in networks):
        return found
    from zoo.building import cost

    settings = draft.desk.settings
    threads = settings.threads if settings.threads > 1 else settings.jobs or usable_cores()
    draft.event("estimating memory and time")
    try:
        rates = cost.machine_rates(settings, draft.device, threads)
        costs = cost.estimate(_workload(draft), rates, device=draft.device, cores=threads)
    except ZooError as error:
        draft.notes.append(f"Memory and time are not known: {error.message}")
        return found
    free = free_memory(draft.device)
    if free is not None and costs.memory_bytes > free:
        draft.warnings.append(
            f"About {size_text(costs.memory_bytes)} of memory are needed, and {draft.device} has "
            f"{size_text(free)} free: a smaller --batch takes less, and with fixed --views 2 the "
            "teachers are asked one after the other."
        )
    return msgspec.structs.replace(found, memory=costs.memory_bytes, seconds=costs.seconds)


def free_memory(device: str) -> int | None:
    """Bytes that a device has left; None where nobody knows."""
    if not device.startswith("cuda"):
        return usable_memory()
    import torch

    return int(torch.cuda.mem_get_info(device)[0]) if torch.cuda.is_available() else None


def _workload(draft: Draft) -> Workload:
    from zoo.building.cost import Workload
    from zoo.training.observing import STATISTIC_ROWS
    from zoo.training.simulating import extras_cost

    recipe, student, cached = draft.recipe, draft.student, bool(draft.cache and draft.cache.cache)
    assert student is not None
    assert draft.spec is not None
    held = held_out(len(draft.rows), recipe.held_out)
    rows, batch = len(draft.rows) - held, recipe.schedule.batch
    judged = held + (draft.evaluation.samples if draft.evaluation else 0)
    return Workload(
        teachers=[
            _cost(draft, each, [stage.teachers[number].tap for stage in draft.stages])
            for number, each in enumerate(draft.teachers)
        ],
        student=_often(_cost(draft, student, _read(draft), draft.request), draft),
        extras=extras_cost(draft.method.build, draft.classroom()) if draft.stages else None,
        learners=2 if draft.compared else 1,
        batch=batch,
        rows=rows,
        epochs=recipe.schedule.epochs * (1 + _warming(draft)),
        observed=0 if cached or draft.alone else min(rows, STATISTIC_ROWS),
        judged=2 * judged if draft.keeps_head else judged,
        views=recipe.views.count if recipe.views.kind == "fixed" else 0,
        cached=cached,
        cache_bytes=draft.cache_size,
        images=draft.modality == "image",
        readers=len({(each.runtime.name, each.described.digest) for each in draft.teachers}) + 1,
    )


def _often(cost: StepCost, draft: Draft) -> StepCost:
    """Count the further passes of a student; those over altered layers come two at a time."""
    partial = any(each.reads("partial_view") for each in draft.parts)
    again = any(each.reads("student_again") for each in draft.parts)
    taken: list[int] = []
    for block in cost.forward:
        if block < 0:
            taken[-1 - block] = 0
        else:
            taken.append(block)
    passes = 1 + partial + again
    return replace(
        cost,
        inputs=cost.inputs + (partial + 2 * again) * sum(taken),
        dense=passes * cost.dense,
        grouped=passes * cost.grouped,
        moved=passes * cost.moved,
    )


def _warming(draft: Draft) -> float:
    """Give the share of the training that a warm start adds."""
    return sum(each.weight for each in draft.parts if each.kind == "pretext")


def _read(draft: Draft) -> list[str]:
    """Name the student's layers that a method looks at."""
    shapes = (*(each.student for each in draft.stages), *draft.method.watched)
    return [each.tap for each in shapes]


def _cost(
    draft: Draft, member: Member, taps: Sequence[str], student: StudentRequest | None = None
) -> StepCost:
    assert isinstance(member.trains, Forecasts)
    with guarded(member.runtime, "imagine", member.model):
        return member.trains.step_cost(
            member.described,
            draft.modality,
            draft.recipe.schedule.batch,
            student=student,
            taps=list(dict.fromkeys(taps)),
        )
