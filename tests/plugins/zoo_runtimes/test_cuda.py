"""The same answers on a GPU; every test here is skipped where PyTorch finds none."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from zoo import algebra
from zoo.factorisation import Factorisation
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes import devices, transfers

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch finds no CUDA device on this machine"
)

NAMES = ("resnet", "mobilenet_v2", "convnext", "vit", "swin", "bert", "gpt2")
TEXTS = [f"the cat reads {'words and ' * (number % 7)}more" for number in range(40)]
#: Largest difference, over the largest value of the tap; random networks amplify rounding.
TOLERANCE = {"fp32": 1e-4, "bf16": 0.25, "fp16": 0.05}


def inputs_of(checkpoint, runtime, images):
    if checkpoint.entry.modality == "text":
        return TEXTS
    return runtime.prepare(checkpoint, images * 5)


def features(runtime, checkpoint, inputs, **options):
    backbone = runtime.open(checkpoint, RuntimeOptions(**options))
    try:
        return backbone.extract(backbone.encode(inputs), [tap.name for tap in backbone.taps])
    finally:
        backbone.close()


def assert_close(found, expected, tolerance):
    assert list(found) == list(expected)
    for tap, values in expected.items():
        difference = np.abs(found[tap] - values).max() / np.abs(values).max()
        assert difference <= tolerance, tap


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("name", NAMES)
def test_features_are_those_of_the_processor(name, precision, runtime, tiny_checkpoint, images):
    if precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU does not compute in bf16")
    checkpoint = tiny_checkpoint(name)
    inputs = inputs_of(checkpoint, runtime, images)
    exact = features(runtime, checkpoint, inputs)
    found = features(runtime, checkpoint, inputs, device="cuda", precision=precision)
    assert_close(found, exact, TOLERANCE[precision])


def test_parts_that_overlap_give_what_one_part_gives(runtime, tiny_checkpoint, images, monkeypatch):
    checkpoint = tiny_checkpoint("vit")
    inputs = inputs_of(checkpoint, runtime, images) * 8
    in_parts = features(runtime, checkpoint, inputs, device="cuda")
    monkeypatch.setattr(transfers, "_PARTS", 1)
    assert_close(in_parts, features(runtime, checkpoint, inputs, device="cuda"), 1e-5)


def test_attributions_are_those_of_the_processor(runtime, tiny_checkpoint):
    checkpoint = tiny_checkpoint("bert")
    maps = []
    for device in ("cpu", "cuda"):
        backbone = runtime.open(checkpoint, RuntimeOptions(device=device))
        batch = backbone.encode(TEXTS[:4])
        maps.append(backbone.attribute(batch, ["head_input"], "gradient_x_input"))
    assert_close(maps[1], maps[0], 1e-3)


def test_a_closed_backbone_leaves_no_memory_behind(runtime, tiny_checkpoint, images):
    checkpoint = tiny_checkpoint("resnet")
    inputs = inputs_of(checkpoint, runtime, images)
    features(runtime, checkpoint, inputs, device="cuda")  # what the libraries keep for themselves
    gc.collect()
    before = torch.cuda.memory_allocated()
    features(runtime, checkpoint, inputs, device="cuda")
    gc.collect()
    assert torch.cuda.memory_allocated() <= before


def test_the_backbone_says_which_device_it_is_on(runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint("vit"), RuntimeOptions(device="cuda:0"))
    assert backbone.device == "cuda:0"


def test_short_convolutions_alone_are_laid_out_for_tensor_cores(runtime, tiny_checkpoint):
    module = runtime.open(tiny_checkpoint("resnet"), RuntimeOptions())._network.module
    device = torch.device("cuda:0")
    assert devices.prefers_channels_last(module, device, "fp16")
    assert not devices.prefers_channels_last(module, device, "fp32")


@pytest.mark.parametrize("name", ["resnet", "vit", "bert"])
def test_onnx_on_a_gpu_gives_the_features_of_torch(
    name, runtime, tiny_checkpoint, images, tmp_path
):
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("zoo_runtimes.onnx.runtime")
    if not any(each.ep_name == "CUDAExecutionProvider" for each in onnxruntime.get_ep_devices()):
        pytest.skip("onnxruntime finds no CUDA device; it needs onnxruntime-gpu")
    checkpoint = tiny_checkpoint(name)
    inputs = inputs_of(checkpoint, runtime, images)
    cache = str(tmp_path)
    found = features(onnx.OnnxRuntime(), checkpoint, inputs, device="cuda", cache=cache)
    assert_close(found, features(runtime, checkpoint, inputs), TOLERANCE["fp32"])


@pytest.mark.parametrize("shape", [(3000, 1100), (1100, 3000)])
def test_the_algebra_on_a_gpu_agrees_to_a_billionth(shape):
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with algebra.lent("cuda:0"):
        lent = Factorisation(values)
        found = lent.eigenvalues, lent.gram
    exact = Factorisation(values)
    for ours, theirs in zip(found, (exact.eigenvalues, exact.gram), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
