"""Occlusion: relevance stands where a network looks, is zero elsewhere, and costs what it says."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import NotApplicable
from zoo.types.runtimes import EncodedInput, RuntimeOptions
from zoo_runtimes.methods import GRID, SPANS, Method
from zoo_runtimes.onnx.occlusion import PATCHES, RUNS, attribute
from zoo_runtimes.tokens import Tokens

PLAIN = Method.parse("occlusion")


class Network:
    """Pools encoded inputs by a function, and counts them."""

    def __init__(self, pool):
        self.pool, self.passes = pool, []

    def __call__(self, batch):
        self.passes.append(len(batch))
        return {"tap": np.stack([self.pool(entry.data) for entry in batch])}


def picture(side=64, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 100, (side, side, 3), dtype=np.uint8)
    return EncodedInput(cost=side * side, data=pixels)


def corner(pixels):
    return pixels[:16, :16].astype(np.float32).sum(axis=(0, 1))


def test_a_network_that_reads_one_corner_gets_all_its_relevance_there():
    found = attribute([picture(), picture(seed=1)], Network(corner), PLAIN, budget=10**6)["tap"]
    assert found.shape == (2, GRID * GRID)
    assert found.dtype == np.float32
    maps = found.reshape(2, GRID, GRID)
    assert (maps[:, :8, :8] != 0).all()
    assert not maps[:, 8:].any()
    assert not maps[:, :, 8:].any()


def test_relevance_is_what_the_sum_of_the_units_loses_under_grey():
    image = picture()
    found = attribute([image], Network(corner), PLAIN, budget=10**6)["tap"]
    lost = corner(image.data).sum() - 128.0 * 16 * 16 * 3
    assert float(found.sum()) == pytest.approx(lost, rel=1e-5)


@pytest.mark.parametrize("method", ["occlusion:absmean", "saliency"])
def test_a_method_without_signs_gives_the_size_alone(method):
    signed = attribute([picture()], Network(corner), PLAIN, budget=10**6)["tap"]
    sizes = attribute([picture()], Network(corner), Method.parse(method), budget=10**6)["tap"]
    assert float(signed.min()) < 0
    np.testing.assert_array_equal(sizes, np.abs(signed))


def test_images_that_are_no_longer_bytes_are_covered_with_zeros():
    pixels = np.random.default_rng(0).normal(size=(3, 40, 56)).astype(np.float32)
    network = Network(lambda data: data.sum(axis=(1, 2)))
    found = attribute([EncodedInput(cost=1, data=pixels)], network, PLAIN, budget=10**6)["tap"]
    assert float(found.sum()) == pytest.approx(float(pixels.sum()), rel=1e-4)


def test_an_image_costs_65_passes_whatever_the_budget_and_the_answer_is_the_same():
    whole, single = Network(corner), Network(corner)
    wide = attribute([picture()], whole, PLAIN, budget=10**6)["tap"]
    narrow = attribute([picture()], single, PLAIN, budget=1)["tap"]
    assert (whole.passes, single.passes) == ([PATCHES**2 + 1], [1] * (PATCHES**2 + 1))
    np.testing.assert_array_equal(wide, narrow)


class Letters:
    """Every letter is a token; the mask is 0."""

    is_fast = False
    mask_token_id = 0

    def __call__(self, *columns, **_):
        return {"input_ids": [[*map(ord, "".join(texts))] for texts in zip(*columns, strict=True)]}


def letters():
    return Tokens(Letters(), 512, 1, None, False, "letters")


def encoded(text):
    return EncodedInput(cost=len(text), data={"input_ids": [*map(ord, text)], "text": text})


def reads_z(data):
    return np.array([float(sum(number == ord("z") for number in data["input_ids"])), 0.0])


def test_a_network_that_reads_one_word_gets_all_its_relevance_there():
    text = "abcdzfgh"
    found = attribute([encoded(text)], Network(reads_z), PLAIN, budget=99, tokens=letters())["tap"]
    assert found.shape == (1, SPANS)
    spans = found.reshape(len(text), -1).sum(axis=1)
    np.testing.assert_allclose(spans, [0, 0, 0, 0, 1, 0, 0, 0])


def test_a_long_text_is_covered_in_runs_and_an_empty_one_not_at_all():
    network = Network(reads_z)
    batch = [encoded("ab" * 100 + "z" + "cd" * 100), encoded("")]
    found = attribute(batch, network, PLAIN, budget=10**6, tokens=letters())["tap"]
    assert network.passes == [RUNS + 1, 1]
    assert float(found[0].sum()) == pytest.approx(1.0)
    assert (found[0] != 0).sum() <= 4
    assert not found[1].any()


def test_sounds_are_not_attributed():
    sound = EncodedInput(cost=1, data=np.zeros(16000, dtype=np.float32))
    with pytest.raises(NotApplicable, match="only images and texts"):
        attribute([sound], Network(corner), PLAIN, budget=1)


def test_torch_backbones_have_it_by_name(runtime, tiny_checkpoint, images):
    checkpoint = tiny_checkpoint("resnet")
    backbone = runtime.open(checkpoint, RuntimeOptions())
    batch = backbone.encode(runtime.prepare(checkpoint, images[:2]))
    taps = [tap.name for tap in backbone.taps]
    found = backbone.attribute(batch, taps, "occlusion")
    assert all(cells.shape == (2, GRID * GRID) for cells in found.values())
    alone = backbone.attribute(batch[1:], ["logits"], "occlusion")["logits"]
    scale = float(np.abs(found["logits"]).max())
    assert scale > 0
    np.testing.assert_allclose(found["logits"][1:], alone, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_torch_backbones_have_it_for_texts(name, runtime, tiny_checkpoint):
    backbone = runtime.open(tiny_checkpoint(name), RuntimeOptions())
    texts = ["a very good film", "", "the cat and the dog"]
    found = backbone.attribute(backbone.encode(texts), ["logits"], "occlusion")["logits"]
    assert found.shape == (3, SPANS)
    assert found[0].any()
    assert not found[1].any()
