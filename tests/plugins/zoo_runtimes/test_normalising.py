"""Bytes to pixels, in both layouts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo_runtimes import normalising
from zoo_runtimes.normalising import Line

SCALE = np.array([1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225], dtype=np.float32)
OFFSET = np.array([-2.1179, -2.0357, -1.8044], dtype=np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(1, 60), st.booleans())
def test_both_layouts_hold_the_product_rounded_before_the_sum(height, width, count, cached, last):
    images = np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalising, "_CACHED", cached)
        found = Line(SCALE, OFFSET)(list(images), last=last)
    expected = (images.astype(np.float32) * SCALE + OFFSET).transpose(0, 3, 1, 2)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    layout = torch.channels_last if last else torch.contiguous_format
    assert torch.from_numpy(found).is_contiguous(memory_format=layout)


def test_a_line_serves_images_of_several_widths():
    line = Line(SCALE, OFFSET)
    for width in (3, 5, 3):
        pixels = line([np.full((2, width, 3), 9, np.uint8)], last=True)
        np.testing.assert_array_equal(pixels[0, :, 1, 2], np.float32(9) * SCALE + OFFSET)
