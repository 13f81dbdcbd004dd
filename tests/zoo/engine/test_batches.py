from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.engine.batches import run_in_batches
from zoo.errors import OutOfMemoryError

COSTS = st.lists(st.integers(1, 500), max_size=200)


def cost_of(batch, costs):
    return len(batch) * max(costs[index] for index in batch)


@given(COSTS, st.integers(1, 3000))
def test_every_input_comes_exactly_once_within_the_budget(costs, budget):
    batches = []
    assert run_in_batches(costs, budget, batches.append) == budget
    assert sorted(index for batch in batches for index in batch) == list(range(len(costs)))
    for batch in batches:
        assert len(batch) == 1 or cost_of(batch, costs) <= budget


@given(COSTS, st.integers(1, 3000))
def test_batches_are_as_large_as_the_budget_allows(costs, budget):
    batches = []
    run_in_batches(costs, budget, batches.append)
    for batch in batches[:-1]:
        assert (len(batch) + 1) * max(costs[index] for index in batch) > budget


@given(COSTS, st.integers(1, 3000))
def test_the_most_expensive_inputs_come_first_and_ties_in_their_order(costs, budget):
    batches = []
    run_in_batches(costs, budget, batches.append)
    order = [(-costs[index], index) for batch in batches for index in batch]
    assert order == sorted(order)


@given(COSTS, st.integers(1, 3000), st.integers(1, 2000))
def test_out_of_memory_makes_smaller_batches_and_loses_nothing(costs, budget, memory):
    done, tried = [], []

    def forward(batch):
        tried.append(cost_of(batch, costs))
        if len(batch) > 1 and cost_of(batch, costs) > memory:
            raise OutOfMemoryError("too much")
        done.extend(batch)

    held = run_in_batches(costs, budget, forward)
    assert sorted(done) == list(range(len(costs)))
    assert held <= budget
    assert len(tried) <= 2 * len(costs) + 12


def test_a_batch_that_does_not_fit_is_halved_for_good():
    sizes = []

    def forward(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise OutOfMemoryError("too much")

    run_in_batches([10] * 9, 80, forward)
    assert sizes == [8, 4, 2, 2, 2, 2, 1]


@pytest.mark.parametrize("error", [OutOfMemoryError("it is too big."), MemoryError()])
def test_one_input_that_does_not_fit_is_an_error_with_a_hint(error):
    def forward(batch):
        raise error

    with pytest.raises(OutOfMemoryError) as caught:
        run_in_batches([5, 5], 10, forward)
    assert "ZOO_JOBS=1" in caught.value.hint
    assert caught.value.message


def test_the_runtimes_own_words_on_memory_are_kept():
    def forward(batch):
        raise OutOfMemoryError("the picture is too big.", "Shrink it.")

    with pytest.raises(OutOfMemoryError) as caught:
        run_in_batches([5], 10, forward)
    assert (caught.value.message, caught.value.hint) == ("the picture is too big.", "Shrink it.")


def test_nothing_to_do_is_fine():
    assert run_in_batches([], 10, lambda batch: pytest.fail("no batch expected")) == 10
