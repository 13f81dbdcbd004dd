"""The samples of a probe, whole or in slices that are extracted one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zoo.engine.keys import features_key, labels_digest
from zoo.engine.preparation import Preparation
from zoo.store import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.engine.pieces import Rows
    from zoo.engine.preparation import Wanted
    from zoo.engine.workers import Workers
    from zoo.events import Listener
    from zoo.store import Store
    from zoo.types.probe import Probe


class Part:
    """Samples that are extracted together: a probe with preparation and keys of its own.

    Attributes:
        probe: these samples alone.
        rows: (n,) which samples of the whole probe they are, ascending; None for all.
        preparation: of their images.
    """

    def __init__(
        self,
        workers: Workers,
        store: Store,
        probe: Probe,
        on_event: Listener,
        rows: Rows | None = None,
    ) -> None:
        self.probe = probe if rows is None else _slice(probe, rows)
        self.rows = rows
        self._labels = labels_digest(self.probe)
        self.preparation = Preparation(workers, store, self.probe, self._labels, on_event)

    def features_key(self, wanted: Wanted) -> str:
        """Name the features of one checkpoint on these samples."""
        return features_key(
            wanted.checkpoint,
            wanted.identity,
            wanted.input_key,
            self.probe.fingerprint,
            self._labels,
            precision=wanted.precision,
        )


def dealt(slices: Sequence[Rows], samples: int) -> list[int]:
    """Deal samples to the slices, earliest first: later slices change nothing in earlier ones."""
    counts = []
    for rows in slices:
        counts.append(min(samples, len(rows)))
        samples -= counts[-1]
    return counts


def _slice(probe: Probe, rows: Rows) -> Probe:
    fingerprint = key(kind="slice", probe=probe.fingerprint, rows=[int(row) for row in rows])
    inputs = [probe.inputs[row] for row in rows]
    return replace(probe, inputs=inputs, labels=probe.labels[rows], fingerprint=fingerprint)
