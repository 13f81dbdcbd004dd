"""RankMe gives the numbers of its formula, and keeps what Zoo's estimators promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zoo import Features, InputError, NotApplicable
from zoo.testing import features, parametrize_with_checks

import zoo_rankme
from zoo_rankme.rank import RankMe

# A machine that is busy is no bug of ours.
settings.register_profile(
    "busy", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


def features_of(values):
    return Features(values=np.asarray(values), labels=np.arange(len(values)) % 2)


def approx(value):
    return pytest.approx(value, rel=1e-5)


def rank_of(values, **options):
    return RankMe(**options).score(features_of(values)).value


def drawn(samples, width, seed=0):
    return np.random.default_rng(seed).normal(size=(samples, width)) + 0.5


@parametrize_with_checks(zoo_rankme)
def test_promise(check):
    check()


def test_a_number_computed_by_hand():
    # Singular values 3 and 1: shares 3/4 and 1/4, and exp(H(1/4)) = 4 / 3^(3/4).
    assert rank_of([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]]) == pytest.approx(4 / 3**0.75, abs=1e-6)


def test_epsilon_is_added_to_every_share():
    shares = np.array([0.75, 0.25]) + 0.01
    expected = math.exp(-sum(each * math.log(each) for each in shares))
    assert rank_of([[3.0, 0.0], [0.0, 1.0]], epsilon=0.01) == pytest.approx(expected, rel=1e-12)


def test_another_way_to_the_singular_values_gives_the_same():
    values = drawn(40, 7)
    roots = np.sqrt(np.linalg.eigvalsh(values.T @ values))
    shares = roots / roots.sum() + 1e-7
    entropy = -(shares * np.log(shares)).sum()
    assert rank_of(values) == pytest.approx(math.exp(entropy), rel=1e-9)


def test_a_collapsed_layer_has_rank_one():
    assert rank_of(np.outer(np.arange(1, 9), [1.0, 2.0, -1.0])) == pytest.approx(1, abs=1e-4)


def test_orthogonal_features_of_equal_length_have_full_rank():
    assert rank_of(np.eye(6)) == pytest.approx(6, rel=1e-5)
    assert rank_of(np.eye(6), share=True) == pytest.approx(1, rel=1e-5)


def test_more_samples_than_features_say_nothing_of_a_bound():
    assert RankMe().score(features_of(drawn(9, 4))).note == ""
    assert "N <= D" in RankMe().score(features_of(drawn(4, 9))).note


@given(features(degenerate=True))
def test_it_lies_between_one_and_the_smaller_side(layer):
    # Epsilon moves it by less than a ten-thousandth at these sizes.
    assert 1 - 1e-4 <= rank_of(layer.values) <= min(layer.values.shape) * (1 + 1e-4)


@given(features(), st.floats(1e-30, 1e30), st.integers(0, 9))
def test_scale_order_and_rotation_do_not_matter(layer, scale, seed):
    width = layer.values.shape[1]
    rotation, _ = np.linalg.qr(drawn(width, width, seed))
    assert rank_of(scale * layer.values[::-1] @ rotation) == approx(rank_of(layer.values))


@given(features(), st.integers(2, 4))
def test_samples_that_come_again_change_nothing(layer, times):
    # But for epsilon, which every further zero of the spectrum adds.
    again = np.concatenate([layer.values] * times)
    assert rank_of(again) == pytest.approx(rank_of(layer.values), rel=1e-4)


@given(features(width=(1, 20)), st.booleans())
def test_folds_are_scored_as_the_rest_alone(layer, share):
    folds = [np.arange(len(layer.values)) % 2 == each for each in (0, 1)]
    method = RankMe(share=share)
    alone = [method.score(layer.rows(~fold)).value for fold in folds]
    assert method.score_folds(layer, folds) == approx(alone)


@given(features())
def test_labels_do_not_matter(layer):
    many = RankMe().score_many(layer, [layer.labels, layer.labels[::-1]])
    assert many.tolist() == [RankMe().score(layer).value] * 2


def test_nothing_is_said_of_a_dead_layer():
    with pytest.raises(NotApplicable):
        rank_of(np.zeros((4, 3)))


@pytest.mark.parametrize("epsilon", [0, 1, -1, math.nan])
def test_an_impossible_epsilon_is_refused(epsilon):
    with pytest.raises(InputError, match=r"rankme\.epsilon"):
        RankMe(epsilon=epsilon)
