"""The measures of a transfer, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.types import TransferRecord
from zoo_explanation.contexts.transferability import (
    INDEX,
    general_factors,
    generality,
    outcomes,
    specificity,
    transferability,
)


def test_the_index_is_what_a_person_computes():
    # (0.8 - 0.64) / 0.64 = 0.25; (0.88 - 0.8) / 0.8 = 0.1
    assert specificity(0.8, 0.64) == pytest.approx(0.25)
    assert generality(0.8, 0.88) == pytest.approx(0.1)
    assert transferability(0.8, 0.64, 0.88) == pytest.approx(-0.15)


@pytest.mark.parametrize("results", [(0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (float("nan"), 0.5, 0.5)])
def test_results_that_are_not_above_zero_are_refused(results):
    with pytest.raises(InputError, match="has to be above zero"):
        transferability(*results)


def test_factors_are_shares_of_the_right_set():
    found = general_factors({"dog", "cat", "animal"}, {"dog", "animal", "wolf", "canine"})
    assert (found.new, found.obsolete, found.invariant) == (2 / 4, 1 / 3, 2 / 5)
    with pytest.raises(InputError, match="without any entailment"):
        general_factors(set(), {"dog"})


@given(
    st.sets(st.integers(0, 9), min_size=1),
    st.sets(st.integers(0, 9), min_size=1),
)
def test_nothing_is_new_to_a_domain_itself_and_the_factors_mirror_each_other(one, other):
    there, back = general_factors(one, other), general_factors(other, one)
    assert (there.new, there.invariant) == (back.obsolete, back.invariant)
    assert general_factors(one, one).invariant == 1.0


def record(target, value, **quantities):
    return TransferRecord(source="m", target=target, value=value, quantities=quantities)


def test_the_outcome_is_the_index_only_where_every_record_has_its_results():
    full = [record("t", 0.9, local=0.8, hard=0.64, soft=0.88)]
    assert outcomes(full) == (pytest.approx([-0.15]), INDEX)
    mixed = [*full, record("t", 0.5), record("u", 0.2)]
    values, measure = outcomes(mixed)
    assert values == pytest.approx([0.2, -0.2, 0.0])
    assert "median" in measure
