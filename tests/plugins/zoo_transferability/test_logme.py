from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import qr
from scipy.stats import multivariate_normal

from zoo.checks import check_features
from zoo.errors import InputError
from zoo.labels import groups, label_columns, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.logme import LogME, _Evidence, evidence_of, maximise

pytestmark = pytest.mark.filterwarnings("error")
shapes = st.tuples(st.integers(12, 60), st.integers(2, 60), st.integers(2, 4), st.integers(0, 99))
quick = settings(max_examples=20, deadline=None)


def _features(shape, *, signal=0.7):
    samples, width, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(samples) % classes)
    values = generator.standard_normal((samples, width)) + 0.5
    values += signal * generator.standard_normal((classes, width))[labels]
    return Features(values=values, labels=labels)


def _per_column(features):
    evidence = _Evidence.of(features.factorisation, label_columns(features.labels, features.task))
    return maximise(evidence, 24)


@pytest.mark.golden
def test_golden_maximum_of_the_evidence_column_by_column(golden_logme, read_golden):
    expected = golden_logme[1]["max_evidence"]
    features = check_features(read_golden(golden_logme))
    _, found = _per_column(features)
    wanted = [value for value in expected["per_column"] if value != "nan"]
    flat = np.array([each for each in expected["log_t"] if each != "nan"], dtype=float) < -12
    tolerance = np.where(flat, 1e-5, 1e-8)
    assert (np.abs(found - wanted) < tolerance).all()
    assert LogME().score(features).value == pytest.approx(
        expected["value"], abs=float(tolerance.max())
    )


@pytest.mark.golden
def test_golden_multi_label_is_scored_as_regression(golden_logme, read_golden):
    features = read_golden(golden_logme, multi_label=True)
    if features.task != "multi-label" or not np.isin(features.labels, (0, 1)).all():
        pytest.skip("the labels of this case are not zeros and ones")
    expected = golden_logme[1]["max_evidence"]["value"]
    assert LogME().score(check_features(features)).value == pytest.approx(expected, abs=1e-8)


@quick
@given(shapes)
def test_the_evidence_is_the_density_of_the_labels(shape):
    features = _features(shape)
    columns = label_columns(features.labels, "classification")
    log_t, found = _per_column(features)
    gram = features.values @ features.values.T
    for column, place, value in zip(columns.T, log_t, found, strict=True):
        if not -8 < place < 20:
            continue
        kernel = np.eye(len(gram)) + gram / np.exp(place)
        variance = column @ np.linalg.solve(kernel, column) / len(column)
        density = multivariate_normal(cov=variance * kernel, allow_singular=False)
        assert value == pytest.approx(density.logpdf(column) / len(column), abs=1e-7)


@quick
@given(shapes, st.floats(1e-3, 1e3))
def test_rotating_scaling_and_padding_the_features_changes_nothing(shape, factor):
    features = _features(shape)
    width = features.values.shape[1]
    generator = np.random.default_rng(shape[-1])
    rotation, _ = qr(generator.standard_normal((width, width)))
    value = LogME().score(features).value
    padding = np.zeros((len(features.values), width + 70))
    for changed in (
        features.values @ rotation,
        features.values * factor,
        np.concatenate([features.values, padding], axis=1),
    ):
        again = Features(values=changed, labels=features.labels)
        assert LogME().score(again).value == pytest.approx(value, abs=2e-5)


@quick
@given(shapes, st.floats(0.01, 100))
def test_scaling_a_target_shifts_the_score_by_its_logarithm(shape, factor):
    features = _features(shape)
    target = features.values[:, 0] + np.random.default_rng(0).standard_normal(shape[0])
    one = replace(features, labels=target, task="regression")
    other = replace(features, labels=target * -factor, task="regression")
    shift = LogME().score(other).value - LogME().score(one).value
    assert shift == pytest.approx(-np.log(factor), abs=1e-6)


@quick
@given(shapes)
def test_neither_the_order_of_samples_nor_the_names_of_classes_matter(shape):
    features = _features(shape)
    generator = np.random.default_rng(1)
    order, names = generator.permutation(shape[0]), generator.permutation(shape[2]) * 7
    again = Features(values=features.values[order], labels=names[features.labels[order]])
    assert LogME().score(again).value == pytest.approx(LogME().score(features).value, abs=1e-6)


@quick
@given(shapes)
def test_a_few_parabolas_find_what_a_fine_grid_finds(shape):
    features = _features(shape, signal=0.2)
    evidence = evidence_of(features)
    ends = evidence.grid()[[0, -1]]
    fine = evidence.on(np.arange(*ends, 0.002)).max(axis=0)
    _, found = maximise(evidence, 8)
    assert (found >= fine - 1e-9).all()
    # The grid's step leaves a few millionths.
    assert found == pytest.approx(np.maximum(fine, evidence.null), abs=1e-5)


@pytest.mark.parametrize("width", [8, 200])
@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_many_label_sets_at_once_score_as_one_by_one(make_features, width, task):
    features = make_features(width=width, task=task)
    sets = shuffled(features.labels, 5, seed=3)
    one_by_one = [LogME().score(features.with_labels(each)).value for each in sets]
    assert LogME().score_many(features, sets) == pytest.approx(one_by_one, abs=3e-4)


@pytest.mark.parametrize("width", [8, 200])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_leaving_folds_out_follows_scoring_the_rest_from_scratch(make_features, width, task):
    features = make_features(samples=200, width=width, task=task)
    folds = groups(stratified_folds(features.labels, task, 10, seed=0))
    short = LogME().score_folds(features, folds)
    long = np.array([LogME().score(features.rows(~group)).value for group in folds])
    assert np.corrcoef(short, long)[0, 1] > 0.99
    assert short.std() == pytest.approx(long.std(), rel=0.1)
    assert np.abs(short - long).max() < 0.4 * long.std()


def test_noise_scores_no_better_when_there_are_fewer_samples_than_features():
    values = np.random.default_rng(0).standard_normal((60, 2000))
    labels = np.arange(60) % 2
    # The published code gives about +50 here: it leaves zero eigenvalues out of the determinant.
    null = -0.5 * np.log(2 * np.pi * np.e * 0.5)
    value = LogME().score(Features(values=values, labels=labels)).value
    assert null - 1e-9 <= value < null + 0.1


def test_constant_features_give_the_null_model():
    labels = np.arange(40) % 2
    features = Features(values=np.full((40, 5), 3.0), labels=labels)
    variance = 0.5
    expected = -0.5 * np.log(2 * np.pi * np.e * variance)
    assert LogME().score(features).value >= expected - 1e-9


def test_fewer_refinements_than_none_are_refused():
    with pytest.raises(InputError, match=r"logme\.refinements"):
        LogME(refinements=-1)
