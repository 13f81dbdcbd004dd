"""What a training will take, before any weight is here: memory, time and disk."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from zoo.building.heap import Heap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.settings import Settings
    from zoo.types.training import StepCost

T = TypeVar("T")

#: Raise it when what is remembered means something else.
_FORM = 1
#: Holes that no model of the allocator foresees, seen in real processes.
_HOLES = 1.08
#: Compiled kernels and the libraries' own buffers.
_KERNELS = 22 << 20
#: Opening looks at two samples and holds every layer of them; so much of that stays as holes.
_OPENED = 2
_LEFT = 0.6
#: Batches on their way: the loop asks for the next one before it learns from this one.
_BATCHES = 2
#: Adam keeps two numbers a weight.
_MOMENTS = 2
#: Reads and writes of a weight by one step of Adam.
_ADAM = 7
#: A process that has imported everything, where the system does not say.
_USUAL_BASE = 600 << 20
_STEPS = 3


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a machine is.

    Attributes:
        dense: operations a second of matrix products and dense convolutions.
        grouped: of convolutions in groups.
        moved: bytes a second that element-wise operations read and write.
        image: seconds that one core takes to decode and resize an image.
    """

    dense: float
    grouped: float
    moved: float
    image: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A training, as far as its cost goes.

    Attributes:
        teachers: one batch of each.
        student: one batch, forward and back.
        extras: of what is trained beside the first learner; None for nothing.
        learners: how many students learn in lockstep.
        batch: samples of the costs above.
        rows: samples that are trained on.
        epochs: passes over them.
        observed: samples that teachers are asked about for their statistics.
        judged: samples that everybody is asked about at the end.
        views: fixed views of a sample; 0 for random ones.
        cached: teachers are asked once, one after the other, and not in training.
        cache_bytes: disk that it takes.
        images: the inputs have to be decoded.
        readers: different ways to prepare an input.
    """

    teachers: Sequence[StepCost]
    student: StepCost
    batch: int
    rows: int
    epochs: float
    extras: StepCost | None = None
    learners: int = 1
    observed: int = 0
    judged: int = 0
    views: int = 0
    cached: bool = False
    cache_bytes: int = 0
    images: bool = True
    readers: int = 1


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a training will take.

    Attributes:
        memory_bytes: most memory of the process, or of the GPU.
        cache_bytes: disk for what the teachers say.
        parts: what the memory is for.
        phases: what the seconds are for.
    """

    memory_bytes: int
    seconds: float
    cache_bytes: int
    parts: dict[str, int] = {}
    phases: dict[str, float] = {}


@dataclass(slots=True)
class _Asked:
    """Whoever is asked in one phase."""

    teachers: Sequence[StepCost]
    learners: Sequence[tuple[StepCost, StepCost | None]] = field(default_factory=tuple)


def estimate(
    workload: Workload,
    rates: Rates,
    *,
    device: str = "cpu",
    cores: int = 1,
    base: int | None = None,
) -> Estimate:
    """Add everything up.

    Args:
        workload: what is done.
        rates: of the device, see :func:`machine_rates`.
        device: where; on a GPU only its own memory counts.
        cores: that decode images.
        base: bytes of this process without any network; measured where None.
    """
    gpu = device.startswith("cuda")
    phases = _seconds(workload, rates, cores)
    base = 0 if gpu else resident_bytes() if base is None else base
    parts = _memory(workload, base=base, gpu=gpu)
    return Estimate(
        memory_bytes=sum(parts.values()),
        seconds=sum(phases.values()),
        cache_bytes=workload.cache_bytes if workload.cached else 0,
        parts=parts,
        phases=phases,
    )


def resident_bytes() -> int:
    """Bytes of this process, with everything imported that a training needs."""
    import zoo.training.trainer  # noqa: F401 -- its own memory is what is measured

    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return _USUAL_BASE


def machine_rates(settings: Settings, device: str, threads: int) -> Rates:
    """Measure this machine once, and remember it."""
    from zoo.engine.machine import describe_machine

    def measure() -> Rates:
        from zoo.training.rates import measure_rates

        return measure_rates(device, threads)

    return remembered(
        settings, measure, Rates, machine=describe_machine(), device=device, threads=threads
    )


def remembered(settings: Settings, find: Callable[[], T], kind: type[T], **what: object) -> T:
    """Read what was found before, or find it and write it down; the store only saves work.

    Args:
        settings: say where the store is.
        find: finds it.
        kind: of what is found.
        what: everything that decides what is found, beside the installed torch.
    """
    from importlib import metadata

    from zoo.store import Store, key

    versions = [metadata.version(name) for name in ("torch", "transformers")]
    name = key(kind=kind.__name__, form=_FORM, versions=versions, **what)
    records = Store(settings.folder).records
    with suppress(OSError, msgspec.MsgspecError):
        known = records.read([name]).get(name)
        if known is not None:
            return msgspec.json.decode(known, type=kind)
    found = find()
    with suppress(OSError):
        records.write({name: msgspec.json.encode(found)})
    return found


def step_seconds(cost: StepCost, rates: Rates) -> float:
    """Time of one batch, there and, for a student, back."""
    return cost.dense / rates.dense + cost.grouped / rates.grouped + cost.moved / rates.moved


def _seconds(work: Workload, rates: Rates, cores: int) -> dict[str, float]:
    asking = sum(step_seconds(each, rates) for each in work.teachers) / work.batch
    learning = work.learners * step_seconds(work.student, rates)
    if work.extras is not None:
        learning += step_seconds(work.extras, rates)
    learning = (learning + _ADAM * _trained(work) / rates.moved) / work.batch
    reading = work.readers * rates.image / max(1, cores) if work.images else 0.0
    seen = work.epochs * work.rows
    phases = {
        "observing": work.observed * (asking + reading),
        "caching": work.rows * max(1, work.views) * (asking + reading) if work.cached else 0.0,
        "training": seen * (learning + reading + (0.0 if work.cached else asking)),
        "judging": work.judged * (asking + learning / 3 + reading),
    }
    return {name: seconds for name, seconds in phases.items() if seconds}


def _trained(work: Workload) -> int:
    return work.learners * work.student.trained + (work.extras.trained if work.extras else 0)


def _memory(work: Workload, *, base: int, gpu: bool) -> dict[str, int]:
    """Take the phase that needs most: teachers alone, or everybody together."""
    learners = [
        (work.student, work.extras if not number else None) for number in range(work.learners)
    ]
    students = sum(
        student.parameters + (extras.parameters if extras else 0) for student, extras in learners
    )
    inputs = {each.inputs for each in (*work.teachers, work.student)}
    training = _Asked(() if work.cached else work.teachers, learners)
    phases = [training, *(_Asked((each,)) for each in work.teachers if work.cached)]
    found = []
    for phase in phases:
        trains = bool(phase.learners)
        found.append(
            {
                "libraries": base + (0 if gpu else _KERNELS + _opening(work)),
                "teachers": sum(each.parameters for each in phase.teachers),
                "students": students if trains else 0,
                "optimiser": _MOMENTS * _trained(work) if trains else 0,
                "batches": (1 if gpu else _BATCHES) * sum(inputs),
                "activations": _activations(phase, gpu=gpu),
            }
        )
    return max(found, key=lambda parts: sum(parts.values()))


def _opening(work: Workload) -> int:
    """Memory that opening the networks leaves in pieces; that of the largest serves the others."""
    taken = [sum(event for event in each.forward if event > 0) for each in work.teachers]
    taken.append(sum(event for event in work.student.forward if event > 0))
    return round(_LEFT * _OPENED * max(taken) / work.batch)


def _activations(phase: _Asked, *, gpu: bool) -> int:
    """Play a few steps: the teachers' answers stay until the students have learned from them."""
    heap = Heap(ideal=gpu)
    for _ in range(_STEPS):
        for number, teacher in enumerate(phase.teachers):
            heap.run(teacher.forward, f"teacher {number}")
        back = []
        for number, (student, extras) in enumerate(phase.learners):
            for name, cost in (("student", student), ("extras", extras)):
                if cost is not None:
                    owner = f"{name} {number}"
                    back.append((cost, owner, heap.run(cost.forward, owner)))
        for cost, owner, first in reversed(back):
            heap.run(cost.backward, owner, first)
        heap.clear()
    return round(heap.peak * _HOLES)
