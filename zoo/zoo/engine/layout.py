"""Where the features of a task are in the store, or will be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.catalogue import build
from zoo.engine.forwards import Pass
from zoo.engine.jobs import AttributionJob
from zoo.engine.keys import (
    Names,
    attempt_key,
    attributions_key,
    extras_digest,
    joined_key,
    rows_key,
)
from zoo.engine.parts import dealt
from zoo.engine.pieces import Piece, union
from zoo.engine.preparation import Wanted
from zoo.types.failure import Failure
from zoo.types.features import BY_SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.engine.parts import Part
    from zoo.engine.pieces import Rows
    from zoo.engine.tasks import ModelTask
    from zoo.store import Store
    from zoo.types.probe import Probe
    from zoo.types.runtimes import Precision
    from zoo.types.specs import RuntimeSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """The samples of one task: the files they are in, and what makes those that are missing.

    Attributes:
        names: of what will be scored, if everything wanted can be had.
        rows: which samples of the probe they are; None for all.
        passes: one a file of features that forward passes make.
    """

    names: Names
    pieces: tuple[Piece, ...]
    rows: Rows | None = None
    passes: tuple[Pass, ...] = ()

    def without_attributions(self) -> Located:
        """Give the same features alone."""
        return replace(
            self,
            names=replace(self.names, attributions=""),
            pieces=tuple(replace(piece, attributions="") for piece in self.pieces),
            passes=tuple(replace(one, attribution=None) for one in self.passes),
        )

    def missing(self, store: Store) -> list[Pass]:
        """Give the passes that have to be made."""
        attempts = self.attempts(store)
        return [one for one in self.passes if not _is_done(one, store, attempts)]

    def attempts(self, store: Store) -> dict[str, Failure | None]:
        """Look up attributions: key -> None where they were made, or why they never can be."""
        keys = {attempt_key(one.attribution.key): one.attribution.key for one in self.attributing}
        known = store.records.read(keys) if keys else {}
        kind = Failure | None
        return {keys[name]: msgspec.json.decode(text, type=kind) for name, text in known.items()}

    @property
    def attributing(self) -> list[Any]:
        """The passes that attribute as well."""
        return [one for one in self.passes if one.attribution is not None]


class Layout:
    """Cuts a probe into the parts that are extracted together, and names their files."""

    def __init__(
        self,
        probe: Probe,
        part: Callable[[Rows | None], Part],
        store: Store,
        *,
        extras: Mapping[str, npt.NDArray[Any]],
        slices: Sequence[Rows],
        precision: Precision = "fp32",
    ) -> None:
        """Prepare; ``part`` makes a part of the probe."""
        self._store, self._probe, self._precision = store, probe, precision
        self._extras, self._digest = dict(extras), extras_digest(extras)
        self._whole = part(None)
        self._slices, self._rows = [part(rows) for rows in slices], list(slices)
        self._submitted = 0

    def wanted(self, task: ModelTask) -> list[Wanted]:
        """Ask the runtimes what a checkpoint wants its inputs to be like.

        Returns:
            The first runtime, and those rivals that read the same prepared inputs. No rival takes
            over where maps are attributed: those of all models are to be made alike.
        """
        self._submitted += 1
        first = self._ask(task, task.runtime)
        entrants = [first]
        for spec in () if task.attributions or self._precision != "fp32" else task.rivals:
            with suppress(Exception, SystemExit):  # that of a rival is none of the model's
                rival = self._ask(task, spec)
                if self._probe.modality != "image" or rival.shares_inputs(first):
                    entrants.append(rival)
        return entrants

    def samples(self, what: Located) -> int:
        """Count the samples of a task."""
        return self._probe.samples if what.rows is None else len(what.rows)

    def _ask(self, task: ModelTask, spec: RuntimeSpec) -> Wanted:
        runtime = build(spec)
        return Wanted(
            checkpoint=task.checkpoint,
            runtime=spec,
            identity=runtime.identity(),
            input_key=runtime.input_key(task.checkpoint, self._probe.modality),
            number=self._submitted,
            precision=self._precision,
        )

    def locate(self, task: ModelTask, wanted: Wanted) -> Located:
        """Name the files of a task; features of the whole probe serve any part of it."""
        whole = self._whole.features_key(wanted)
        if not task.slices:
            one = _pass(task, wanted, self._whole, task.attribution_samples)
            return self._located([one], None)
        slices = self._rows[: task.slices]
        rows = union(slices)
        if not task.attributions and self._store.has("features", whole):
            every = len(rows) == self._probe.samples
            name = whole if every else rows_key(whole, rows)
            return Located(
                names=Names(features=name, extras=self._digest),
                pieces=(Piece(key=whole, rows=rows, take=rows),),
                rows=rows,
            )
        counts = dealt(slices, task.attribution_samples)
        passes = [
            _pass(task, wanted, part, count)
            for part, count in zip(self._slices[: task.slices], counts, strict=True)
        ]
        return self._located(passes, rows)

    def labels(self, rows: Rows | None) -> npt.NDArray[Any]:
        """Give the labels of some samples."""
        return self._probe.labels if rows is None else self._probe.labels[rows]

    def extras(self, rows: Rows | None) -> dict[str, npt.NDArray[Any]]:
        """Give what joins the features of some samples."""
        if rows is None:
            return dict(self._extras)
        return {
            name: array[rows] if name in BY_SAMPLE else array
            for name, array in self._extras.items()
        }

    def _located(self, passes: Sequence[Pass], rows: Rows | None) -> Located:
        keys = [one.attribution.key for one in passes if one.attribution is not None]
        return Located(
            names=Names(
                features=joined_key([one.key for one in passes]),
                attributions=joined_key(keys) if keys else "",
                extras=self._digest,
            ),
            pieces=tuple(
                Piece(
                    key=one.key,
                    rows=one.part.rows,
                    attributions=one.attribution.key if one.attribution else "",
                )
                for one in passes
            ),
            rows=rows,
            passes=tuple(passes),
        )


def _pass(task: ModelTask, wanted: Wanted, part: Part, count: int) -> Pass:
    features = part.features_key(wanted)
    attribution = None
    count = min(count, part.probe.samples)
    if task.attributions and count:
        attribution = AttributionJob(
            key=attributions_key(features, task.attributions, count, task.layers),
            method=task.attributions,
            samples=count,
            layers=task.layers,
        )
    return Pass(wanted=wanted, part=part, key=features, attribution=attribution)


def _is_done(one: Pass, store: Store, attempts: Mapping[str, Failure | None]) -> bool:
    if not store.has("features", one.key):
        return False
    if one.attribution is None:
        return True
    if attempts.get(one.attribution.key) is not None:
        return True  # it was tried, and never can be done
    return store.has("attributions", one.attribution.key)
