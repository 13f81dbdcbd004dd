from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.checks import check_features
from zoo.errors import InputError
from zoo.labels import shuffled
from zoo.types import Features
from zoo_transferability import transrate as module
from zoo_transferability.transrate import TransRate

shapes = st.tuples(st.integers(6, 60), st.integers(1, 80), st.integers(2, 4), st.integers(0, 99))
quick = settings(max_examples=25, deadline=None)


def _features(shape):
    samples, width, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    labels[:classes] = np.arange(classes)
    values = generator.standard_normal((samples, width)) + 3
    values += generator.standard_normal((classes, width))[labels]
    return Features(values=values, labels=labels)


def _rate(centred, epsilon):
    """R(Z) as the paper writes it, on the wide side."""
    inner = np.eye(centred.shape[1]) + centred.T @ centred / (len(centred) * epsilon)
    return np.linalg.slogdet(inner)[1] / 2


def _naive(features, *, epsilon=1e-4, weighted=False, normalise=False):
    centred = features.values - features.values.mean(axis=0)
    if normalise:
        centred = centred / np.sqrt(np.square(centred).sum() / len(centred))
    classes, counts = np.unique(features.labels, return_counts=True)
    weights = counts / counts.sum() if weighted else np.full(len(classes), 1 / len(classes))
    within = [_rate(centred[features.labels == each], epsilon) for each in classes]
    return _rate(centred, epsilon) - weights @ within


@pytest.mark.golden
def test_golden_every_form_that_the_case_knows(golden_transrate, read_golden):
    case, features = golden_transrate[1], check_features(read_golden(golden_transrate))
    checked = 0
    for name, leaf in case.items():
        weighting = "frequency" if name.startswith("weighted_") else "equal"
        plain = name.removeprefix("weighted_")
        if not plain.startswith("eps_") or "value" not in leaf:
            continue
        estimator = TransRate(epsilon=float(plain.removeprefix("eps_")), weighting=weighting)
        assert estimator.score(features).value == pytest.approx(leaf["value"], rel=1e-8)
        checked += 1
    assert checked


@pytest.mark.golden
def test_golden_the_default_also_tells_the_form_of_the_paper(golden_transrate, read_golden):
    case, features = golden_transrate[1], check_features(read_golden(golden_transrate))
    score = TransRate().score(features)
    assert score.value == pytest.approx(case["eps_0.0001"]["value"], rel=1e-8)
    weighted = case["weighted_eps_0.0001"]["value"]
    assert score.details["weighted"] == pytest.approx(weighted, rel=1e-8)


@quick
@given(shapes, st.sampled_from([1e-4, 1e-2, 1.0]))
def test_every_form_is_its_definition(shape, epsilon):
    features = _features(shape)
    details = TransRate(epsilon=epsilon).score(features).details
    for name, options in {
        "equal": {},
        "weighted": {"weighted": True},
        "normalised": {"normalise": True},
        "normalised_weighted": {"weighted": True, "normalise": True},
    }.items():
        naive = _naive(features, epsilon=epsilon, **options)
        assert details[name] == pytest.approx(naive, rel=1e-8, abs=1e-7)


@quick
@given(shapes, st.floats(1e-2, 1e2))
def test_only_the_normalised_form_forgets_the_scale(shape, factor):
    features = _features(shape)
    scaled = Features(values=features.values * factor, labels=features.labels)
    normalised = TransRate(normalise=True)
    expected = normalised.score(features).value
    assert normalised.score(scaled).value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("width", [5, 40, 200])
@pytest.mark.parametrize("kept", [0, 3000])
@pytest.mark.parametrize("weighting", ["equal", "frequency"])
@pytest.mark.parametrize("normalise", [False, True])
def test_shuffles_equal_scoring_from_scratch(
    make_features, monkeypatch, width, kept, weighting, normalise
):
    monkeypatch.setattr(module, "MOST_SAMPLES", kept)
    features = make_features(width=width)
    estimator = TransRate(weighting=weighting, normalise=normalise)
    sets = shuffled(features.labels, 3, seed=0)
    one_by_one = [estimator.score(features.with_labels(each)).value for each in sets]
    assert estimator.score_many(features, sets) == pytest.approx(one_by_one, abs=1e-6)


def test_it_is_saturated_once_there_are_no_more_samples_than_features(make_features):
    assert TransRate().score(make_features(samples=40, width=40)).saturated
    assert not TransRate().score(make_features(samples=60, width=40)).saturated


def test_features_that_never_vary_have_a_rate_of_zero():
    features = Features(values=np.full((20, 3), 0.1), labels=np.arange(20) % 2)
    score = TransRate().score(features)
    assert score.value == pytest.approx(0.0, abs=1e-9)
    assert all(np.isfinite(each) for each in score.details.values())


def test_a_class_of_one_sample_and_gaps_in_the_ids_are_fine():
    values = np.random.default_rng(0).standard_normal((30, 4))
    labels = np.array([7] + [2] * 14 + [40] * 15)
    features = Features(values=values, labels=labels)
    assert TransRate().score(features).value == pytest.approx(_naive(features))


@pytest.mark.parametrize("options", [{"epsilon": 0.0}, {"weighting": "paper"}])
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(InputError, match=f"transrate.{next(iter(options))}"):
        TransRate(**options)
