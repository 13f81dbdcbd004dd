"""Rows -> probe: guess, drop what cannot be used, sample, identify. One way for every layout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from zoo.errors import InputError
from zoo.probes import (
    boxes,
    checks,
    fingerprint,
    guess,
    label_texts,
    labels,
    pictures,
    sample,
)
from zoo.probes.words import (
    IMAGE_IDS,
    choose_split,
    count,
    did_you_mean,
    listed,
    normal,
    split_note,
)
from zoo.types.probe import Probe, ProbeModality, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.guess import Roles
    from zoo.probes.label_values import Labels
    from zoo.probes.rows import Rows
    from zoo.types.protocols import ProbeOptions


def build(rows: Rows, options: ProbeOptions) -> Probe:
    """Make a probe of rows.

    Raises:
        InputError: one sentence about what is wrong, where, and what to do.
    """
    source = rows.origin.source
    asked = task_of(options.task) or task_of(rows.origin.task)
    if not rows.light.num_rows and not rows.heavy:
        raise InputError(f"{source!r} has no rows.")
    roles = guess.roles(rows, options, asked)
    notes = [*rows.origin.notes, *roles.notes()]
    within, split, splits = _within_split(rows, roles, options)
    notes += split_note(split, splits) if roles.split else ()
    found = _labels(rows, roles, asked or roles.task, within)
    keep, dropped = _usable(rows, roles, found, within)
    kept = _of_rows(found, keep)
    if not len(kept.values):
        why = " ".join(dropped) or "It has no rows."
        raise InputError(f"{source!r} has no row with an input and a label. {why}")
    checks.check(kept, source)
    index = np.flatnonzero(keep)[choose(kept, options)]
    modality, inputs, digests = read_inputs(rows, roles, index)
    sampled = _of_sample(rows, roles, _of_rows(found, index), index)
    return finish(
        Probe(
            name=rows.origin.name,
            source=source,
            task=found.task,
            modality=modality,
            inputs=inputs,
            labels=sampled.values,
            label_names=sampled.names,
            fingerprint="",
            split=split or rows.origin.split,
            rows=len(kept.values),
            seed=options.seed,
            columns={role: ", ".join(names) for role, names in roles.all.items()},
            notes=(*notes, *dropped, *found.notes, *checks.thin_notes(kept)),
        ),
        digests,
    )


def finish(probe: Probe, digests: Sequence[bytes]) -> Probe:
    """Give a probe its fingerprint, and say what the sample is."""
    said = [fingerprint.repetition_note(digests, probe.labels)]
    if probe.samples < probe.rows:
        said.append(f"Took {probe.samples} of {probe.rows} rows, seed {probe.seed}.")
        said.append(_thin_sample(probe))
    return replace(
        probe,
        fingerprint=fingerprint.fingerprint(
            probe.task, probe.modality, probe.label_names, digests, probe.labels
        ),
        notes=(*probe.notes, *(each for each in said if each)),
    )


def choose(labels_: Labels, options: ProbeOptions) -> npt.NDArray[np.int64]:
    """Choose the sample among rows that all have a label."""
    if options.samples is not None and (options.samples < 0 or options.samples == 1):
        raise InputError(
            f"a probe of {count(options.samples, 'sample')} cannot rank anything.",
            "--probe-size 1000, or 0 for every row",
        )
    samples = options.samples or None
    if labels_.task == "classification":
        strata = labels_.values
    elif labels_.values.ndim == 1 and labels_.task != "text":
        strata = sample.quantile_strata(labels_.values)
    else:
        strata = np.zeros(len(labels_.values), dtype=np.int64)
    return sample.choose(strata, samples, options.seed)


def task_of(text: str | None) -> Task | None:
    """Read a task that a person typed.

    Raises:
        InputError: there is no such task.
    """
    known = get_args(Task)
    if text is None or text in known:
        return cast("Task | None", text)
    if text.replace("-", "").replace("_", "").lower() == "multilabel":
        return "multi-label"
    guess_ = did_you_mean(text, known)
    raise InputError(f"there is no task {text!r}.{guess_}", f"--task {' | '.join(known)}")


def read_inputs(
    rows: Rows, roles: Roles, index: npt.NDArray[np.int64]
) -> tuple[ProbeModality, Sequence[Any], list[bytes]]:
    """Read the inputs of the sample, and digest each."""
    import pyarrow as pa

    if roles.image:
        images, digests = pictures.read(rows, roles.image, index)
        return "image", images, digests
    columns = [
        rows.light.column(name).cast(pa.string()).take(pa.array(index)).to_pylist()
        for name in roles.text
    ]
    texts: list[Any] = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    return "text", texts, [fingerprint.digest_text(each) for each in texts]


def _labels(rows: Rows, roles: Roles, task: Task | None, within: npt.NDArray[np.bool_]) -> Labels:
    """Read the labels, plain or structured."""
    if roles.boxed:
        return boxes.read(rows, roles.label, within)
    if task == "text" and roles.structure and roles.structure.kind == "captioning":
        same = _same_image(rows, roles, within)
        return label_texts.read(rows, roles.label, every=False, same=same)
    return labels.read(rows, roles.label, task)


def _same_image(rows: Rows, roles: Roles, within: npt.NDArray[np.bool_]) -> Sequence[Any]:
    """Name the image of each row of the split, where a column of paths or ids does."""
    names = rows.light.column_names
    named = [name for name in names if normal(name) in IMAGE_IDS]
    column = roles.image if roles.image in names else next(iter(named), None)
    if column is None:
        return ()
    keys = rows.light.column(column).to_pylist()
    return [key if inside and key != "" else None for key, inside in zip(keys, within, strict=True)]


def _of_sample(rows: Rows, roles: Roles, found: Labels, index: npt.NDArray[np.int64]) -> Labels:
    """Finish structured labels of the sample: its own texts, boxes in shares of their images."""
    if found.task == "text":
        found = label_texts.of_sample(found)
    elif found.pixels:
        images = pictures.of_rows(rows, str(roles.boxed), index)
        sizes = pictures.sizes(images, rows.origin.source)
        found = boxes.as_shares(found, sizes, [each.name for each in images])
    else:
        return found
    checks.check(found, rows.origin.source)
    return found


def _within_split(
    rows: Rows, roles: Roles, options: ProbeOptions
) -> tuple[npt.NDArray[np.bool_], str | None, tuple[str, ...]]:
    """Mark the rows of the split, where a column says which is which."""
    if not roles.split:
        return np.ones(rows.light.num_rows, dtype=bool), None, ()
    import pyarrow.compute as pc

    column = rows.light.column(roles.split)
    splits = tuple(str(each) for each in column.unique().to_pylist() if each)
    split = choose_split(options.split, splits, rows.origin.source)
    marks = pc.fill_null(pc.equal(column, split), fill_value=False)
    return marks.to_numpy(), split, splits


def _usable(
    rows: Rows, roles: Roles, found: Labels, within: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Mark the rows with a label and an input; say how many others there are."""
    inputs, present = _filled(rows, roles), found.present
    merged = np.zeros_like(present) if found.merged is None else found.merged
    unlabelled = int((within & ~present & ~merged).sum())
    empty = int((within & present & ~inputs).sum())
    said = []
    if unlabelled:
        said.append(f"Left out {count(unlabelled, 'row')} without a label.")
    if empty:
        what = "image" if roles.image else "text"
        said.append(f"Left out {count(empty, 'row')} with an empty {what}.")
    return within & present & inputs, said


def _filled(rows: Rows, roles: Roles) -> npt.NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = np.ones(rows.light.num_rows, dtype=bool)
    for name in dict.fromkeys([roles.image, roles.boxed, *roles.text]):
        if name is None:
            continue
        if name in rows.heavy:
            filled &= ~rows.absent(name)
            continue
        column = rows.light.column(name)
        if not pa.types.is_primitive(column.type) and pa.types.is_nested(column.type):
            raise InputError(
                f"column {name!r} of {rows.origin.source!r} holds {column.type}, no texts.",
                f"Its columns are {listed(rows.light.column_names, quote=False)}.",
            )
        trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
        filled &= pc.fill_null(pc.not_equal(trimmed, ""), fill_value=False).to_numpy()
    return filled


def _of_rows(found: Labels, rows: npt.NDArray[Any]) -> Labels:
    """Take some rows, by mask or by number, that all have a label."""
    values = found.values[rows]
    return replace(found, values=values, present=np.ones(len(values), dtype=bool), merged=None)


def _thin_sample(probe: Probe) -> str:
    """Warn when the sample is too small to hold two samples of every class."""
    if probe.task != "classification":
        return ""
    counts = np.bincount(probe.labels, minlength=len(probe.label_names))
    if (counts >= 2).all() or probe.samples >= 2 * len(counts):
        return ""
    return f"{2 * len(counts)} samples would hold two of each of the {len(counts)} classes."
