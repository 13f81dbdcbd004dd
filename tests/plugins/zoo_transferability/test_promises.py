"""Everything that our own estimators and label encoders promise."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo_transferability
from zoo.catalogue import build
from zoo.scoring import score_layer
from zoo.testing import features, parametrize_with_checks
from zoo.testing.kit import trials_of
from zoo.testing.scored import broken_answer

SPECS = zoo_transferability.zoo_estimators()
#: They train, or compare all pairs.
SLOW = ("linear_probe", "nleep", "parc", "rsa")
QUICK = [each for each in SPECS if each.name not in SLOW]
LAYERS = [each for each in SPECS if each.reads_features and each.cost != "expensive"]


def providing(specs):
    return SimpleNamespace(zoo_estimators=lambda: specs)


@parametrize_with_checks(providing(QUICK))
def test_an_estimator_keeps_its_promises(check):
    check()


@pytest.mark.exhaustive
@parametrize_with_checks(providing([each for each in SPECS if each.name in SLOW]))
def test_an_estimator_that_takes_longer_keeps_its_promises(check):
    check()


@parametrize_with_checks(SimpleNamespace(zoo_label_encoders=zoo_transferability.zoo_label_encoders))
def test_a_label_encoder_keeps_its_promises(check):
    check()


def test_every_one_of_them_is_asked():
    asked = {each.spec.name for each in trials_of(providing(SPECS))}
    assert asked == {each.name for each in SPECS}
    assert set(SLOW) < asked


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_reaches_an_estimator_gets_a_finite_score_or_a_reason(data):
    spec = data.draw(st.sampled_from(LAYERS))
    task = data.draw(st.sampled_from(spec.tasks))
    needs = (*spec.needs, *spec.wants)
    drawn = data.draw(features(task, needs=needs, degenerate=data.draw(st.booleans())))
    assert broken_answer("score", build(spec).score, drawn) == ""


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_no_layer_costs_a_run(data):
    drawn = data.draw(features("classification", degenerate=True))
    chosen = [each for each in LAYERS if each.needs == ("features", "labels")]
    records, failures = score_layer(
        drawn, [(each, build(each)) for each in chosen], permutations=3, folds=3
    )
    assert not failures
    assert len(records) == len(chosen)
