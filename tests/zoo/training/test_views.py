from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.building.recipe import Views
from zoo.training.views import view_number, view_of

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


def picture(size):
    """Every pixel says where it is."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return Image.fromarray(np.stack([x, y, x * 0], axis=2).astype(np.uint8))


@given(SIZES, st.integers(0, 9), st.integers(0, 10**6), st.integers(1, 99), st.floats(0.05, 1.0))
@settings(max_examples=60, deadline=None)
def test_a_view_is_a_contiguous_box_of_its_image_and_always_the_same(size, seed, row, view, scale):
    image, kind = picture(size), Views(scale=scale)
    seen = view_of(image, seed=seed, row=row, view=view, settings=kind)
    again = view_of(image, seed=seed, row=row, view=view, settings=kind)
    pixels = np.asarray(seen).astype(int)
    np.testing.assert_array_equal(pixels, np.asarray(again))
    x, y = pixels[0, :, 0], pixels[:, 0, 1]
    assert set(np.diff(x)) <= {1} or set(np.diff(x)) <= {-1}
    assert set(np.diff(y)) <= {1}
    assert x.min() >= 0
    assert x.max() < size[0]
    assert y.max() < size[1]


@given(st.integers(1, 500), st.floats(0.2, 1.0))
@settings(max_examples=60, deadline=None)
def test_a_crop_keeps_the_share_and_the_aspect_that_were_asked_for(view, scale):
    image = Image.new("RGB", (400, 400))
    width, height = view_of(image, seed=0, row=1, view=view, settings=Views(scale=scale)).size
    assert scale - 0.02 <= width * height / 400**2 <= 1
    assert (width, height) == (400, 400) or 0.74 <= width / height <= 1.35


def test_view_zero_is_the_image_itself():
    image = picture((20, 10))
    assert view_of(image, seed=3, row=5, view=0, settings=Views()) is image


def test_views_differ_between_rows_views_and_seeds():
    image = picture((50, 50))
    seen = {
        view_of(image, seed=seed, row=row, view=view, settings=Views()).tobytes()
        for seed in range(3)
        for row in range(3)
        for view in range(1, 4)
    }
    assert len(seen) == 27


def test_about_half_of_the_views_are_mirrored_and_none_where_nobody_wants_it():
    image = picture((30, 30))
    for flip, low, high in ((True, 60, 140), (False, 0, 0)):
        kind = Views(flip=flip)
        views = [
            np.asarray(view_of(image, seed=0, row=0, view=v, settings=kind)) for v in range(200)
        ]
        assert low <= sum(each[0, 0, 0] > each[0, -1, 0] for each in views) <= high


def test_random_views_are_new_in_every_epoch_and_fixed_ones_come_again():
    random, fixed = Views(kind="random"), Views(kind="fixed", count=3)
    assert [view_number(each, random) for each in range(4)] == [1, 2, 3, 4]
    assert [view_number(each, fixed) for each in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_the_images_of_an_epoch_do_not_all_show_the_same_fixed_view():
    random, fixed = Views(kind="random"), Views(kind="fixed", count=3)
    assert [view_number(1, fixed, place) for place in range(4)] == [1, 2, 0, 1]
    assert {view_number(1, random, place) for place in range(4)} == {2}
