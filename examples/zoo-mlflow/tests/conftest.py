"""An MLflow store that the tests share, an experiment for each, and things to write into it."""

from __future__ import annotations

import os

import pytest
from zoo.types import (
    EstimatorCell,
    Failure,
    LayerScore,
    ProbeSummary,
    Provenance,
    Ranking,
    RankingRow,
)

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "home"


@pytest.fixture(scope="session")
def database(home):
    """Name the file, which the first to write makes: that takes seconds."""
    home.mkdir()
    return home / "mlflow.db"


@pytest.fixture
def experiment(database, monkeypatch, request, tmp_path):
    """Write into an experiment of this test's own, from a folder of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", request.node.name)
    monkeypatch.chdir(tmp_path)
    return request.node.name


@pytest.fixture
def written(experiment, database):
    """Read what was written, by run name."""

    def read():
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{database}")
        found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
        return {run.info.run_name: run for run in found}

    return read


@pytest.fixture
def files(database):
    """List the artifacts of a run."""

    def read(run):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{database}")
        return {each.path for each in client.list_artifacts(run.info.run_id)}

    return read


def row(rank, model, layers=()):
    return RankingRow(
        model=model,
        rank=rank,
        score=1 - rank / 4,
        interval=(0.1, 0.9),
        tied=False,
        layer="pool",
        estimators={"logme": EstimatorCell(value=-0.5 * rank, z=3.0, interval=(-1.0, 0.0))},
        layers=tuple(LayerScore(layer=name, score=at / 10) for at, name in enumerate(layers)),
    )


@pytest.fixture
def ranking():
    return Ranking(
        run="2026-11-22-a1f3",
        probe=ProbeSummary(
            name="photos",
            source="./photos",
            task="classification",
            modality="image",
            samples=90,
            classes=3,
            fingerprint="f00d",
        ),
        ranking=(row(1, "hub:a/one", layers=("stem", "pool")), row(2, "hub:b/two")),
        prior=(),
        excluded=(),
        failures=(Failure(stage="fetch", error="no such file.", hint="look", model="hub:c/three"),),
        provenance=Provenance(
            command=("zoo", "recommend", "photos/"),
            started="2026-11-22T10:00:00+00:00",
            versions={"zoo-reuse": "0.2.0"},
            seed=7,
            device="cpu",
            revisions={"hub:a/one": "c0ffee"},
        ),
        agreement=0.75,
        seconds=12.0,
    )
