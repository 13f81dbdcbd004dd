"""What a command that makes a model is about to do and what it costs, for people and programs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.label_spaces import describe
from zoo.building.methods import Several
from zoo.render.quantities import count_text, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.members import Member
    from zoo.building.prepared import Prepared
    from zoo.types.training import FeatureShape


class Estimates(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will cost; None where nobody knows.

    Attributes:
        memory: most bytes at a time.
        seconds: of the whole run.
        disk: bytes of the teachers' outputs; 0 where they are not kept.
        download: bytes still to fetch.
    """

    memory: int | None = None
    seconds: float | None = None
    disk: int = 0
    download: int = 0


class PlannedNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A teacher or the student.

    Attributes:
        classes: width of its head; None without one.
        size: pixels of a side that it reads; None for texts.
        tap: where its features are compared; empty where they are not.
        shape: of them, before they are brought onto the common grid.
        download: bytes still to fetch.
        initial: ``pretrained`` or ``random``.
    """

    alias: str
    model: str
    architecture: str | None
    parameters: int | None
    classes: int | None
    size: int | None
    tap: str = ""
    shape: tuple[int, ...] = ()
    license: str | None = None
    download: int = 0
    initial: str = "pretrained"


class PlannedPair(msgspec.Struct, frozen=True, kw_only=True):
    """One depth at which a method looks at the networks.

    Attributes:
        method: its name.
        student: tap of the student.
        student_shape: of one sample there: ``64x8x8``, or ``512`` for a vector.
        teachers: a tap of each teacher that the method sees; empty where it sees none.
        teacher_shapes: of one sample there.
        aliases: of those teachers.
    """

    method: str
    student: str
    student_shape: str
    teachers: tuple[str, ...] = ()
    teacher_shapes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided before the first weight is fetched.

    Attributes:
        method: name of the amalgamator; ``why`` is half a sentence.
        labels: the student's label space in words; ``outputs`` counts its columns.
        shared: labels that several teachers know.
        data: the unlabelled data in words.
        samples: how many are used; ``held_out`` of them for judging.
        evaluation: the labelled data in words; empty for none.
        temperature: of the soft targets.
        grid: what features are compared on; empty where they are not.
        extras: parameters that are trained beside the student and thrown away.
        weights: name of a loss -> its weight.
        steps: optimiser steps.
        cache: whether the teachers' outputs are kept, and why.
        compare: a student by soft targets alone is trained beside.
        pairing: where the methods look.
        head: whether a fine-tuned model keeps its trained head, and why; empty for other commands.
        notes: what was chosen because of the data.
    """

    method: str
    why: str
    preset: str
    targets: str
    teachers: tuple[PlannedNetwork, ...]
    student: PlannedNetwork | None
    labels: str
    outputs: int
    shared: tuple[str, ...]
    data: str
    samples: int
    held_out: int
    evaluation: str
    grid: str
    extras: int
    weights: dict[str, float]
    epochs: float
    batch: int
    steps: int
    cache: str
    compare: bool
    device: str
    estimates: Estimates
    folder: str
    command: str = "amalgamate"
    temperature: float = 1.0
    pairing: tuple[PlannedPair, ...] = ()
    head: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    schema_version: int = 1


def make_plan(prepared: Prepared) -> Plan:
    """Describe what was settled."""
    recipe, stages = prepared.recipe, prepared.stages
    trains = prepared.spec.kind == "training"
    taps = (
        [stages[-1].teachers[number] for number in range(len(prepared.teachers))] if stages else []
    )
    student = prepared.student
    return Plan(
        method=prepared.spec.name,
        why=prepared.why,
        preset=recipe.preset,
        targets=recipe.targets.kind
        if prepared.spec.soft or prepared.spec.kind == "ensemble"
        else "",
        teachers=tuple(
            _network(member, taps[number].tap if taps else "")
            for number, member in enumerate(prepared.teachers)
        ),
        student=_student(prepared, student, stages[-1].student.tap if stages else "")
        if student
        else None,
        labels=describe(prepared.space) if prepared.space else "none: an extractor",
        outputs=len(prepared.space.labels) if prepared.space else 0,
        shared=prepared.space.shared if prepared.space else (),
        data=_data(prepared),
        samples=len(prepared.rows),
        held_out=prepared.held_out,
        evaluation=_evaluation(prepared),
        grid=_grid([stage.student for stage in stages]),
        extras=prepared.extras,
        weights=dict(prepared.weights),
        epochs=recipe.schedule.epochs if trains else 0,
        batch=recipe.schedule.batch,
        steps=steps_of(prepared) if trains else 0,
        cache=_cache(prepared) if trains else "",
        compare=prepared.compare,
        pairing=_pairing(prepared) if trains else (),
        device=prepared.device,
        estimates=prepared.estimates,
        folder=str(prepared.place),
        command=recipe.command,
        temperature=recipe.targets.temperature,
        head=prepared.head,
        notes=prepared.notes,
        warnings=prepared.warnings,
    )


def steps_of(prepared: Prepared) -> int:
    """Count the optimiser steps; every one has equally many samples."""
    schedule = prepared.recipe.schedule
    trained = max(1, len(prepared.rows) - prepared.held_out)
    epoch = trained // min(schedule.batch, trained)
    return math.ceil(max(1, round(schedule.epochs * epoch)) / schedule.accumulate)


def input_size(member: Member) -> int | None:
    """Read the side of the images that a checkpoint takes, in pixels; None where nobody says."""
    try:
        path = Path(member.described.folder) / "preprocessor_config.json"
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    for name in ("crop_size", "size"):
        side = _side(settings.get(name)) if isinstance(settings, dict) else None
        if side is not None and (name != "crop_size" or settings.get("do_center_crop")):
            return side
    return None


def _side(value: Any) -> int | None:
    if isinstance(value, dict):
        value = value.get("height") or value.get("shortest_edge")
    return value if isinstance(value, int) else None


def _network(member: Member, tap: str) -> PlannedNetwork:
    shape = next((each for each in member.layers if each.tap == tap), None)
    return PlannedNetwork(
        alias=member.alias,
        model=member.model,
        architecture=member.entry.architecture,
        parameters=member.parameters,
        classes=len(member.head.labels) if member.head else None,
        size=input_size(member),
        tap=tap,
        shape=(shape.width, *(shape.grid or ())) if shape else (),
        license=member.entry.license,
        download=member.download,
        initial="pretrained" if member.weights else "random",
    )


def _student(prepared: Prepared, member: Member, tap: str) -> PlannedNetwork:
    outputs = len(prepared.space.labels) if prepared.space else None
    found = _network(member, tap)
    size = found.size or (input_size(prepared.teachers[0]) if prepared.teachers else None)
    return msgspec.structs.replace(found, classes=outputs, size=size)


def _data(prepared: Prepared) -> str:
    inputs = prepared.inputs
    if inputs is None:
        return ""
    used = len(prepared.rows)
    noun = {"image": "image", "text": "text"}.get(prepared.modality, "sample")
    of = f" of {count_text(len(inputs))}" if used < len(inputs) else ""
    return f"{inputs.source}: {count_text(used)}{of} {noun}{'' if used == 1 else 's'}"


def _evaluation(prepared: Prepared) -> str:
    probe = prepared.evaluation
    if probe is None:
        return ""
    return f"{probe.source}: {some(probe.samples, 'sample')} of {len(probe.label_names)} labels"


def _pairing(prepared: Prepared) -> tuple[PlannedPair, ...]:
    """List where every method looks; a tap's shape is what the method is given of it."""
    method = prepared.method
    seats = method.seats if isinstance(method, Several) else ()
    if not seats:
        everybody = tuple(range(len(prepared.teachers)))
        met = [(prepared.spec.name, stage, everybody) for stage in prepared.stages]
    else:
        met = [
            (seat.part.name, prepared.stages[number], seat.teachers)
            for seat in seats
            for number in seat.stages
        ]
    found = [
        PlannedPair(
            method=name,
            student=stage.student.tap,
            student_shape=_shape(stage.student),
            teachers=tuple(stage.teachers[number].tap for number in who),
            teacher_shapes=tuple(_shape(stage.teachers[number]) for number in who),
            aliases=tuple(prepared.teachers[number].alias for number in who),
        )
        for name, stage, who in met
    ]
    found += [
        PlannedPair(
            method=seat.part.name,
            student=prepared.watched[number].tap,
            student_shape=_shape(prepared.watched[number]),
        )
        for seat in seats
        for number in seat.watched
    ]
    return tuple(found)


def _shape(shape: FeatureShape) -> str:
    return "x".join(map(str, (shape.width, *(shape.grid or ()))))


def _grid(shapes: Sequence[FeatureShape]) -> str:
    if not shapes:
        return ""
    grid = shapes[-1].grid
    word = f"{grid[0]}x{grid[1]}" if grid else "vectors"
    return word if len(shapes) == 1 else f"{word}, {len(shapes)} depths"


def _cache(prepared: Prepared) -> str:
    if prepared.cache is None:
        return ""
    word = "kept on disk" if prepared.cache.cache else "asked anew in every epoch"
    return f"{word}: {prepared.cache.reason}"
