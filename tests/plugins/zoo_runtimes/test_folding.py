"""Batch norms are folded where that changes nothing, and left alone where it would."""

from __future__ import annotations

import pytest
import torch

from zoo.types.runtimes import RuntimeOptions, Tap
from zoo_runtimes.folding import fold_batch_norms
from zoo_runtimes.loading import Network
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point

PIXELS = {"pixel_values": torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))}
POINTS = [Point(Tap(name="out"), Pooling("spatial"), "field", field="out")]


class Output:
    def __init__(self, out):
        self.out = out


class Net(torch.nn.Module):
    """A convolution and a norm whose statistics are not the trivial ones."""

    def __init__(self, kind):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, bias=kind == "bias")
        self.norm = torch.nn.BatchNorm2d(4, affine=kind != "plain")
        self.kind = kind
        generator = torch.Generator().manual_seed(1)
        self.norm.running_mean.copy_(torch.randn(4, generator=generator))
        self.norm.running_var.copy_(torch.rand(4, generator=generator) + 0.1)
        if self.norm.weight is not None:
            self.norm.weight.data.copy_(torch.randn(4, generator=generator))

    def forward(self, pixel_values):
        raw = self.conv(pixel_values)
        if self.kind == "attribute":
            return Output(raw * self.norm.weight.view(1, -1, 1, 1))
        normed = self.norm(raw)
        return Output(normed + raw if self.kind == "reused" else normed)


def network(kind):
    return Network(Net(kind).eval().requires_grad_(False), None, head=False, pooler=False)


@pytest.mark.parametrize("kind", ["no bias", "bias", "plain"])
def test_a_norm_behind_a_convolution_is_folded(kind):
    net = network(kind)
    before = net.module(**PIXELS).out
    assert fold_batch_norms(net, POINTS, PIXELS)
    assert isinstance(net.module.norm, torch.nn.Identity)
    torch.testing.assert_close(net.module(**PIXELS).out, before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["reused", "attribute"])
def test_a_convolution_that_is_read_elsewhere_is_restored_exactly(kind):
    net = network(kind)
    before = net.module(**PIXELS).out
    assert not fold_batch_norms(net, POINTS, PIXELS)
    assert isinstance(net.module.norm, torch.nn.BatchNorm2d)
    torch.testing.assert_close(net.module(**PIXELS).out, before, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["resnet", "mobilenet_v2", "regnet", "efficientnet"])
def test_convolutional_families_are_folded_whole(name, runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint(name), RuntimeOptions())
    kinds = {type(part) for part in backbone._network.module.modules()}
    assert torch.nn.BatchNorm2d not in kinds
