"""Mean and deviation of a stream: those of the whole, whatever it was cut into."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.training.moments import Moments, Spread, Statistics, merged, moments, pack, spread, unpack


def numbers(rows, columns, seed, offset=0.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(offset, 2.0, (rows, columns)))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(0, 99),
    st.sampled_from([0.0, 1e3, -1e7]),
)
def test_batches_merge_to_the_moments_of_the_whole_even_far_from_zero(sizes, seed, offset):
    whole = numbers(sum(sizes), 3, seed, offset)
    parts = [moments(each) for each in whole.split(sizes)]
    total = parts[0]
    for each in parts[1:]:
        total = merged(total, each)
    assert total.count == sum(sizes)
    np.testing.assert_allclose(total.mean, whole.numpy().mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(total.squares, whole.numpy().var(0) * sum(sizes), rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 99))
def test_merging_does_not_care_about_the_order(seed):
    first, second = moments(numbers(3, 2, seed)), moments(numbers(5, 2, seed + 1))
    one, other = merged(first, second), merged(second, first)
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(one.squares, other.squares, rtol=1e-12)


def test_nothing_merged_with_something_is_something():
    some = moments(numbers(3, 2, 0))
    nothing = Moments(count=0, mean=np.zeros(2), squares=np.zeros(2))
    assert merged(some, nothing) is some
    assert merged(nothing, some) is some


def test_the_places_of_a_map_count_as_samples_of_its_channels():
    maps = torch.randn(4, 3, 2, 5)
    found = spread(moments(maps))
    places = maps.transpose(0, 1).flatten(1).double().numpy()
    np.testing.assert_allclose(found.mean, places.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.std, places.std(1), rtol=1e-12)


def test_columns_that_stand_still_are_not_blown_up():
    values = numbers(50, 4, 0)
    values[:, 1], values[:, 2] = 7.0, 0.0
    found = spread(moments(values))
    typical = np.sqrt(np.mean(values.numpy().var(0)))
    np.testing.assert_allclose(found.std[[1, 2]], typical / 1000)
    np.testing.assert_allclose(found.std[[0, 3]], values.numpy().std(0)[[0, 3]], rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 123.456])
def test_where_nothing_moves_the_deviation_is_one(value):
    found = spread(moments(torch.full((9, 3), value)))
    assert found.std.tolist() == [1.0, 1.0, 1.0]


def test_statistics_come_back_from_their_file(tmp_path):
    some, other = spread(moments(numbers(9, 3, 0))), spread(moments(numbers(9, 2, 1)))
    statistics = Statistics(logits=(some, None), features=((some, other), (other, some)))
    statistics.save(tmp_path / "statistics.npz")
    found = Statistics.load(tmp_path / "statistics.npz")
    assert found.logits[1] is None
    assert len(found.features) == 2
    for one, two in [(found.logits[0], some), *zip(found.features[0], (some, other), strict=True)]:
        assert isinstance(one, Spread)
        np.testing.assert_array_equal(one.mean, two.mean)
        np.testing.assert_array_equal(one.std, two.std)


def test_teachers_without_heads_and_methods_without_stages_are_kept_too(tmp_path):
    Statistics(logits=(None, None)).save(tmp_path / "statistics.npz")
    found = Statistics.load(tmp_path / "statistics.npz")
    assert (found.logits, found.features) == ((None, None), ())


@pytest.mark.parametrize("damage", [b"", b"not an archive", "cut"])
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "statistics.npz"
    Statistics(logits=(spread(moments(numbers(9, 3, 0))),)).save(path)
    path.write_bytes(path.read_bytes()[:-40] if damage == "cut" else damage)
    with pytest.raises(InputError, match=r"statistics\.npz does not hold the statistics"):
        Statistics.load(path)


def test_no_code_is_read_from_a_file():
    file = io.BytesIO()
    np.savez(file, shape=np.array([{"code": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack(file.getvalue())
    assert unpack(pack({"a": np.arange(3)}))["a"].tolist() == [0, 1, 2]
