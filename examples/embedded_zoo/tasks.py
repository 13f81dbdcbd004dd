"""The source tasks: what each checkpoint learns, and the images it learns that from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from embedded_zoo import drawing
from zoo.embedded import LabelledImages, source_digits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from PIL import Image

    Draw = Callable[[Generator, int], Image.Image]

TRAIN_SEED, HELD_OUT_SEED = 11, 12
HELD_OUT_IMAGES = 1000


@dataclass(frozen=True, kw_only=True)
class Split:
    """The images that a checkpoint is trained on, and those that it is measured on."""

    train: LabelledImages
    held_out: LabelledImages


@dataclass(frozen=True, kw_only=True)
class Task:
    """A source task.

    Attributes:
        summary: What the classes are, as the card says it.
        held_out: How the held-out images differ from the training images.
        limits: What a person must not expect.
        split: Draws or reads the images.
        jitter: Whether training images may be turned and shifted at random.
    """

    summary: str
    held_out: str
    limits: str
    split: Callable[[], Split]
    jitter: bool = False


def handwritten(names: tuple[str, ...], relabel: Callable[[int], int | None]) -> Split:
    """Relabel the source half of scikit-learn's digits and hold its last fifth out."""
    digits = source_digits()
    kept = [
        (image, new)
        for image, label in zip(digits.images, digits.labels, strict=True)
        if (new := relabel(label)) is not None
    ]
    border = len(kept) * 4 // 5
    return Split(train=_labelled(kept[:border], names), held_out=_labelled(kept[border:], names))


def drawn(
    names: tuple[str, ...], train_images: int, draw: Draw, draw_held_out: Draw | None = None
) -> Split:
    """Draw a balanced set for training, and one with another seed to measure on."""
    held_out = draw_held_out or draw
    return Split(
        train=_draw_all(names, train_images, draw, TRAIN_SEED),
        held_out=_draw_all(names, HELD_OUT_IMAGES, held_out, HELD_OUT_SEED),
    )


def _draw_all(names: tuple[str, ...], count: int, draw: Draw, seed: int) -> LabelledImages:
    rng = np.random.default_rng(seed)
    labels = [index % len(names) for index in range(count)]
    return _labelled([(draw(rng, label), label) for label in labels], names)


def _labelled(pairs: list[tuple[Image.Image, int]], names: tuple[str, ...]) -> LabelledImages:
    return LabelledImages([image for image, _ in pairs], [label for _, label in pairs], names)


_SAME_DRAWING = "drawn by the same program with another seed"
_SAME_HALF = (
    "the last fifth of the source half of scikit-learn's digits, mostly other writers than the "
    "training images; the probe half of the demo was not touched"
)
_TUNED = (
    " Its family or number of epochs was chosen by looking at the held-out accuracy, which is "
    "therefore a little kind."
)
_DRAWN_LIMITS = "It has seen computer-drawn pictures only."
_DIGIT_LIMITS = "It has seen a few hundred 8x8 pixel digits, scaled up, of a handful of writers."

TASKS = {
    "digits-0-4": Task(
        summary="handwritten digits 0 to 4",
        held_out=_SAME_HALF,
        limits=_DIGIT_LIMITS + " It calls a 5, 6, 7, 8 or 9 one of the five digits it knows.",
        split=partial(
            handwritten, tuple("01234"), lambda digit: digit if digit < len("01234") else None
        ),
        jitter=True,
    ),
    "digit-parity": Task(
        summary="whether a handwritten digit is even or odd",
        held_out=_SAME_HALF,
        limits=_DIGIT_LIMITS + " It was never told which digit it saw, only the parity.",
        split=partial(handwritten, ("even", "odd"), lambda digit: digit % 2),
        jitter=True,
    ),
    "glyphs": Task(
        summary="printed characters 0-9 and A-Z, turned, sheared, moved and coloured at random",
        held_out=_SAME_DRAWING,
        limits=_DRAWN_LIMITS + " One typeface; N and H, 8 and B, G and Q, or 0 and O get confused.",
        split=partial(drawn, drawing.GLYPHS, 7200, drawing.glyph),
    ),
    "shapes": Task(
        summary="filled geometric shapes of random place, size, rotation and colours",
        held_out=_SAME_DRAWING,
        limits=_DRAWN_LIMITS + " One shape an image, always whole and on a plain ground." + _TUNED,
        split=partial(drawn, drawing.SHAPES, 3200, drawing.shape),
    ),
    "orientations": Task(
        summary="the orientation of a sinusoidal grating, in steps of 22.5 degrees",
        held_out=_SAME_DRAWING,
        limits=_DRAWN_LIMITS + " It knows orientation and nothing of what is in a picture.",
        split=partial(drawn, drawing.ORIENTATIONS, 3200, drawing.grating),
    ),
    "textures": Task(
        summary="textures of random scale, phase, rotation and colours",
        held_out=_SAME_DRAWING,
        limits=_DRAWN_LIMITS + " Photographed textures look different.",
        split=partial(drawn, tuple(drawing.TEXTURES), 4000, drawing.texture),
    ),
    "hues": Task(
        summary="the hue of an unevenly lit patch",
        held_out=_SAME_DRAWING,
        limits=_DRAWN_LIMITS
        + " It has learned colour and has had no reason to learn form."
        + _TUNED,
        split=partial(drawn, tuple(drawing.HUES), 3200, drawing.hue),
    ),
    "photo-damage": Task(
        summary=(
            "what was done to a square cut from a photograph (scikit-learn's china.jpg and "
            "flower.jpg, by danielbuechele and vultilion on Flickr, CC BY 2.0)"
        ),
        held_out=(
            "squares from the right third of both photographs; training squares "
            "come from the rest, so no pixel is shared"
        ),
        limits=(
            "Two photographs are all it has ever seen. It often takes a blurred or pixelated "
            "square for an intact one."
        ),
        split=partial(
            drawn,
            tuple(drawing.DAMAGES),
            4000,
            partial(drawing.damaged_photo, held_out=False),
            partial(drawing.damaged_photo, held_out=True),
        ),
    ),
}
