"""Attributions against finite differences and the plain gradient of one sample and one layer."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from zoo.errors import NotApplicable, UnknownNameError
from zoo.testing.tiny_checkpoints import TINY_IMAGE, TINY_TEXT
from zoo.types.runtimes import Attributes, RuntimeOptions
from zoo_runtimes.attributions import GRID, SPANS, Method, attribute, image_cells
from zoo_runtimes.loading import Network
from zoo_runtimes.offsets import Places, places
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point, Tap, read

TEXTS = (
    "the cat",
    "a very good film and a dog",
    "it was not bad",
    "one two three green fish of the zoo that reads best",
)


def rarer(names):
    """Every run sees a few that differ most: of convolutions, windows, encoders, decoders."""
    common = {"resnet", "mobilenet_v2", "vit", "swin", "bert", "gpt2"}
    rare = pytest.mark.exhaustive
    return [pytest.param(name, marks=() if name in common else rare) for name in names]


@pytest.fixture(scope="module")
def opened(runtime, tiny_checkpoint):
    """One open backbone a name, as the module's tests come by architecture."""
    kept = {}

    def get(name, **extras):
        if name not in kept:
            kept.clear()
            kept[name] = runtime.open(tiny_checkpoint(name), RuntimeOptions(extras=extras))
        return kept[name]

    return get


def every_tap(backbone):
    return [tap.name for tap in backbone.taps]


class Toy(torch.nn.Module):
    """Two convolutions, ReLUs and a head, in float64; its first activation works in place."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.act = torch.nn.ReLU(inplace=True)
        self.second = torch.nn.Conv2d(6, 8, 3, padding=1)
        self.head = torch.nn.Linear(8, 5)
        self.double().eval().requires_grad_(requires_grad=False)

    def forward(self, pixel_values):
        low = torch.nn.functional.max_pool2d(self.act(self.first(pixel_values)), 2)
        high = torch.relu(self.second(low))
        return self.head(high.mean(dim=(2, 3)))


def toy():
    points = (
        Point(Tap(name="first"), Pooling("spatial"), "output", module="first"),
        Point(Tap(name="second"), Pooling("spatial"), "output", module="second"),
        Point(Tap(name="head"), Pooling("vector"), "output", module="head"),
    )
    return Network(Toy(), config=None, head=False, pooler=False), points


def toy_maps(method, points=None, pixels=None):
    network, every = toy()
    pixels = toy_pixels() if pixels is None else pixels
    wanted = every if points is None else points
    return attribute(network, wanted, {"pixel_values": pixels}, None, Method.parse(method))


def toy_pixels(samples=4):
    return torch.randn(samples, 3, 12, 12, dtype=torch.float64, generator=_generator())


def _generator():
    return torch.Generator().manual_seed(1)


def plain_gradients(samples=4):
    """One leaf, one sample, one layer at a time."""
    network, points = toy()
    found = {}
    for point in points:
        rows = []
        for pixels in toy_pixels(samples):
            leaf = pixels[None].clone().requires_grad_()
            read(network, [point], {"pixel_values": leaf}, None)[point.tap.name].sum().backward()
            rows.append(leaf.grad[0])
        found[point.tap.name] = torch.stack(rows)
    return found


def test_a_batch_gives_every_sample_its_own_gradient():
    expected = plain_gradients()
    saliency, product = toy_maps("saliency"), toy_maps("gradient_x_input")
    for name, gradient in expected.items():
        assert torch.allclose(saliency[name], gradient.abs(), rtol=0, atol=1e-12)
        assert torch.allclose(product[name], gradient * toy_pixels(), rtol=0, atol=1e-12)


def test_the_gradient_is_the_slope_that_finite_differences_see():
    network, points = toy()
    pixels, step = toy_pixels(1), 1e-6
    product = toy_maps("gradient_x_input", pixels=pixels)["head"]
    for place in ((0, 0, 0, 0), (0, 1, 5, 7), (0, 2, 11, 3)):
        moved = pixels.clone()
        moved[place] += step
        after, before = (
            read(network, points[2:], {"pixel_values": each}, None)["head"].sum()
            for each in (moved, pixels)
        )
        slope = float(after - before) / step
        assert float(product[place]) == pytest.approx(slope * float(pixels[place]), abs=1e-6)


@pytest.mark.parametrize("method", ["gradient_x_input", "saliency", "lrp"])
def test_no_layer_sees_the_gradient_of_another(method):
    together = toy_maps(method)
    for point in toy()[1]:
        (alone,) = toy_maps(method, [point]).values()
        assert torch.equal(together[point.tap.name], alone)


def test_relevance_of_a_relu_network_is_gradient_times_input_as_epsilon_vanishes(monkeypatch):
    expected = toy_maps("gradient_x_input")
    distances = []
    for epsilon in (1e-2, 1e-4, 1e-9):
        monkeypatch.setattr("zoo_runtimes.attributions._EPSILON", epsilon)
        found = toy_maps("lrp")
        distances.append(max(float((found[n] - expected[n]).abs().max()) for n in expected))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-7


@pytest.mark.parametrize("activation", [torch.nn.GELU(), torch.nn.SiLU(), torch.nn.Tanh()])
def test_relevance_passes_an_activation_by_its_ratio(activation):
    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.act = activation

        def forward(self, pixel_values):
            return self.act(pixel_values)

    network = Network(One(), config=None, head=False, pooler=False)
    point = Point(Tap(name="act"), Pooling("spatial"), "output", module="act")
    pixels = toy_pixels()
    found = attribute(network, [point], {"pixel_values": pixels}, None, Method.parse("lrp"))
    share = pixels.shape[-1] * pixels.shape[-2]
    expected = activation(pixels) / (pixels + 1e-4 * torch.sign(pixels)) * pixels / share
    assert torch.allclose(found["act"], expected, rtol=0, atol=1e-12)


def test_activations_written_out_in_elementary_operations_are_rescaled_too():
    from transformers.activations import NewGELUActivation

    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.act = NewGELUActivation()

        def forward(self, pixel_values):
            return self.act(pixel_values)

    network = Network(One(), config=None, head=False, pooler=False)
    point = Point(Tap(name="act"), Pooling("spatial"), "output", module="act")
    found = attribute(network, [point], {"pixel_values": toy_pixels()}, None, Method.parse("lrp"))
    expected = NewGELUActivation()(toy_pixels()) / 144
    assert torch.allclose(found["act"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", rarer(TINY_IMAGE))
def test_every_image_layer_is_attributed(name, opened, images, runtime, tiny_checkpoint):
    backbone = opened(name)
    assert isinstance(backbone, Attributes)
    batch = backbone.encode(runtime.prepare(tiny_checkpoint(name), images[:3]))
    before = backbone.extract(batch, every_tap(backbone))
    for method in ("gradient_x_input", "saliency", "lrp"):
        found = backbone.attribute(batch, every_tap(backbone), method)
        for tap, cells in found.items():
            assert cells.shape == (3, GRID * GRID), tap
            assert cells.dtype == np.float32
            assert np.isfinite(cells).all(), tap
        # Dead units, and layer norms of equal weights, whose sum never moves, leave some without.
        assert any(cells.any() for cells in found.values())
        if method == "saliency":
            assert min(float(cells.min()) for cells in found.values()) >= 0
    after = backbone.extract(batch, every_tap(backbone))
    for tap in before:
        np.testing.assert_array_equal(before[tap], after[tap])


@pytest.mark.parametrize("name", rarer(TINY_TEXT))
def test_every_text_layer_is_attributed_and_padding_changes_nothing(name, opened):
    backbone = opened(name)
    batch = backbone.encode(TEXTS)
    for method in ("gradient_x_input", "saliency", "lrp"):
        found = backbone.attribute(batch, every_tap(backbone), method)
        single = [backbone.attribute([each], every_tap(backbone), method) for each in batch[:2]]
        largest = max(float(np.abs(cells).max()) for cells in found.values())
        assert largest > 0
        for tap, cells in found.items():
            assert cells.shape == (len(TEXTS), SPANS), tap
            assert np.isfinite(cells).all(), tap
            alone = np.concatenate([each[tap] for each in single])
            scale = max(float(np.abs(cells).max()), 1e-2 * largest)
            np.testing.assert_allclose(cells[:2], alone, rtol=0, atol=5e-4 * scale, err_msg=tap)


@pytest.mark.parametrize("name", ["resnet", "vit", "convnext"])
def test_images_agree_with_the_plain_gradient_of_transformers(
    name, opened, images, runtime, tiny_checkpoint
):
    """The runtime folds batch norms and chooses layouts and kernels; the gradient is the same."""
    checkpoint = tiny_checkpoint(name)
    model = AutoModelForImageClassification.from_pretrained(checkpoint.folder).eval()
    processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    pictures = [Image.open(io.BytesIO(image.data)).convert("RGB") for image in images[:3]]
    expected = []
    for picture in pictures:
        pixels = processor(picture, return_tensors="pt")["pixel_values"].requires_grad_()
        model(pixel_values=pixels).logits.sum().backward()
        expected.append(image_cells(pixels.grad * pixels.detach(), "mean"))
    backbone = opened(name)
    batch = backbone.encode(runtime.prepare(checkpoint, images[:3]))
    found = backbone.attribute(batch, ["logits"], "gradient_x_input")["logits"]
    scale = float(torch.cat(expected).abs().max())
    np.testing.assert_allclose(found, torch.cat(expected), rtol=0, atol=1e-3 * scale)


@pytest.mark.parametrize("name", ["bert", "distilbert", "llama"])
def test_texts_agree_with_the_plain_gradient_of_transformers(name, opened, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    backbone, text = opened(name), TEXTS[1]
    encoded = tokenizer(
        text, return_tensors="pt", return_offsets_mapping=True, return_special_tokens_mask=True
    )
    vectors = model.get_input_embeddings()(encoded["input_ids"]).detach().requires_grad_()
    logits = model(inputs_embeds=vectors, attention_mask=encoded["attention_mask"]).logits
    logits.sum().backward()
    tokens = (vectors.grad * vectors.detach()).sum(dim=2)[0].tolist()
    special = encoded["special_tokens_mask"][0].tolist()
    characters = np.zeros(len(text))
    for value, (start, end), skip in zip(
        tokens, encoded["offset_mapping"][0].tolist(), special, strict=True
    ):
        if end > start and not skip:
            characters[start:end] += value / (end - start)
    # Each character is cut into as many pieces as there are spans, each span takes its share.
    expected = np.repeat(characters / SPANS, SPANS).reshape(SPANS, len(text)).sum(axis=1)
    (found,) = backbone.attribute(backbone.encode([text]), ["logits"], "gradient_x_input")["logits"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "modality"), [("clip", "image"), ("clip", "text"), ("t5", "text")]
)
def test_towers_and_encoders_are_attributed(name, modality, runtime, tiny_checkpoint, images):
    checkpoint = tiny_checkpoint(name)
    backbone = runtime.open(checkpoint, RuntimeOptions(extras={"modality": modality}))
    inputs = runtime.prepare(checkpoint, images[:2]) if modality == "image" else TEXTS[:2]
    found = backbone.attribute(backbone.encode(inputs), every_tap(backbone), "gradient_x_input")
    assert all(np.isfinite(cells).all() for cells in found.values())
    assert any(cells.any() for cells in found.values())


def test_a_batch_that_is_cut_for_its_graph_gives_the_same(opened, images, runtime, tiny_checkpoint):
    backbone = opened("resnet")
    batch = backbone.encode(runtime.prepare(tiny_checkpoint("resnet"), images))
    whole = backbone.attribute(batch, ["head_input"], "gradient_x_input")["head_input"]
    budget, backbone._budget = backbone._budget, 1
    try:
        single = backbone.attribute(batch, ["head_input"], "gradient_x_input")["head_input"]
    finally:
        backbone._budget = budget
    np.testing.assert_allclose(single, whole, rtol=0, atol=1e-5 * np.abs(whole).max())


def test_channels_are_averaged_with_their_sign_or_without():
    maps = torch.zeros(1, 3, 64, 64)
    maps[0, 0], maps[0, 1] = 3.0, -3.0
    assert not image_cells(maps, "mean").any()
    assert torch.allclose(image_cells(maps, "absmean"), torch.tensor(2.0))


def test_cells_are_averages_of_equal_parts_of_the_image():
    fine = torch.arange(64.0).repeat_interleave(2)[None, None, None].expand(1, 1, 128, 128)
    columns = image_cells(fine, "mean").view(GRID, GRID)
    assert torch.allclose(columns[0], torch.arange(32.0) * 2 + 0.5)
    coarse = torch.full((1, 1, 7, 7), 4.0)
    assert torch.allclose(image_cells(coarse, "mean"), torch.tensor(4.0))


def test_relevance_is_shared_out_over_the_characters_of_a_token():
    where = Places(np.array([0, 0, 3]), np.array([0, 2, 4]), 4)
    np.testing.assert_allclose(where.spread(np.array([9.0, 2.0, 5.0]), 4), [1, 1, 0, 5])
    np.testing.assert_allclose(where.spread(np.array([9.0, 2.0, 5.0]), 8).sum(), 7)
    np.testing.assert_allclose(where.spread(np.array([9.0, 2.0, 5.0]), 2), [2, 5])
    empty = Places(np.array([0]), np.array([0]), 0)
    np.testing.assert_array_equal(empty.spread(np.array([1.0]), 3), np.zeros(3))


def test_tokens_of_a_pair_stand_one_text_after_the_other(opened):
    tokens = opened("bert")._feed._tokens
    (single,) = places(tokens, ["the cat"])
    (pair,) = places(tokens, [("the cat", "a dog")])
    assert single.length == 7
    assert pair.length == 12
    kept = pair.ends > pair.starts
    texts = ["the cata dog"[s:e] for s, e in zip(pair.starts[kept], pair.ends[kept], strict=True)]
    assert texts == ["the", "cat", "a", "dog"]


def test_a_tokenizer_without_offsets_is_taken_to_cut_evenly():
    class Slow:
        def __call__(self, *columns, **_):
            return {"input_ids": [[1, 2] for _ in columns[0]]}

    class Held:
        tokenizer = Slow()

        def tokenise(self, inputs):
            return self.tokenizer(inputs)

    (found,) = places(Held(), ["abcdef"])
    assert (found.starts.tolist(), found.ends.tolist(), found.length) == ([0, 3], [3, 6], 6)


def test_an_empty_text_has_no_relevance(opened):
    backbone = opened("bert")
    found = backbone.attribute(backbone.encode(["", "a cat"]), ["head_input"], "saliency")
    assert not found["head_input"][0].any()
    assert found["head_input"][1].any()


def test_unknown_methods_and_layers_are_refused_by_name(opened):
    backbone = opened("bert")
    batch = backbone.encode(["a cat"])
    with pytest.raises(UnknownNameError, match=r"gradient_x_inpt.*Did you mean"):
        backbone.attribute(batch, ["head_input"], "gradient_x_inpt")
    with pytest.raises(UnknownNameError, match="reduction of channels"):
        backbone.attribute(batch, ["head_input"], "saliency:median")
    with pytest.raises(UnknownNameError, match="layer"):
        backbone.attribute(batch, ["head"], "saliency")


def test_a_layer_that_no_gradient_leaves_does_not_apply():
    class Cut(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.step = torch.nn.Identity()

        def forward(self, pixel_values):
            return self.step(pixel_values.detach().round())

    network = Network(Cut(), config=None, head=False, pooler=False)
    point = Point(Tap(name="step"), Pooling("spatial"), "output", module="step")
    with pytest.raises(NotApplicable, match="no gradient of step reaches the input"):
        attribute(network, [point], {"pixel_values": toy_pixels()}, None, Method.parse("saliency"))
