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
# resize, centre crop, pointwise steps, in this order, and nothing else.
_STANDARD = frozenset(
    {
        "BitImageProcessor",
        "BlipImageProcessor",
        "CLIPImageProcessor",
        "ChineseCLIPImageProcessor",
        "DeiTImageProcessor",
        "MobileNetV1ImageProcessor",
        "MobileNetV2ImageProcessor",
        "PvtImageProcessor",
        "SiglipImageProcessor",
        "ViTImageProcessor",
    }
)
# Those of them that do not crop unless told to.
_UNCROPPED = frozenset(
    {
        "BlipImageProcessor",
        "PvtImageProcessor",
        "SiglipImageProcessor",
        "ViTImageProcessor",
    }
)
# Their own geometry, but the pointwise steps can be left out.
_SEPARABLE = _STANDARD | {
    "BeitImageProcessor",
    "ConvNextImageProcessor",
    "EfficientNetImageProcessor",
    "LevitImageProcessor",
    "MobileViTImageProcessor",
    "PoolFormerImageProcessor",
    "SegformerImageProcessor",
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """The standard pipeline, spelled out in full by the checkpoint.

    Attributes:
        size: ``{"shortest_edge": s}`` or ``{"height": h, "width": w}``.
        resample: Pillow's filter number.
        crop: (height, width) of the centre crop, if there is one.
    """

    size: tuple[tuple[str, int], ...]
    resample: int
    crop: tuple[int, int] | None


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
    return processor_type(settings) in _SEPARABLE and not settings.get("do_pad")


def geometry(settings: dict[str, Any]) -> Geometry | None:
    """The standard pipeline, if the settings leave nothing of it to a class's defaults."""
    size, crop = settings.get("size"), settings.get("crop_size")
    cropped = settings.get(
        "do_center_crop", False if processor_type(settings) in _UNCROPPED else None
    )
    if (
        processor_type(settings) not in _STANDARD
        or settings.get("do_pad")
        or settings.get("do_reduce_labels")
        or settings.get("do_resize") is not True
        or not isinstance(settings.get("resample"), int)
        or not isinstance(size, dict)
        or set(size) not in ({"shortest_edge"}, {"height", "width"})
        or not isinstance(cropped, bool)
        or (cropped and not (isinstance(crop, dict) and set(crop) == {"height", "width"}))
    ):
        return None
    window = (int(crop["height"]), int(crop["width"])) if cropped and crop else None
    return Geometry(
        size=tuple(sorted((str(key), int(value)) for key, value in size.items())),
        resample=int(settings["resample"]),
        crop=window,
    )


def image_key(checkpoint: Checkpoint) -> str:
    """Canonical JSON: equal keys promise equal prepared arrays.

    Means and deviations are left out where the batch applies them, and so is the class's name
    where the settings spell the standard pipeline out.
    """
    require_colour(checkpoint)
    settings = processor_settings(checkpoint)
    plain = geometry(settings)
    key: dict[str, Any] = {
        "backend": "pil",
        "pillow": version("pillow"),
        "transformers": version("transformers"),
    }
    if plain is not None:
        key["standard"] = {"size": plain.size, "resample": plain.resample, "crop": plain.crop}
    else:
        left_out = _WITHOUT_EFFECT | (POINTWISE if separable(settings) else frozenset())
        key["class"] = processor_type(settings) or settings.get("feature_extractor_type")
        key["settings"] = {k: v for k, v in settings.items() if k not in left_out}
        if not str(key["class"]).endswith("ImageProcessor"):
            key["model_type"] = read_config(checkpoint).get("model_type")
    if "TimmWrapper" in str(key.get("class")):
        key["timm"] = _timm_version()
    if checkpoint.trust_remote_code and "auto_map" in settings:
        key["code"] = checkpoint.digest
    return json.dumps(key, sort_keys=True, separators=(",", ":"))


def _timm_version() -> str | None:
    try:
        return version("timm")
    except PackageNotFoundError:
        return None
