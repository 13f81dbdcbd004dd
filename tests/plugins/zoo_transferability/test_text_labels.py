"""Labels that are texts: their embeddings are what logme, knn and ridge_loo predict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.checks import check_features
from zoo.errors import NotApplicable
from zoo.labels import groups, shuffled, stratified_folds
from zoo.types import Features
from zoo_transferability.knn import KNN
from zoo_transferability.logme import LogME
from zoo_transferability.ridge_loo import RidgeLOO

ESTIMATORS = (LogME(), KNN(), RidgeLOO())


@pytest.fixture(params=[60, 12], ids=["captions", "answers"])
def texts(request):
    """Features that say something of the embedding of their text."""
    generator = np.random.default_rng(0)
    distinct = request.param
    table = generator.standard_normal((distinct, 6, 2))
    labels = generator.permutation(np.arange(60) % distinct)
    values = table.mean(axis=2)[labels] @ generator.standard_normal((6, 20))
    values += generator.standard_normal(values.shape)
    extras = {"class_embeddings": table}
    return Features(values=values, labels=labels, task="text", extras=extras)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_texts_score_as_the_regression_on_their_embeddings(texts, estimator):
    numbers = texts.extras["class_embeddings"].mean(axis=2)[texts.labels]
    same = Features(values=texts.values, labels=numbers, task="regression")
    score, expected = estimator.score(texts), estimator.score(same)
    assert score.value == pytest.approx(expected.value)
    assert score.bounds is None


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_texts_stand_out_of_their_shuffles(texts, estimator):
    sets = shuffled(texts.labels, 20, seed=0)
    null = estimator.score_many(texts, sets)
    one_by_one = [estimator.score(texts.with_labels(each)).value for each in sets]
    assert null == pytest.approx(one_by_one, abs=3e-4)
    assert estimator.score(texts).value > null.mean() + 4 * null.std()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_folds_of_texts_follow_scoring_the_rest(texts, estimator):
    folds = groups(stratified_folds(texts.labels, "text", 5, seed=0))
    short = estimator.score_folds(texts, folds)
    long = [estimator.score(texts.rows(~group)).value for group in folds]
    assert short == pytest.approx(long, abs=0.05)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_texts_that_are_absent_take_their_embeddings_with_them(texts, estimator):
    kept = texts.rows(texts.labels > 2)
    assert estimator.score(check_features(kept)).value == pytest.approx(estimator.score(kept).value)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_without_embeddings_there_is_nothing_to_predict(texts, estimator):
    with pytest.raises(NotApplicable, match="embeddings of the label texts"):
        estimator.score(replace(texts, extras={}))
