"""Labelled samples of a calibration: one half may choose, the other judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.building.label_spaces import TeacherHead, columns_of, separate
from zoo.errors import InputError
from zoo.probes import load
from zoo.probes.words import are, did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.events import Listener
    from zoo.types.protocols import ProbeOptions
    from zoo.types.runtimes import Head

    Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Samples whose right label is known.

    Attributes:
        samples: as they were read.
        columns: (N,) column of each one's right label; -1 where the network has none.
        choosing: rows that may choose something.
        judging: rows that only judge.
        warnings: what was left out, one sentence each.
    """

    samples: Sequence[Any]
    columns: Labels
    choosing: Sequence[int]
    judging: Sequence[int]
    warnings: tuple[str, ...] = ()


def read_labelled(
    data: str,
    head: Head,
    modality: str,
    options: ProbeOptions,
    catalogue: Catalogue,
    *,
    on_event: Listener,
) -> Labelled:
    """Read labelled data, find the columns of its labels, and divide it.

    Raises:
        InputError: it cannot be used with this head.
    """
    from zoo.training.scanning import scan

    probe = load(data, options, catalogue)
    if probe.task != "classification":
        raise InputError(
            f"--eval {data}: its labels are {probe.task}, and the network says one label of many.",
            "Name data with one class a sample.",
        )
    if probe.modality != modality:
        raise InputError(f"--eval {data} holds {probe.modality}s; the network reads {modality}s.")
    known, warnings = _columns(data, probe.label_names, head)
    good, unread = scan(probe.inputs, on_event)
    columns = np.asarray(known, dtype=np.int64)[np.asarray(probe.labels, dtype=np.int64)]
    rows = [row for row in good if columns[row] >= 0]
    warnings += [f"--eval {data}: {name} is left out: {reason}." for name, reason in unread]
    if len(rows) < 2:
        raise InputError(f"--eval {data}: fewer than two samples can be judged by.")
    choosing, judging = halves(rows, columns, options.seed)
    return Labelled(
        samples=probe.inputs,
        columns=columns,
        choosing=choosing,
        judging=judging,
        warnings=tuple(warnings),
    )


def _columns(data: str, names: Sequence[str], head: Head) -> tuple[list[int], list[str]]:
    """Find the column of every class, -1 where there is none, and warn of those without one."""
    space = separate([TeacherHead(alias="model", model="model", labels=head.labels)])
    known, unknown = columns_of(names, space)
    if not unknown:
        return known, []
    said = f"--eval {data}: {listed(unknown, most=4)} {are(len(unknown))} no label of the network"
    if len(unknown) == len(known):
        raise InputError(
            f"{said}, so nothing can be judged by it.{did_you_mean(unknown[0], head.labels)}",
            f"Its labels are {listed(head.labels, most=6)}; classes have to be called the same.",
        )
    return known, [f"{said}: those samples are left out."]


def halves(rows: Sequence[int], columns: Labels, seed: int) -> tuple[list[int], list[int]]:
    """Divide rows at random, every label as evenly as it goes.

    Args:
        rows: at least two.
        columns: (N,) label of every row.
        seed: of the draw.
    """
    drawn = np.random.default_rng(seed).permutation(np.asarray(rows, dtype=np.int64))
    ordered = drawn[np.argsort(columns[drawn], kind="stable")]
    return sorted(ordered[::2].tolist()), sorted(ordered[1::2].tolist())
