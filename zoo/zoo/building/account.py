"""What a person and a model card are told about a model that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from zoo.building.card import Built, Ingredient, LossLine, TrainingFacts
from zoo.building.presets import baseline_weights
from zoo.building.verdict import verdict
from zoo.render.quantities import some

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo.building.evaluation import Metrics
    from zoo.building.job import Job
    from zoo.building.label_spaces import LabelSpace
    from zoo.building.members import Member
    from zoo.building.prepared import Prepared
    from zoo.training.trainer import TrainingResult
    from zoo.types.model import Checkpoint

_TASKS = {"image": "image-classification", "text": "text-classification"}
_EXTRACTING = {"image": "image-feature-extraction", "text": "feature-extraction"}


def make_card(
    job: Job,
    parameters: int,
    space: LabelSpace | None,
    told: tuple[str, ...],
    *,
    metrics: Metrics | None,
    facts: TrainingFacts | None = None,
) -> Built:
    """Gather what the card of a model says.

    Args:
        job: the build.
        parameters: of the model.
        space: its labels; None without a head.
        told: sentences that follow from the numbers.
        metrics: how it was judged.
        facts: of its training; None for one that was merged.
    """
    prepared = job.prepared
    first = prepared.student or prepared.teachers[0]
    journal = job.work.journal
    return Built(
        name=job.work.folder.name,
        task=(_TASKS if space else _EXTRACTING)[prepared.modality],
        architecture=first.entry.architecture or "",
        parameters=parameters,
        labels=space.labels if space else (),
        teachers=tuple(
            _ingredient(member, checkpoint)
            for member, checkpoint in zip(prepared.teachers, job.teachers, strict=True)
        ),
        recipe=prepared.recipe,
        manifest=job.work.state.manifest,
        student=_ingredient(prepared.student, job.student)
        if prepared.student and job.student
        else None,
        base=_ingredient(prepared.base, job.base) if prepared.base and job.base else None,
        training=facts,
        losses=_losses(journal, prepared) if facts else (),
        metrics=metrics.table() if metrics else {},
        verdict=told,
        notes=(*prepared.notes, *prepared.warnings),
        skipped=len(job.skipped),
    )


def _losses(journal: Path, prepared: Prepared) -> tuple[LossLine, ...]:
    from zoo.building.curves import loss_lines, read

    weights = {f"student.{name}": weight for name, weight in prepared.weights.items()}
    baseline = baseline_weights(prepared.weights)
    weights |= {f"kd.{name}": weight for name, weight in baseline.items()}
    return tuple(loss_lines(read(journal), weights))


def _ingredient(member: Member, checkpoint: Checkpoint) -> Ingredient:
    return Ingredient(
        alias=member.alias,
        model=member.model,
        revision=member.entry.parsed.revision or "",
        digest=checkpoint.digest,
        license=member.entry.license,
        architecture=member.entry.architecture or "",
        parameters=member.parameters,
        labels=len(member.head.labels) if member.head else None,
    )


def training_facts(job: Job, result: TrainingResult) -> TrainingFacts:
    """Say how the training went."""
    return TrainingFacts(
        steps=result.steps,
        epochs=result.epochs,
        seconds=result.seconds,
        rows=len(job.rows),
        samples_per_second=result.samples_per_second,
        peak_bytes=result.peak_bytes,
        device=job.prepared.device,
        weights=dict(job.prepared.weights),
    )


def consequences(
    job: Job, metrics: Metrics | None, unread: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Say what follows from the numbers, and what was left out."""
    found = list(verdict(metrics)) if metrics else []
    for skipped, what in ((job.skipped, "of the data"), (unread, "of the labelled data")):
        if skipped:
            name, reason = skipped[0]
            were = "was" if len(skipped) == 1 else "were"
            others = "." if len(skipped) == 1 else " and others."
            found.append(
                f"{some(len(skipped), 'input')} {what} cannot be read and {were} left out: "
                f"{name} ({reason}){others}"
            )
    return tuple(found)


def metrics_document(metrics: Metrics | None) -> dict[str, Any]:
    """Give what ``metrics.json`` holds."""
    found: dict[str, Any] = msgspec.to_builtins(metrics) if metrics else {"student": {}}
    return {"schema_version": 1, **found}
