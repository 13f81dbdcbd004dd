"""What a checkpoint's files say about image preprocessing, read without any framework."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import CheckpointError

if TYPE_CHECKING:
    from zoo.types.model import Checkpoint

# Steps that a batch can do later: they map each channel's byte values by one line.
POINTWISE = frozenset(
    {
        "do_rescale",
        "rescale_factor",
        "rescale_offset",
        "do_normalize",
        "image_mean",
        "image_std",
        "include_top",
    }
)
_WITHOUT_EFFECT = frozenset(
    {
        "_valid_processor_keys",
        "auto_map",
        "feature_extractor_type",
        "image_processor_type",
        "processor_class",
        "return_tensors",
        "use_fast",
    }
)
# resize, centre crop, pointwise steps, and nothing else; some with a size of their own making.
_STANDARD = frozenset(
    {
        "BeitImageProcessor",
        "BitImageProcessor",
        "BlipImageProcessor",
        "CLIPImageProcessor",
        "ChineseCLIPImageProcessor",
        "ConvNextImageProcessor",
        "DeiTImageProcessor",
        "EfficientNetImageProcessor",
        "LevitImageProcessor",
        "MobileNetV1ImageProcessor",
        "MobileNetV2ImageProcessor",
        "MobileViTImageProcessor",
        "PoolFormerImageProcessor",
        "PvtImageProcessor",
        "SegformerImageProcessor",
        "SiglipImageProcessor",
        "ViTImageProcessor",
    }
)
# Those of them that do not crop unless told to.
_UNCROPPED = frozenset(
    {
        "ConvNextImageProcessor",
        "SegformerImageProcessor",
        "BlipImageProcessor",
        "PvtImageProcessor",
        "SiglipImageProcessor",
        "ViTImageProcessor",
    }
)
_Resized = tuple[dict[str, int], tuple[int, int] | None]
_WARPED_FROM = 384
_LEVIT_MARGIN = 256 / 224


@dataclass(frozen=True, slots=True)
class Geometry:
    """The standard pipeline, spelled out in full by the checkpoint.

    Attributes:
        size: ``{"shortest_edge": s}`` or ``{"height": h, "width": w}``.
        resample: Pillow's filter number.
        crop: (height, width) of the centre crop, if there is one.
        flip: channels come out in the order blue, green, red.
    """

    size: tuple[tuple[str, int], ...]
    resample: int
    crop: tuple[int, int] | None
    flip: bool = False


def read_json(checkpoint: Checkpoint, name: str) -> dict[str, Any] | None:
    """One JSON object of the checkpoint; None where there is no such file.

    Raises:
        CheckpointError: the file is not a JSON object.
    """
    path = Path(checkpoint.folder) / name
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found = error
    if not isinstance(found, dict):
        raise CheckpointError(
            f"{checkpoint.model}: {name} is not readable JSON.",
            f"Fetch it again: zoo models pull {checkpoint.model}",
        )
    return found


def read_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """``config.json``.

    Raises:
        CheckpointError: there is none.
    """
    config = read_json(checkpoint, "config.json")
    if config is None:
        raise CheckpointError(
            f"{checkpoint.model} has no config.json, so its architecture is unknown.",
            "Use a checkpoint in Hugging Face format.",
        )
    return config


def require_colour(checkpoint: Checkpoint) -> None:
    """Refuse networks that do not read three channels.

    Raises:
        CheckpointError: saying what it reads instead.
    """
    config = read_config(checkpoint)
    vision = config.get("vision_config")
    channels = (vision if isinstance(vision, dict) else config).get("num_channels", 3)
    if isinstance(channels, int) and channels != 3:
        raise CheckpointError(
            f"{checkpoint.model} reads {channels}-channel input, not colour images.",
            "Leave it out.",
        )


def processor_settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """The image processor's settings, from where transformers reads them.

    Raises:
        CheckpointError: no file says how images were resized and normalised.
    """
    nested = (read_json(checkpoint, "processor_config.json") or {}).get("image_processor")
    settings = nested or read_json(checkpoint, "preprocessor_config.json")
    if settings:
        return dict(settings)
    config = read_config(checkpoint)
    if "pretrained_cfg" in config:
        return {"image_processor_type": "TimmWrapperImageProcessor", **config["pretrained_cfg"]}
    raise CheckpointError(
        f"{checkpoint.model} has no preprocessor_config.json: how its images were resized and "
        "normalised is unknown.",
        "Copy the file from the original checkpoint into its folder.",
    )


def processor_type(settings: dict[str, Any]) -> str | None:
    """Name of the processor class; None where only the model type decides."""
    name = settings.get("image_processor_type")
    return str(name).removesuffix("Fast") if name else None


def separable(settings: dict[str, Any]) -> bool:
    """Whether the pointwise steps can be left to the batch, whatever their numbers are."""
    return processor_type(settings) in _STANDARD and not settings.get("do_pad")


def geometry(settings: dict[str, Any]) -> Geometry | None:
    """The standard pipeline, if the settings leave nothing of it to a class's defaults."""
    name, crop = processor_type(settings), settings.get("crop_size")
    cropped = settings.get("do_center_crop", False if name in _UNCROPPED else None)
    flip = settings.get("do_flip_channel_order") if name == "MobileViTImageProcessor" else False
    if (
        name not in _STANDARD
        or settings.get("do_pad")
        or settings.get("do_reduce_labels")
        or settings.get("do_resize") is not True
        or not isinstance(settings.get("resample"), int)
        or not isinstance(flip, bool)
        or not isinstance(cropped, bool)
        or (cropped and name in {"ConvNextImageProcessor", "SegformerImageProcessor"})
        or (cropped and not (isinstance(crop, dict) and set(crop) == {"height", "width"}))
    ):
        return None
    resized = _resized(name, settings)
    if resized is None:
        return None
    size, window = resized
    if cropped and crop:
        window = (int(crop["height"]), int(crop["width"]))
    sides = tuple(sorted(size.items()))
    return Geometry(size=sides, resample=int(settings["resample"]), crop=window, flip=flip)


def _resized(name: str, settings: dict[str, Any]) -> _Resized | None:
    """The size that a class resizes to, and the crop that belongs to it; None: unknown."""
    sides = settings.get("size")
    if not isinstance(sides, dict) or set(sides) not in ({"shortest_edge"}, {"height", "width"}):
        return None
    size = {str(key): int(value) for key, value in sides.items()}
    if name == "LevitImageProcessor" and "shortest_edge" in size:
        return {"shortest_edge": int(_LEVIT_MARGIN * size["shortest_edge"])}, None
    if name not in {"ConvNextImageProcessor", "PoolFormerImageProcessor"}:
        return size, None
    share = settings.get("crop_pct")
    if not isinstance(share, int | float) or share <= 0:
        return None
    scaled = {key: int(value / share) for key, value in size.items()}
    if name == "ConvNextImageProcessor":
        return _warped_or_cropped(size, scaled)
    square = len(set(size.values())) == 1
    return ({"shortest_edge": next(iter(scaled.values()))} if square else scaled), None


def _warped_or_cropped(size: dict[str, int], scaled: dict[str, int]) -> _Resized | None:
    edge = size.get("shortest_edge")
    if edge is None:
        return None
    if edge >= _WARPED_FROM:
        return {"height": edge, "width": edge}, None
    return scaled, (edge, edge)


def image_key(checkpoint: Checkpoint) -> str:
    """Canonical JSON: equal keys promise equal prepared arrays.

    Means and deviations are left out where the batch applies them, and so is the class's name
    where the settings spell the standard pipeline out.
    """
    require_colour(checkpoint)
    settings = processor_settings(checkpoint)
    plain = geometry(settings)
    return settings_key(checkpoint, settings) if plain is None else geometry_key(plain)


def geometry_key(plan: Geometry) -> str:
    """The key of the standard pipeline, which Pillow alone computes."""
    standard = {"size": plan.size, "resample": plan.resample, "crop": plan.crop, "flip": plan.flip}
    return _canonical({"backend": "pil", "pillow": version("pillow"), "standard": standard})


def settings_key(checkpoint: Checkpoint, settings: dict[str, Any]) -> str:
    """The key of whatever transformers' processor does with these settings."""
    left_out = _WITHOUT_EFFECT | (POINTWISE if separable(settings) else frozenset())
    key: dict[str, Any] = {
        "backend": "pil",
        "pillow": version("pillow"),
        "transformers": _installed("transformers"),
        "class": processor_type(settings) or settings.get("feature_extractor_type"),
        "settings": {k: v for k, v in settings.items() if k not in left_out},
    }
    if not str(key["class"]).endswith("ImageProcessor"):
        key["model_type"] = read_config(checkpoint).get("model_type")
    if "TimmWrapper" in str(key.get("class")):
        key["timm"] = _installed("timm")
    if checkpoint.trust_remote_code and "auto_map" in settings:
        key["code"] = checkpoint.digest
    return _canonical(key)


def _canonical(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
