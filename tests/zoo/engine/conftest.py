from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
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
RIVAL = RuntimeSpec(name="rival", target="fake_runtime:RivalRuntime", summary="numpy as well")
READER = EstimatorSpec(
    name="reader",
    target="fake_runtime:ReadingEstimator",
    summary="what it was given",
    wants=("attributions", "reference", "label_embeddings"),
)
MEAN = EstimatorSpec(name="mean", target="fake_runtime:FakeEstimator", summary="mean")


@pytest.fixture(autouse=True)
def _fake_runtime_importable(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield
    sys.modules.pop("fake_runtime", None)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=str(tmp_path / "home"), device="cpu", jobs=1)


@pytest.fixture
def images():
    return _make_probe(40)


@pytest.fixture
def make_probe():
    return _make_probe


@pytest.fixture
def mean():
    """Make jobs of an estimator that is one line of numpy."""
    return _mean


@pytest.fixture
def reader():
    """Make a job of an estimator that says what it was given."""
    return EstimatorJob(spec=READER, distribution_version="1")


@pytest.fixture
def zoo(tmp_path):
    """Make fake checkpoints, and tell what was called."""
    return FakeZoo(tmp_path / "zoo")


@pytest.fixture
def script(tmp_path, zoo):
    """Start a Python process that has an engine of its own, on the same store and zoo."""
    return partial(_start_script, tmp_path, zoo)


def _start_script(tmp_path, zoo, body, **options):
    head = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import conftest
from pathlib import Path
from zoo.engine import LocalEngine
from zoo.settings import Settings
zoo = conftest.FakeZoo(Path({str(zoo.folder)!r}))
mean = conftest._mean
settings = Settings(home={str(tmp_path / "home")!r}, device="cpu", jobs=2)
probe = conftest._make_probe(40)
"""
    path = tmp_path / "script.py"
    path.write_text(head + body)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, path], stdout=pipe, stderr=pipe, text=True, cwd=tmp_path, **options
    )


def _make_probe(samples, modality="image", seed=0):
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
            rivals=(RIVAL,) if "rival" in facts else (),
            estimators=tuple(estimators),
            layers=layers,
            permutations=2,
            folds=2,
        )

    def calls(self, what):
        return [name for call, name, _ in self._log() if call == what]

    def workers(self):
        """Process ids of every worker that ever did anything."""
        return {int(pid) for _, _, pid in self._log()}

    def _log(self):
        path = self.folder / "calls.log"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def told(self):
        """What a worker said of its environment."""
        return json.loads((self.folder / "told.json").read_text())

    def wait_for(self, what, *, count=1):
        wait_until(lambda: len(self.calls(what)) >= count)

    def wait_for_end(self):
        """Wait until no worker is left."""
        wait_until(lambda: not any(is_alive(pid) for pid in self.workers()))


def _mean(name="mean", **options):
    spec = replace(MEAN, name=name)
    return EstimatorJob(spec=spec, options=options, distribution_version="1")


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
