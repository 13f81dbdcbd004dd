"""A ranking as triples of the provenance ontology: who was scored on what, with which result.

The command line is left out: it may hold what is nobody else's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.graph import terms
from zoo.graph.terms import DCT, PROV, RDF, RDFS, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types.ranking import Ranking, RankingRow, Truth

Fact = tuple[str, str, Any]

_TYPE = f"{RDF}type"
_FROM = f"{PROV}wasGeneratedBy"


class Iri(str):
    """An object that is a node, not a text."""

    __slots__ = ()


def quads_of(ranking: Ranking, run: str) -> list[Any]:
    """Give the pyoxigraph quads of one run, in its own named graph; what is None is left out."""
    from pyoxigraph import Literal, NamedNode, Quad

    place = NamedNode(terms.iri_of_graph(f"run:{run}"))
    return [
        Quad(
            NamedNode(subject),
            NamedNode(predicate),
            NamedNode(value) if isinstance(value, Iri) else Literal(value),
            place,
        )
        for subject, predicate, value in facts_of(ranking, run)
        if value is not None and value != ""
    ]


def facts_of(ranking: Ranking, run: str) -> Iterator[Fact]:
    """Say everything about one run; a value is a text, a number or an :class:`Iri`."""
    yield from _activity(ranking, run)
    yield from _data(ranking)
    for row in ranking.ranking:
        yield from _model(row, ranking.provenance.revisions.get(row.model, ""))
        yield from _place(row, run)
    for truth in ranking.truth:
        yield from _transfer(truth, ranking, run)
    for number, failure in enumerate(ranking.failures, 1):
        node = terms.iri_of_run(run, "failure", str(number))
        yield node, _TYPE, Iri(terms.FAILURE_KIND)
        yield node, _FROM, Iri(terms.iri_of_run(run))
        yield node, f"{TERMS}model", Iri(terms.iri_of_model(failure.model or ""))
        yield node, f"{TERMS}stage", failure.stage
        yield node, f"{RDFS}comment", failure.error
    for number, excluded in enumerate(ranking.excluded, 1):
        node = terms.iri_of_run(run, "exclusion", str(number))
        yield node, _TYPE, Iri(terms.EXCLUSION_KIND)
        yield node, _FROM, Iri(terms.iri_of_run(run))
        yield node, f"{TERMS}model", Iri(terms.iri_of_model(excluded.model))
        yield node, f"{RDFS}comment", excluded.reason


def _activity(ranking: Ranking, run: str) -> Iterator[Fact]:
    node, made = terms.iri_of_run(run), ranking.provenance
    yield node, _TYPE, Iri(f"{PROV}Activity")
    yield node, _TYPE, Iri(terms.RUN_KIND)
    yield node, f"{RDFS}label", run
    yield node, f"{PROV}startedAtTime", made.started
    yield node, f"{TERMS}seed", made.seed
    yield node, f"{TERMS}device", made.device
    yield node, f"{TERMS}precision", made.precision
    for name, version in made.versions.items():
        yield node, f"{TERMS}version", f"{name} {version}"
    yield node, f"{PROV}used", Iri(terms.iri_of_data(ranking.probe.fingerprint))
    for row in ranking.ranking:
        yield node, f"{PROV}used", Iri(terms.iri_of_model(row.model))


def _data(ranking: Ranking) -> Iterator[Fact]:
    probe = ranking.probe
    node = terms.iri_of_data(probe.fingerprint)
    yield node, _TYPE, Iri(f"{PROV}Entity")
    yield node, f"{RDFS}label", probe.name
    yield node, f"{TERMS}fingerprint", probe.fingerprint
    yield node, f"{TERMS}task", probe.task
    yield node, f"{TERMS}modality", probe.modality
    yield node, f"{TERMS}samples", probe.samples
    yield node, f"{TERMS}classes", probe.classes
    for label in getattr(probe, "labels", ()):
        yield node, f"{TERMS}class", label


def _model(row: RankingRow, revision: str) -> Iterator[Fact]:
    node = terms.iri_of_model(row.model)
    yield node, _TYPE, Iri(f"{PROV}Entity")
    yield node, f"{RDFS}label", row.model
    yield node, f"{TERMS}revision", revision
    yield node, f"{TERMS}parameters", row.parameters
    yield node, f"{TERMS}bytes", row.bytes
    yield node, f"{TERMS}architecture", row.architecture
    yield node, f"{DCT}license", row.license


def _place(row: RankingRow, run: str) -> Iterator[Fact]:
    node, model = terms.iri_of_run(run, "place", str(row.rank)), Iri(terms.iri_of_model(row.model))
    yield node, _TYPE, Iri(terms.PLACE_KIND)
    yield node, _FROM, Iri(terms.iri_of_run(run))
    yield node, f"{TERMS}model", model
    yield node, f"{TERMS}rank", row.rank
    yield node, f"{TERMS}layer", row.layer
    yield from _measured(node, row.score, row.interval)
    for other in row.tied_with:
        yield node, f"{TERMS}tiedWith", Iri(terms.iri_of_model(other))
    for name, cell in row.estimators.items():
        score = terms.iri_of_run(run, "score", str(row.rank), name)
        yield score, _TYPE, Iri(terms.SCORE_KIND)
        yield score, _FROM, Iri(terms.iri_of_run(run))
        yield score, f"{TERMS}model", model
        yield score, f"{TERMS}estimator", name
        yield score, f"{TERMS}layer", row.layer
        yield score, f"{TERMS}rank", cell.rank
        yield score, f"{TERMS}z", cell.z
        yield score, f"{RDFS}comment", cell.note
        yield from _measured(score, cell.value, cell.interval)


def _transfer(truth: Truth, ranking: Ranking, run: str) -> Iterator[Fact]:
    """What fine-tuning reached, and what was known of the pair before."""
    row = next((each for each in ranking.ranking if each.model == truth.model), None)
    number = str(row.rank) if row else truth.model
    node = terms.iri_of_run(run, "transfer", number)
    yield node, _TYPE, Iri(terms.TRANSFER_KIND)
    yield node, _FROM, Iri(terms.iri_of_run(run))
    yield node, f"{TERMS}source", Iri(terms.iri_of_model(truth.model))
    yield terms.iri_of_model(truth.model), f"{RDFS}label", truth.model
    yield node, f"{TERMS}target", Iri(terms.iri_of_data(ranking.probe.fingerprint))
    yield node, f"{TERMS}metric", "accuracy"
    yield node, f"{TERMS}samples", truth.samples
    yield from _measured(node, truth.accuracy, truth.interval)
    for name, value in _known_before(row).items() if row else ():
        quantity = terms.iri_of_run(run, "transfer", number, name)
        yield node, f"{TERMS}quantity", Iri(quantity)
        yield quantity, f"{TERMS}name", name
        yield quantity, f"{TERMS}value", value


def _known_before(row: RankingRow) -> dict[str, float]:
    found = {name: cell.value for name, cell in row.estimators.items()}
    found |= {"consensus": row.score, "parameters": row.parameters, "bytes": row.bytes}
    return {name: float(value) for name, value in found.items() if value is not None}


def _measured(
    node: str, value: float | None, interval: tuple[float, float] | None
) -> Iterator[Fact]:
    yield node, f"{TERMS}value", value
    for word, bound in zip(("low", "high"), interval or (), strict=False):
        yield node, f"{TERMS}{word}", bound
