"""From prepared inputs to arrays: the torch runtime's own numbers, without torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zoo_runtimes import feeds as torch_feeds
from zoo_runtimes.images import Preparation
from zoo_runtimes.onnx.feeds import ImageFeed, TextFeed
from zoo_runtimes.tokens import Tokens

SCALE = np.array([1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225], dtype=np.float32)
OFFSET = np.array([-2.1179, -2.0357, -1.8044], dtype=np.float32)


def feed(scale=SCALE, offset=OFFSET):
    return ImageFeed("pixel_values", scale, offset)


@settings(max_examples=30, deadline=None)
@given(
    image=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    copies=st.integers(1, 4),
)
def test_pixels_equal_the_torch_runtimes_bit_by_bit(image, copies):
    mine, batch = feed(), [image] * copies
    theirs = torch_feeds.ImageFeed(
        Preparation(None, SCALE, OFFSET, None), torch.device("cpu"), last=False
    )
    ((rows, found),) = mine.batches(mine.encode(batch))
    ((_, expected),) = theirs.batches(theirs.encode(batch))
    assert rows == list(range(copies))
    assert found["pixel_values"].dtype == np.float32
    assert found["pixel_values"].flags.c_contiguous
    np.testing.assert_array_equal(found["pixel_values"], expected["pixel_values"].numpy())


def test_images_run_together_by_their_size():
    shapes = [(4, 6, 3), (5, 5, 3), (4, 6, 3), (5, 5, 3), (6, 4, 3)]
    batch = feed().encode([np.full(shape, row, np.uint8) for row, shape in enumerate(shapes)])
    assert [entry.cost for entry in batch] == [24, 25, 24, 25, 24]
    found = {tuple(rows): arrays["pixel_values"] for rows, arrays in feed().batches(batch)}
    assert {rows: pixels.shape for rows, pixels in found.items()} == {
        (0, 2): (2, 3, 4, 6),
        (1, 3): (2, 3, 5, 5),
        (4,): (1, 3, 6, 4),
    }
    expected = np.float32(2) * SCALE + OFFSET
    np.testing.assert_array_equal(found[0, 2][1, :, 0, 0], expected)


def test_what_a_processor_finished_is_left_alone():
    done = [np.random.default_rng(row).normal(size=(3, 4, 4)).astype(np.float32) for row in (0, 1)]
    ((_, found),) = feed(None, None).batches(feed(None, None).encode(done))
    np.testing.assert_array_equal(found["pixel_values"], np.stack(done))


def test_bytes_for_a_processor_that_finishes_are_a_mistake():
    batch = feed().encode([np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(TypeError, match="full output"):
        list(feed(None, None).batches(batch))


class Words:
    """A tokenizer that numbers the lengths of words."""

    is_fast = True

    def __call__(self, texts, **_):
        return {"input_ids": [[len(word) for word in text.split()] for text in texts]}


def test_texts_are_padded_and_only_what_the_graph_reads_is_fed():
    tokens = Tokens(Words(), longest=9, padding=7, vocabulary=None, segments=True, model="x")
    both = TextFeed(("input_ids", "attention_mask"), tokens)
    batch = both.encode(["a bb ccc", "dddd", ""])
    assert [entry.cost for entry in batch] == [3, 1, 1]
    ((rows, found),) = both.batches(batch)
    assert rows == [0, 1, 2]
    assert list(found) == ["input_ids", "attention_mask"]
    assert found["input_ids"].tolist() == [[1, 2, 3], [4, 7, 7], [7, 7, 7]]
    assert found["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0]]
    ((_, only),) = TextFeed(("attention_mask",), tokens).batches(batch)
    assert list(only) == ["attention_mask"]
