"""Decoding, preparing and normalising images; the key under which prepared arrays are shared."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor

from zoo.errors import CheckpointError, InputError
from zoo.probes.decoding import decode
from zoo.testing.tiny_checkpoints import TINY_IMAGE
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.probe import ImageInput
from zoo.types.runtimes import RuntimeOptions
from zoo_runtimes.feeds import ImageFeed
from zoo_runtimes.images import load_preparation
from zoo_runtimes.processors import geometry, image_key, separable

RANDOM = np.random.default_rng(0)
STANDARD = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 40, "width": 40},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
PROCESSORS = [
    "Beit", "Bit", "Blip", "ChineseCLIP", "CLIP", "ConvNext", "DeiT", "EfficientNet", "Levit",
    "MobileNetV1", "MobileNetV2", "MobileViT", "PoolFormer", "Pvt", "Segformer", "Siglip", "ViT",
]  # fmt: skip


def saved(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return ImageInput(name="photo", data=buffer.getvalue())


@pytest.fixture
def described(tmp_path, request):
    """A checkpoint of nothing but its descriptions."""
    counter = iter(range(99))

    def write(settings=None, config=None, name="preprocessor_config.json", **changes):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        merged = {**(STANDARD if settings is None else settings), **changes}
        (folder / name).write_text(json.dumps(merged))
        (folder / "config.json").write_text(json.dumps(config or {"model_type": "vit"}))
        entry = ModelEntry(ref="./described", modality="image")
        return Checkpoint(entry=entry, folder=str(folder), digest=str(folder))

    return write


def shapes():
    for height, width in [(60, 90), (91, 57), (33, 33), (300, 40), (20, 24), (1, 1)]:
        yield Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8))


def normalised(preparation, array):
    feed = ImageFeed(preparation, torch.device("cpu"), last=False)
    ((_, tensors),) = feed.batches(feed.encode([array]))
    return tensors["pixel_values"][0].numpy()


@pytest.mark.parametrize("family", PROCESSORS)
@pytest.mark.parametrize("size", [{"shortest_edge": 48}, {"height": 40, "width": 48}])
@pytest.mark.parametrize("cropped", [False, True])
def test_bytes_normalised_in_batches_equal_the_processor_on_images_of_any_shape(
    family, size, cropped, described
):
    settings = {**STANDARD, "image_processor_type": f"{family}ImageProcessor", "size": size}
    settings |= {"image_mean": [0.48, 0.45, 0.4], "image_std": [0.22, 0.23, 0.3]}
    if family in {"ConvNext", "PoolFormer"}:
        settings |= {"crop_pct": 0.875, "size": {"shortest_edge": 48}}
    if cropped:
        settings |= {"do_center_crop": True, "crop_size": {"height": 44, "width": 36}}
    if family == "Levit" and not cropped:
        settings["do_center_crop"] = False
    checkpoint = described(settings)
    preparation = load_preparation(checkpoint)
    processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    for image in shapes():
        if max(image.size) / min(image.size) > 3 and family == "ConvNext":
            continue
        array = preparation.prepare(image)
        expected = processor(image, return_tensors="np")["pixel_values"][0]
        assert array.dtype == np.uint8
        assert array.shape == (*expected.shape[1:], 3)
        np.testing.assert_allclose(normalised(preparation, array), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", PROCESSORS)
def test_the_bytes_of_separable_processors_do_not_depend_on_the_normalisation(family, described):
    """What lets checkpoints with other means share one preparation."""
    settings = {**STANDARD, "image_processor_type": f"{family}ImageProcessor"}
    if family in {"ConvNext", "PoolFormer"}:
        settings["size"] = {"shortest_edge": 40}
    other = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 1.0, 2.0], "rescale_factor": 1.0}
    first, second = described(settings), described({**settings, **other})
    third = described({**settings, "do_normalize": False})
    assert separable(settings)
    assert image_key(first) == image_key(second) == image_key(third)
    for image in shapes():
        arrays = [load_preparation(one).prepare(image) for one in (first, second, third)]
        np.testing.assert_array_equal(arrays[0], arrays[1])
        np.testing.assert_array_equal(arrays[0], arrays[2])


def test_a_processor_that_cannot_be_split_is_used_whole(described):
    checkpoint = described(do_pad=True)
    preparation = load_preparation(checkpoint)
    assert preparation.scale is None
    processor = AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil")
    for image in shapes():
        array = preparation.prepare(image)
        assert array.dtype == np.float32
        expected = processor(image, return_tensors="np")["pixel_values"][0]
        np.testing.assert_array_equal(array, expected)
        np.testing.assert_array_equal(normalised(preparation, array), expected)
    assert image_key(checkpoint) != image_key(described(do_pad=True, image_mean=[0, 0, 0]))


def test_equal_pipelines_of_other_classes_share_their_preparation(described):
    crop = {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}}
    keys = {
        image_key(described(**crop, image_processor_type=f"{family}ImageProcessor"))
        for family in ("MobileNetV1", "MobileNetV2", "Bit", "CLIP", "DeiT")
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"size": {"height": 41, "width": 40}},
        {"size": {"shortest_edge": 40}},
        {"size": 40},
        {"resample": 3},
        {"do_resize": False},
        {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
        {"do_pad": True},
        {"image_processor_type": "BeitImageProcessor"},
        {"image_processor_type": "ViTFeatureExtractor"},
        {"something_new": 1},
    ],
)
def test_whatever_shapes_the_prepared_array_is_in_the_key(change, described):
    if change == {"something_new": 1}:
        base = {"image_processor_type": "BeitImageProcessor"}
        assert image_key(described(**base)) != image_key(described(**base, **change))
    else:
        assert image_key(described()) != image_key(described(**change))


def test_defaults_of_a_class_are_not_taken_for_the_standard_pipeline():
    missing = {key: value for key, value in STANDARD.items() if key != "resample"}
    assert geometry(STANDARD) is not None
    assert geometry(missing) is None
    assert geometry({**STANDARD, "image_processor_type": "CLIPImageProcessor"}) is None


def test_keys_of_processors_found_through_the_model_type_name_it(described):
    nameless = {k: v for k, v in STANDARD.items() if k != "image_processor_type"}
    keys = {image_key(described(nameless, {"model_type": kind})) for kind in ("vit", "beit")}
    assert len(keys) == 2


def test_keys_of_timm_checkpoints_are_their_pretrained_settings(tmp_path):
    keys = set()
    for side in (64, 96):
        settings = {"pretrained_cfg": {"input_size": [3, side, side]}}
        (tmp_path / "config.json").write_text(json.dumps(settings))
        entry = ModelEntry(ref="./timm", modality="image", library="timm")
        keys.add(image_key(Checkpoint(entry=entry, folder=str(tmp_path), digest="")))
    assert len(keys) == 2
    assert all("TimmWrapper" in key for key in keys)


def test_a_nested_processor_config_comes_first(described):
    nested = described({"image_processor": STANDARD}, name="processor_config.json")
    (Path(nested.folder) / "preprocessor_config.json").write_text('{"size": 7}')
    assert image_key(nested) == image_key(described())


def test_keys_and_identity_are_read_without_a_framework(described):
    import subprocess
    import sys

    folder = described().folder
    code = (
        "import sys; from zoo_runtimes.torch_runtime import TorchRuntime as R;"
        "from zoo.types.model import Checkpoint as C, ModelEntry as E;"
        f"c = C(entry=E(ref='x'), folder={folder!r}, digest='');"
        "print(R().identity()); R().input_key(c, 'image'); R().input_key(c, 'text');"
        "heavy = {'torch', 'transformers', 'numpy', 'PIL', 'tokenizers'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "torch=2" in done.stdout
    assert "transformers=5" in done.stdout


def test_a_missing_processor_is_explained(tmp_path, runtime):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    entry = ModelEntry(ref="./mine", modality="image")
    checkpoint = Checkpoint(entry=entry, folder=str(tmp_path), digest="")
    with pytest.raises(CheckpointError, match=r"\./mine has no preprocessor_config.json") as error:
        runtime.input_key(checkpoint, "image")
    assert "original checkpoint" in error.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_a_damaged_processor_file_is_named(text, described, runtime):
    checkpoint = described()
    (Path(checkpoint.folder) / "preprocessor_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"preprocessor_config.json is not readable JSON"):
        runtime.input_key(checkpoint, "image")


def test_an_unknown_processor_is_explained(described, runtime, images):
    checkpoint = described(image_processor_type="NoSuchImageProcessor", size={"height": 8})
    with pytest.raises(CheckpointError, match="image processor"):
        runtime.prepare(checkpoint, images[:1])


def test_grey_palette_and_cmyk_become_rgb():
    grey = Image.fromarray(RANDOM.integers(0, 256, (8, 9), dtype=np.uint8))
    for image in (grey, grey.convert("P"), grey.convert("1")):
        assert decode(saved(image)).mode == "RGB"
    np.testing.assert_array_equal(np.asarray(decode(saved(grey)))[..., 1], np.asarray(grey))
    assert decode(saved(Image.new("CMYK", (5, 4)), "JPEG")).mode == "RGB"


def test_transparency_is_seen_on_white():
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (0, 0, 255, 255))
    pixels = np.asarray(decode(saved(clear)))
    np.testing.assert_array_equal(pixels, [[[255, 255, 255], [0, 0, 255]]])
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([9, 9, 9])
    assert np.asarray(decode(saved(palette, transparency=0))).tolist() == [[[255, 255, 255]]]


def test_sixteen_bits_are_scaled_and_not_cut_off():
    deep = Image.fromarray(np.array([[0, 257 * 100, 65535]], dtype=np.uint16))
    assert np.asarray(decode(saved(deep)))[0, :, 0].tolist() == [0, 100, 255]
    shallow = Image.fromarray(np.array([[0, 0.5, 1.0]], dtype=np.float32))
    assert np.asarray(decode(saved(shallow, "TIFF")))[0, :, 0].tolist() == [0, 128, 255]


def test_images_are_turned_upright():
    turned = Image.new("RGB", (6, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(saved(turned, "JPEG", exif=exif)).size == (4, 6)


def test_files_are_read_by_path(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png")
    image = decode(ImageInput(name="a.png", path=str(tmp_path / "a.png")))
    assert image.size == (3, 2)


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "absent", "nothing"])
def test_an_unreadable_image_is_named(damage, tmp_path):
    whole = saved(Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8))).data
    data = {"text": b"not an image", "cut": whole[: len(whole) // 2], "empty": b""}.get(damage)
    path = str(tmp_path / "gone.png") if damage == "absent" else None
    with pytest.raises(InputError, match=r"cannot read the image cats/7\.png: ") as error:
        decode(ImageInput(name="cats/7.png", path=path, data=data))
    assert error.value.hint


def test_images_of_unequal_size_run_in_one_batch(tiny_checkpoint, broken_copy, runtime):
    """Only the shortest edge is fixed: every image keeps its shape."""
    checkpoint = broken_copy(tiny_checkpoint("resnet"))
    path = Path(checkpoint.folder) / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    del settings["crop_pct"]
    settings |= {"image_processor_type": "BitImageProcessor", "do_center_crop": False}
    path.write_text(json.dumps(settings))
    checkpoint = msgspec.structs.replace(checkpoint, entry=ModelEntry(ref="x", modality="image"))
    images = [saved(image) for image in shapes() if min(image.size) > 1]
    arrays = runtime.prepare(checkpoint, images)
    assert len({array.shape for array in arrays}) > 2
    backbone = runtime.open(checkpoint, RuntimeOptions())
    batch = backbone.encode(arrays)
    assert [one.cost for one in batch] == [a.shape[0] * a.shape[1] for a in arrays]
    together = backbone.extract(batch, ["head_input", "logits"])
    for row, one in enumerate(batch):
        alone = backbone.extract([one], ["head_input"])["head_input"]
        np.testing.assert_allclose(together["head_input"][row], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TINY_IMAGE)
def test_every_family_shares_bytes(name, tiny_checkpoint, runtime, images):
    arrays = runtime.prepare(tiny_checkpoint(name), images[:2])
    assert all(array.dtype == np.uint8 and array.shape[2] == 3 for array in arrays)
