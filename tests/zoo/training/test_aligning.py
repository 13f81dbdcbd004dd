"""Features of different networks in the form in which they are compared."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import PluginError
from zoo.training.aligning import align
from zoo.types.training import FeatureShape


def shape(width=3, grid=None):
    return FeatureShape(tap="end", width=width, grid=grid)


def test_a_map_that_has_the_grid_is_not_touched():
    values = torch.randn(2, 3, 4, 5)
    assert align(values, shape(grid=(4, 5))) is values


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_whole_multiples_are_averaged_block_by_block(height, width, down, across):
    values = torch.randn(2, 3, height * down, width * across, dtype=torch.float64)
    expected = values.view(2, 3, height, down, width, across).mean((3, 5)).float()
    torch.testing.assert_close(align(values, shape(grid=(height, width))), expected)


def test_a_map_becomes_the_mean_of_its_places_where_vectors_are_compared():
    values = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(align(values, shape()), values.flatten(2).mean(2))
    vector = torch.randn(2, 3)
    assert align(vector, shape()) is vector


def test_tokens_put_in_a_grid_become_contiguous_float32():
    tokens = torch.randn(2, 20, 3, dtype=torch.bfloat16)
    grid = tokens.unflatten(1, (4, 5)).permute(0, 3, 1, 2)
    found = align(grid, shape(grid=(4, 5)))
    assert found.is_contiguous()
    assert found.dtype == torch.float32


def test_gradients_flow_through():
    values = torch.randn(2, 3, 6, 6, requires_grad=True)
    align(values, shape(grid=(4, 4))).sum().backward()
    assert values.grad is not None
    assert values.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("values", "wanted", "message"),
    [
        (torch.zeros(2, 5, 4, 4), shape(grid=(4, 4)), "gave 5 x 4 x 4 numbers .* where 3 channels"),
        (torch.zeros(2, 4, 3), shape(), "gave 4 x 3 numbers"),
        (torch.zeros(2, 3), shape(grid=(4, 4)), "gave one vector a sample where a map"),
    ],
)
def test_features_that_were_not_announced_are_refused(values, wanted, message):
    with pytest.raises(PluginError, match=f"layer 'end' {message}"):
        align(values, wanted)
