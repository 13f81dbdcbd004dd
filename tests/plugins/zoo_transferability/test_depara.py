from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from zoo.errors import InputError, NotApplicable
from zoo.labels import groups, shuffled, stratified_folds
from zoo.scoring import score_layer
from zoo.types import Features
from zoo_transferability import zoo_estimators
from zoo_transferability.attribution_graph import Edges, edge_similarity
from zoo_transferability.depara import DEPARA


def with_maps(features, seed, grid=16):
    maps = np.random.default_rng(seed).standard_normal((len(features.values), grid))
    return replace(features, extras={**features.extras, "attributions": maps}, _memo={})


def beside(make_features, samples=40, **options):
    """Features with a reference of another width, both with attribution maps."""
    reference = with_maps(make_features(samples, 9, seed=5, **options), 6)
    return replace(with_maps(make_features(samples, **options), 7), reference=reference)


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def cosine_matrix(values):
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    return units @ units.T


def layout(golden):
    folder, case = golden
    with np.load(folder / case["input"]) as archive:
        arrays = dict(archive)
    samples = len(arrays["images"])
    empty = np.zeros((samples, 0))
    return Features(values=empty, labels=empty, extras=arrays)


def named(golden):
    return golden[1]["case"].replace(" vs ", "|")


@pytest.mark.golden
@pytest.mark.parametrize(("centred", "field"), [(False, "edge_uncentred"), (True, "edge_centred")])
def test_golden_edges(golden_depara, centred, field):
    score = DEPARA(centred=centred).score(layout(golden_depara))
    expected = golden_depara[1][field]["value"]
    assert score.details[f"edge {named(golden_depara)}"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("attribution", "reduction", "field"),
    [
        ("gradient_x_input", "absmean", "gradxinput/absmean_channels"),
        ("gradient_x_input", "mean", "gradxinput/mean_channels"),
        ("gradient_x_input", "none", "gradxinput/full"),
        ("saliency", "mean", "saliency/mean_channels"),
    ],
)
def test_golden_nodes(golden_depara, attribution, reduction, field):
    estimator = DEPARA(attribution=attribution, reduction=reduction)
    score = estimator.score(layout(golden_depara))
    expected = golden_depara[1]["node"]["value"][field]
    assert score.details[f"node {named(golden_depara)}"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.golden
def test_golden_scores_of_every_weight(golden_depara):
    features = layout(golden_depara)
    for name, expected in golden_depara[1]["score"].items():
        score = DEPARA(edge_weight=float(name.removeprefix("lambda_"))).score(features)
        assert score.details[f"score {named(golden_depara)}"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.golden
def test_golden_value_is_that_of_the_last_pair(golden_depara):
    score = DEPARA().score(layout(golden_depara))
    last = [name for name in score.details if name.startswith("score ")][-1]
    assert score.value == score.details[last]


def test_pair_score_is_the_nodes_plus_weighted_edges_written_plainly(make_features):
    features = beside(make_features)
    other = features.reference
    maps = features.extras["attributions"], other.extras["attributions"]
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(*maps, strict=True)]
    rho = spearmanr(upper(cosine_matrix(features.values)), upper(cosine_matrix(other.values)))[0]
    score = DEPARA(edge_weight=0.5).score(features)
    assert score.details["node"] == pytest.approx(np.mean(cosines), abs=1e-12)
    assert score.details["edge"] == pytest.approx(rho, abs=1e-12)
    assert score.value == pytest.approx(np.mean(cosines) + 0.5 * rho, abs=1e-12)
    assert score.details["probes"] == score.details["attributed"] == 40


def test_a_model_beside_itself_has_the_largest_score(make_features):
    features = with_maps(make_features(), 1)
    score = DEPARA().score(replace(features, reference=features))
    assert score.value == pytest.approx(1.25)
    assert score.bounds == (-1.25, 1.25)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_score_is_symmetric_and_does_not_see_scale_or_rotation(scale, seed):
    generator = np.random.default_rng(seed)
    first, second = generator.standard_normal((2, 20, 6))
    turn = np.linalg.qr(generator.standard_normal((6, 6)))[0]
    labels = np.zeros((20, 0))

    def score(one, other):
        reference = Features(values=other, labels=labels)
        return DEPARA().score(Features(values=one, labels=labels, reference=reference)).value

    assert score(first, second) == pytest.approx(score(second, first), abs=1e-12)
    assert score(scale * first @ turn, second) == pytest.approx(score(first, second), abs=1e-9)


def test_without_maps_of_both_the_edges_stand_alone(make_features):
    features = beside(make_features)
    for reference in (
        replace(features.reference, extras={}),
        with_maps(features.reference, 1, grid=9),
    ):
        score = DEPARA().score(replace(features, reference=reference))
        assert score.value == score.details["edge"]
        assert "node" not in score.details
        assert "edges only" in score.note


def test_samples_without_a_map_count_for_the_edges_alone(make_features):
    features = beside(make_features)
    one, other = features.extras["attributions"], features.reference.extras["attributions"]
    other[10:] = np.nan
    score = DEPARA().score(features)
    cosines = [cosine_matrix(np.stack(pair))[0, 1] for pair in zip(one, other[:10], strict=False)]
    assert score.details["node"] == pytest.approx(np.mean(cosines))
    assert score.details["attributed"] == 10
    assert score.details["edge"] == DEPARA().score(beside(make_features)).details["edge"]


def test_a_zero_vector_drops_its_probe_from_both_graphs_and_is_counted(make_features):
    features = beside(make_features)
    features.values[3], features.reference.values[8] = 0, 0
    features.extras["attributions"][5] = 0
    kept = np.delete(np.arange(40), [3, 8])
    score = DEPARA().score(features)
    expected = DEPARA().score(features.rows(kept))
    assert score.details["edge"] == pytest.approx(expected.details["edge"], abs=1e-12)
    assert score.details["attributed"] == 39
    assert "2 probes" in score.note


def test_ties_share_their_rank():
    first = np.repeat(np.eye(3), 3, axis=0)
    second = np.random.default_rng(0).standard_normal((9, 4))
    found = edge_similarity(Edges.between(first), Edges.between(second))
    expected = spearmanr(upper(cosine_matrix(first)), upper(cosine_matrix(second)))[0]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_labels_make_a_graph_where_there_is_no_reference(make_features, task):
    features = make_features(task=task)
    labels = features.labels
    if task == "classification":
        likeness = (labels[:, None] == labels[None]).astype(float)
    elif task == "multi-label":
        units, some = labels / np.maximum(np.linalg.norm(labels, axis=1), 1)[:, None], labels.any(1)
        likeness = units @ units.T + np.outer(~some, ~some)
        likeness = np.round(likeness, 12)
    else:
        scaled = labels / labels.std(axis=0)
        likeness = -np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    expected = spearmanr(upper(cosine_matrix(features.values)), upper(likeness))[0]
    score = DEPARA().score(features)
    assert score.value == pytest.approx(expected, abs=1e-9)
    assert score.note == "edges against the labels"
    assert score.bounds == (-1.0, 1.0)


@pytest.mark.parametrize("by_sample", [False, True])
def test_label_embeddings_make_the_graph_where_they_are(make_features, by_sample):
    features = make_features()
    table = np.random.default_rng(3).standard_normal((3, 7, 2))
    extras = {"Z": table[features.labels]} if by_sample else {"class_embeddings": table}
    likeness = np.mean([cosine_matrix(table[:, :, k]) for k in range(2)], axis=0)
    likeness = np.round(likeness[features.labels][:, features.labels], 12)
    expected = spearmanr(upper(cosine_matrix(features.values)), upper(likeness))[0]
    score = DEPARA().score(replace(features, extras=extras))
    assert score.value == pytest.approx(expected, abs=1e-12)
    assert score.note == "edges against the label embeddings"
    texts = replace(features, extras=extras, task="text")
    assert DEPARA().score(texts).value == pytest.approx(expected, abs=1e-12)


def test_embeddings_by_sample_need_no_labels(make_features):
    features = make_features()
    embeddings = np.random.default_rng(3).standard_normal((90, 7, 1))
    brought = replace(features, labels=np.zeros((90, 0)), extras={"Z": embeddings})
    expected = spearmanr(
        upper(cosine_matrix(features.values)), upper(cosine_matrix(embeddings[:, :, 0]))
    )[0]
    assert DEPARA().score(brought).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("task", ["classification", "multi-label", "regression"])
def test_many_labels_and_folds_give_what_one_at_a_time_gives(make_features, task):
    features = make_features(task=task)
    estimator = DEPARA()
    sets = shuffled(features.labels, 4, 0)
    one = [estimator.score(replace(features, labels=labels, _memo={})).value for labels in sets]
    exact = 1e-12 if task == "classification" else 1e-3
    np.testing.assert_allclose(estimator.score_many(features, sets), one, rtol=0, atol=exact)
    if task == "regression":  # targets are measured in deviations of all samples
        return
    out = groups(stratified_folds(features.labels, task, 5, 0))
    rest = [estimator.score(features.rows(~group)).value for group in out]
    np.testing.assert_allclose(estimator.score_folds(features, out), rest, rtol=0, atol=1e-12)


def test_folds_beside_a_reference_give_what_one_at_a_time_gives(make_features):
    features = beside(make_features)
    out = groups(stratified_folds(features.labels, "classification", 5, 0))
    rest = [DEPARA().score(features.rows(~group)).value for group in out]
    np.testing.assert_allclose(DEPARA().score_folds(features, out), rest, rtol=0, atol=1e-12)
    assert set(DEPARA().score_many(features, shuffled(features.labels, 3, 0))) == {
        DEPARA().score(features).value
    }


def test_a_planted_signal_is_far_above_shuffled_labels(make_features):
    spec = next(each for each in zoo_estimators() if each.name == "depara")
    ((record,), failures) = score_layer(make_features(), [(spec, DEPARA())])
    assert not failures
    assert record.z > 10
    assert len(record.folds) == 10


def test_beside_a_reference_there_is_no_null_because_labels_are_not_read(make_features):
    spec = next(each for each in zoo_estimators() if each.name == "depara")
    ((record,), failures) = score_layer(beside(make_features), [(spec, DEPARA())])
    assert not failures
    assert record.z is None
    assert len(record.folds) == 10


def test_many_samples_are_thinned_out_evenly(make_features):
    features = make_features(120)
    score = DEPARA(probes=30).score(features)
    rows = np.linspace(0, 119, 30).round().astype(int)
    assert score.details["probes"] == 30
    assert score.value == pytest.approx(DEPARA().score(features.rows(rows)).value, abs=1e-12)


@pytest.mark.parametrize("case", ["nothing", "two", "alike", "texts"])
def test_what_cannot_be_compared_says_why(make_features, case):
    features = make_features()
    given, sentence = {
        "nothing": (replace(features, labels=np.zeros((90, 0))), "needs a reference model"),
        "two": (features.rows(np.array([0, 1])), "at least 3 probes"),
        "alike": (replace(features, values=np.ones((90, 4)), _memo={}), "equally alike"),
        "texts": (replace(features, task="text", labels=np.arange(90)), "equally alike"),
    }[case]
    with pytest.raises(NotApplicable, match=sentence):
        DEPARA().score(given)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"edge_weight": -1.0}, "edge_weight must be 0 or more, not -1"),
        ({"edge_weight": float("nan")}, "edge_weight"),
        ({"probes": 2}, "probes must be 3 or more, not 2"),
        ({"reduction": "median"}, "reduction must be one of absmean, mean, none, not 'median'"),
        ({"attribution": "lrp"}, "attribution must be one of gradient_x_input, saliency"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        DEPARA(**options)


def toy_arrays(**changes):
    generator = np.random.default_rng(0)
    arrays = {"images": generator.standard_normal((6, 3, 4, 4))}
    for model in "AB":
        arrays[f"feat.{model}.top.1"] = generator.standard_normal((6, 5))
        arrays[f"grad.{model}.top.1"] = generator.standard_normal((6, 3, 4, 4))
    return {name: array for name, array in (arrays | changes).items() if array is not None}


def scored(arrays):
    empty = np.zeros((6, 0))
    return DEPARA().score(Features(values=empty, labels=empty, extras=arrays))


def test_a_file_without_gradients_has_edges_only():
    score = scored(toy_arrays(**{"grad.A.top.1": None, "grad.B.top.1": None}))
    assert score.value == score.details["edge A:top.1|B:top.1"]
    assert "A:top.1 beside B:top.1" in score.note


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"feat.C.top": np.ones((6, 2))}, r"compares two models, and the arrays are of 3: A, B, C"),
        ({"feat.B.top.1": None}, "the arrays are of 1: A"),
        ({"feat.B.top.1": np.ones((5, 2))}, r"feat.A.top.1 has 6 rows, but feat.B.top.1 has 5"),
        ({"feat.B.top.1": np.full((6, 2), np.nan)}, r"12 numbers of feat.B.top.1 .*at \[0, 0\]"),
        ({"feat.B.top.1": np.array(["a"] * 6)}, r"feat.B.top.1 has the shape \(6,\) of <U1"),
        ({"images": None}, r"gradients of A.top.1 .*images is not there"),
        ({"images": np.ones((6, 3, 2, 2))}, r"images is of shape \(6, 3, 2, 2\)"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_sentence(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        scored(toy_arrays(**changes))


def test_arrays_of_something_else_are_no_graph():
    with pytest.raises(NotApplicable, match="needs features"):
        scored({"probs": np.ones((6, 2))})
