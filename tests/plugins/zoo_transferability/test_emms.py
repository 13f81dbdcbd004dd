from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.catalogue import Catalogue
from zoo.checks import check_features
from zoo.errors import InputError, NotApplicable
from zoo.feature_files import features_of, read_npz
from zoo.labels import groups, shuffled, stratified_folds
from zoo.scoring import score_layer
from zoo.types import Features
from zoo_transferability import f_labels
from zoo_transferability.emms import EMMS
from zoo_transferability.emms_forms import Fit
from zoo_transferability.f_labels import BySample, read_f_labels
from zoo_transferability.hscore import HScore
from zoo_transferability.simplex import minimise, project


def tabled(features, width=5, encoders=2, *, brought=False, seed=1):
    """Give features a table of class embeddings, as Zoo's own encoders would."""
    classes = int(features.labels.max()) + 1
    table = np.random.default_rng(seed).standard_normal((classes, width, encoders))
    features.extras["class_embeddings"] = table
    if not brought:
        features.extras["label_encoders"] = np.array([f"e{each}" for each in range(encoders)])
    return features


def captioned(features, width=4, encoders=2, seed=2):
    """Give features embeddings by sample that depend on the activations."""
    generator = np.random.default_rng(seed)
    truth = features.values @ generator.standard_normal((features.values.shape[1], width))
    noise = generator.standard_normal((len(truth), width, encoders))
    features.extras["Z"] = truth[:, :, None] + 3 * noise
    return features


def standardised(values):
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-8)


@pytest.mark.golden
def test_golden_values_are_met(golden_emms):
    folder, case = golden_emms
    truth = case["converged"]
    features = check_features(features_of(read_npz(folder / case["input"])))
    score = EMMS().score(features)
    assert score.value == pytest.approx(truth["score"], rel=1e-7, abs=1e-9)
    assert score.details["objective"] == pytest.approx(truth["objective_rss"], rel=1e-7, abs=1e-6)
    labels, _ = read_f_labels(features, expand=False)
    fit = Fit(features.factorisation, labels)
    scale = features.values.shape[0] * case["D2"]
    assert fit.total == pytest.approx(np.array(truth["Q"]), rel=1e-7, abs=1e-9 * scale)
    assert fit.total - fit.form == pytest.approx(np.array(truth["A"]), rel=1e-7, abs=1e-9 * scale)
    if np.linalg.eigvalsh(fit.form)[0] > 1e-6 * np.trace(fit.form):
        weights = [score.details[f"weight_{each + 1}"] for each in range(case["K"])]
        assert weights == pytest.approx(truth["t"], abs=1e-7)


@pytest.mark.golden
def test_golden_features_without_room_are_marked_and_left_out_besides(golden_emms):
    folder, case = golden_emms
    score = EMMS().score(check_features(features_of(read_npz(folder / case["input"]))))
    assert score.saturated == (case["D"] >= case["N"] - 1)
    if score.saturated:
        assert "saturated" in score.note
        assert score.details["loo"] < -1e-3


def test_embeddings_of_the_zoo_itself_are_left_out_where_samples_are_few(make_features):
    zoo_s = EMMS().score(tabled(make_features(samples=60, width=80)))
    brought = EMMS().score(tabled(make_features(samples=60, width=80), brought=True))
    assert zoo_s.value == zoo_s.details["loo"] == brought.details["loo"]
    assert brought.value == brought.details["plain"] == pytest.approx(0, abs=1e-9)
    assert "leave-one-out form" in zoo_s.note
    assert (zoo_s.saturated, brought.saturated) == (False, True)
    assert {"weight_e0", "weight_e1"} < zoo_s.details.keys()
    assert {"weight_1", "weight_2"} < brought.details.keys()


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 60), st.integers(1, 12), st.integers(1, 6), st.integers(0, 99))
def test_one_f_label_gives_the_mean_r2_less_one(samples, width, dimensions, seed):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((samples, width))
    targets = generator.standard_normal((samples, dimensions))
    features = Features(
        values=values,
        labels=np.zeros((samples, 0)),
        extras={"Z": targets[:, :, None]},
    )
    design = np.column_stack([np.ones(samples), values])
    fitted = design @ np.linalg.lstsq(design, targets, rcond=None)[0]
    r2 = 1 - np.square(targets - fitted).sum(axis=0) / np.square(targets - targets.mean(0)).sum(
        axis=0
    )
    assert EMMS(form="plain").score(features).value == pytest.approx(r2.mean() - 1, abs=1e-7)


def test_whitened_one_hot_labels_give_the_h_score(make_features):
    features = make_features(samples=300, width=12, classes=4, signal=0.4)
    weights = np.bincount(features.labels) / 300
    centred = np.eye(4) - weights
    values, vectors = np.linalg.eigh(centred.T @ (weights[:, None] * centred))
    whitened = centred @ (vectors[:, 1:] / np.sqrt(values[1:]))
    features.extras["class_embeddings"] = whitened[:, :, None]
    score = EMMS().score(features).value
    assert score == pytest.approx(HScore().score(features).value / 3 - 1)


def problem(features):
    """Standardise everything and stack it, the long way."""
    labels = features.extras["class_embeddings"][features.labels]
    return standardised(features.values), standardised(labels)


@pytest.mark.parametrize("encoders", [2, 4])
def test_no_alternation_finds_a_better_mixture(make_features, encoders):
    features = tabled(make_features(samples=200, width=10, signal=0.3), encoders=encoders)
    values, labels = problem(features)
    weights = np.full(encoders, 1 / encoders)
    objective = np.inf
    for _ in range(200):
        mixed = labels @ weights
        fitted = values @ np.linalg.lstsq(values, mixed, rcond=None)[0]
        objective = np.square(mixed - fitted).sum()
        gradient = np.einsum("nek,ne->k", labels, mixed - fitted)
        weights = project(weights - gradient / (encoders * labels[..., 0].size))
    found = EMMS().score(features)
    assert found.details["objective"] <= objective * (1 + 1e-9)
    assert found.details["objective"] == pytest.approx(objective, rel=1e-4)


def left_out_residuals(values, targets, ridge):
    """Refit without each sample."""
    errors = np.empty_like(targets)
    for index in range(len(values)):
        others, own = np.delete(values, index, axis=0), np.delete(targets, index, axis=0)
        mean, offset = others.mean(axis=0), own.mean(axis=0)
        centred = others - mean
        penalised = centred.T @ centred + ridge * np.eye(values.shape[1])
        weights = np.linalg.solve(penalised, centred.T @ (own - offset))
        errors[index] = targets[index] - offset - (values[index] - mean) @ weights
    return errors


@pytest.mark.parametrize("width", [6, 70])
@pytest.mark.parametrize("by_sample", [False, True])
def test_the_leave_one_out_form_equals_refitting_without_each_sample(
    make_features, width, by_sample
):
    features = make_features(samples=40, width=width)
    features = captioned(features) if by_sample else tabled(features)
    score = EMMS(form="loo").score(features)
    labels = (
        features.extras["Z"] if by_sample else features.extras["class_embeddings"][features.labels]
    )
    labels = standardised(labels)
    errors = left_out_residuals(
        features.values, labels.reshape(40, -1), score.details["ridge"]
    ).reshape(labels.shape)
    weights = [value for name, value in score.details.items() if name.startswith("weight")]
    objective = np.square(errors @ weights).sum()
    assert score.details["objective"] == pytest.approx(objective, rel=1e-8)
    assert score.value == pytest.approx(-objective / labels[..., 0].size, rel=1e-8)
    for other in np.random.default_rng(0).dirichlet(np.ones(2), 20):
        assert np.square(errors @ other).sum() >= objective * (1 - 1e-9)


@pytest.mark.parametrize("form", ["plain", "loo"])
@pytest.mark.parametrize("kind", ["table", "expanded", "one-hot", "regression", "multi-label"])
def test_shuffles_equal_scoring_from_scratch(make_features, form, kind):
    task = kind if kind in {"regression", "multi-label"} else "classification"
    features = make_features(task=task, width=8)
    if kind in {"table", "expanded"}:
        features = tabled(features, width=3 if kind == "table" else 1, encoders=2)
    sets = shuffled(features.labels, 4, seed=0)
    estimator = EMMS(form=form)
    assert estimator.score_many(features, sets) == pytest.approx(
        [estimator.score(features.with_labels(each)).value for each in sets]
    )


@pytest.mark.parametrize("width", [8, 120])
@pytest.mark.parametrize("kind", ["table", "expanded", "sample", "one-hot", "regression"])
def test_folds_equal_scoring_the_others_from_scratch(make_features, kind, width):
    features = make_features(
        task="regression" if kind == "regression" else "classification", width=width
    )
    if kind == "sample":
        features = captioned(features)
    elif kind in {"table", "expanded"}:
        features = tabled(features, width=3 if kind == "table" else 1)
    folds = groups(stratified_folds(features.labels, features.task, 6, seed=0))
    plain = EMMS(form="plain")
    expected = [plain.score(features.rows(~group)).value for group in folds]
    assert plain.score_folds(features, folds) == pytest.approx(expected, abs=1e-9)


def test_left_out_folds_equal_refitting_the_others(make_features):
    features = tabled(make_features(samples=40, width=30))
    estimator = EMMS(form="loo")
    ridge = estimator.score(features).details["ridge"]
    folds = groups(stratified_folds(features.labels, "classification", 4, seed=0))
    found = estimator.score_folds(features, folds)
    for group, value in zip(folds, found, strict=True):
        rest = features.rows(~group)
        labels = standardised(rest.extras["class_embeddings"][rest.labels])
        shape = labels.shape
        errors = left_out_residuals(rest.values, labels.reshape(shape[0], -1), ridge).reshape(shape)
        form = np.einsum("nek,nel->kl", errors, errors)
        weights = minimise(form)
        assert value == pytest.approx(-(weights @ form @ weights) / labels[..., 0].size, rel=1e-7)


def test_a_group_with_a_direction_of_its_own_may_be_left_out(make_features):
    features = tabled(make_features(samples=90, width=6))
    features.values[:, 0] = 0
    group = np.arange(90) < 9
    features.values[group, 0] = np.random.default_rng(0).standard_normal(9)
    estimator = EMMS(form="plain")
    expected = estimator.score(features.rows(~group)).value
    assert estimator.score_folds(features, [group]) == pytest.approx([expected], abs=1e-9)


@pytest.mark.parametrize("form", ["plain", "loo"])
def test_the_class_and_the_sample_form_are_the_same_sum(make_features, form):
    features = tabled(make_features(samples=100, width=10, classes=7), width=4, encoders=3)
    labels, _ = read_f_labels(features, expand=False)
    expanded = BySample(features.extras["class_embeddings"], features.labels, step=3)
    by_class, by_sample = (Fit(features.factorisation, each) for each in (labels, expanded))
    if form == "loo":
        assert by_class.ridge == pytest.approx(by_sample.ridge)
        assert by_class.left_out_form() == pytest.approx(by_sample.left_out_form())
    assert by_class.form == pytest.approx(by_sample.form)
    assert by_class.total == pytest.approx(by_sample.total)


def test_more_texts_than_directions_are_expanded_some_dimensions_at_a_time(
    make_features, monkeypatch
):
    monkeypatch.setattr(f_labels, "BLOCK", 100)
    features = make_features(samples=90, width=5, classes=30)
    table = np.random.default_rng(0).standard_normal((30, 7, 2))
    texts = Features(
        values=features.values,
        labels=features.labels,
        task="text",
        extras={"class_embeddings": table},
    )
    labels, _ = read_f_labels(texts, expand=False)
    assert isinstance(labels, BySample)
    assert len(list(labels.pieces())) > 1
    whole = Features(
        values=features.values, labels=np.zeros((90, 0)), extras={"Z": table[features.labels]}
    )
    monkeypatch.undo()
    assert EMMS().score(texts).value == pytest.approx(EMMS().score(whole).value)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.floats(0.01, 100), st.sampled_from(["plain", "loo"]))
def test_the_size_of_embeddings_and_features_does_not_matter(seed, scale, form):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((60, 8))
    labels = generator.permutation(np.arange(60) % 4)
    table = generator.standard_normal((4, 5, 3))

    def score(values, table):
        extras = {"class_embeddings": table}
        return EMMS(form=form).score(Features(values=values, labels=labels, extras=extras)).value

    own = score(values, table)
    assert score(values, table * scale) == pytest.approx(own, rel=1e-5)
    assert score(values * scale, table) == pytest.approx(own, rel=1e-6)
    assert score(values, table[:, :, [2, 0, 1]]) == pytest.approx(own, rel=1e-9)
    assert score(values, table + 5) == pytest.approx(own, rel=1e-9)


def test_shuffled_labels_score_the_floor_and_the_adjusted_score_removes_it(make_features):
    features = tabled(make_features(samples=400, width=60), encoders=1)
    null = EMMS().score_many(features, shuffled(features.labels, 30, seed=0))
    assert null.mean() == pytest.approx(-(1 - 60 / 399), abs=0.02)
    random = features.with_labels(shuffled(features.labels, 1, seed=3)[0])
    assert EMMS().score(random).details["adjusted"] == pytest.approx(0, abs=0.08)
    assert EMMS().score(features).details["adjusted"] > 0.3


def test_signal_is_seen_although_there_are_fewer_samples_than_dimensions(make_features):
    features = tabled(make_features(samples=120, width=400, signal=0.5), encoders=1)
    null = EMMS().score_many(features, shuffled(features.labels, 20, seed=0))
    value = EMMS().score(features).value
    assert (value - null.mean()) / null.std() > 5


def test_without_embeddings_classes_are_equally_far_apart(make_features):
    features = make_features(samples=300, width=10, classes=3)
    score = EMMS().score(features)
    assert "without label embeddings" in score.note
    features.extras["class_embeddings"] = np.eye(3)[:, :, None]
    assert EMMS().score(features).value == pytest.approx(score.value)


def test_gaps_between_class_ids_do_not_matter_without_embeddings(make_features):
    features = make_features(samples=300, width=10)
    gaps = features.with_labels(features.labels * 5 + 2)
    assert EMMS().score(gaps).value == pytest.approx(EMMS().score(features).value)
    sets = shuffled(features.labels, 2, seed=0)
    assert EMMS().score_many(gaps, [each * 5 + 2 for each in sets]) == pytest.approx(
        EMMS().score_many(features, sets)
    )


def test_a_constant_dimension_and_constant_features_do_no_harm(make_features):
    features = tabled(make_features(samples=100, width=4))
    features.extras["class_embeddings"][:, 0] = 7.0
    assert -1 <= EMMS().score(features).value <= 0
    dead = Features(values=np.ones((100, 4)), labels=features.labels, extras=features.extras)
    assert EMMS().score(dead).value < -0.2
    assert EMMS(form="loo").score(dead).value < -0.2


@pytest.mark.parametrize(
    ("extras", "message"),
    [
        (
            {"class_embeddings": np.full((3, 2, 1), np.nan)},
            r"6 class_embeddings are NaN.*\[0, 0, 0\]",
        ),
        ({"class_embeddings": np.ones((2, 2, 1))}, "has 2 rows, and the labels reach from 0 to 2"),
        ({"class_embeddings": np.ones(3)}, "must be numbers"),
        ({"class_embeddings": np.array([["a"], ["b"], ["c"]])}, "must be numbers"),
        ({"Z": np.ones((4, 2, 1))}, "90 samples of features and 4 of Z"),
    ],
)
def test_embeddings_that_do_not_fit_are_named(make_features, extras, message):
    features = make_features()
    features.extras.update(extras)
    with pytest.raises(InputError, match=message):
        EMMS().score(features)


def test_texts_without_embeddings_have_nothing_to_explain(make_features):
    features = make_features()
    texts = Features(values=features.values, labels=features.labels, task="text")
    with pytest.raises(NotApplicable, match="class_embeddings"):
        EMMS().score(texts)
    unlabelled = Features(values=features.values, labels=np.zeros((90, 0)))
    with pytest.raises(NotApplicable, match="needs labels"):
        EMMS().score(unlabelled)


def test_embeddings_by_sample_need_no_labels_for_a_null_and_an_interval(make_features, zoo_host):
    features = captioned(make_features(samples=200))
    brought = features_of({"X": features.values, "Z": features.extras["Z"]})
    spec = Catalogue(zoo_host).spec("estimator", "emms")
    (record,), failures = score_layer(brought, [(spec, EMMS())])
    assert not failures
    assert record.z > 3
    assert len(record.folds) == 10
    assert record.note == ""
