"""A network goes on with what is put in the place of its features."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zoo.errors import InputError, UnknownNameError
from zoo.types.runtimes import RuntimeOptions, Tap
from zoo.types.training import StudentRequest
from zoo_runtimes.learning.alignment import Alignment, align
from zoo_runtimes.learning.altering import altered, put_back
from zoo_runtimes.learning.inputs import TextReader
from zoo_runtimes.loading import Network
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point, Reader

OPTIONS = RuntimeOptions()
REQUEST = StudentRequest(labels=("crane", "fish", "cat"), seed=3)
# Of so different lengths that they are read in groups.
TEXTS = ["a cat", "it was good", "the dog and the bird " * 5, "this picture is not bad " * 8]
NAMES = ("resnet", "convnext", "vit", "swin", "bert", "albert")


@pytest.fixture
def opened(runtime, tiny_checkpoint):
    """``opened("vit")`` -> (student in eval mode, inputs of four samples)."""

    def open_(name, seed=0):
        checkpoint = tiny_checkpoint(name)
        modality = checkpoint.entry.modality
        student = runtime.open_student(checkpoint, OPTIONS, modality, REQUEST)
        return student, inputs_of(student, seed)

    return open_


def inputs_of(student, seed):
    reader = student.reader
    if isinstance(reader, TextReader):
        return reader.collate([reader.prepare(text) for text in TEXTS])
    random = np.random.default_rng(seed)
    drawn = random.integers(0, 256, (4, 7, 9, 3), dtype=np.uint8)
    pictures = [Image.fromarray(each).resize((80, 60), Image.Resampling.BICUBIC) for each in drawn]
    return reader.collate([reader.prepare(picture) for picture in pictures])


def taps_of(student):
    return [layer.tap for layer in student.layers]


def hooks_in(module):
    return sum(len(part._forward_hooks) for part in module.modules())


def identity(features):
    return features


@pytest.mark.parametrize("name", NAMES)
def test_features_that_are_given_back_change_nothing(name, opened):
    student, inputs = opened(name)
    taps = taps_of(student)
    with torch.no_grad():
        plain = student.observe(inputs, taps)
        same = student.observe(inputs, taps, dict.fromkeys(taps, identity))
    # Without alterations texts are read in groups of like length: the same but for rounding.
    close = {"rtol": 1e-4, "atol": 1e-5} if "input_ids" in inputs else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(same.logits, plain.logits, **close)
    for tap in taps:
        torch.testing.assert_close(same.features[tap], plain.features[tap], **close)


@pytest.mark.parametrize("name", ["bert", "albert"])
def test_texts_that_are_given_back_are_bit_equal_to_a_plain_pass(name, opened):
    student, inputs = opened(name)
    with torch.no_grad():
        expected = student.module(**inputs).logits
        found = student.observe(inputs, [], dict.fromkeys(taps_of(student), identity)).logits
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", ["resnet", "convnext", "swin"])
def test_the_rest_of_the_network_computes_from_what_was_put_in(name, opened):
    student, inputs = opened(name)
    others = inputs_of(student, seed=1)
    taps = taps_of(student)
    with torch.no_grad():
        donor = student.observe(others, taps)
        for depth, tap in enumerate(taps):
            found = student.observe(inputs, taps, {tap: lambda _, at=tap: donor.features[at]})
            assert torch.equal(found.logits, donor.logits)
            for later in taps[depth:]:
                assert torch.equal(found.features[later], donor.features[later])
        plain = student.observe(inputs, taps)
    assert not torch.allclose(plain.logits, donor.logits)
    assert torch.equal(plain.features[taps[0]], student.observe(inputs, taps).features[taps[0]])


def test_patches_are_replaced_and_the_class_token_stays(opened):
    student, inputs = opened("vit")
    state = {}

    def keep_the_class_token(_module, _inputs, output):
        drawn = torch.randn(4, 32, 4, 4, generator=torch.Generator().manual_seed(7))
        state["drawn"] = drawn
        return torch.cat([output[:, :1], drawn.flatten(2).transpose(1, 2)], dim=1)

    with torch.no_grad():
        handle = student.module.vit.layers[0].register_forward_hook(keep_the_class_token)
        expected = student.module(**inputs).logits
        handle.remove()
        found = student.observe(inputs, ["block.1"], {"block.1": lambda _: state["drawn"]})
    assert torch.equal(found.logits, expected)
    assert torch.equal(found.features["block.1"], state["drawn"])


def test_texts_move_by_the_difference_wherever_the_mask_keeps_a_token(opened):
    student, inputs = opened("bert")
    mask = inputs["attention_mask"].unsqueeze(-1)
    step = torch.randn(4, 32, generator=torch.Generator().manual_seed(7))

    def moved(_module, _inputs, output):
        first = output if isinstance(output, torch.Tensor) else output[0]
        first = first + step.unsqueeze(1) * mask
        return first if isinstance(output, torch.Tensor) else (first, *output[1:])

    with torch.no_grad():
        plain = student.observe(inputs, ["block.2"])
        handle = student.module.bert.encoder.layer[1].register_forward_hook(moved)
        expected = student.module(**inputs).logits
        handle.remove()
        found = student.observe(inputs, ["block.2"], {"block.2": lambda mean: mean + step})
    torch.testing.assert_close(found.logits, expected)
    torch.testing.assert_close(
        found.features["block.2"], plain.features["block.2"] + step, rtol=1e-4, atol=1e-5
    )


def test_a_layer_that_is_called_again_is_altered_in_its_own_call_alone(opened):
    student, inputs = opened("albert")
    taps = taps_of(student)
    with torch.no_grad():
        plain = student.observe(inputs, taps, {taps[0]: identity})
        found = student.observe(inputs, taps, {"block.2": lambda mean: mean + 1})
    assert torch.equal(found.features["block.1"], plain.features["block.1"])
    assert not torch.allclose(found.features["block.2"], plain.features["block.2"])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_what_was_put_in(name, opened):
    student, inputs = opened(name)
    student.module.train()
    tap = taps_of(student)[1]
    put_in = []

    def replace(features):
        put_in.append(torch.randn_like(features).requires_grad_())
        return put_in[0]

    weights = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    (student.observe(inputs, [], {tap: replace}).logits * weights).sum().backward()
    assert put_in[0].grad.abs().sum() > 0
    touched = {
        key
        for key, part in student.module.named_parameters()
        if part.grad is not None and bool(part.grad.any())
    }
    assert any(key.startswith(("classifier", "score")) for key in touched)


def test_gradients_pass_through_a_function_of_the_features(opened):
    student, inputs = opened("resnet")
    student.observe(inputs, [], {"embeddings": lambda maps: 2 * maps}).logits.sum().backward()
    stem = next(student.module.parameters())
    assert stem.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["resnet", "bert"])
def test_no_hook_stays_after_an_error(name, opened):
    student, inputs = opened(name)
    student.observe(inputs, [])
    before = hooks_in(student.module)

    def fail(_):
        raise KeyError("a mistake of a method")

    with pytest.raises(KeyError, match="a mistake"):
        student.observe(inputs, [], {taps_of(student)[0]: fail})
    assert hooks_in(student.module) == before
    student.observe(inputs, [], {taps_of(student)[0]: identity})
    assert hooks_in(student.module) == before


def test_an_unknown_layer_is_named_before_anything_runs(opened):
    student, inputs = opened("vit")
    with pytest.raises(UnknownNameError, match=r"no layer called 'blok\.1'.*block\.1"):
        student.observe(inputs, [], {"blok.1": identity})


def test_features_of_another_shape_are_refused(opened):
    student, inputs = opened("vit")
    with pytest.raises(ValueError, match=r"'block\.1'.*\(4, 32, 4, 4\).*\(4, 32\)"):
        student.observe(inputs, [], {"block.1": lambda features: features.mean((2, 3))})


def test_a_layer_that_no_module_returns_cannot_be_altered():
    point = Point(Tap(name="block.1"), Pooling("tokens"), "hidden", index=1)
    with (
        pytest.raises(InputError, match=r"layer 'block\.1' cannot be altered"),
        altered(nn.Identity(), [point], {"block.1": identity}, None),
    ):
        pass


class Overwriting(nn.Module):
    """Its activation writes into what the normalisation before it returned."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self.activation(self.norm(pixel_values)).mean((2, 3)))


def test_what_was_put_in_survives_a_network_that_overwrites():
    network = Network(Overwriting().eval(), None, head=True, pooler=False)
    pixels = torch.randn(2, 3, 5, 5)
    point = Point(Tap(name="norm"), Pooling("spatial"), "output", module="norm")
    points, _ = align(network, [point], {"pixel_values": pixels})
    assert points[0].pooling.copies
    put_in = torch.randn(2, 3, 5, 5, requires_grad=True)
    before = put_in.detach().clone()
    reader = Reader(network, points)
    with altered(network.module, points, {"norm": lambda _: put_in}, None):
        found = reader({"pixel_values": pixels}, None)["norm"]
        network.module(pixel_values=pixels).logits.sum().backward()
    reader.close()
    assert torch.equal(put_in, before)
    assert torch.equal(found, before)
    assert put_in.grad is None  # the second call is none that was asked for
    with altered(network.module, points, {"norm": lambda _: put_in}, None):
        network.module(pixel_values=pixels).logits.sum().backward()
    torch.testing.assert_close(put_in.grad, (before > 0).float() / 25)


NATIVE = {
    "spatial": (Pooling("spatial"), (2, 3, 4, 4)),
    "channels last": (Pooling("spatial_last"), (2, 4, 4, 3)),
    "tokens": (Pooling("tokens"), (2, 16, 3)),
    "special tokens": (Pooling("tokens", 2), (2, 18, 3)),
    "no square": (Pooling("tokens", 1), (2, 8, 3)),
    "texts": (Pooling("masked"), (2, 6, 3)),
    "vectors": (Pooling("vector"), (2, 3)),
}


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", NATIVE)
def test_every_form_reads_as_what_was_put_back(form, kind):
    pooling, shape = NATIVE[form]
    alignment = Alignment(pooling.kind, pooling.special)
    values = torch.randn(shape).to(kind)
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [1] * 6])
    given = alignment(values, mask)
    same = put_back(alignment, values, given, given, mask)
    assert torch.equal(same, values)
    assert same.data_ptr() != values.data_ptr()
    changed = torch.randn_like(given)
    native = put_back(alignment, values, given, changed, mask)
    assert (native.shape, native.dtype, native.stride()) == (values.shape, kind, values.stride())
    exact = {"rtol": 1e-5, "atol": 1e-5} if kind is torch.float32 else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(alignment(native, mask), changed, **exact)
    if pooling.special:
        assert torch.equal(native[:, : pooling.special], values[:, : pooling.special])
    if pooling.kind == "masked":
        assert torch.equal(native[0, 3:], values[0, 3:])


def test_the_layout_in_memory_is_kept():
    values = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    alignment = Alignment("spatial")
    given = alignment(values, None)
    found = put_back(alignment, values, given, given + 1, None)
    assert found.stride() == values.stride()
    assert torch.equal(found, values + 1)


def test_tuples_keep_their_other_values():
    class Pair(nn.Module):
        def forward(self, values):
            return values, "weights of the attention"

    module = nn.Sequential(Pair())
    point = Point(Tap(name="x"), Alignment("vector"), "output", module="0")
    with altered(module, [point], {"x": lambda vectors: vectors + 1}, None):
        found = module(torch.zeros(2, 3))
    assert isinstance(found, tuple)
    assert torch.equal(found[0], torch.ones(2, 3))
    assert found[1] == "weights of the attention"
