"""Short numbers for the passes, float32 for the pooling and the attributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.errors import CheckpointError, InputError
from zoo.types.runtimes import HasHead, OnDevice, RuntimeOptions
from zoo_runtimes import devices
from zoo_runtimes.pooling import Pooling

SHORT = ("bf16", "fp16")
CPU = torch.device("cpu")
TEXTS = ["the cat", "a zoo of checkpoints and the words that they read best", "not of an"]


def opened(runtime, checkpoint, precision="fp32"):
    return runtime.open(checkpoint, RuntimeOptions(precision=precision))


def features(runtime, checkpoint, inputs, precision):
    backbone = opened(runtime, checkpoint, precision)
    return backbone.extract(backbone.encode(inputs), [tap.name for tap in backbone.taps])


@pytest.mark.parametrize("precision", SHORT)
@pytest.mark.parametrize("name", ["resnet", "vit", "bert"])
def test_short_numbers_change_features_by_their_own_rounding(
    name, precision, runtime, tiny_checkpoint, images
):
    checkpoint = tiny_checkpoint(name)
    inputs = TEXTS if name == "bert" else runtime.prepare(checkpoint, images[:3])
    exact = features(runtime, checkpoint, inputs, "fp32")
    short = features(runtime, checkpoint, inputs, precision)
    assert list(short) == list(exact)
    for tap, values in short.items():
        assert values.dtype == np.float32
        error = np.abs(values - exact[tap]).max() / np.abs(exact[tap]).max()
        assert error < 0.1, tap
    assert any(not np.array_equal(values, exact[tap]) for tap, values in short.items())


@pytest.mark.parametrize("precision", SHORT)
def test_attributions_are_computed_in_float32_whatever_the_passes_use(
    precision, runtime, tiny_checkpoint
):
    checkpoint = tiny_checkpoint("bert")
    exact, short = opened(runtime, checkpoint), opened(runtime, checkpoint, precision)
    maps = [
        each.attribute(each.encode(TEXTS), ["head_input"], "gradient_x_input")["head_input"]
        for each in (exact, short)
    ]
    np.testing.assert_array_equal(*maps)


def test_the_taps_do_not_depend_on_the_precision(runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint("mobilenet_v2")
    assert opened(runtime, checkpoint, "bf16").taps == opened(runtime, checkpoint).taps


@pytest.mark.parametrize("kind", ["masked", "tokens", "spatial"])
def test_short_numbers_are_pooled_in_float32(kind):
    shape = (2, 3, 16, 16) if kind == "spatial" else (2, 256, 3)
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0)).bfloat16()
    mask = torch.ones(2, 256, dtype=torch.long) if kind == "masked" else None
    exact = Pooling(kind)(values.float(), mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = Pooling(kind)(values, mask)
    torch.testing.assert_close(pooled, exact, rtol=1e-6, atol=0)


def test_int8_is_refused_with_what_to_type_instead(runtime, tiny_checkpoint):
    with pytest.raises(InputError, match="not in 'int8'") as caught:
        opened(runtime, tiny_checkpoint("vit"), "int8")
    assert "--runtime onnx" in caught.value.hint


def test_what_torch_refuses_on_a_device_is_said_before_the_first_pass(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'\nC++ stack")

    devices._refusal.cache_clear()
    monkeypatch.setattr(torch.nn.functional, "conv2d", refuse)
    with pytest.raises(InputError, match=r"cpu does not compute in fp16: .*'Half'\.$") as caught:
        devices.check_precision("fp16", CPU)
    devices._refusal.cache_clear()
    assert "fp32" in caught.value.hint


def test_a_pass_that_fails_in_short_numbers_names_them(
    runtime, tiny_checkpoint, monkeypatch, images
):
    checkpoint = tiny_checkpoint("resnet")
    backbone = opened(runtime, checkpoint, "bf16")
    batch = backbone.encode(runtime.prepare(checkpoint, images[:1]))

    def refuse(*_, **__):
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(torch.nn.Conv2d, "forward", refuse)
    with pytest.raises(CheckpointError, match="its forward pass fails in bf16") as caught:
        backbone.extract(batch, ["logits"])
    assert caught.value.hint == "Use --precision fp32."


def test_a_backbone_says_where_it_runs_and_what_its_logits_mean(runtime, tiny_checkpoint):
    backbone = opened(runtime, tiny_checkpoint("vit"))
    assert isinstance(backbone, OnDevice)
    assert backbone.device == "cpu"
    assert isinstance(backbone, HasHead)
    assert backbone.head is not None
    assert backbone.head.labels == tuple(f"LABEL_{number}" for number in range(5))
    assert backbone.head.kind == "classification"
    assert opened(runtime, tiny_checkpoint("vit", head=False)).head is None
