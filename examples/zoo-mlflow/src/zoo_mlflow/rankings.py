"""One run a ranking, one child a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zoo_mlflow.flat import joined, numbers
from zoo_mlflow.store import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo import Ranking
    from zoo.types import Failure, RankingRow, ScoreRecord

    from zoo_mlflow.store import Store


def write_ranking(ranking: Ranking, records: Sequence[ScoreRecord]) -> None:
    """Write a ranking; another one of the same Zoo run is replaced.

    Args:
        ranking: what came out.
        records: every estimator on every layer of every model.

    Raises:
        ZooError: MLflow cannot be written.
    """
    with opened() as store:
        if ranking.run:
            store.replace("zoo.run", ranking.run)
        name = " ".join(filter(None, ("recommend", ranking.probe.name, ranking.run[-4:])))
        with store.run(name, _tags(ranking), seconds=ranking.seconds) as run:
            run.params(_params(ranking))
            run.metrics((name, value, 0) for name, value in _totals(ranking))
            store.client.log_text(run.id, _json(ranking), "ranking.json")
            if records:
                store.client.log_text(run.id, _lines(records), "scores.jsonl")
            for row in ranking.ranking:
                own = [each for each in records if each.model == row.model]
                _write_model(store, ranking, row, own, parent=run.id)
            for failure in ranking.failures:
                if failure.model:
                    _write_failure(store, ranking, failure, parent=run.id)


def _write_model(
    store: Store,
    ranking: Ranking,
    row: RankingRow,
    records: Sequence[ScoreRecord],
    *,
    parent: str,
) -> None:
    tags = {
        "zoo.run": ranking.run,
        "zoo.model": row.model,
        "zoo.revision": ranking.provenance.revisions.get(row.model, ""),
        "zoo.license": row.license or "",
        "zoo.tied_with": ", ".join(row.tied_with),
    }
    with store.run(f"{row.rank} {row.model}", tags, seconds=row.seconds, parent=parent) as run:
        run.params(
            {
                "model": row.model,
                "layer": row.layer,
                "dimension": row.dimension,
                "architecture": row.architecture,
                "runtime": row.runtime,
                "device": row.device,
            }
        )
        run.metrics([*((name, value, 0) for name, value in _cells(row)), *_layers(row, records)])


def _write_failure(store: Store, ranking: Ranking, failure: Failure, *, parent: str) -> None:
    said = {"zoo.stage": failure.stage, "zoo.error": failure.error, "zoo.hint": failure.hint}
    tags = {"zoo.run": ranking.run, "zoo.model": failure.model or "", **said}
    with store.run(f"failed {failure.model}", tags, parent=parent) as run:
        pass
    store.client.set_terminated(run.id, status="FAILED")


def _cells(row: RankingRow) -> Iterator[tuple[str, float]]:
    """Give the numbers of the table: the whole order, and every estimator's word."""
    (low, high) = row.interval
    own = {"score": row.score, "score.low": low, "score.high": high, "rank": row.rank}
    yield from numbers({**own, "evidence": row.evidence, "seconds": row.seconds})
    yield from numbers({"parameters": row.parameters, "bytes": row.bytes})
    for name, cell in row.estimators.items():
        yield from numbers(cell.value, joined(name))
        yield from numbers({"z": cell.z, "rank": cell.rank}, joined(name))
        if cell.interval is not None:
            yield from numbers(dict(zip(("low", "high"), cell.interval, strict=True)), joined(name))


def _layers(row: RankingRow, records: Sequence[ScoreRecord]) -> Iterator[tuple[str, float, int]]:
    """Give curves over the layers, where there are several; the step is the layer's number."""
    if len(row.layers) < 2:
        return
    number = {each.layer: step for step, each in enumerate(row.layers)}
    for each in row.layers:
        yield "layers.score", each.score, number[each.layer]
    for record in records:
        for name, value in numbers(record.value, joined("layers", record.estimator)):
            if record.layer in number:
                yield name, value, number[record.layer]


def _totals(ranking: Ranking) -> Iterator[tuple[str, float]]:
    yield from numbers(
        {
            "models": len(ranking.ranking),
            "excluded": len(ranking.excluded),
            "failures": len(ranking.failures),
            "agreement": ranking.agreement,
            "prior_agreement": ranking.prior_agreement,
            "seconds": ranking.seconds,
            "score": ranking.ranking[0].score if ranking.ranking else None,
        }
    )


def _params(ranking: Ranking) -> dict[str, object]:
    probe, provenance = ranking.probe, ranking.provenance
    names = dict.fromkeys(name for row in ranking.ranking for name in row.estimators)
    return {
        "data": probe.source,
        "split": probe.split,
        "task": probe.task,
        "modality": probe.modality,
        "samples": probe.samples,
        "classes": probe.classes,
        "seed": provenance.seed,
        "estimators": ", ".join(names),
        "device": provenance.device,
        "runtime": provenance.runtime,
    }


def _tags(ranking: Ranking) -> dict[str, str]:
    provenance = ranking.provenance
    leader = ranking.ranking[0].model if ranking.ranking else ""
    notes = [f"Start from `{leader}`." if leader else "No model could be ranked."]
    notes += [f"- {each}" for each in ranking.warnings]
    notes += [f"- {each}" for each in ranking.failures]
    return {
        "zoo.command": "recommend",
        "zoo.run": ranking.run,
        "zoo.fingerprint": ranking.probe.fingerprint,
        "zoo.leader": leader,
        **{joined("version", name): each for name, each in provenance.versions.items()},
        "mlflow.source.name": " ".join(provenance.command),
        "mlflow.note.content": "\n".join(notes),
    }


def _json(ranking: Ranking) -> str:
    return msgspec.json.format(msgspec.json.encode(ranking)).decode()


def _lines(records: Sequence[ScoreRecord]) -> str:
    return "".join(f"{msgspec.json.encode(each).decode()}\n" for each in records)
