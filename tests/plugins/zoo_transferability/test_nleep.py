from __future__ import annotations

import re

import numpy as np
import pytest

from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable
from zoo.types import Features
from zoo_transferability.nleep import NLEEP


@pytest.mark.golden
def test_golden_range_of_a_random_mixture(golden_nleep, read_golden):
    case, features = golden_nleep[1], check_features(read_golden(golden_nleep))
    ratio = re.search(r"ratio(\d+)", case["case"])
    score = NLEEP(ratio=float(ratio[1]) if ratio else 5.0).score(features)
    assert score.value == pytest.approx(case["nleep_log"]["value"], rel=0.3, abs=0.05)
    assert score.details["mean_eep"] == pytest.approx(
        case["nleep_mean_prob"]["value"], rel=0.3, abs=0.05
    )
    assert score.details["dimensions"] == case["pca_dims"]


def test_the_seed_decides_and_nothing_else(make_features):
    features = make_features()
    assert NLEEP().score(features) == NLEEP().score(features)
    assert NLEEP().score(features) != NLEEP(seed=1).score(features)


def test_classes_in_clusters_score_high_and_the_unit_does_not_matter(make_features):
    features = make_features(signal=3.0)
    score = NLEEP().score(features)
    assert -0.3 < score.value <= 0
    assert NLEEP().score(make_features(signal=0.0)).value < -0.5
    tiny = Features(values=1e-9 * features.values + 1, labels=features.labels)
    assert NLEEP().score(tiny).value == pytest.approx(score.value, rel=0.05)


def test_few_samples_get_few_components_with_diagonal_covariances(make_features):
    few = NLEEP().score(make_features(samples=40)).details
    assert few["components"] == 8
    assert few["diagonal"] == 1
    many = NLEEP(ratio=1).score(make_features(samples=600, width=2)).details
    assert many["diagonal"] == 0


def test_what_has_no_clusters_is_not_applicable(make_features):
    with pytest.raises(NotApplicable, match="no clusters"):
        NLEEP().score(make_features(samples=3))
    with pytest.raises(NotApplicable, match="rank 0 have no clusters"):
        NLEEP().score(Features(values=np.ones((30, 2)), labels=np.arange(30) % 2))


@pytest.mark.parametrize("options", [{"ratio": 0.0}, {"variance": 0.0}, {"variance": 1.5}])
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(InputError, match=f"nleep.{next(iter(options))}"):
        NLEEP(**options)


def test_the_order_of_samples_does_not_matter(make_features):
    features = make_features(signal=0.4)
    order = np.random.default_rng(1).permutation(len(features.labels))
    expected = NLEEP().score(features).value
    assert NLEEP().score(features.rows(order)).value == pytest.approx(expected, rel=1e-6)
