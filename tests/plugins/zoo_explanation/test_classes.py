"""Which classes a model keeps apart: exact leave-one-out counts, and tests of every difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.testing.reporters import report_of, sample_case
from zoo.types import Features
from zoo_explanation.classes import Classes
from zoo_explanation.neighbours import nearest_class, sign_tests


def told(case):
    ledger = Ledger("classes")
    try:
        Classes().report(replace(case, ledger=ledger))
    finally:
        assert unsupported_claims(report_of(ledger)) == []
    return ledger


def texts(ledger):
    return [each.text for each in (*ledger.claims, *ledger.unknown)]


def slowly(values, labels, classes):
    rows = values / np.linalg.norm(values, axis=1, keepdims=True)
    given = []
    for i in range(len(rows)):
        rest = np.arange(len(rows)) != i
        distances = [
            np.linalg.norm(rows[i] - rows[rest & (labels == c)].mean(0))
            if (rest & (labels == c)).any()
            else np.inf
            for c in range(classes)
        ]
        given.append(int(np.argmin(distances)))
    return given


@pytest.mark.parametrize("seed", range(5))
def test_leaving_each_sample_out_at_once_is_what_leaving_it_out_one_by_one_gives(seed):
    draw = np.random.default_rng(seed)
    labels = np.r_[draw.integers(0, 4, 40), 4]  # the last class has a single sample, 5 has none
    values = draw.standard_normal((41, 7)) + labels[:, None]
    assert nearest_class(values, labels, 6).tolist() == slowly(values, labels, 6)


def test_the_sign_test_is_exact_and_corrected_over_the_classes():
    labels = np.repeat([0, 1, 2], 10)
    one, other = np.ones(30, dtype=bool), np.ones(30, dtype=bool)
    other[:9] = False
    p, q = sign_tests(one, other, labels, 3)
    assert p.tolist() == pytest.approx([2 * 0.5**9, 1.0, 1.0])
    assert q[0] == pytest.approx(3 * 2 * 0.5**9)


@pytest.mark.exhaustive
def test_the_corrected_values_are_those_of_scipy():
    from scipy.stats import binomtest, false_discovery_control

    draw = np.random.default_rng(0)
    labels, (one, other) = draw.integers(0, 9, 400), draw.integers(0, 2, (2, 400)).astype(bool)
    p, q = sign_tests(one, other, labels, 9)
    for c in range(9):
        here = labels == c
        first, second = (one & ~other & here).sum(), (other & ~one & here).sum()
        assert p[c] == pytest.approx(binomtest(int(first), int(first + second)).pvalue)
    assert q == pytest.approx(false_discovery_control(p))


def apart(case, confused):
    """Let alpha know all classes, and the other all but one of which half lies with another."""
    counts = 16
    labels = np.repeat(np.arange(6), counts)
    values = np.eye(6)[labels] + 0.01 * np.random.default_rng(0).standard_normal((96, 6))
    worse = values.copy()
    moved = np.flatnonzero(labels == confused)[:12]
    worse[moved] = values[labels == confused + 1][:12]
    worse[moved] += 0.3 * np.eye(6)[confused + 2]

    def read(model):
        mine = values if model == case.model else worse
        return Features(values=mine, labels=labels, model=model, layer="norm")

    return replace(case, read_features=read)


def test_a_class_that_one_model_alone_keeps_apart_is_named_with_both_counts():
    case = apart(sample_case(), confused=1)
    ledger = told(case)
    (sentence,) = [text for text in texts(ledger) if "is kept apart more often" in text]
    assert sentence.startswith("'cat' is kept apart more often by alpha: 16 of 16 (")
    assert "; 12 only by alpha, 0 only by beta-50 (q 0.003)" in sentence
    assert any(
        "In 1 of your 6 classes alpha and beta-50 differ by more" in t for t in texts(ledger)
    )
    assert any("12 of the 16 images of 'cat' lie nearer to 'daisy'" in t for t in texts(ledger))
    (figure,) = ledger.figures
    assert figure.data["names"] == ["alpha", "beta-50"]
    assert figure.data["rows"][0] == {"label": "cat", "values": [100.0, 25.0]}
    assert "cat 100 and 25" in figure.description


def test_small_differences_are_counted_and_none_is_said_to_be_real():
    said = texts(told(sample_case(seed=2)))
    assert any(
        text.startswith("In no single one of your 6 classes do alpha and beta-50") for text in said
    )
    assert not any("more often" in text for text in said)


def test_features_that_know_nothing_of_the_labels_are_not_compared_class_by_class():
    with pytest.raises(NotApplicable, match="naming the largest class every time"):
        told(sample_case(shuffled=True))


def test_one_model_alone_gets_its_weakest_classes():
    case = apart(sample_case(lacking=("against",)), confused=1)
    read = case.read_features
    ledger = told(replace(case, read_features=lambda _: read("another")))
    assert any(
        text.startswith("Of 'cat', 4 of 16 came to their own class") for text in texts(ledger)
    )


def test_rare_classes_are_not_known():
    case = sample_case()
    features = case.read_features(case.model)
    keep = np.r_[np.flatnonzero(features.labels != 5), np.flatnonzero(features.labels == 5)[:2]]
    read = case.read_features
    ledger = told(replace(case, read_features=lambda model: read(model).rows(keep)))
    said = "How well bottle can be kept apart is not known: fewer than 5 images each."
    assert said in texts(ledger)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "multi-label", "labels": np.ones((60, 2))}, "several labels a sample"),
        ({"task": "regression", "labels": np.ones(60)}, "numbers for labels"),
        ({"task": "text", "labels": np.arange(60)}, "texts for labels"),
        ({"labels": np.zeros(60, dtype=int)}, "fewer than two classes"),
    ],
)
def test_labels_of_another_kind_are_refused_with_the_reason(changes, words):
    given = Features(**{"values": np.ones((60, 4)), "labels": np.zeros(60), **changes})
    with pytest.raises(NotApplicable, match=words):
        told(replace(sample_case(), read_features=lambda _: given))


def test_other_samples_for_the_second_model_are_refused():
    case = sample_case()

    def read(model):
        found = case.read_features(model)
        return found if model == case.model else found.rows(np.arange(len(found.labels) - 3))

    with pytest.raises(NotApplicable, match="not measured on the same samples"):
        told(replace(case, read_features=read))
