"""Rank real checkpoints for real data sets, and measure how well the ranking does.

    python benchmarks/real_data.py --registry registry.json --data DIR_OF_DATA_SETS -o results.md

Every data set in DIR_OF_DATA_SETS is ranked on samples of its train split. The truth is what
``--truth DIR`` holds in ``<set>.csv`` (columns ``model`` and one of results); without it, it is
measured here: a logistic regression (ridge for regression) on the penultimate features of the
same train samples, and its accuracy (R2) on samples of the test split, which no ranking has seen.
That is what the checkpoint is worth as a frozen feature extractor, not what fine-tuning would make
of it.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from zoo.api import open_catalogue, recommend
from zoo.catalogue import build
from zoo.engine import EstimatorJob, LocalEngine, ModelTask
from zoo.engine.keys import features_key, labels_digest
from zoo.plan import source_of
from zoo.probes import load
from zoo.ranking.quality import weighted_tau
from zoo.registry import load_registry
from zoo.settings import Settings, resolve
from zoo.sources import open_sources
from zoo.store import Store
from zoo.types import Probe, ProbeOptions
from zoo_cli.commands.runs import read_truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.catalogue import Catalogue
    from zoo.types import Checkpoint, Ranking


class Bench:
    """One registry, one store."""

    def __init__(self, registry: Path, settings: Settings) -> None:
        self.registry = load_registry(registry)
        self.settings = settings
        self.catalogue: Catalogue = open_catalogue(settings)

    def checkpoints(self, models: Sequence[str]) -> Iterator[tuple[str, Checkpoint]]:
        """Fetch the ranked models again; everything is on this machine already."""
        sources = open_sources(self.catalogue, self.settings)
        for candidate in self.registry.candidates():
            if candidate.model in models:
                yield candidate.model, source_of(candidate, sources).fetch(candidate)

    def features(
        self, data: Path, split: str, models: Sequence[str]
    ) -> tuple[Probe, dict[str, Any]]:
        """Give the penultimate features (N, D) of one split, model by model."""
        options = ProbeOptions(split=split, samples=self.settings.probe_size)
        probe = load(str(data), options, self.catalogue)
        runtime = self.catalogue.spec("runtime", "torch")
        job = EstimatorJob(spec=self.catalogue.spec("estimator", "knn"))
        store, found = Store(self.settings.folder), {}
        with LocalEngine(self.settings, probe) as engine:
            checkpoints = dict(self.checkpoints(models))
            futures = {
                model: engine.submit(
                    ModelTask(
                        checkpoint=checkpoint,
                        runtime=runtime,
                        estimators=(job,),
                        permutations=0,
                        folds=0,
                    )
                )
                for model, checkpoint in checkpoints.items()
            }
            for model, future in futures.items():
                layer = future.result().default_layer
                key = self._key(checkpoints[model], probe, runtime)
                stored = store.read("features", key, [layer])
                found[model] = stored.tensors[layer] if stored else None
        return probe, found

    @staticmethod
    def _key(checkpoint: Checkpoint, probe: Probe, spec: Any) -> str:
        runtime = build(spec)
        inputs = runtime.input_key(checkpoint, probe.modality)
        return features_key(
            checkpoint, runtime.identity(), inputs, probe.fingerprint, labels_digest(probe)
        )

    def measured_truth(self, data: Path, models: Sequence[str]) -> dict[str, float]:
        """Accuracy (or R2) of a linear model on the test split, model by model."""
        train, train_features = self.features(data, "train", models)
        test, test_features = self.features(data, "test", models)
        return {
            model: _linear_result(train, train_features[model], test, test_features[model])
            for model in models
        }


def _linear_result(train: Probe, values: Any, test: Probe, unseen: Any) -> float:
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if train.task == "regression":
        model = make_pipeline(StandardScaler(), RidgeCV(alphas=[10.0**k for k in range(-2, 6)]))
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    result = model.fit(values, train.labels).score(unseen, test.labels)
    return 100.0 * float(result)


def report(name: str, ranking: Ranking, truth: Mapping[str, float], measured: bool) -> str:
    """One data set as Markdown."""
    rows = [row for row in ranking.ranking if row.model in truth]
    results = [truth[row.model] for row in rows]
    prior = {row.model: row.score for row in ranking.prior}
    estimators = sorted({name for row in rows for name in row.estimators})
    columns: dict[str, list[Any]] = {"score": [row.score for row in rows]}
    columns["prior"] = [prior.get(row.model) for row in rows]
    for each in estimators:
        columns[each] = [row.estimators[each].value for row in rows]
    kind = "linear probe on the test split" if measured else "given results"
    probe = ranking.probe
    lines = [f"### {name}", ""]
    lines += [f"{probe.task}, {probe.classes or 'no'} classes, {probe.samples} samples.", ""]
    lines += ["| # | model | score | 95 % | tied | " + kind + " |", "|--:|---|--:|---|---|--:|"]
    for row in rows:
        low, high = row.interval
        tied = "yes" if row.tied else ""
        lines.append(
            f"| {row.rank} | {Path(row.model).name} | {row.score:.2f} | {low:.2f} to {high:.2f} "
            f"| {tied} | {truth[row.model]:.1f} |"
        )
    tau = {
        each: weighted_tau(values, results)
        for each, values in columns.items()
        if len(rows) > 2 and None not in values
    }
    if tau:
        lines += ["", "τ_w: " + ", ".join(f"{each} {value:.2f}" for each, value in tau.items())]
    return "\n".join([*lines, ""])


def main() -> None:
    """Rank every data set and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, action="append")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    base = resolve({"probe_size": arguments.samples, "offline": True}).settings
    bench = Bench(arguments.registry, base)
    parts = []
    for data in sorted(each for folder in arguments.data for each in folder.iterdir()):
        started = time.perf_counter()
        options = ProbeOptions(samples=arguments.samples, offline=True)
        ranking = recommend(
            data, registry=arguments.registry.absolute(), probe=options, settings=base
        )
        models = [row.model for row in ranking.ranking]
        given = arguments.truth / f"{data.name}.csv" if arguments.truth else None
        measured = given is None or not given.exists()
        truth = bench.measured_truth(data, models) if measured else read_truth(given)
        parts.append(report(data.name, ranking, truth, measured))
        arguments.output.write_text("\n".join(parts))
        print(
            f"{data.name}: {len(models)} models, {time.perf_counter() - started:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
