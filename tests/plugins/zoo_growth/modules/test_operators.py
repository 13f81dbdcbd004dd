from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo_growth.modules.operators import identity_convolution, identity_linear, pair, undo


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_identity_layers_give_back_what_they_are_given():
    assert torch.equal(identity_linear(5)(drawn(3, 5)), drawn(3, 5))
    for kernel in ((3,), (1, 3), (5, 3), (3, 3, 1)):
        x = drawn(2, 4, *(6 for _ in kernel))
        assert torch.equal(identity_convolution(4, kernel, bias=False)(x), x)


@pytest.mark.parametrize(
    ("phi", "factor"),
    [(nn.GELU(), 1), (nn.SiLU(), 1), (nn.Hardswish(), 1), (nn.LeakyReLU(0.3), 1.3)],
)
def test_a_pair_gives_back_what_it_is_given(phi, factor):
    x = drawn(8, 5).double()
    first, second = pair(5, None, factor=factor, dtype=torch.float64)
    assert torch.allclose(second(phi(first(x))), x, atol=1e-14, rtol=0)
    x = drawn(2, 4, 6, 6).double()
    first, second = pair(4, (3, 3), factor=factor, bias=False, dtype=torch.float64)
    assert first.bias is None
    assert torch.allclose(second(phi(first(x))), x, atol=1e-14, rtol=0)


@pytest.mark.parametrize("phi", [nn.Tanh(), nn.ELU(), nn.Mish(), nn.Sigmoid()])
def test_a_pair_with_another_activation_does_not(phi):
    first, second = pair(5, None, factor=1.0)
    assert not torch.allclose(second(phi(first(drawn(8, 5)))), drawn(8, 5), atol=1e-2)


def test_a_batch_norm_that_undoes_itself():
    x = drawn(6, 4, 3, 3).double() * 3 + 1
    x[:, 0] = 2.0  # a channel that never changes
    norm = nn.BatchNorm2d(4).double()
    undo(norm, x)
    assert torch.allclose(norm.eval()(x), x, atol=1e-12, rtol=0)
    assert torch.allclose(norm.eval()(-x), -x, atol=1e-12, rtol=0)
