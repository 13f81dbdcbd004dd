"""Exemplar-CNN: seeds, how they are altered, and the head."""

from __future__ import annotations

import colorsys
import pickle
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import InputError
from zoo_distillation.exemplar import Alteration, Curve, ExemplarTask, altered, contrasted, hsv, rgb
from zoo_distillation.exemplar_head import SeedClassifier


def noise(height=32, width=32, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def smooth(side=32):
    ramp = np.linspace(40, 200, side, dtype=np.float64)
    planes = (ramp[:, None] + 0 * ramp, ramp + 0 * ramp[:, None], (ramp[:, None] + ramp) / 2)
    return Image.fromarray(np.stack(planes, 2).astype(np.uint8))


def pixels(image):
    return np.asarray(image).astype(int)


def colours(count=200, seed=0):
    return np.random.default_rng(seed).random((count, 3))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (7, 19), (1, 1)])
def test_an_alteration_that_does_nothing_changes_no_pixel(height, width):
    image = noise(height, width)
    assert np.array_equal(pixels(altered(image, Alteration())), pixels(image))


@given(seed=st.integers(0, 2**32), height=st.integers(1, 40), width=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_what_is_altered_is_a_function_of_the_draw_and_keeps_its_size(seed, height, width):
    task, image = ExemplarTask(), noise(height, width)
    once, again = (task.alter(image, random.Random(seed)) for _ in range(2))
    assert once.size == image.size
    assert once.mode == "RGB"
    assert np.array_equal(pixels(once), pixels(again))


def test_another_draw_alters_in_another_way():
    task, image = ExemplarTask(), noise()
    one, two = (task.alter(image, random.Random(seed)) for seed in (1, 2))
    assert not np.array_equal(pixels(one), pixels(two))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_everything_that_is_drawn_lies_within_the_ranges_of_the_paper(seed):
    drawn = Alteration.drawn(random.Random(seed))
    assert all(abs(each) <= 0.2 for each in drawn.shift)
    assert 0.7 <= drawn.scale <= 1.4
    assert abs(drawn.turn) <= 20
    assert all(0.5 <= each <= 2 for each in drawn.contrast)
    assert abs(drawn.hue) <= 0.1
    for curve in (drawn.saturation, drawn.value):
        assert 0.25 <= curve.power <= 4
        assert 0.7 <= curve.factor <= 1.4
        assert abs(curve.offset) <= 0.1


def test_a_shift_moves_to_the_right_and_down_and_shows_the_mirror_image():
    image = noise(20, 20)
    moved = pixels(altered(image, Alteration(shift=(0.1, 0.2))))
    wide = np.pad(pixels(image), ((4, 0), (2, 0), (0, 0)), mode="symmetric")
    assert np.array_equal(moved, wide[:20, :20])


def test_a_turn_is_about_the_centre():
    image = noise(16, 16)
    turned = pixels(altered(image, Alteration(turn=90)))
    options = [np.rot90(pixels(image), quarter) for quarter in (1, 3)]
    assert any(np.abs(turned - each).max() <= 1 for each in options)


def test_a_larger_scale_brings_the_middle_nearer():
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[8:24, 8:24] = 255
    nearer = pixels(altered(Image.fromarray(image), Alteration(scale=2.0)))
    assert nearer[2:-2, 2:-2].min() == 255
    farther = pixels(altered(Image.fromarray(image), Alteration(scale=0.5)))
    assert farther.mean() < image.mean() * 1.05
    assert farther[16, 8].max() == 0


def test_hue_saturation_and_value_are_those_of_the_standard_library():
    found = np.stack(hsv(colours()), 1)
    expected = [colorsys.rgb_to_hsv(*each) for each in colours().tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(rgb(*hsv(colours())), colours(), atol=1e-12)
    shifted = [colorsys.hsv_to_rgb((h + 0.3) % 1, s, v) for h, s, v in expected]
    hue, saturation, value = hsv(colours())
    np.testing.assert_allclose(rgb(hue + 0.3, saturation, value), shifted, atol=1e-12)


def test_grey_and_black_have_a_hue_without_a_warning():
    grey = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]])
    hue, saturation, value = hsv(grey)
    assert not hue.any()
    assert not saturation.any()
    assert np.array_equal(value, grey[:, 0])


def test_contrast_scales_each_principal_component_about_the_mean():
    some = 0.4 + 0.2 * colours()
    factors = (0.5, 1.5, 2.0)
    mean = some.mean(0)
    _, _, components = np.linalg.svd(some - mean, full_matrices=False)
    expected = mean + sum(
        factor * np.outer((some - mean) @ each, each)
        for factor, each in zip(factors[::-1], components, strict=True)
    )
    np.testing.assert_allclose(contrasted(some, factors), expected.clip(0, 1), atol=1e-12)
    assert contrasted(colours(), (2.0, 2.0, 2.0)).min() == 0.0


def test_a_curve_raises_scales_shifts_and_stays_within_bounds():
    curve = Curve(power=2.0, factor=0.5, offset=0.1)
    np.testing.assert_allclose(curve(np.array([0.0, 0.5, 1.0])), [0.1, 0.225, 0.6])
    assert Curve(factor=1.4)(np.ones(1)) == 1.0
    assert Curve(offset=-0.1)(np.zeros(1)) == 0.0


@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 31), (1, 5)])
def test_an_image_that_is_no_larger_than_a_patch_is_its_own_patch(height, width):
    image = noise(height, width)
    patch = ExemplarTask().patch(image, random.Random(0))
    assert np.array_equal(pixels(patch), pixels(image))


@pytest.mark.parametrize(
    ("height", "width", "size"), [(300, 200, (32, 32)), (33, 33, (32, 32)), (10, 90, (32, 10))]
)
def test_a_patch_is_a_square_or_what_the_image_has_of_one(height, width, size):
    image = noise(height, width)
    for seed in range(20):
        assert ExemplarTask().patch(image, random.Random(seed)).size == size
    assert ExemplarTask(size=48).patch(image, random.Random(0)).width <= 48


def test_patches_lie_where_gradients_are_strong():
    image = np.full((96, 96, 3), 100, dtype=np.uint8)
    image[60:90, 10:40] = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    for seed in range(40):
        patch = ExemplarTask().patch(Image.fromarray(image), random.Random(seed))
        assert pixels(patch).std() > 5


def test_a_flat_image_gives_its_middle():
    patch = ExemplarTask().patch(Image.new("RGB", (90, 70), "teal"), random.Random(0))
    assert patch.size == (32, 32)
    assert patch.getcolors() == [(1024, (0, 128, 128))]


def test_patches_of_one_image_are_many_and_each_a_function_of_its_draw():
    cut = [
        pixels(ExemplarTask().patch(noise(120, 160), random.Random(seed))).tobytes()
        for seed in (0, 0, 1, 2)
    ]
    assert cut[0] == cut[1]
    assert len(set(cut)) == 3


def test_every_image_is_a_seed_up_to_the_most():
    assert ExemplarTask().seeds(7) == 7
    assert ExemplarTask().seeds(100_000) == 4000
    assert ExemplarTask(seeds=50).seeds(51) == 50


@pytest.mark.parametrize(
    ("options", "said"),
    [({"seeds": 1}, "exemplar.seeds is 1"), ({"size": 4}, "exemplar.size is 4")],
)
def test_a_bad_option_is_named(options, said):
    with pytest.raises(InputError, match=said):
        ExemplarTask(**options)


def test_a_task_can_be_sent_to_a_process():
    task = pickle.loads(pickle.dumps(ExemplarTask(seeds=9, size=16)))
    assert task.seeds(10) == 9
    assert task.patch(noise(50, 50), random.Random(0)).size == (16, 16)


def test_the_head_is_a_linear_layer_with_cross_entropy():
    torch.manual_seed(0)
    head = ExemplarTask().build(5, 7)
    features = torch.randn(4, 5, requires_grad=True)
    classes = torch.tensor([0, 6, 3, 3])
    loss = head(features, classes)
    logits = features @ head.linear.weight.T + head.linear.bias
    expected = -logits.log_softmax(1)[torch.arange(4), classes].mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert features.grad.abs().sum() > 0


def test_a_head_that_is_built_twice_with_one_seed_is_equal():
    heads = []
    for _ in range(2):
        torch.manual_seed(3)
        heads.append(SeedClassifier(4, 6).state_dict())
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])
    with torch.device("meta"):
        assert sum(each.numel() for each in ExemplarTask().build(4, 6).parameters()) == 30
