"""The two splits of a data set, the models that can read it, and their features on both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from truth_table import short_name

from zoo.catalogue import build
from zoo.engine import LocalEngine, ModelTask
from zoo.engine.keys import features_key, labels_digest
from zoo.pipeline import prepare
from zoo.plan import source_of
from zoo.probes import load
from zoo.runs import Request
from zoo.sources import open_sources
from zoo.store import Store
from zoo.types import Probe, ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zoo.catalogue import Catalogue
    from zoo.plan import Plan, PlannedModel
    from zoo.settings import Settings
    from zoo.types import Checkpoint

#: Where a config does not say how large its images are.
_SIDE = 224


@dataclass(frozen=True, kw_only=True)
class ProbeSet:
    """A data set with its train and test samples, and the plan of who can read it."""

    name: str
    train: Probe
    test: Probe
    plan: Plan

    @property
    def test_labels(self) -> npt.NDArray[Any]:
        """Labels of the test samples in the numbering of the train split; -1 is not in it."""
        if self.train.task != "classification":
            return self.test.labels
        known = {name: number for number, name in enumerate(self.train.label_names)}
        number_of = np.array([known.get(name, -1) for name in self.test.label_names])
        numbers: npt.NDArray[Any] = number_of[self.test.labels]
        return numbers


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Features of one model on both splits: (N, D) each."""

    train: npt.NDArray[Any]
    test: npt.NDArray[Any]


def open_set(
    folder: Path, registry: Path, sizes: tuple[int, int], settings: Settings, catalogue: Catalogue
) -> ProbeSet:
    """Read the samples of both splits and decide which models take part.

    Raises:
        ZooError: the data cannot be read, has no such split, or no model reads it.
    """
    train, test = (
        ProbeOptions(split=split, samples=samples, offline=settings.offline)
        for split, samples in zip(("train", "test"), sizes, strict=True)
    )
    request = Request(data=str(folder), probe=train, registry=str(registry.absolute()))
    prepared = prepare(request, settings, catalogue)
    unseen = load(str(folder), test, catalogue)
    return ProbeSet(name=folder.name, train=prepared.probe, test=unseen, plan=prepared.plan)


def checkpoints_of(
    models: Sequence[PlannedModel], settings: Settings, catalogue: Catalogue
) -> dict[str, Checkpoint]:
    """Bring models to this machine: short name -> checkpoint."""
    sources = open_sources(catalogue, settings)
    return {
        short_name(each.candidate.model): source_of(each.candidate, sources).fetch(each.candidate)
        for each in models
    }


def features_of(
    data: ProbeSet, models: Sequence[PlannedModel], settings: Settings, catalogue: Catalogue
) -> tuple[dict[str, Splits], dict[str, str]]:
    """Extract what a new head would read, through the store.

    Returns:
        short name -> features, and short name -> why there are none.
    """
    checkpoints = checkpoints_of(models, settings, catalogue)
    runtimes = {short_name(each.candidate.model): each.runtime for each in models}
    found: dict[str, dict[str, npt.NDArray[Any]]] = {}
    problems: dict[str, str] = {}
    for split, probe in (("train", data.train), ("test", data.test)):
        found[split] = _extract(probe, checkpoints, runtimes, settings, catalogue, problems)
    both = found["train"].keys() & found["test"].keys()
    return {
        model: Splits(train=found["train"][model], test=found["test"][model])
        for model in runtimes
        if model in both
    }, problems


def _extract(
    probe: Probe,
    checkpoints: Mapping[str, Checkpoint],
    runtimes: Mapping[str, str],
    settings: Settings,
    catalogue: Catalogue,
    problems: dict[str, str],
) -> dict[str, npt.NDArray[Any]]:
    store, found = Store(settings.folder), {}
    with LocalEngine(settings, probe) as engine:
        futures = {
            model: engine.submit(
                ModelTask(
                    checkpoint=checkpoint,
                    runtime=catalogue.spec("runtime", runtimes[model]),
                    estimators=(),
                    permutations=0,
                    folds=0,
                )
            )
            for model, checkpoint in checkpoints.items()
        }
        results = {model: future.result() for model, future in futures.items()}
    for model, result in results.items():
        runtime = build(catalogue.spec("runtime", runtimes[model]))
        key = features_key(
            checkpoints[model],
            runtime.identity(),
            runtime.input_key(checkpoints[model], probe.modality),
            probe.fingerprint,
            labels_digest(probe),
        )
        stored = store.read("features", key, [result.default_layer])
        if result.failures or stored is None or not stored.tensors:
            problems[model] = "; ".join(map(str, result.failures)) or "its features are gone"
        else:
            found[model] = np.array(stored.tensors[result.default_layer])
    return found


def cost_of(planned: PlannedModel) -> float:
    """Estimate the relative cost of one forward pass: weights, times pixels for images."""
    entry = planned.candidate.entry
    weights = float(entry.parameters or 10**8)
    if entry.modality != "image":
        return weights
    return weights * _side(planned.candidate.folder) ** 2


def _side(folder: Path | None) -> float:
    """Read the height of the images that a folder's preprocessing makes."""
    try:
        config = json.loads((folder or Path()).joinpath("preprocessor_config.json").read_text())
    except (OSError, ValueError):
        return _SIDE
    size = config.get("crop_size") or config.get("size") or {}
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge") or _SIDE
    return float(size)
