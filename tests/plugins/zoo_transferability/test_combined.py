"""Evidence and prior as one score, and the weights that come with it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import NotApplicable
from zoo.types import ModelEntry, Score, ScoreRecord
from zoo.types.protocols import Contestant
from zoo_transferability import combined, prior
from zoo_transferability.combined import Combined

REPOSITORY = Path(__file__).parents[3]


def _contestant(size, *, estimators=4, saturated=0):
    records = {
        f"e{n}": ScoreRecord(
            model="m", layer="head", estimator=f"e{n}", value=1.0, saturated=n < saturated
        )
        for n in range(estimators)
    }
    return Contestant(entry=None, prior=None if size is None else Score(size), records=records)


def _values(contestants, shares, **weights):
    scores = Combined(**weights).combine(contestants, np.array(shares))
    return np.array([each.value for each in scores])


def test_equal_evidence_leaves_the_prior():
    values = _values([_contestant(7.0), _contestant(8.0), _contestant(6.0)], [0.5, 0.5, 0.5])
    assert np.diff(values)[0] == pytest.approx(prior.learned().parameters)
    assert values.argmax() == 1


def test_equal_priors_leave_the_evidence():
    values = _values([_contestant(7.0)] * 3, [0.2, 0.9, 0.4])
    assert values.argsort().tolist() == [0, 2, 1]


@given(
    st.lists(
        st.tuples(st.floats(5, 9), st.floats(0, 1), st.integers(1, 8)), min_size=2, max_size=9
    ),
    st.data(),
)
def test_more_evidence_or_a_larger_prior_is_never_worse(models, data):
    contestants = [_contestant(size, estimators=count) for size, _, count in models]
    evidence = [share for _, share, _ in models]
    before = _values(contestants, evidence)
    index = data.draw(st.integers(0, len(models) - 1))
    raised = [min(1.0, each + 0.1 * (n == index)) for n, each in enumerate(evidence)]
    assert _values(contestants, raised)[index] >= before[index]
    size, _, count = models[index]
    contestants[index] = _contestant(size + 1.0, estimators=count)
    gain = _values(contestants, evidence) - before
    assert gain.argmax() == index


@given(st.permutations(range(4)))
def test_the_order_of_the_candidates_does_not_matter(order):
    contestants = [_contestant(size) for size in (6.0, 7.5, None, 8.0)]
    evidence = [0.9, 0.1, 0.7, 0.3]
    shuffled = _values([contestants[n] for n in order], [evidence[n] for n in order])
    assert shuffled == pytest.approx(_values(contestants, evidence)[list(order)])


def test_many_estimators_weigh_more_than_one_and_saturated_ones_do_not_count():
    evidence = [0.9, 0.1]
    spread = [
        float(-np.diff(_values([_contestant(7.0, estimators=n)] * 2, evidence))[0])
        for n in (1, 4, 20)
    ]
    assert spread == sorted(spread)
    full = prior.learned().evidence * 2 * math.log((0.9 + 0.5) / (1.5 - 0.9))
    assert spread[-1] < full
    saturated = _values([_contestant(7.0, estimators=4, saturated=3)] * 2, evidence)
    assert float(-np.diff(saturated)[0]) == pytest.approx(spread[0])


def test_a_candidate_without_a_prior_is_taken_for_an_average_one_and_says_so():
    scores = Combined().combine(
        [_contestant(6.0), _contestant(None), _contestant(8.0)], np.array([0.5, 0.5, 0.5])
    )
    assert scores[1].value == pytest.approx((scores[0].value + scores[2].value) / 2)
    assert "no prior" in scores[1].note


def test_sizes_beyond_those_learned_from_count_as_the_nearest():
    weights = prior.learned()
    assert 1e6 < weights.smallest < 1e7 < 1e8 < weights.largest

    def spread(*sizes):
        contestants = [
            replace(_contestant(math.log10(size)), entry=ModelEntry(ref="m", parameters=size))
            for size in sizes
        ]
        return float(np.diff(_values(contestants, [0.5, 0.5]))[0])

    assert spread(50_000, 900_000) == pytest.approx(0.0)
    assert spread(10**9, 10**10) == pytest.approx(0.0)
    assert spread(10**7, 10**8) == pytest.approx(weights.parameters)
    decades = math.log10(10**7 / weights.smallest)
    assert spread(50_000, 10**7) == pytest.approx(weights.parameters * decades)


def test_without_priors_there_is_nothing_to_combine():
    with pytest.raises(NotApplicable, match="prior"):
        Combined().combine([_contestant(None), _contestant(7.0)], np.array([0.5, 0.5]))


def test_a_person_can_trust_the_estimators_further():
    contestants = [_contestant(8.0), _contestant(7.0)]
    assert _values(contestants, [0.0, 1.0], evidence=10.0).argmax() == 1
    assert _values(contestants, [0.0, 1.0], evidence=0.0).argmax() == 0
    assert _values(contestants, [0.4, 0.6], parameters=0.0).argmax() == 1


def test_the_stored_weights_are_positive_and_name_the_scripts_that_made_them():
    path = Path(combined.__file__).with_name("combined_weights.json")
    stored = json.loads(path.read_text())
    assert all(value > 0 for value in stored["weights"].values())
    sources = [REPOSITORY / "benchmarks" / name for name in stored["scripts"]]
    if not all(each.exists() for each in sources):
        pytest.skip("the benchmarks are not beside these tests")
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()
    assert stored["sha256"] == digest, "run benchmarks/learn_combined.py again"


def test_the_stored_weights_are_no_worse_than_the_prior_on_data_sets_left_out():
    path = Path(combined.__file__).with_name("combined_weights.json")
    rows = json.loads(path.read_text())["weighted_tau"]["one data set left out"]
    assert rows[-1]["combined"] >= rows[-1]["prior"]
