"""Scores against measured results: files, rankings, data sets, and the order without scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.evaluation import evaluate, read_truth, static_order
from zoo.ranking.quality import null_weighted_taus, p_value, weighted_tau
from zoo.score_tables import read_scores, short_name

SCORES = "model,logme,knn\na,1,9\nb,2,8\nc,3,7\nd,4,6\n"
TRUTH = "model,accuracy\na,0.1\nb,0.2\nc,0.3\nd,0.4\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.golden
def test_golden_rank_quality_through_evaluate(golden_rank_quality):
    _, case = golden_rank_quality
    models = [f"m{n:03}" for n in range(len(case["scores"]))]
    scores, truth = (dict(zip(models, case[name], strict=True)) for name in ("scores", "truth"))
    if len(models) < 2:
        pytest.skip("a single model has no order")
    (found,) = evaluate({"score": scores}, truth, shuffles=50).quality
    for name in ("weighted_tau", "tau_b", "pearson", "rel@1", "rel@3", "regret@1", "regret@3"):
        expected = case.get(name)
        expected = expected["value"] if isinstance(expected, dict) else expected
        value = getattr(found, name.replace("@", "_"))
        if isinstance(expected, str):
            assert math.isnan(value) == (expected == "nan")
        elif expected is not None:
            assert value == pytest.approx(expected, abs=1e-12)


def test_every_column_is_measured(write):
    found = evaluate(write("s.csv", SCORES), write("t.csv", TRUTH))
    assert [each.by for each in found.quality] == ["logme", "knn"]
    first, second = found.quality
    assert (first.weighted_tau, first.tau_b, first.rel_1, first.regret_1) == (1, 1, 1, 0)
    assert first.p == pytest.approx(1 / 24)
    assert second.weighted_tau == pytest.approx(-1)
    assert second.regret_1 == pytest.approx(0.3)
    assert second.p == 1
    assert found.means == ()


def test_seeds_are_averaged_and_recipes_never_are(write):
    text = "set,model,recipe,seed,value\n"
    text += "".join(
        f"x,{model},{recipe},{seed},{value + seed / 8}\n"
        for model, value in (("a", 1), ("b", 2))
        for recipe in ("head", "full")
        for seed in (0, 1, 2)
    )
    path = write("t.csv", text)
    assert read_truth(path, {"recipe": "head"}) == {"x": {"a": 1.125, "b": 2.125}}
    with pytest.raises(InputError, match="more than one recipe: head, full") as caught:
        read_truth(path)
    assert caught.value.hint == "Choose with --where recipe=head"
    with pytest.raises(InputError, match="no row where recipe is 'heads': it has: head, full"):
        read_truth(path, {"recipe": "heads"})
    with pytest.raises(InputError, match="there is no such column"):
        read_truth(path, {"kind": "head"})


def test_a_bad_value_is_named_by_its_line_whatever_was_left_out_before_it(write):
    path = write("t.csv", "model,recipe,value\na,full,1\na,head,1\nb,head,oops\n")
    with pytest.raises(InputError, match="line 4, column 'value': 'oops' is no number"):
        read_truth(path, {"recipe": "head"})


def test_several_data_sets_have_a_row_each_a_mean_and_the_static_order(write):
    truth = write(
        "t.csv",
        "set,model,value\n"
        + "".join(f"{s},{m},{v}\n" for s in "xyz" for v, m in enumerate("abcd")),
    )
    scores = write(
        "s.csv",
        "dataset,model,logme\n"
        + "".join(
            f"{s},{m},{v if s != 'y' else -v}\n" for s in "xyz" for v, m in enumerate("abcd")
        ),
    )
    found = evaluate(scores, truth)
    assert [(each.set, each.by) for each in found.quality] == [
        ("x", "logme"), ("x", "static"), ("y", "logme"), ("y", "static"), ("z", "logme"),
        ("z", "static"),
    ]  # fmt: skip
    mean, static = found.means
    assert (mean.by, mean.sets, mean.models) == ("logme", 3, 12)
    assert mean.weighted_tau == pytest.approx(1 / 3)
    assert static.weighted_tau == 1
    assert static.p < 0.001 < mean.p


def test_scores_without_a_data_set_are_for_all_of_them(write):
    truth = write("t.csv", "set,model,value\nx,a,1\nx,b,2\ny,a,2\ny,b,1\n")
    found = evaluate({"size": {"a": 1, "b": 2}}, truth)
    assert [each.weighted_tau for each in found.quality if each.by == "size"] == [1, -1]


def test_data_sets_that_do_not_meet_are_said(write):
    truth = write("t.csv", "set,model,value\nx,a,1\nx,b,2\n")
    scores = write("s.csv", "set,model,logme\ny,a,1\ny,b,2\n")
    with pytest.raises(InputError, match="the scores are of y; the results are of x"):
        evaluate(scores, truth)


def test_models_that_are_missing_are_listed(write):
    scores = write("s.csv", "model,logme\na,1\nb,2\nc,\nz,3\n")
    found = evaluate(scores, write("t.csv", TRUTH))
    assert found.quality[0].models == 2
    (missing,) = found.missing
    assert (missing.without_score, missing.without_result) == (("c", "d"), ("z",))


def test_fewer_than_two_models_in_common_is_one_sentence(write):
    with pytest.raises(InputError, match="fewer than two models have both") as caught:
        evaluate({"s": {"a": 1.0, "x": 2.0}}, write("t.csv", TRUTH))
    assert caught.value.hint


def test_models_are_found_by_the_last_part_of_their_reference():
    scores = {"s": {"./zoo/vit": 1.0, "hub:org/resnet@main": 2.0}}
    (found,) = evaluate(scores, {"vit": 1.0, "hub:other/resnet": 2.0}).quality
    assert found.models == 2
    assert short_name("hub:org/vit@main") == short_name("./zoo/vit") == "vit"


def test_a_last_part_that_two_models_share_matches_neither():
    scores = {"s": {"hub:a/vit": 1.0, "hub:b/vit": 2.0, "c": 1.0, "d": 2.0}}
    found = evaluate(scores, {"vit": 1.0, "c": 1.0, "d": 2.0})
    assert found.quality[0].models == 2
    assert found.missing[0].without_result == ("hub:a/vit", "hub:b/vit")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"model,accuracy\na,1,2\n", "line 2: there are 3 values, and the header has 2"),
        (b"model,accuracy\n\xe9,1\n", "cannot be read"),
        (b"model,accuracy\na,x\n", "line 2, column 'accuracy': 'x' is no number"),
        (b"model,accuracy\na,nan\n", "nan is no result"),
        (b"name,accuracy\na,1\n", "needs the column 'model'"),
        (b"model,x,y\na,1,2\n", "one column of results; it has: model, x, y"),
        (b"", "no row below a header"),
        (b"model,accuracy\n", "no row below a header"),
    ],
)
def test_results_that_cannot_be_used_are_one_sentence(write, content, sentence):
    with pytest.raises(InputError) as caught:
        read_truth(write("truth.csv", content))
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"model,logme\na,1\na,2\n", "line 3: a is there twice"),
        (b"model,logme\na,1\nb,x\n", "line 3, column 'logme'"),
        (b"model;logme\na;1,5\n", "line 2: there are 2 values, and the header has 1"),
        (b"model,logme\n\na,1\nb,2,3\n", "line 4: there are 3 values"),
        (b"model,licence\na,mit\n", "a column of scores"),
        (b"\xff", "cannot be read"),
    ],
)
def test_scores_that_cannot_be_used_are_one_sentence(write, content, sentence):
    with pytest.raises(InputError) as caught:
        read_scores(write("scores.csv", content))
    assert sentence in caught.value.message


def test_a_json_that_is_no_ranking_says_what_writes_one(write):
    with pytest.raises(InputError, match="is not a ranking") as caught:
        evaluate(write("s.json", "{}"), write("t.csv", TRUTH))
    assert "zoo recommend" in caught.value.hint
    with pytest.raises(InputError, match="cannot be read"):
        evaluate("gone.json", write("t.csv", TRUTH))


def test_words_beside_the_scores_are_no_scores(write):
    scores = read_scores(write("s.csv", "model,licence,logme\na,mit,1\nb,,2\n"))
    assert scores == {"": {"logme": {"a": 1.0, "b": 2.0}}}


def test_the_static_order_leaves_its_own_data_set_out():
    results = {"x": {"a": 1, "b": 2, "c": 3}, "y": {"a": 3, "b": 2, "c": 1}}
    order = static_order(results)
    assert sorted(order["x"], key=order["x"].get) == ["c", "b", "a"]
    assert static_order({"x": {"a": 1}}) == {"x": {}}


values = st.lists(st.integers(-20, 20), min_size=2, max_size=7)


@given(values, st.randoms(use_true_random=False))
def test_no_order_of_the_rows_and_no_monotone_map_changes_tau(numbers, random):
    results = list(range(len(numbers)))
    random.shuffle(results)
    models = [f"m{n}" for n in range(len(numbers))]
    pairs = list(zip(models, numbers, results, strict=True))
    plain = evaluate(
        {"s": {m: float(s) for m, s, _ in pairs}}, {m: float(r) for m, _, r in pairs}, shuffles=20
    )
    random.shuffle(pairs)
    mapped = evaluate(
        {"s": {m: math.atan(s / 3) for m, s, _ in pairs}},
        {m: float(r**3) for m, _, r in pairs},
        shuffles=20,
    )
    (one,), (other,) = plain.quality, mapped.quality
    for name in ("weighted_tau", "tau_b"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-12, nan_ok=True)


@given(values)
def test_every_measure_stays_in_its_range(numbers):
    truth = {f"m{n}": n + 1.0 for n in range(len(numbers))}
    scores = {f"m{n}": float(value) for n, value in enumerate(numbers)}
    (found,) = evaluate({"s": scores}, truth, shuffles=20).quality
    for name in ("weighted_tau", "tau_b", "pearson"):
        value = getattr(found, name)
        assert math.isnan(value) or -1 - 1e-12 <= value <= 1 + 1e-12
    assert 0 < found.rel_1 <= found.rel_3 <= 1
    assert found.regret_1 >= found.regret_3 >= 0
    assert math.isnan(found.p) or 0 < found.p <= 1


def test_few_models_are_tried_in_every_order_and_many_are_drawn():
    scores, results = [1.0, 2, 3, 4], [1.0, 2, 4, 3]
    null = null_weighted_taus(scores, results)
    assert len(null) == 24
    tau = weighted_tau(scores, results)
    reached = int((null >= tau - 1e-12).sum())
    assert p_value(tau, null, exact=True) == reached / 24
    many = [float(n) for n in range(10)]
    drawn = null_weighted_taus(many, many, shuffles=2000, seed=1)
    assert len(drawn) == 2000
    assert abs(float(np.mean(drawn))) < 0.05
    assert p_value(1.0, drawn, exact=False) == pytest.approx(1 / 2001)
    assert np.array_equal(drawn, null_weighted_taus(many, many, shuffles=2000, seed=1))


def test_constant_scores_have_no_order():
    (found,) = evaluate({"s": {"a": 1.0, "b": 1.0}}, {"a": 1.0, "b": 2.0}).quality
    assert math.isnan(found.weighted_tau)
    assert math.isnan(found.p)
