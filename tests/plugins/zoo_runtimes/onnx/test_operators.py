"""Each translation against torch: traced with any batch size, run in ONNX Runtime with another."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from zoo_runtimes.onnx.adjoints import decompositions
from zoo_runtimes.onnx.backward import sketches
from zoo_runtimes.onnx.nodes import UntranslatedError
from zoo_runtimes.onnx.operators import translate

ROWS = torch.tensor([[2], [0], [1]])
COLUMNS = torch.tensor([3, 0])


def numbers(samples, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, *shape, generator=generator)


def run(function, samples=5, shape=(4, 4)):
    """What ONNX Runtime and torch make of fresh numbers."""
    sketch = sketches({"values": numbers(3, *shape)})
    module = make_fx(
        function,
        decomposition_table=decompositions(),
        tracing_mode="symbolic",
        _allow_non_fake_inputs=True,
    )(*sketch)
    module.graph.eliminate_dead_code()
    model = translate(module, ["values"], ["result"])
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values = numbers(samples, *shape, seed=1)
    (found,) = session.run(["result"], {"values": values.numpy()})
    return found, function(values)[0].numpy()


def gradient(function):
    """The gradient of a weighted sum of what a function gives."""

    def compute(values):
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            result = function(leaf)
            weights = torch.arange(1.0, 1 + result[0].numel()).view(result.shape[1:])
            return torch.autograd.grad((result * weights).sum(), leaf)

    return compute


def one(function):
    return lambda values: (function(values),)


CASES = {
    "rows of samples": lambda v: v[torch.arange(v.shape[0]), torch.zeros_like(v[:, 0, 0]).long()],
    "dimensions side by side": lambda v: v[:, ROWS, COLUMNS],
    "dimensions apart": lambda v: v[:, None][:, :, ROWS.flatten()[:2]],
    "one index of two dimensions": lambda v: v[:, ROWS],
    "every second": lambda v: v[:, :, ::2],
    "every third of what starts later": lambda v: v[:, 1::3],
    "the last": lambda v: v[:, -1],
    "a part": lambda v: v[:, 1:3, 2:],
    "repeated": lambda v: v.repeat(1, 2, 3),
    "repeated along a new dimension": lambda v: v.repeat(2, 1, 1, 1)[0],
    "a running sum": lambda v: v.cumsum(1),
    "a roll": lambda v: torch.roll(v, 1, dims=2),
    "a mean": lambda v: v.mean(dim=(1, 2)),
    "a norm": lambda v: torch.nn.functional.layer_norm(v, (4,)),
    "a length": lambda v: (
        torch.nn.functional.normalize(v, dim=-1) + v.norm(p=2, dim=(1, 2), keepdim=True)
    ),
    "the largest": lambda v: v.amax(dim=2),
    "a part of a softmax": lambda v: v.softmax(dim=-1)[:, :, 1:],
}


@pytest.mark.parametrize("name", CASES)
def test_forwards_and_backwards_are_those_of_torch(name):
    found, expected = run(one(CASES[name]))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    found, expected = run(gradient(CASES[name]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "indices",
    [
        (slice(None), ROWS, slice(None), COLUMNS),
        (slice(None), slice(None), ROWS, COLUMNS),
        (slice(None), COLUMNS, slice(None), slice(None)),
    ],
)
def test_wherever_the_indexed_dimensions_are(indices):
    for function in (one(lambda v: v[indices].sin()), gradient(lambda v: v[indices])):
        found, expected = run(function, shape=(4, 4, 4))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "part",
    [
        torch.nn.MaxPool2d(3, 2, 1),
        torch.nn.AvgPool2d(2),
        torch.nn.AdaptiveAvgPool2d(2),
        torch.nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3),
        torch.nn.ConvTranspose2d(3, 2, 2, stride=2),
        torch.nn.UpsamplingBilinear2d(scale_factor=2),
        torch.nn.GroupNorm(1, 3),
        torch.nn.GELU(),
        torch.nn.Hardswish(),
    ],
    ids=lambda part: type(part).__name__,
)
def test_parts_of_networks(part):
    part.requires_grad_(requires_grad=False)
    for function in (one(part), gradient(part)):
        found, expected = run(function, shape=(3, 9, 8))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_strides_that_are_no_reshape_are_refused():
    with pytest.raises(UntranslatedError, match="as_strided"):
        run(lambda v: (v.as_strided((2, 3), (1, 2)) + 0,))


def test_an_unknown_operator_is_named():
    with pytest.raises(UntranslatedError, match="cholesky"):
        run(lambda v: (torch.linalg.cholesky(v @ v.mT),))
