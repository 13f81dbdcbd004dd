"""MobileNet V1 and V2, tiny ones and the real checkpoints."""

from __future__ import annotations

import copy
import io
import json
import os
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import InputError
from zoo.growing.proof import compare
from zoo.growing.work import carry_out, draw
from zoo.testing.growth import try_growth
from zoo.types.growing import Deepen, Widen
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import RuntimeOptions
from zoo_growth.families.mobilenet import MobileNet
from zoo_growth.net2net import Net2Net
from zoo_runtimes.torch_runtime import TorchRuntime

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
INPUTS = {"pixel_values": PIXELS}
KINDS = ("V1ForImageClassification", "V1Model", "V2ForImageClassification", "V2Model")
SMALL = {"min_depth": 2, "classifier_dropout_prob": 0.0}
SMALL_V2 = {**SMALL, "depth_divisible_by": 2, "finegrained_output": False}


def mobilenet(kind="V2ForImageClassification", *, width=0.1, **more):
    made = getattr(transformers, f"MobileNet{kind}")
    small = SMALL if kind.startswith("V1") else SMALL_V2
    return made(made.config_class(depth_multiplier=width, num_labels=5, **{**small, **more}))


def trial(module, *steps, seed=0, config=None):
    return try_growth(module, INPUTS, MobileNet(), Net2Net(), steps, seed=seed, config=config)


@settings(max_examples=4, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    width=st.floats(0.08, 0.14),
    factor=st.floats(1.2, 2.5),
    seed=st.integers(0, 99),
)
def test_any_multiplier_is_exact(kind, width, factor, seed):
    module = mobilenet(kind, width=width)
    try:
        found = trial(module, Widen(width=f"{factor:.3f}x"), seed=seed)
    except InputError:  # two widths are rounded to the same in one network alone
        assume(False)
    assert found.passed, (found.fp64, found.fp32)
    assert not found.grown.drawing.reasons


@pytest.mark.parametrize(
    "more",
    [
        {"first_layer_is_expansion": False, "output_stride": 8},
        {"finegrained_output": True, "width": 0.2},
    ],
)
def test_what_else_the_second_version_can_be_is_exact(more):
    assert trial(mobilenet(**more), Widen(width="2x")).passed


def test_the_head_of_a_segmentation_keeps_its_width():
    found = trial(mobilenet("V2ForSemanticSegmentation", output_stride=16), Widen(width="2x"))
    assert found.passed
    head = found.grown.network.module.segmentation_head
    assert head.conv_aspp.convolution.out_channels == 256


@pytest.mark.parametrize("kind", ["V1ForImageClassification", "V2ForImageClassification"])
def test_wider_is_exact_in_training_too(kind):
    found = trial(mobilenet(kind), Widen(width="2x"))
    modules = [copy.deepcopy(each.module).train() for each in (found.old, found.grown.network)]
    pixels = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        before, after = (each(pixel_values=pixels).logits for each in modules)
    assert float((before - after).abs().max()) <= 1e-9 * max(1, float(before.abs().max()))


def test_the_wider_channels_of_an_expansion_grow_alone():
    module = mobilenet()
    config = copy.deepcopy(module.config)
    config.expand_ratio = 8.0
    found = trial(module, config=config)
    axes = found.grown.drawing.blueprint.axes
    assert found.passed
    assert axes["expanded 3"].new > axes["expanded 3"].old
    assert axes["layer 2"].new == axes["layer 2"].old


def test_an_addition_that_rounding_takes_away_is_refused():
    module = mobilenet(width=0.05, depth_divisible_by=8, min_depth=8)
    with pytest.raises(InputError, match=r"layer \d+ adds its input to its output no longer"):
        trial(module, Widen(width="10x"))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Deepen(depth="+1"), "a MobileNet has as many layers as its paper says"),
        (Widen(heads="2x"), "a MobileNet has no size of its own called heads"),
        (Widen(width="0.5x"), "narrower"),
        (Widen(width="64"), "'64' is no factor"),
    ],
)
def test_a_size_that_cannot_be_is_said_in_one_sentence(step, message):
    with pytest.raises(InputError, match=message):
        MobileNet().grown(mobilenet().config, [step])


def test_a_configuration_that_is_no_larger_one_is_refused():
    module = mobilenet()
    for field, value, message in (
        ("depth_multiplier", 0.05, "would shrink"),
        ("output_stride", 8, "output_stride would become 8"),
        ("first_layer_is_expansion", False, "first_layer_is_expansion would become False"),
    ):
        config = copy.deepcopy(module.config)
        setattr(config, field, value)
        with pytest.raises(InputError, match=message):
            trial(module, config=config)


def _checkpoints():
    found = []
    for path in sorted(DATA.glob("zoo/*/config.json")):
        if json.loads(path.read_text(encoding="utf-8"))["model_type"].startswith("mobilenet"):
            found.append(path.parent)
    absent = pytest.mark.skip(reason=f"no MobileNet in {DATA}; ZOO_SHARED_DATA names another")
    return [pytest.param(each, id=each.name) for each in found] or [
        pytest.param(None, marks=absent)
    ]


@pytest.fixture(scope="module")
def photographs():
    shards = sorted(DATA.glob("images/flowers5/data/train-*.parquet"))
    if not shards:
        return []
    import pyarrow.parquet as pq

    cells = pq.read_table(shards[0], columns=["image"]).slice(0, 2)["image"].to_pylist()
    return [Image.open(io.BytesIO(cell["bytes"])).convert("RGB") for cell in cells]


@pytest.mark.parametrize("folder", _checkpoints())
def test_every_real_checkpoint_grows_exactly(folder, photographs):
    sounds = not (folder / "preprocessor_config.json").exists()
    entry = ModelEntry(ref=f"./{folder.name}", modality="audio" if sounds else "image")
    checkpoint = Checkpoint(entry=entry, folder=str(folder), digest=folder.name)
    old = TorchRuntime().open_whole(checkpoint, RuntimeOptions(device="cpu"))
    family, grower = MobileNet(), Net2Net()
    drawing = draw(old, family, grower, family.grown(old.config, [Widen(width="1.25x")]))
    assert not drawing.reasons
    old.module.double()
    new = carry_out(old, drawing, grower).network
    noise = old.inputs(2, 0)["pixel_values"][..., :96, :96]
    batches = [{"pixel_values": noise}]
    if photographs and not sounds:
        pixels = old.inputs(2, 0, photographs)["pixel_values"]
        batches.append({"pixel_values": pixels[..., 32:128, 32:128]})
    for batch in batches:
        assert compare(old, new, drawing, batch, "fp64").passed
    old.module.float()
    new.module.float()
    for batch in batches:
        assert compare(old, new, drawing, batch, "fp32").passed
