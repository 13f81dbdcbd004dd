"""Exemplar-CNN: tell which seed patch an altered one was made from.

Dosovitskiy et al., NIPS 2014 and TPAMI 2016, arXiv 1406.6909. The paper gives ranges, not how they
are drawn: here factors and powers are drawn evenly on a logarithmic scale, so that more is as
likely as less, and everything else evenly. There a patch is warped inside its image; here it is
continued by its mirror image, so that patches alone need to be kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from zoo.errors import InputError

if TYPE_CHECKING:
    import random

    import numpy.typing as npt
    from torch import nn

    Floats = npt.NDArray[Any]

#: The short side of an image that a patch is cut from is at most so many patches long: what the
#: paper's images of 96 pixels are to its patches of 32.
_WIDEST = 3.0
_SHIFT, _SCALE, _TURN = 0.2, (0.7, 1.4), 20.0
_CONTRAST, _POWER, _FACTOR, _OFFSET, _HUE = (0.5, 2.0), (0.25, 4.0), (0.7, 1.4), 0.1, 0.1
#: Farthest that a warped patch looks beyond its own border, in its longer sides.
_MARGIN = 0.8


class ExemplarTask:
    """Surrogate classes of seed patches, each altered anew in every epoch.

    Args:
        seeds: most images that become classes; many seeds are alike, and from about 8,000 on
            telling them apart teaches nothing more.
        size: pixels of the side of a patch.
    """

    def __init__(self, *, seeds: int = 4000, size: int = 32) -> None:
        if seeds < 2:
            raise InputError(f"exemplar.seeds is {seeds}; two classes are the least.", "seeds=4000")
        if size < 8:
            raise InputError(f"exemplar.size is {size} pixels; 8 are the least.", "size=32")
        self._seeds, self._size = seeds, size

    def seeds(self, samples: int) -> int:
        """Take every image, up to the most."""
        return min(samples, self._seeds)

    def patch(self, image: Image.Image, draw: random.Random) -> Image.Image:
        """Cut a square where gradients are strong; an image that is no larger is its own patch."""
        image = _reduced(image, self._size, draw)
        width, height = min(image.width, self._size), min(image.height, self._size)
        if (width, height) == image.size:
            return image
        left, top = _place(image, width, height, draw)
        return image.crop((left, top, left + width, top + height))

    def alter(self, patch: Image.Image, draw: random.Random) -> Image.Image:
        """Shift, scale, turn, and change contrast and colours."""
        return altered(patch, Alteration.drawn(draw))

    def build(self, width: int, classes: int) -> nn.Module:
        """Make a linear classifier with its cross-entropy."""
        from zoo_distillation.exemplar_head import SeedClassifier

        return SeedClassifier(width, classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """``v -> factor * v ** power + offset``, cut to [0, 1]."""

    power: float = 1.0
    factor: float = 1.0
    offset: float = 0.0

    @classmethod
    def drawn(cls, draw: random.Random) -> Self:
        """Draw one."""
        return cls(
            power=_factor(draw, *_POWER),
            factor=_factor(draw, *_FACTOR),
            offset=draw.uniform(-_OFFSET, _OFFSET),
        )

    def __call__(self, values: Floats) -> Floats:
        """Apply it to values in [0, 1]."""
        curved: Floats = self.factor * values**self.power + self.offset
        return curved.clip(0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """What happens to a patch; the default changes nothing.

    Attributes:
        shift: to the right and down, in sides of the patch.
        scale: larger than 1 brings it nearer.
        turn: degrees.
        contrast: of each principal component of its colours, the weakest first.
        saturation: what becomes of it, in HSV.
        value: what becomes of it.
        hue: what is added, in turns of the colour circle.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    turn: float = 0.0
    contrast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: Curve = Curve()
    value: Curve = Curve()
    hue: float = 0.0

    @classmethod
    def drawn(cls, draw: random.Random) -> Self:
        """Draw one within the ranges of the paper."""
        return cls(
            shift=(draw.uniform(-_SHIFT, _SHIFT), draw.uniform(-_SHIFT, _SHIFT)),
            scale=_factor(draw, *_SCALE),
            turn=draw.uniform(-_TURN, _TURN),
            contrast=(
                _factor(draw, *_CONTRAST),
                _factor(draw, *_CONTRAST),
                _factor(draw, *_CONTRAST),
            ),
            saturation=Curve.drawn(draw),
            value=Curve.drawn(draw),
            hue=draw.uniform(-_HUE, _HUE),
        )


def altered(patch: Image.Image, what: Alteration) -> Image.Image:
    """Alter an RGB patch; the result has its size."""
    warped = np.asarray(warp(patch, what), dtype=np.float32) / 255
    colours = contrasted(warped.reshape(-1, 3), what.contrast)
    hue, saturation, value = hsv(colours)
    colours = rgb(hue + what.hue, what.saturation(saturation), what.value(value))
    pixels = np.rint(colours.reshape(warped.shape) * 255)
    return Image.fromarray(pixels.astype(np.uint8))


def warp(patch: Image.Image, what: Alteration) -> Image.Image:
    """Shift, scale and turn an RGB patch about its centre; beyond its border lies its mirror."""
    width, height = patch.size
    margin = math.ceil(_MARGIN * max(width, height))
    border = ((margin, margin), (margin, margin), (0, 0))
    wide = Image.fromarray(np.pad(np.asarray(patch), border, mode="symmetric"))
    # Pillow asks where each pixel of the result comes from.
    angle = math.radians(what.turn)
    cosine, sine = math.cos(angle) / what.scale, math.sin(angle) / what.scale
    across, down = width * (0.5 + what.shift[0]), height * (0.5 + what.shift[1])
    left = margin + width / 2 - cosine * across - sine * down
    top = margin + height / 2 + sine * across - cosine * down
    return wide.transform(
        patch.size,
        Image.Transform.AFFINE,
        (cosine, sine, left, -sine, cosine, top),
        resample=Image.Resampling.BICUBIC,
    )


def contrasted(colours: Floats, factors: tuple[float, float, float]) -> Floats:
    """Scale (P, 3) colours about their mean along their principal components, within [0, 1]."""
    mean = colours.mean(0)
    centred = colours - mean
    _, components = np.linalg.eigh(centred.T @ centred)
    scaled = components * np.asarray(factors, dtype=colours.dtype) @ components.T
    found: Floats = mean + centred @ scaled
    return found.clip(0.0, 1.0)


def hsv(colours: Floats) -> tuple[Floats, Floats, Floats]:
    """Turn (P, 3) red, green and blue in [0, 1] into hue, saturation and value, (P,) in [0, 1]."""
    red, green, blue = colours.T
    value = colours.max(1)
    chroma = value - colours.min(1)
    some = np.where(chroma > 0, chroma, 1.0)
    sixths = np.where(
        value == red,
        (green - blue) / some % 6,
        np.where(value == green, (blue - red) / some + 2, (red - green) / some + 4),
    )
    return sixths / 6, chroma / np.where(value > 0, value, 1.0), value


def rgb(hue: Floats, saturation: Floats, value: Floats) -> Floats:
    """Turn (P,) hue, saturation and value into (P, 3) red, green and blue; hues repeat."""
    place = (np.asarray([5.0, 3.0, 1.0], dtype=hue.dtype) + 6 * hue[:, None]) % 6
    lack = np.clip(np.minimum(place, 4 - place), 0.0, 1.0)
    found: Floats = value[:, None] * (1 - saturation[:, None] * lack)
    return found


def _factor(draw: random.Random, low: float, high: float) -> float:
    return math.exp(draw.uniform(math.log(low), math.log(high)))


def _reduced(image: Image.Image, size: int, draw: random.Random) -> Image.Image:
    """Draw the scale at which a patch is looked for; nothing is enlarged."""
    short = min(image.size)
    if short <= size:
        return image
    share = size * _factor(draw, 1.0, min(_WIDEST, short / size)) / short
    width, height = (max(size, round(share * side)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _place(image: Image.Image, width: int, height: int, draw: random.Random) -> tuple[int, int]:
    """Draw left and top, as likely as the mean squared gradient inside is large."""
    grey = np.asarray(image.convert("L"), dtype=np.float64)
    across = np.diff(grey, axis=1, append=grey[:, -1:])
    down = np.diff(grey, axis=0, append=grey[-1:])
    sums = np.pad(np.cumsum(np.cumsum(across**2 + down**2, 0), 1), ((1, 0), (1, 0)))
    inside = (sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]) + sums[
        :-height, :-width
    ]
    heap = np.cumsum(inside.clip(0))
    if not heap[-1]:
        return (image.width - width) // 2, (image.height - height) // 2
    place = int(np.searchsorted(heap, draw.random() * heap[-1], side="right"))
    top, left = divmod(min(place, len(heap) - 1), inside.shape[1])
    return left, top
