"""Readers: one size, keys that tell them apart, and a way into another process."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from zoo.errors import CheckpointError
from zoo.probes.decoding import decode
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.learning.inputs import ImageReader

TEXTS = ["a cat", "the dog and the bird"]


@pytest.fixture
def changed(tmp_path):
    """Copy a checkpoint, with other settings in one of its files."""

    def change(checkpoint, file="preprocessor_config.json", without=(), **settings):
        folder = shutil.copytree(checkpoint.folder, tmp_path / str(len(list(tmp_path.iterdir()))))
        path = Path(folder) / file
        found = {**json.loads(path.read_text()), **settings}
        path.write_text(json.dumps({k: v for k, v in found.items() if k not in without}))
        return msgspec.structs.replace(checkpoint, folder=str(folder), digest=str(folder))

    return change


@pytest.mark.parametrize("name", ["resnet", "vit", "clip"])
def test_a_reader_gives_what_the_processor_gives(name, tiny_checkpoint, images):
    from transformers import AutoImageProcessor

    checkpoint = tiny_checkpoint(name)
    reader = pickle.loads(pickle.dumps(ImageReader(checkpoint)))
    pictures = [decode(image) for image in images]
    found = reader.collate([reader.prepare(picture) for picture in pictures])
    processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    expected = processor(pictures, return_tensors="pt")["pixel_values"]
    assert found["pixel_values"].is_contiguous()
    torch.testing.assert_close(found["pixel_values"], expected, rtol=1e-5, atol=1e-5)


def test_a_text_reader_survives_the_way_to_a_process(runtime, tiny_checkpoint):
    teacher = runtime.open_teacher(tiny_checkpoint("bert"), RuntimeOptions(), "text")
    reader = pickle.loads(pickle.dumps(teacher.reader))
    assert reader.key == teacher.reader.key
    found = reader.collate([reader.prepare(text) for text in TEXTS])
    assert {name: values.dtype for name, values in found.items()} == {
        "input_ids": torch.int64,
        "token_type_ids": torch.int64,
        "attention_mask": torch.int64,
    }
    assert found["attention_mask"].sum(1).tolist() == [4, 7]
    pairs = reader.collate([reader.prepare(("a cat", "a dog"))])
    assert pairs["token_type_ids"].sum() > 0


def test_keys_are_equal_where_everything_is(tiny_checkpoint, changed):
    checkpoint = tiny_checkpoint("vit")
    key = ImageReader(checkpoint).key
    assert ImageReader(changed(checkpoint)).key == key
    assert ImageReader(changed(checkpoint, image_mean=[0.5, 0.5, 0.5])).key != key
    smaller = changed(checkpoint, size={"height": 32, "width": 32})
    assert ImageReader(smaller).key != key


def test_keys_of_texts_tell_tokenizers_apart(runtime, tiny_checkpoint):
    bert, gpt2, other = (
        runtime.open_teacher(tiny_checkpoint(name), RuntimeOptions(), "text").reader
        for name in ("bert", "gpt2", "bert")
    )
    assert bert.key == other.key != gpt2.key
    bert.collate(TEXTS)
    assert bert.key == other.key


def test_images_of_every_shape_become_one_size_and_nothing_is_cut_off(tiny_checkpoint, changed):
    keeps_shape = changed(
        tiny_checkpoint("mobilenet_v2"), size={"shortest_edge": 64}, do_center_crop=False
    )
    reader = ImageReader(keeps_shape)
    picture = np.zeros((30, 90, 3), dtype=np.uint8)
    picture[:, 60:] = 255
    prepared = reader.prepare(Image.fromarray(picture))
    assert prepared.shape == (64, 64, 3)
    assert prepared[:, -4:].min() > 250
    assert 0.25 < (prepared > 128).mean() < 0.42
    assert '"square": 64' in reader.key


def test_a_processor_that_resizes_nothing_takes_the_size_of_the_network(tiny_checkpoint, changed):
    free = changed(tiny_checkpoint("mobilenet_v2"), do_resize=False, do_center_crop=False)
    assert ImageReader(free).prepare(Image.new("RGB", (50, 80))).shape == (64, 64, 3)
    boundless = changed(free, "config.json", without=["image_size"])
    with pytest.raises(CheckpointError, match="every size, and a batch of training has one"):
        ImageReader(boundless)
