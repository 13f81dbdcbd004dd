"""Evidence of recorded transfers: what was reached, what their classes are, what links them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from zoo_explanation.facts import source_of as graph_source
from zoo_explanation.shown import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.types import TransferRecord
    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.contexts.history import History
    from zoo_explanation.contexts.spaces import Entailment, Spaces


def source_of(records: Iterable[TransferRecord]) -> str:
    """Name the files and runs that records are from."""
    origins = {part.partition(", line ")[0] for each in records for part in [each.origin] if part}
    return ", ".join(sorted(origins)) or "recorded transfers"


def by_target(case: Case, history: History) -> list[Evidence | None]:
    """Record what every model reached on each target."""
    targets: dict[str, list[TransferRecord]] = defaultdict(list)
    for each in history.records:
        targets[each.target].append(each)
    return [
        case.ledger.observe(
            "record",
            clean(target),
            "recorded transfers",
            source=source_of(records),
            metric=records[0].metric,
            reached={each.source: each.value for each in records},
            known={each.source: each.quantities for each in records if each.quantities},
        )
        for target, records in targets.items()
    ]


def aligned(case: Case, history: History, spaces: Spaces) -> list[Evidence | None]:
    """Record what the classes of the transfers were taken for."""
    owners: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for each in history.records:
        for name, labels in (
            (each.source, each.source_labels),
            (each.target, each.target_labels),
        ):
            if labels:
                owners[labels].add(clean(name))
    found = []
    for labels, names in owners.items():
        nodes = [each for each in spaces.aligned(labels) if each.node is not None]
        found.append(
            case.ledger.observe(
                "alignment",
                ", ".join(sorted(names)),
                "classes in the graph",
                source=graph_source(spaces.graph),
                confirmed=spaces.confirmed(labels),
                classes=len(labels),
                found=len(nodes),
                guessed=sum(not each.confirmed for each in nodes),
                nodes={
                    clean(each.label): spaces.lexicon.iri(each.node)
                    for each in nodes
                    if each.node is not None
                },
            )
        )
    return found


def facts_of(
    case: Case, history: History, name: str, entailment: Entailment, spaces: Spaces
) -> list[Evidence | None]:
    """Record the links by which the transfers of a context have it, one way a label space."""
    labels = {
        each
        for record in history.records
        for each in (record.source_labels, record.target_labels)
        if entailment in spaces.entailments(each)
    }
    links = {link for each in sorted(labels) for link in spaces.triples(each, entailment)}
    if not links:
        return []
    iri = spaces.lexicon.iri(entailment[1])
    return [
        case.ledger.observe(
            "fact",
            name,
            "links of the recorded classes",
            source=graph_source(spaces.graph),
            triples=sorted(links),
            check=f"SELECT ?narrower ?link WHERE {{ ?narrower ?link <{iri}> }}",
            spaces=len(labels),
        )
    ]
