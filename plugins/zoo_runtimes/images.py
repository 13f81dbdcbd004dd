"""Pixels: prepare with the checkpoint's own processor, normalise in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zoo.errors import CheckpointError
from zoo_runtimes.explaining import explained, quiet
from zoo_runtimes.processors import geometry, processor_settings, separable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.types.model import Checkpoint
    from zoo_runtimes.processors import Geometry

    Array = npt.NDArray[Any]

_SHAPES = ((60, 80), (97, 61), (31, 31))
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Preparation:
    """How one checkpoint's images become arrays, measured once against its own processor.

    Attributes:
        processor: the checkpoint's image processor on Pillow.
        scale: (C,) factor from a prepared byte to the network's input; None: bytes do not work,
            and prepared arrays are the processor's full output.
        offset: (C,) summand of the same line.
        plain: the standard pipeline, where it was seen to equal the processor bit by bit.
    """

    processor: Any
    scale: Array | None
    offset: Array | None
    plain: Geometry | None

    @property
    def fixed(self) -> bool:
        """Whether all prepared images are known to have one size."""
        plan = self.plain
        return plan is not None and (plan.crop is not None or "height" in dict(plan.size))

    def prepare(self, image: Image.Image) -> Array:
        """(H, W, 3) uint8, or (C, H, W) float32 where the processor cannot be split."""
        if self.plain is not None:
            return resize_and_crop(image, self.plain)
        if self.scale is not None:
            return _bytes(self.processor, image)
        return _full(self.processor, image)


def resize_and_crop(image: Image.Image, plan: Geometry) -> Array:
    """Resize and centre-crop as the standard pipeline does: (H, W, 3) uint8."""
    size = dict(plan.size)
    if "shortest_edge" in size:
        short, (width, height) = size["shortest_edge"], image.size
        if width <= height:
            target = (short, int(short * height / width))
        else:
            target = (int(short * width / height), short)
    else:
        target = (size["width"], size["height"])
    resized = image.resize(target, resample=plan.resample)
    if plan.crop is not None:
        height, width = plan.crop
        left, top = (target[0] - width) // 2, (target[1] - height) // 2
        resized = resized.crop((left, top, left + width, top + height))
    pixels = np.asarray(resized)
    return np.ascontiguousarray(pixels[..., ::-1]) if plan.flip else pixels


_PREPARATIONS: dict[tuple[str, str, bool], Preparation] = {}


def load_preparation(checkpoint: Checkpoint) -> Preparation:
    """Load the processor and find out, once a process, how much of it a batch can do.

    Raises:
        CheckpointError: there is no processor, or it does not work on plain images.
    """
    key = (checkpoint.folder, checkpoint.digest, checkpoint.trust_remote_code)
    if key not in _PREPARATIONS:
        _PREPARATIONS[key] = _measure(checkpoint)
    return _PREPARATIONS[key]


def _measure(checkpoint: Checkpoint) -> Preparation:
    settings = processor_settings(checkpoint)
    processor = load_processor(checkpoint)
    with explained(checkpoint, "its image processor fails"), quiet():
        line = _pointwise_line(processor)
    if line is None:
        if separable(settings):
            raise CheckpointError(
                f"{checkpoint.model}: the image processor {type(processor).__name__} does more "
                "than its preprocessor_config.json says.",
                "Please report this checkpoint.",
            )
        return Preparation(processor, None, None, None)
    plan = geometry(settings)
    if plan is not None and not _same_bytes(processor, plan):
        raise CheckpointError(
            f"{checkpoint.model}: the image processor {type(processor).__name__} resizes "
            "otherwise than its preprocessor_config.json says.",
            "Please report this checkpoint.",
        )
    return Preparation(processor, *line, plan or _spelled_out(processor))


def _spelled_out(processor: Any) -> Geometry | None:
    """The standard pipeline, where the class's own defaults complete it and it is seen to fit."""
    plan = geometry(processor.to_dict())
    return plan if plan is not None and _same_bytes(processor, plan) else None


def load_processor(checkpoint: Checkpoint) -> Any:
    """Load the checkpoint's image processor on Pillow.

    Raises:
        CheckpointError: there is none that works.
    """
    with explained(checkpoint, "its image processor cannot be loaded"), quiet():
        from transformers import AutoImageProcessor

        return AutoImageProcessor.from_pretrained(
            checkpoint.folder,
            backend="pil",
            local_files_only=True,
            trust_remote_code=checkpoint.trust_remote_code,
        )


def sample_arrays(preparation: Preparation) -> list[Array]:
    """Two prepared images of noise, to find a network's layers with."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    return [preparation.prepare(Image.fromarray(image)) for image in noise]


def varies(preparation: Preparation) -> bool:
    """Whether images of different shape are still different once they are prepared."""
    return len({preparation.prepare(image).shape for image in _samples()}) > 1


def _samples() -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [
        Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in _SHAPES
    ]


def _full(processor: Any, image: Image.Image) -> Array:
    values = np.asarray(processor(image, return_tensors="pt")["pixel_values"][0], np.float32)
    if values.ndim != 3:
        raise ValueError(f"one image becomes an array of shape {values.shape}")
    return values


def _bytes(processor: Any, image: Image.Image) -> Array:
    without = {"do_rescale": False, "do_normalize": False}
    if hasattr(processor, "include_top"):
        without["include_top"] = False
    values = np.asarray(processor(image, **without)["pixel_values"][0])
    return np.ascontiguousarray(values.transpose(1, 2, 0))


def _pointwise_line(processor: Any) -> tuple[Array, Array] | None:
    """The line from prepared bytes to the full output, if there is one within 1e-5."""
    if not hasattr(processor, "do_rescale") or getattr(processor, "do_pad", None):
        return None
    pairs = [(_bytes(processor, image), _full(processor, image)) for image in _samples()]
    if any(b.dtype != np.uint8 or b.shape != (*f.shape[1:], 3) for b, f in pairs):
        return None
    before = np.concatenate([b.reshape(-1, 3) for b, _ in pairs]).astype(np.float64)
    after = np.concatenate([f.reshape(3, -1).T for _, f in pairs]).astype(np.float64)
    middle, centred = before.mean(axis=0), before - before.mean(axis=0)
    scale = (centred * after).sum(axis=0) / (centred**2).sum(axis=0)
    offset = after.mean(axis=0) - scale * middle
    scale32, offset32 = scale.astype(np.float32), offset.astype(np.float32)
    error = np.abs(before.astype(np.float32) * scale32 + offset32 - after).max()
    return (scale32, offset32) if error <= _TOLERANCE * max(1.0, np.abs(after).max()) else None


def _same_bytes(processor: Any, plan: Geometry) -> bool:
    return all(
        np.array_equal(_bytes(processor, image), resize_and_crop(image, plan))
        for image in _samples()
    )


def group_by_shape(arrays: Sequence[Array]) -> dict[tuple[int, ...], list[int]]:
    """Rows of arrays that can be stacked."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, array in enumerate(arrays):
        groups.setdefault(array.shape, []).append(row)
    return groups
