from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.engine import EstimatorJob, ModelTask
from zoo.settings import Settings
from zoo.types import (
    Checkpoint,
    EstimatorSpec,
    ImageInput,
    ModelEntry,
    Probe,
    RuntimeSpec,
)

FAKE = RuntimeSpec(name="fake", target="fake_runtime:FakeRuntime", summary="numpy")
MEAN = EstimatorSpec(name="mean", target="fake_runtime:FakeEstimator", summary="mean")


@pytest.fixture(autouse=True)
def _fake_runtime_importable(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield
    sys.modules.pop("fake_runtime", None)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=str(tmp_path / "home"), device="cpu", jobs=2)


@pytest.fixture
def images():
    return make_probe(40)


@pytest.fixture
def zoo(tmp_path):
    """Make fake checkpoints, and tell what was called."""
    return FakeZoo(tmp_path / "zoo")


def make_probe(samples, modality="image", seed=0):
    values = np.random.default_rng(seed).integers(0, 100, samples)
    values[0] = 3
    if modality == "image":
        inputs = [ImageInput(name=f"{i}", data=bytes([v])) for i, v in enumerate(values)]
    else:
        inputs = ["w" * (1 + int(v)) for v in values]
    labels = (values % 2).astype(np.int64)
    return Probe(
        name="fake",
        source="fake",
        task="classification",
        modality=modality,
        inputs=inputs,
        labels=labels,
        label_names=("even", "odd"),
        fingerprint=f"{modality}-{samples}-{seed}",
    )


class FakeZoo:
    def __init__(self, folder):
        self.folder = folder

    def checkpoint(self, name, *, digest=None, input_key="224", size=1000, **facts):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("fake.json").write_text(json.dumps({"input_key": input_key, **facts}))
        entry = ModelEntry(ref=f"./{name}", modality="image", bytes=size)
        return Checkpoint(entry=entry, folder=str(folder), digest=digest or name)

    def task(self, name, *, estimators=(), layers="last", **facts):
        return ModelTask(
            checkpoint=self.checkpoint(name, **facts),
            runtime=FAKE,
            estimators=tuple(estimators),
            layers=layers,
            permutations=2,
            folds=2,
        )

    def calls(self, what):
        path = self.folder / "calls.log"
        lines = path.read_text().split("\n") if path.exists() else []
        return [line.split()[1] for line in lines if line.startswith(what + " ")]


def mean(**options):
    return EstimatorJob(spec=MEAN, options=options, distribution_version="1")
