from __future__ import annotations

import numpy as np
import pytest

from zoo.catalogue import Catalogue, build
from zoo.scoring import score_layer
from zoo.types import ManyFolds, ManyLabels


@pytest.fixture
def specs(zoo_host):
    return Catalogue(zoo_host).specs("estimator")


def test_every_spec_builds_what_it_names(specs):
    built = {name: build(spec) for name, spec in specs.items()}
    assert {"logme", "reg_hscore", "hscore", "knn", "ridge_loo", "prior"} <= set(built)
    assert hasattr(built["prior"], "score_entry")
    for name in ("logme", "reg_hscore", "knn", "ridge_loo"):
        assert isinstance(built[name], ManyLabels)
        assert isinstance(built[name], ManyFolds)


def test_the_default_ones_are_the_four_that_few_samples_do_not_saturate(specs):
    default = {name for name, spec in specs.items() if spec.default and not spec.data_free}
    assert {"logme", "reg_hscore", "knn", "ridge_loo"} <= default
    assert "hscore" not in default


@pytest.mark.parametrize("width", [12, 300])
@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_signal_stands_out_of_the_null_and_noise_does_not(specs, make_features, task, width):
    pairs = [(spec, build(spec)) for spec in specs.values() if spec.default]
    features = make_features(samples=150, width=width, task=task)
    records, failures = score_layer(features, pairs)
    assert not failures
    fitting = [record for record in records if not record.not_applicable]
    assert len(fitting) == sum(task in spec.tasks and spec.reads_features for spec, _ in pairs)
    assert all(record.z > 3 for record in fitting)
    assert all(len(record.folds) == 10 for record in fitting)
    order = np.random.default_rng(0).permutation(150)
    records, _ = score_layer(features.with_labels(features.labels[order]), pairs)
    assert all(abs(record.z) < 4 for record in records if record.z is not None)
