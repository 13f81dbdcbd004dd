"""What the networks see of an image: a crop and a flip, the same for all of them.

A view is a pure function of (seed, row, view), so that neither worker processes nor a resumed
training carry any state. It is taken from the decoded image, before any model resizes it: a network
that saw another crop would be compared with what other places of the image gave.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from zoo.building.recipe import Views

#: The number of the untouched image.
PLAIN = 0

_ASPECTS = (math.log(3 / 4), math.log(4 / 3))
_ATTEMPTS = 10
#: Shares of the area that a part of an image keeps.
_SMALLEST_PART, _LARGEST_PART = 0.15, 0.4


def view_number(epoch: int, settings: Views, place: int = 0) -> int:
    """Give the view that an image shows in an epoch, counted from 0.

    Fixed views take turns from one image to the next: were an epoch of one view, what is learned
    last, and batch norm's statistics, would be that view's alone.

    Args:
        epoch: pass over the data.
        settings: which views there are.
        place: of the image among those that are trained on.
    """
    return epoch + 1 if settings.kind == "random" else (epoch + place) % settings.count


def view_of(image: Image.Image, *, seed: int, row: int, view: int, settings: Views) -> Image.Image:
    """Crop and mirror one decoded image; view 0 is the image itself.

    The crop keeps a share of the area in [``settings.scale``, 1] and has an aspect ratio in
    [3/4, 4/3], both drawn as in Szegedy et al., CVPR 2015, arXiv 1409.4842.
    """
    if view == PLAIN:
        return image
    # A string is hashed with SHA-512: the same numbers on every machine and version of Python.
    draw = random.Random(f"{seed}/{row}/{view}")  # noqa: S311 -- not for secrets
    box = _crop(draw, *image.size, settings.scale)
    mirrored = settings.flip and draw.random() < 0.5
    if box != (0, 0, *image.size):
        image = image.crop(box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


def part_of(sample: Any, *, seed: int, row: int, view: int) -> Any:
    """Cut a part out of what the networks see: a crop of an image, half the words of a text.

    Args:
        sample: an image, a text or a pair of texts.
        seed: of the run.
        row: number of the sample.
        view: number of its view; every view has its own part.
    """
    draw = random.Random(f"{seed}/{row}/{view}/part")  # noqa: S311 -- not for secrets
    if isinstance(sample, Image.Image):
        return sample.crop(_crop(draw, *sample.size, _SMALLEST_PART, _LARGEST_PART))
    if isinstance(sample, tuple):
        return tuple(_words_of(each, draw) for each in sample)
    return _words_of(str(sample), draw)


def _words_of(text: str, draw: random.Random) -> str:
    words = text.split()
    kept = -(-len(words) // 2)
    first = draw.randint(0, len(words) - kept)
    return " ".join(words[first : first + kept])


def _crop(
    draw: random.Random, width: int, height: int, least: float, most: float = 1.0
) -> tuple[int, int, int, int]:
    """Choose a box (left, top, right, bottom); the whole image where no crop of it fits."""
    for _ in range(_ATTEMPTS):
        area = width * height * draw.uniform(least, most)
        aspect = math.exp(draw.uniform(*_ASPECTS))
        across, down = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < across <= width and 0 < down <= height:
            left, top = draw.randint(0, width - across), draw.randint(0, height - down)
            return left, top, left + across, top + down
    return 0, 0, width, height
