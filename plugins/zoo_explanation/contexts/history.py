"""Recorded transfers as columns: what is known of each pair before the transfer."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from zoo.types import TransferRecord
from zoo_explanation.contexts.significance import RULES, Transfers
from zoo_explanation.contexts.spaces import CLASSES
from zoo_explanation.contexts.transferability import INDEX, RESULTS, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from zoo_explanation.contexts.spaces import Entailment, Spaces

#: Names under which the size of a model and the number of its classes are recorded.
CONTROLS = frozenset(
    (CLASSES, "classes", "size", "log size", "parameters", "log parameters", "number_of_parameters")
)


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """Recorded transfers, ready to be tested.

    Attributes:
        records: one a pair of source and target, in the order of the columns.
        transfers: the columns.
        metric: what was measured; of each target, the metric that most of its records have.
        measure: what the outcome is made of it.
        contexts: name of a flag -> the entailments that both domains have where it is set.
    """

    records: tuple[TransferRecord, ...]
    transfers: Transfers
    metric: str
    measure: str
    contexts: Mapping[str, tuple[Entailment, ...]] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """What sentences call the outcome."""
        return self.measure if self.measure == INDEX else self.metric


def history_of(records: Iterable[TransferRecord], spaces: Spaces | None = None) -> History:
    """Turn records into columns.

    Args:
        records: repeated pairs are averaged; of a target that was judged by several metrics, the
            one with most records is kept.
        spaces: of the graph; without, nothing is said of classes.
    """
    kept = one_a_pair(records)
    values, measure = outcomes(kept)
    columns: dict[str, npt.NDArray[np.float64]] = {}
    rows = [_known(each, spaces) for each in kept]
    for name in sorted({name for row in rows for name in row}):
        columns[name] = np.array([row.get(name, np.nan) for row in rows])
    contexts: dict[str, tuple[Entailment, ...]] = {}
    if spaces is not None:
        for entailment, flag in narrators(kept, spaces).items():
            name = name_of(entailment, spaces)
            # Two nodes of one name are told apart by their number in the lexicon.
            name = f"{name} (sense {entailment[1]})" if name in columns else name
            contexts[name], columns[name] = (entailment,), flag
    names = sorted({each.metric for each in kept})
    return History(
        records=kept,
        transfers=Transfers(
            sources=_numbers([each.source for each in kept]),
            targets=_numbers([each.target for each in kept]),
            outcome=np.array(values),
            quantities=columns,
            controls=tuple(name for name in columns if name in CONTROLS),
            flags=frozenset(contexts),
        ),
        metric=names[0] if len(names) == 1 else "results",
        measure=measure,
        contexts=contexts,
    )


def one_a_pair(records: Iterable[TransferRecord]) -> tuple[TransferRecord, ...]:
    """Keep one metric a target, and average repeated transfers of a pair."""
    records = list(records)
    metrics: dict[str, Counter[str]] = defaultdict(Counter)
    for each in records:
        metrics[each.target][each.metric] += 1
    chosen = {
        target: min(count, key=lambda name: (-count[name], name))
        for target, count in metrics.items()
    }
    pairs: dict[tuple[str, str], list[TransferRecord]] = defaultdict(list)
    for each in records:
        if each.metric == chosen[each.target]:
            pairs[each.target, each.source].append(each)
    return tuple(_averaged(pairs[pair]) for pair in sorted(pairs))


def narrators(
    records: Sequence[TransferRecord], spaces: Spaces
) -> dict[Entailment, npt.NDArray[np.float64]]:
    """Mark for each entailment the transfers whose source and target both have it.

    Those that fewer than eight transfers have, or lack, are left out, and of those that the same
    transfers have only the most specific is kept.

    Returns:
        entailment -> (N,) of 0 and 1.
    """
    alike: dict[tuple[str, ...], frozenset[Entailment]] = {
        labels: spaces.entailments(labels)
        for each in records
        for labels in (each.source_labels, each.target_labels)
    }
    both = [alike[each.source_labels] & alike[each.target_labels] for each in records]
    places: dict[Entailment, list[int]] = defaultdict(list)
    for place, found in enumerate(both):
        for entailment in found:
            places[entailment].append(place)
    best: dict[tuple[int, ...], Entailment] = {}
    for entailment in sorted(places, key=lambda each: (each[0], -spaces.lexicon.ic(each[1]), each)):
        if RULES.group <= len(places[entailment]) <= len(records) - RULES.group:
            best.setdefault(tuple(places[entailment]), entailment)
    flags = {}
    for where, entailment in best.items():
        flags[entailment] = np.zeros(len(records))
        flags[entailment][list(where)] = 1.0
    return flags


def name_of(entailment: Entailment, spaces: Spaces) -> str:
    """Name what two domains share."""
    what, node = entailment
    return f"{what} {spaces.lexicon.name(node)}"


def _known(record: TransferRecord, spaces: Spaces | None) -> dict[str, float]:
    known = {name: each for name, each in record.quantities.items() if name not in RESULTS}
    if spaces is not None and record.source_labels and record.target_labels:
        known |= spaces.factors(record.source_labels, record.target_labels)
    return known


def _averaged(same: Sequence[TransferRecord]) -> TransferRecord:
    if len(same) == 1:
        return same[0]
    names = sorted({name for each in same for name in each.quantities})
    first = same[0]
    return TransferRecord(
        source=first.source,
        target=first.target,
        value=fmean(each.value for each in same),
        metric=first.metric,
        origin=", ".join(sorted({each.origin for each in same if each.origin})),
        quantities={
            name: fmean(each.quantities[name] for each in same if name in each.quantities)
            for name in names
        },
        source_labels=first.source_labels,
        target_labels=first.target_labels,
    )


def _numbers(names: Sequence[str]) -> npt.NDArray[np.intp]:
    return np.unique(names, return_inverse=True)[1].astype(np.intp)
