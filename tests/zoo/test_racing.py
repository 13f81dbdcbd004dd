"""Racing: which samples each round has, who is dropped, and what counts in the end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.engine import ModelResult
from zoo.racing import Lap, behind, race
from zoo.rounds import FIRST, LEAST, rounds_of, slices_of
from zoo.types import Probe, RankingRow


def probe_of(labels, task="classification", seed=0):
    labels = np.asarray(labels)
    return Probe(
        name="x",
        source="x",
        task=task,
        modality="text",
        inputs=[""] * len(labels),
        labels=labels,
        label_names=(),
        fingerprint="x",
        seed=seed,
    )


def row(model, low, high, tied_with=()):
    return RankingRow(
        model=model,
        rank=1,
        score=(low + high) / 2,
        interval=(low, high),
        tied=bool(tied_with),
        tied_with=tied_with,
        layer="late",
        estimators={},
    )


class TestRounds:
    @given(st.integers(1, 20_000), st.one_of(st.none(), st.integers(1, 300)))
    def test_they_double_up_to_every_sample_and_start_with_enough(self, samples, classes):
        rounds = rounds_of(samples, classes)
        assert rounds[-1] == samples
        assert len(rounds) <= 1 + FIRST.bit_length() - 1
        assert all(later // 2 == sooner for sooner, later in pairwise(rounds))
        if len(rounds) > 1:
            assert rounds[0] >= max(LEAST, 2 * (classes or 1))

    def test_a_thousand_samples_make_four_rounds(self):
        assert rounds_of(1000, 10) == (125, 250, 500, 1000)

    def test_too_few_samples_make_one(self):
        assert rounds_of(60, 3) == (60,)

    @given(st.lists(st.integers(0, 4), min_size=60, max_size=300), st.integers(0, 3))
    def test_slices_are_nested_whole_and_have_every_class(self, labels, seed):
        labels = np.unique(labels, return_inverse=True)[1]
        rounds = rounds_of(len(labels), len(set(labels)))
        slices = slices_of(probe_of(labels, seed=seed), rounds)
        every = np.concatenate(slices)
        assert sorted(every) == list(range(len(labels)))
        for number, size in enumerate(rounds, start=1):
            rows = np.concatenate(slices[:number])
            assert len(rows) == size
            assert set(labels[rows]) == set(labels)
        assert all((np.diff(rows) > 0).all() for rows in slices)

    @pytest.mark.parametrize(
        ("labels", "task"),
        [
            (np.linspace(0, 1, 200), "regression"),
            (np.zeros((200, 2)), "regression"),
            (np.eye(2)[np.arange(200) % 2], "multi-label"),
            (np.arange(200), "text"),
        ],
    )
    def test_every_task_can_be_cut(self, labels, task):
        slices = slices_of(probe_of(labels, task), (50, 100, 200))
        assert [len(rows) for rows in slices] == [50, 50, 100]
        assert len(np.unique(np.concatenate(slices))) == 200

    def test_the_first_round_of_a_regression_spans_the_targets(self):
        (first, _) = slices_of(probe_of(np.arange(200.0), "regression"), (50, 200))
        assert np.histogram(first, bins=10, range=(0, 200))[0].tolist() == [5] * 10


class TestBehind:
    LEADER = row("leader", 0.8, 0.9)
    SECOND = row("second", 0.1, 0.2)

    def test_whoever_lies_wholly_below_the_leader_is_dropped(self):
        rows = [self.LEADER, self.SECOND, row("low", 0.12, 0.31)]
        assert behind(rows) == {"low": "0.12 to 0.31 beside 0.80 to 0.90"}

    def test_intervals_that_touch_are_kept(self):
        assert behind([self.LEADER, self.SECOND, row("close", 0.5, 0.8)]) == {}

    def test_a_tie_is_kept_whatever_the_intervals_say(self):
        rows = [self.LEADER, self.SECOND, row("tied", 0.1, 0.2, tied_with=("leader",))]
        assert behind(rows) == {}

    def test_the_runner_up_goes_on_so_that_there_is_something_to_compare_with(self):
        assert behind([self.LEADER, self.SECOND]) == {}

    def test_nobody_is_behind_nobody(self):
        assert behind([]) == {}
        assert behind([self.LEADER]) == {}


class TestRace:
    """A race of models whose intervals are given."""

    ROWS = (
        row("a", 0.8, 0.9),
        row("b", 0.6, 0.7),
        row("c", 0.3, 0.5),
        row("d", 0.6, 0.85),
    )

    def run(self, rounds=(50, 100, 200), *, unreached=None, broken=None, time=10):
        self.asked = []
        left = iter([True] * time + [False] * 10)

        def measure(models, number):
            self.asked.append((number, list(models)))
            gone = [model for model in models if (model, number) in (unreached or ())]
            bad = [model for model in models if (model, number) in (broken or ())]
            results = {
                model: ModelResult(model=model, score_seconds=number)
                for model in models
                if model not in {*gone, *bad}
            }
            return Lap(results=results, unreached=gone)

        def rank(results, number):
            return [each for each in self.ROWS if each.model in results]

        return race("abcd", rounds, measure=measure, rank=rank, time_left=lambda: next(left))

    def test_those_behind_are_dropped_and_the_others_go_on(self):
        raced = self.run()
        assert self.asked == [(1, list("abcd")), (2, list("abd")), (3, list("abd"))]
        assert list(raced.results) == list("abd")
        assert raced.rounds == 3
        (dropped,) = raced.dropped
        assert dropped.model == "c"
        assert dropped.reason == (
            "raced out after 50 of 200 samples: 0.30 to 0.50 beside 0.80 to 0.90"
        )

    def test_when_time_is_up_nobody_is_dropped_any_more(self):
        raced = self.run(time=0)
        assert (raced.rounds, list(raced.results), raced.dropped) == (1, list("abcd"), [])

    def test_the_last_round_that_every_survivor_finished_counts(self):
        raced = self.run(unreached={("b", 3)})
        assert raced.rounds == 2
        assert {result.score_seconds for result in raced.results.values()} == {2}
        assert list(raced.results) == list("abd")
        assert raced.unreached == []

    def test_who_was_never_reached_is_said(self):
        raced = self.run(unreached={("b", 1), ("c", 1)})
        assert raced.unreached == ["b", "c"]
        assert list(raced.results) == ["a", "d"]

    def test_who_breaks_on_the_way_is_not_ranked_by_an_earlier_round(self):
        raced = self.run(broken={("d", 3)}, unreached={("b", 3)})
        assert raced.rounds == 2
        assert list(raced.results) == ["a", "b"]

    def test_one_round_is_no_race(self):
        raced = self.run(rounds=(60,))
        assert (raced.rounds, raced.dropped) == (1, [])
