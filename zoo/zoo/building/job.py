"""A build under way: what preflight settled, with the checkpoints and the data at hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from zoo.building.copies import Chosen, within_reach
from zoo.building.manifest import DataIdentity, fingerprint, identity, manifest_now
from zoo.building.prepared import held_out
from zoo.checkpoints import graphs
from zoo.errors import InputError
from zoo.events import Event, Listener, ignore
from zoo.files import write_atomically
from zoo.render.quantities import some
from zoo.types.runtimes import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.building.manifest import Manifest
    from zoo.building.members import Member
    from zoo.building.place import Work
    from zoo.building.prepared import Prepared
    from zoo.settings import Settings
    from zoo.types.model import Checkpoint


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Everything that carrying out a recipe needs.

    Attributes:
        prepared: what was settled.
        work: the output folder.
        teachers: fetched, in the order of the columns.
        student: fetched, or its description where it starts from nothing; None without one.
        base: the common ancestor.
        samples: the unlabelled data that is used, within reach; empty without.
        rows: numbers of those that are trained on.
        held: numbers of those that are kept for judging.
        labels: (N,) int64 tensor, column of the right label of every sample, -1 where the student
            has none; None where labels are not learned.
        skipped: (name, reason) of every input that cannot be read.
        options: how the networks run.
    """

    prepared: Prepared
    work: Work
    teachers: tuple[Checkpoint, ...]
    student: Checkpoint | None
    base: Checkpoint | None
    samples: Sequence[Any]
    rows: tuple[int, ...]
    held: tuple[int, ...]
    skipped: tuple[tuple[str, str], ...]
    options: RuntimeOptions
    labels: Any = None
    on_event: Listener = ignore

    def note(self, message: str) -> None:
        """Tell whoever listens what begins now."""
        self.on_event(Event(kind="note", message=message))


def describe(prepared: Prepared, fetched: Sequence[Checkpoint], data: DataIdentity) -> Manifest:
    """Name everything that a build reads by what cannot change unnoticed.

    Args:
        prepared: what was settled.
        fetched: the checkpoints in the order of :func:`members_of`.
        data: see :func:`identify_data`.
    """
    named = [
        identity(member.alias, checkpoint)
        for member, checkpoint in zip(members_of(prepared), fetched, strict=True)
    ]
    teachers = len(prepared.teachers)
    others = iter(named[teachers:])
    return manifest_now(
        named[:teachers],
        student=next(others) if prepared.student else None,
        base=next(others) if prepared.base else None,
        data=data if prepared.inputs is not None else None,
    )


def members_of(prepared: Prepared) -> list[Member]:
    """List every checkpoint that takes part: teachers, student, base."""
    others = (prepared.student, prepared.base)
    return [*prepared.teachers, *(each for each in others if each is not None)]


def fetch(member: Member) -> Checkpoint:
    """Bring a checkpoint here; one without weights is taken as it was described.

    Raises:
        CheckpointError: it cannot be had.
    """
    return member.source.fetch(member.candidate) if member.weights else member.described


def identify_data(prepared: Prepared) -> DataIdentity:
    """Digest the data that is used, with what its labels are called where they are learned."""
    inputs = prepared.inputs
    if inputs is None:
        return DataIdentity(source="", samples=0, fingerprint="")
    chosen = Chosen(inputs.inputs, prepared.rows)
    names = Chosen(inputs.names, prepared.rows)
    digest = fingerprint(inputs.source, chosen, names)
    if prepared.truth is not None:
        told = hashlib.blake2b(prepared.truth.tobytes(), digest_size=16)
        told.update("\n".join(prepared.space.labels if prepared.space else ()).encode())
        digest = hashlib.blake2b(
            f"{digest}/{told.hexdigest()}".encode(), digest_size=32
        ).hexdigest()
    return DataIdentity(source=inputs.source, samples=len(chosen), fingerprint=digest)


def open_job(
    prepared: Prepared,
    work: Work,
    fetched: Sequence[Checkpoint],
    settings: Settings,
    on_event: Listener,
) -> Job:
    """Bring the data within reach, set aside what cannot be read, and divide the rest.

    Raises:
        InputError: too little is left.
    """
    teachers = len(prepared.teachers)
    others = iter(fetched[teachers:])
    samples, good, skipped = _readable(prepared, work, on_event)
    rows, held = _divided(prepared, good)
    _require_batch(prepared, rows)
    return Job(
        prepared=prepared,
        work=work,
        teachers=tuple(fetched[:teachers]),
        student=next(others) if prepared.student else None,
        base=next(others) if prepared.base else None,
        samples=samples,
        rows=rows,
        held=held,
        skipped=tuple(skipped),
        options=RuntimeOptions(
            device=prepared.device,
            threads=_threads(settings),
            precision=prepared.recipe.precision,
            cache=str(graphs(settings)),
            extras={"modality": prepared.modality},
        ),
        labels=_labels(prepared),
        on_event=on_event,
    )


def _labels(prepared: Prepared) -> Any:
    if prepared.truth is None:
        return None
    import torch

    return torch.from_numpy(prepared.truth[np.asarray(prepared.rows, dtype=np.int64)])


def _readable(
    prepared: Prepared, work: Work, on_event: Listener
) -> tuple[Sequence[Any], list[int], list[tuple[str, str]]]:
    inputs = prepared.inputs
    if inputs is None:
        return (), [], []
    samples = within_reach(
        Chosen(inputs.inputs, prepared.rows), work.training / "inputs.bin", on_event=on_event
    )
    path = work.training / "scan.json"
    if path.exists():  # of these very inputs, as the manifest makes sure
        found = msgspec.json.decode(path.read_bytes(), type=_Scanned)
        return samples, found.good, found.skipped
    good, skipped = _scanned(prepared, samples, on_event)
    write_atomically(path, msgspec.json.encode(_Scanned(good=good, skipped=skipped)))
    return samples, good, skipped


class _Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """Which inputs can be read, and what is wrong with the others."""

    good: list[int]
    skipped: list[tuple[str, str]]


def _scanned(
    prepared: Prepared, samples: Sequence[Any], on_event: Listener
) -> tuple[list[int], list[tuple[str, str]]]:
    from zoo.training.scanning import scan

    inputs = prepared.inputs
    assert inputs is not None
    good, skipped = scan(samples, on_event, names=Chosen(inputs.names, prepared.rows))
    if not good:
        name, reason = skipped[0]
        raise InputError(
            f"none of the {len(samples)} inputs of {inputs.source!r} can be read; {name}: {reason}."
        )
    return good, skipped


def _divided(prepared: Prepared, good: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw the rows that are kept for judging; the others are trained on.

    Of a class whose label is learned, one sample at least is trained on.
    """
    count = held_out(len(good), prepared.recipe.held_out)
    if count >= len(good):
        count = 0
    drawn = np.random.default_rng(prepared.recipe.seed).permutation(len(good)).tolist()
    if prepared.truth is not None:
        classes = prepared.truth[np.asarray(prepared.rows, dtype=np.int64)]
        last = {int(classes[good[number]]): number for number in drawn}
        drawn = [number for number in drawn if last[int(classes[good[number]])] != number]
    held = {good[number] for number in drawn[:count]}
    return tuple(row for row in good if row not in held), tuple(sorted(held))


def _require_batch(prepared: Prepared, rows: Sequence[int]) -> None:
    """Refuse what is left where preflight, which decodes nothing, counted on more."""
    spec = prepared.spec
    if spec.kind == "training" and len(rows) < spec.smallest_batch:
        raise InputError(
            f"only {some(len(rows), 'readable sample')} to train on, and {spec.name} compares the "
            f"samples of a batch: {spec.smallest_batch} are the least.",
            "Bring more samples.",
        )


def _threads(settings: Settings) -> int:
    from zoo.engine.machine import usable_cores

    return settings.threads if settings.threads > 1 else settings.jobs or usable_cores()
