"""From live processors and tokenizers to a manifest, and back without transformers."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from zoo.errors import CheckpointError
from zoo.testing.tiny_checkpoints import TINY_IMAGE, TINY_TEXT
from zoo.types.model import Checkpoint, ModelEntry
from zoo_runtimes.images import load_preparation
from zoo_runtimes.loading import load_network
from zoo_runtimes.offsets import places
from zoo_runtimes.onnx.manifest import TOKENIZER, Images, Texts
from zoo_runtimes.onnx.preparing import (
    describe_images,
    describe_texts,
    restore_images,
    restore_texts,
    restored_key,
)
from zoo_runtimes.processors import geometry, image_key
from zoo_runtimes.texts import load_tokens

RANDOM = np.random.default_rng(0)
BASE = {
    "do_resize": True,
    "size": {"shortest_edge": 48},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.5],
    "image_std": [0.5, 0.5, 0.3],
}
CROP = {"do_center_crop": True, "crop_size": {"height": 40, "width": 44}}
SQUARE = {"size": {"height": 40, "width": 40}}
STANDARD = [
    ("ConvNext", {"crop_pct": 0.875}),
    ("ConvNext", {"crop_pct": 0.9, "size": {"shortest_edge": 384}}),
    ("PoolFormer", {"crop_pct": 0.9, **CROP}),
    ("PoolFormer", {"crop_pct": 0.95, **CROP, **SQUARE}),
    ("PoolFormer", {"crop_pct": 0.9, **CROP, "size": {"height": 48, "width": 60}}),
    ("Levit", CROP),
    ("Levit", {**CROP, **SQUARE}),
    ("MobileViT", {**CROP, "do_flip_channel_order": True}),
    ("MobileViT", {**CROP, "do_flip_channel_order": False}),
    ("Beit", {**SQUARE, "do_center_crop": False}),
    ("Beit", {**SQUARE, **CROP}),
    ("EfficientNet", {**SQUARE, "do_center_crop": False, "rescale_offset": True}),
    ("EfficientNet", {**SQUARE, **CROP, "include_top": True}),
    ("Segformer", SQUARE),
    ("ViT", SQUARE),
    ("Bit", CROP),
]


def described(folder, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text('{"model_type": "vit"}')
    entry = ModelEntry(ref="./described", modality="image")
    return Checkpoint(entry=entry, folder=str(folder), digest=str(folder))


def exported(folder):
    folder.mkdir(exist_ok=True)
    return Checkpoint(entry=ModelEntry(ref="./exported"), folder=str(folder), digest="exported")


def pictures():
    for height, width in [(60, 90), (91, 57), (33, 33), (300, 40), (20, 24), (7, 5)]:
        yield Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8))


def through_json(value):
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))


@pytest.mark.parametrize(("family", "settings"), STANDARD)
def test_a_processor_in_numbers_prepares_the_same_bytes_under_the_same_key(
    family, settings, tmp_path
):
    checkpoint = described(
        tmp_path / "it", image_processor_type=f"{family}ImageProcessor", **{**BASE, **settings}
    )
    live = load_preparation(checkpoint)
    images = through_json(describe_images(checkpoint, live))
    assert images.standard
    assert live.processor is not None
    restored = restore_images(exported(tmp_path / "out"), images)
    assert restored.processor is None
    np.testing.assert_array_equal(restored.scale, live.scale)
    np.testing.assert_array_equal(restored.offset, live.offset)
    own = dataclasses.replace(live, plain=None)
    for picture in pictures():
        if max(picture.size) / min(picture.size) > 3 and "shortest_edge" in images.size:
            continue
        np.testing.assert_array_equal(restored.prepare(picture), own.prepare(picture))
    assert restored_key(exported(tmp_path / "out"), images) == image_key(checkpoint)


def test_what_a_class_completes_by_its_defaults_is_found_by_looking(tmp_path):
    """The settings alone do not say it, so the key does not promise it."""
    checkpoint = described(tmp_path / "it", image_processor_type="MobileViTImageProcessor")
    assert geometry(json.loads((tmp_path / "it/preprocessor_config.json").read_text())) is None
    assert "transformers" in image_key(checkpoint)
    images = describe_images(checkpoint, load_preparation(checkpoint))
    assert images.standard
    assert images.flip
    assert images.crop == (256, 256)


def test_a_processor_that_no_numbers_replace_takes_its_settings_along(tmp_path):
    settings = {**BASE, **SQUARE, "image_processor_type": "ViTImageProcessor", "do_pad": True}
    checkpoint = described(tmp_path / "it", **settings)
    live, folder = load_preparation(checkpoint), tmp_path / "out"
    twin = exported(folder)
    images = describe_images(checkpoint, live, folder)
    assert images == Images(standard=False)
    restored = restore_images(twin, images)
    assert restored_key(twin, images) == image_key(checkpoint)
    for picture in pictures():
        np.testing.assert_array_equal(restored.prepare(picture), live.prepare(picture))


def test_without_transformers_such_a_processor_is_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(CheckpointError, match="its images are prepared by a") as error:
        restore_images(exported(tmp_path / "out"), Images(standard=False))
    assert error.value.hint == "pip install transformers"


@pytest.mark.parametrize("name", TINY_IMAGE)
def test_the_processors_of_every_family_go_into_numbers(name, tiny_checkpoint):
    checkpoint = tiny_checkpoint(name)
    images = describe_images(checkpoint, load_preparation(checkpoint))
    assert images.standard
    assert len(images.scale) == len(images.offset) == 3


def live_tokens(checkpoint):
    import torch

    return load_tokens(checkpoint, load_network(checkpoint, "text", torch.device("cpu")))


@pytest.mark.parametrize("name", TINY_TEXT)
def test_tokens_places_and_costs_are_the_same_without_transformers(name, tiny_checkpoint, tmp_path):
    live = live_tokens(tiny_checkpoint(name))
    texts = through_json(describe_texts(live, tmp_path))
    bare = restore_texts(tmp_path, texts, "./exported")
    assert "truncation" in (saved := json.loads((tmp_path / TOKENIZER).read_text()))
    assert saved["truncation"] is saved["padding"] is None
    inputs = ["the cat", "a very Good film, and 3 more", "", "cat " * 200]
    pairs = [("the cat", "a dog"), ("one " * 60, "two three"), ("", "bird")]
    for given in (inputs, pairs):
        assert bare.encode(given) == live.encode(given)
        for here, there in zip(places(bare, given), places(live, given), strict=True):
            np.testing.assert_array_equal(here.starts, there.starts)
            np.testing.assert_array_equal(here.ends, there.ends)
            assert here.length == there.length


def test_texts_that_were_cut_on_the_left_still_are(tiny_checkpoint, tmp_path):
    live = live_tokens(tiny_checkpoint("bert"))
    live.tokenizer.truncation_side = "left"
    texts = describe_texts(live, tmp_path)
    assert texts.truncation == "left"
    given = ["one two three cat " * 40]
    assert restore_texts(tmp_path, texts, "x").encode(given) == live.encode(given)


def test_a_slow_tokenizer_is_refused_at_export(tiny_checkpoint, tmp_path):
    class Slow:
        is_fast = False

    tokens = dataclasses.replace(live_tokens(tiny_checkpoint("bert")), tokenizer=Slow())
    with pytest.raises(CheckpointError, match="its tokenizer Slow has no fast form") as error:
        describe_texts(tokens, tmp_path)
    assert "tokenizer.json" in error.value.hint
    assert not (tmp_path / TOKENIZER).exists()


def test_a_tokenizer_that_does_more_in_python_is_refused_at_export(tiny_checkpoint, tmp_path):
    live = live_tokens(tiny_checkpoint("bert"))

    class Shouting:
        is_fast = True
        model_input_names = live.tokenizer.model_input_names
        backend_tokenizer = live.tokenizer.backend_tokenizer
        truncation_side = "right"

        def __call__(self, texts, **options):
            return live.tokenizer([f"cat {text}" for text in texts], **options)

    tokens = dataclasses.replace(live, tokenizer=Shouting())
    with pytest.raises(CheckpointError, match="makes other tokens of 'a zoo of checkpoints'"):
        describe_texts(tokens, tmp_path)


@pytest.mark.parametrize("damage", ["absent", "", "{", '{"version": "1.0"}'])
def test_a_broken_tokenizer_file_is_named(damage, tmp_path):
    if damage != "absent":
        (tmp_path / TOKENIZER).write_text(damage)
    texts = Texts(longest=8, padding=0)
    with pytest.raises(CheckpointError, match=r"^\./exported: .*tokenizer.json") as error:
        restore_texts(tmp_path, texts, "./exported")
    assert error.value.hint == "Export it again."
