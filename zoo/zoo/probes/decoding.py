"""Pixels: every image becomes RGB in one way, whoever reads it."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from zoo.types.probe import ImageInput


class UndecodableError(InputError):
    """An image that cannot be read.

    Attributes:
        reason: why, without the name of the image.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(
            f"cannot read the image {name}: {reason}.",
            "Repair or remove it, then run the same command again.",
        )

    def __reduce__(self) -> tuple[type[UndecodableError], tuple[str, str]]:
        """Survive the trip back from a worker process."""
        return type(self), (self.name, self.reason)


def decode(image: ImageInput) -> Image.Image:
    """Decode one image to RGB, upright, transparency on white, 16 bits scaled to 8.

    Raises:
        UndecodableError: the bytes are no image, naming it.
    """
    source = io.BytesIO(image.data or b"") if image.path is None else image.path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source) as opened:
                opened.load()
                return _rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError:
        reason = "its bytes are no known image format"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error)
    raise UndecodableError(image.name, reason.rstrip("."))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if values.dtype.kind == "f":
        scale = 255.0 if float(values.max(initial=0)) <= 1 else 1.0
    else:
        scale = 1.0 if int(values.max(initial=0)) <= 255 else 255 / 65535
    return np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)
