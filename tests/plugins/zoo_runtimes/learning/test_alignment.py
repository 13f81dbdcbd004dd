"""Layers become maps or vectors, and stay what they were when the network goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from zoo.types.runtimes import Tap
from zoo_runtimes.learning.alignment import Alignment, align
from zoo_runtimes.loading import Network
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point, Reader


class Overwriting(nn.Module):
    """Its activation writes into what the normalisation before it returned."""

    def __init__(self, *, inplace):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.activation = nn.ReLU(inplace=inplace)

    def forward(self, pixel_values):
        values = self.activation(self.norm(self.convolution(pixel_values)))
        return SimpleNamespace(logits=values.mean((2, 3)))


def made(*, inplace):
    torch.manual_seed(0)
    network = Network(Overwriting(inplace=inplace).eval(), None, head=True, pooler=False)
    points = [
        Point(Tap(name=name), Pooling("spatial"), "output", module=name)
        for name in ("norm", "activation")
    ]
    return network, points


@pytest.mark.parametrize("inplace", [True, False])
def test_only_what_is_overwritten_is_copied(inplace):
    network, points = made(inplace=inplace)
    pixels = torch.randn(2, 3, 5, 5)
    aligned, shapes = align(network, points, {"pixel_values": pixels})
    assert [point.pooling.copies for point in aligned] == [inplace, False]
    assert [(shape.width, shape.grid) for shape in shapes] == [(4, (5, 5))] * 2
    reader = Reader(network, aligned)
    found = reader({"pixel_values": pixels}, None)
    reader.close()
    expected = network.module.norm(network.module.convolution(pixels))
    torch.testing.assert_close(found["norm"], expected)
    torch.testing.assert_close(found["activation"], expected.relu())


def test_gradients_pass_an_overwritten_layer():
    network, points = made(inplace=True)
    pixels = torch.randn(2, 3, 5, 5)
    aligned, _ = align(network, points, {"pixel_values": pixels})
    reader = Reader(network, aligned)
    reader({"pixel_values": pixels}, None)["norm"].square().sum().backward()
    assert network.module.convolution.weight.grad.abs().sum() > 0


def test_tokens_become_a_grid_without_the_special_ones():
    tokens = torch.arange(2 * 11 * 3).float().view(2, 11, 3)
    found = Alignment("tokens", 2)(tokens, None)
    assert found.shape == (2, 3, 3, 3)
    assert found.is_contiguous()
    for row in range(3):
        for column in range(3):
            torch.testing.assert_close(
                found[:, :, row, column], tokens[:, 2 + 3 * row + column], rtol=0, atol=0
            )


def test_tokens_that_are_no_square_are_averaged():
    tokens = torch.randn(2, 7, 3)
    torch.testing.assert_close(Alignment("tokens", 1)(tokens, None), tokens[:, 1:].mean(1))


def test_channels_move_to_the_front():
    values = torch.randn(2, 4, 4, 3)
    found = Alignment("spatial_last")(values, None)
    assert found.shape == (2, 3, 4, 4)
    torch.testing.assert_close(found, values.permute(0, 3, 1, 2))


def test_texts_are_averaged_under_their_mask():
    values, mask = torch.randn(2, 4, 3), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    found = Alignment("masked")(values, mask)
    torch.testing.assert_close(found, torch.stack([values[0, :2].mean(0), values[1].mean(0)]))


def test_short_numbers_become_float32():
    values = torch.randn(2, 3, 4, 4, dtype=torch.bfloat16)
    assert Alignment("spatial")(values, None).dtype == torch.float32
