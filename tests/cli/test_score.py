from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest


@pytest.fixture
def features(tmp_path):
    generator = np.random.default_rng(0)
    labels = np.arange(80) % 4
    values = generator.standard_normal((80, 6)) + labels[:, None]
    path = tmp_path / "features.npz"
    np.savez(path, X=values, y=labels)
    return path


def _save(folder, **arrays):
    path = folder / "given.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.golden
def test_golden_files_score_their_canonical_values(zoo, golden_logme):
    folder, case = golden_logme
    result = zoo("score", folder / case["input"], "-e", "logme", "--json", "--permutations", 2)
    assert result.code == 0
    found = result.document["scores"]["logme"]["value"]
    assert found == pytest.approx(case["max_evidence"]["value"], abs=1e-5)


@pytest.mark.golden
def test_golden_regularised_h_score_from_the_command_line(zoo, golden_hscore):
    folder, case = golden_hscore
    if "regularized_h_score" not in case:
        pytest.skip("the reference has no number for this case")
    result = zoo("score", folder / case["input"], "-e", "reg_hscore", "--json", "--folds", 0)
    found = result.document["scores"]["reg_hscore"]["value"]
    assert found == pytest.approx(case["regularized_h_score"]["value"], rel=1e-9)


@pytest.mark.golden
def test_golden_nearest_neighbour_from_the_command_line(zoo, golden_parc_rsa_dds_knn):
    folder, case = golden_parc_rsa_dds_knn
    if "knn_loo_k1" not in case:
        pytest.skip("this case has no kNN number")
    result = zoo("score", folder / case["input"], "-e", "knn", "--json", "--folds", 0)
    found = result.document["scores"]["knn"]["value"]
    assert found == pytest.approx(case["knn_loo_k1"]["value"], rel=1e-12)


@pytest.mark.golden
def test_golden_reference_from_the_command_line(zoo, golden_parc_rsa_dds_knn):
    folder, case = golden_parc_rsa_dds_knn
    if "rsa" not in case:
        pytest.skip("this case has no reference")
    reference = folder / case["rsa"]["reference_features"]
    named = ("-e", "rsa", "-e", "dds", "-e", "parc", "--reference", reference)
    result = zoo("score", folder / case["input"], *named, "--json", "--folds", 0)
    assert result.code == 0
    scores = result.document["scores"]
    assert scores["rsa"]["value"] == pytest.approx(case["rsa"]["value"], rel=1e-7)
    expected = case["dds_cosine_zscore_debiased"]["value"]
    assert scores["dds"]["value"] == pytest.approx(expected, rel=1e-7)
    assert scores["parc"]["value"] == pytest.approx(case["parc_exact_ties"]["value"], rel=1e-7)


@pytest.mark.golden
def test_golden_source_head_from_the_command_line(zoo, golden_leep_nce):
    folder, case = golden_leep_nce
    result = zoo("score", folder / case["input"], "-e", "leep", "-e", "nce", "--json", "--folds", 0)
    assert result.code == 0
    scores = result.document["scores"]
    assert scores["leep"]["value"] == pytest.approx(case["leep"]["value"], rel=1e-9)
    assert scores["nce"]["value"] == pytest.approx(case["nce_exact"]["value"], rel=1e-9)


def test_without_a_name_every_default_estimator_that_fits_is_scored(zoo, features):
    result = zoo("score", features, "--json")
    assert result.code == 0
    document = result.document
    assert (document["task"], document["samples"], document["width"]) == ("classification", 80, 6)
    assert {"logme", "reg_hscore", "knn", "ridge_loo"} <= set(document["scores"])
    for score in document["scores"].values():
        assert score["z"] > 3
        assert score["interval"][0] < score["value"] < score["interval"][1]
        assert not score["saturated"]
        assert score["note"] == ""


def test_people_get_a_table_and_programs_names(zoo, features):
    table = zoo("score", features, "-e", "knn")
    assert table.code == 0
    assert "ESTIMATOR" in table.out
    assert "80 samples, width 6, classification" in table.out
    assert zoo("score", features, "-e", "knn", "-q").out == "knn\n"


def test_options_reach_the_estimator(zoo, features):
    result = zoo("score", features, "-e", "knn", "--set", "knn.k=5", "--json")
    assert result.document["scores"]["knn"]["details"]["k"] == 5


def test_the_task_can_be_said(zoo, tmp_path):
    values = np.random.default_rng(0).standard_normal((40, 3))
    path = _save(tmp_path, X=values, y=np.arange(40))
    result = zoo("score", path, "--task", "regression", "-e", "ridge_loo", "--json")
    assert result.document["task"] == "regression"


def test_a_method_that_was_asked_for_and_does_not_apply_is_a_partial_answer(zoo, tmp_path):
    values = np.random.default_rng(0).standard_normal((40, 3))
    path = _save(tmp_path, X=values, Y=values[:, :2])
    result = zoo("score", path, "-e", "logme", "-e", "gbc", "--json")
    assert result.code == 3
    dash = result.document["scores"]["gbc"]
    assert dash["value"] is None
    assert "does classification" in dash["note"]
    assert zoo("score", path, "--json").code == 0
    assert zoo("score", path, "-e", "all", "--folds", 0, "--permutations", 0).code == 0


def test_features_without_labels_get_what_reads_none(zoo, tmp_path):
    values = np.random.default_rng(0).standard_normal((40, 3))
    path = _save(tmp_path, X=values)
    result = zoo("score", path, "-e", "energy", "-e", "knn", "--json")
    assert result.code == 3
    assert result.document["scores"]["energy"]["value"] is not None
    assert "needs labels" in result.document["scores"]["knn"]["note"]
    assert zoo("score", path, "--json").code == 4


def test_a_file_beside_is_taken_as_the_reference_and_that_is_said(zoo, features):
    beside = features.with_name(f"ref_{features.name}")
    with np.load(features) as arrays:
        np.savez(beside, X=arrays["X"])
    result = zoo("score", features, "-e", "dds", "--json")
    assert result.code == 0
    assert result.document["scores"]["dds"]["value"] == pytest.approx(100)
    assert "is taken as the reference" in result.err
    assert result.document["notes"] == [f"{beside} is taken as the reference model's features."]


def test_a_method_without_its_reference_says_how_to_give_one(zoo, features):
    result = zoo("score", features, "-e", "rsa", "--json")
    assert result.code == 4
    assert "needs a reference model: --reference" in result.document["scores"]["rsa"]["note"]


def test_expensive_methods_have_neither_null_nor_interval(zoo, features):
    result = zoo("score", features, "-e", "linear_probe", "-e", "pactran", "--json")
    assert result.code == 0
    for score in result.document["scores"].values():
        assert (score["z"], score["interval"]) == (None, None)
        assert score["note"] == "expensive: no null, no interval"


def test_a_file_without_features_scores_nothing_that_reads_features(zoo, tmp_path):
    path = _save(tmp_path, probs=np.full((20, 4), 0.25), y=np.arange(20) % 2)
    result = zoo("score", path, "-e", "logme", "--json")
    assert result.code == 4
    assert "needs features" in result.document["scores"]["logme"]["note"]


def test_samples_with_nan_can_be_left_out(zoo, tmp_path):
    values = np.random.default_rng(0).standard_normal((40, 3))
    values[7, 1] = np.nan
    path = _save(tmp_path, X=values, y=np.arange(40) % 2)
    refused = zoo("score", path, "-e", "knn")
    assert refused.code == 2
    assert "1 features are NaN or infinite; the first is at [7, 1]" in refused.err
    dropped = zoo("score", path, "-e", "knn", "--on-nonfinite", "drop", "--json")
    assert dropped.code == 0
    assert dropped.document["samples"] == 39
    assert "1 of 40 samples were left out" in dropped.err


def _bad_files(folder):
    cases = {
        "is not a file": folder / "absent.npz",
        "has no array X of features; it has y": {"y": np.arange(4)},
        "but y has 3": {"X": np.eye(4), "y": np.arange(3)},
        "at least 2 classes": {"X": np.eye(4), "y": np.ones(4, int)},
        "Python objects": {"X": np.eye(4), "y": np.array([None] * 4)},
        "no target varies": {"X": np.eye(4), "Y": np.full((4, 1), 0.5)},
        "every activation": {"X": np.zeros((4, 2)), "y": np.arange(4)},
        "at least 2 samples, and there is 1": {"X": np.ones((1, 2)), "y": np.arange(1)},
        "1 features are NaN": {"X": np.array([[1.0], [np.nan]]), "y": np.arange(2)},
        "1 values of Z are NaN": {
            "X": np.eye(2),
            "Z": np.array([1.0, np.nan]).reshape(2, 1, 1),
        },
        "1 values of class_embeddings are NaN": {
            "X": np.eye(2),
            "y": np.arange(2),
            "class_embeddings": np.array([1.0, np.nan]).reshape(2, 1, 1),
        },
        "2 values of probs are NaN": {"probs": np.array([[0.5, 0.5], [np.nan] * 2]), "y": [0, 1]},
        "row 0 of probs": {"probs": np.eye(2) / 2, "y": np.arange(2)},
        "is negative at [0, 1]": {"probs": np.array([[2.0, -1], [0, 1]]), "y": np.arange(2)},
        "but Z has 3": {"X": np.eye(2), "Z": np.ones((3, 1, 1))},
        "but logits has 3": {"X": np.eye(2), "logits": np.ones((3, 2)), "y": np.arange(2)},
        "and the reference ref of": {"X": np.eye(2), "y": np.arange(2), "ref": np.eye(3)},
        "but feat.B.l has 3": {"feat.A.l": np.eye(4), "feat.B.l": np.ones((3, 2))},
    }
    for index, (sentence, arrays) in enumerate(cases.items()):
        path = folder / f"bad{index}.npz"
        if isinstance(arrays, dict):
            np.savez(path, **arrays)
        yield sentence, path


def test_bad_input_is_one_sentence_and_exit_code_two(zoo, tmp_path):
    for sentence, path in _bad_files(tmp_path):
        result = zoo("score", path, "-e", "knn")
        assert result.code == 2, sentence
        assert sentence in result.err
        assert "Traceback" not in result.err
        assert result.out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("-e", "logmee"), "Did you mean 'logme'?"),
        (("-e", "knn", "--set", "knn.neighbours=3"), "no option 'neighbours'"),
        (("--set", "knnn.k=3"), "Did you mean 'knn'?"),
        (("-e", "knn", "--set", "knn.k=0"), "knn.k must be at least 1"),
        (("--task", "regresion"), "regresion"),
    ],
)
def test_wrong_names_and_options_are_answered(zoo, features, arguments, sentence):
    result = zoo("score", features, *arguments)
    assert result.code == 2
    assert sentence in result.err


def test_a_broken_estimator_of_a_stranger_leaves_the_others(zoo, features, stranger):
    stranger(
        "zoo-broken",
        """
        from zoo.hookspecs import hookimpl
        from zoo.types import EstimatorSpec

        class Broken:
            def score(self, features):
                raise RuntimeError("boom")

        @hookimpl
        def zoo_estimators():
            return [EstimatorSpec(name="broken", target="zoo_broken:Broken", summary="breaks")]
        """,
    )
    result = zoo("score", features, "--json")
    assert result.code == 3
    scores = defaultdict(dict, result.document["scores"])
    assert scores["knn"]["value"] is not None
    assert "broken" not in scores
    assert result.document["failures"][0]["error"] == "RuntimeError: boom"
