"""The sample: deterministic, nested, proportional, at least two a class where that is possible."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zoo.probes.sample import choose, quantile_strata

strata = st.lists(st.integers(0, 6), min_size=1, max_size=120).map(np.array)
seeds = st.integers(0, 2**40)


@given(strata, st.integers(1, 130), st.integers(1, 130), seeds)
def test_a_smaller_sample_is_part_of_a_larger_one(strata, first, second, seed):
    small, large = sorted((first, second))
    assert set(choose(strata, small, seed)) <= set(choose(strata, large, seed))


@given(strata, st.integers(1, 130), seeds)
def test_a_sample_keeps_the_order_of_the_rows_and_repeats_none(strata, samples, seed):
    chosen = choose(strata, samples, seed)
    assert len(chosen) == min(samples, len(strata))
    assert (np.diff(chosen) > 0).all()
    assert (choose(strata, samples, seed) == chosen).all()


@given(strata, st.integers(14, 130), seeds)
def test_every_class_has_two_samples_where_it_can(strata, samples, seed):
    counts = np.bincount(strata)
    taken = np.bincount(strata[choose(strata, samples, seed)], minlength=len(counts))
    assert (taken >= np.minimum(counts, 2)).all()


@given(st.lists(st.integers(3, 200), min_size=2, max_size=6), st.floats(0.1, 1.0), seeds)
def test_no_class_could_hand_a_sample_to_another_and_be_nearer_to_its_share(sizes, share, seed):
    strata = np.repeat(np.arange(len(sizes)), sizes)
    samples = max(2 * len(sizes), int(share * len(strata)))
    taken = np.bincount(strata[choose(strata, samples, seed)])
    sizes = np.array(sizes)
    given_last = max([0, *((taken - 0.5) / sizes)[taken > 2]])
    assert (((taken + 0.5) / sizes)[taken < sizes] >= given_last - 1e-9).all()


def test_another_seed_takes_other_rows():
    strata = np.zeros(500, dtype=int)
    assert set(choose(strata, 50, 0)) != set(choose(strata, 50, 1))


def test_no_size_takes_every_row():
    assert choose(np.array([1, 0, 1]), None, 3).tolist() == [0, 1, 2]


def test_fewer_samples_than_classes_favour_the_large_classes():
    strata = np.repeat([0, 1, 2], [50, 5, 1])
    assert strata[choose(strata, 2, 0)].tolist() == [0, 1]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=40, max_size=200, unique=True).map(np.array),
    seeds,
)
def test_a_sample_of_a_target_spans_its_tenths(target, seed):
    strata = quantile_strata(target)
    sizes = np.bincount(strata)
    assert len(sizes) == 10
    assert sizes.max() - sizes.min() <= 1
    assert (np.diff(strata[np.argsort(target)]) >= 0).all()
    taken = np.bincount(strata[choose(strata, 20, seed)])
    assert taken.tolist() == [2] * 10
