"""The checkpoints: which family learns which task, how large, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import transformers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedConfig

_SIDE = 32
_SQUARE = {"height": _SIDE, "width": _SIDE}
_GREY = [0.5, 0.5, 0.5]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make one checkpoint.

    Attributes:
        name: The folder of the checkpoint.
        family: The architecture family, as people write it.
        task: A key of `TASKS`.
        config: The configuration class of the family.
        sizes: Its parameters.
        processor: The image processor class that the family's checkpoints on the Hub use.
        resizing: Its parameters.
        epochs: How often training sees each image.
        rate: The peak learning rate.
    """

    name: str
    family: str
    task: str
    config: type[PreTrainedConfig]
    sizes: Mapping[str, Any]
    processor: type[Any]
    resizing: Mapping[str, Any]
    epochs: int
    rate: float

    def new_config(self, labels: tuple[str, ...]) -> PreTrainedConfig:
        """Configure the family for the task's classes."""
        return self.config(
            **self.sizes,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )

    def new_processor(self) -> Any:
        """Configure the image processor."""
        return self.processor(**self.resizing, image_mean=_GREY, image_std=_GREY)


_VIT = {"processor": transformers.ViTImageProcessorPil, "resizing": {"size": _SQUARE}}
_CONVNEXT = {
    "processor": transformers.ConvNextImageProcessorPil,
    "resizing": {"size": {"shortest_edge": _SIDE}, "crop_pct": 1.0},
}
_CROPPED = {"size": {"shortest_edge": _SIDE}, "crop_size": _SQUARE}

RECIPES = (
    Recipe(
        name="resnet-digits-0-4",
        family="ResNet",
        task="digits-0-4",
        config=transformers.ResNetConfig,
        sizes={
            "embedding_size": 16,
            "hidden_sizes": [16, 32, 64],
            "depths": [1, 1, 1],
            "layer_type": "basic",
        },
        **_CONVNEXT,
        epochs=40,
        rate=3e-3,
    ),
    Recipe(
        name="vit-digit-parity",
        family="ViT",
        task="digit-parity",
        config=transformers.ViTConfig,
        sizes={
            "image_size": _SIDE,
            "patch_size": 4,
            "hidden_size": 48,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "intermediate_size": 96,
        },
        **_VIT,
        epochs=60,
        rate=2e-3,
    ),
    Recipe(
        name="convnext-glyphs",
        family="ConvNeXt",
        task="glyphs",
        config=transformers.ConvNextConfig,
        sizes={
            "image_size": _SIDE,
            "patch_size": 2,
            "num_stages": 3,
            "hidden_sizes": [24, 40, 64],
            "depths": [1, 1, 1],
            "layer_scale_init_value": 0.1,
        },
        **_CONVNEXT,
        epochs=8,
        rate=4e-3,
    ),
    Recipe(
        name="mobilenet-v2-hues",
        family="MobileNetV2",
        task="hues",
        config=transformers.MobileNetV2Config,
        sizes={
            "image_size": _SIDE,
            "depth_multiplier": 0.15,
            "output_stride": 32,
            "finegrained_output": False,
            "classifier_dropout_prob": 0.1,
        },
        processor=transformers.MobileNetV2ImageProcessorPil,
        resizing=_CROPPED,
        epochs=7,
        rate=4e-3,
    ),
    Recipe(
        name="swin-orientations",
        family="Swin",
        task="orientations",
        config=transformers.SwinConfig,
        sizes={
            "image_size": _SIDE,
            "patch_size": 4,
            "embed_dim": 24,
            "depths": [2, 2],
            "num_heads": [2, 4],
            "window_size": 4,
            "mlp_ratio": 2.0,
        },
        **_VIT,
        epochs=8,
        rate=2e-3,
    ),
    Recipe(
        name="regnet-textures",
        family="RegNet",
        task="textures",
        config=transformers.RegNetConfig,
        sizes={
            "embedding_size": 16,
            "hidden_sizes": [24, 48, 64],
            "depths": [1, 1, 1],
            "groups_width": 8,
        },
        **_CONVNEXT,
        epochs=10,
        rate=4e-3,
    ),
    Recipe(
        name="mobilenet-v1-shapes",
        family="MobileNetV1",
        task="shapes",
        config=transformers.MobileNetV1Config,
        sizes={
            "image_size": _SIDE,
            "depth_multiplier": 0.125,
            "classifier_dropout_prob": 0.1,
        },
        processor=transformers.MobileNetV1ImageProcessorPil,
        resizing=_CROPPED,
        epochs=12,
        rate=4e-3,
    ),
    Recipe(
        name="efficientnet-photo-damage",
        family="EfficientNet",
        task="photo-damage",
        config=transformers.EfficientNetConfig,
        sizes={
            "image_size": _SIDE,
            "width_coefficient": 0.25,
            "depth_coefficient": 1.0,
            "hidden_dim": 320,
            "in_channels": [32, 16, 24, 40],
            "out_channels": [16, 24, 40, 80],
            "kernel_sizes": [3, 3, 5, 3],
            "strides": [1, 2, 2, 2],
            "num_block_repeats": [1, 1, 1, 1],
            "expand_ratios": [1, 4, 4, 4],
            "batch_norm_momentum": 0.1,
            "dropout_rate": 0.1,
            "drop_connect_rate": 0.0,
            # With the default 0.02 the signal of so few channels drowns in the norms' epsilon.
            "initializer_range": 0.3,
        },
        processor=transformers.EfficientNetImageProcessorPil,
        resizing={"size": _SQUARE, "include_top": False},
        epochs=10,
        rate=3e-3,
    ),
)
