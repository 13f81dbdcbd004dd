"""The few real inputs that come with the runtime, for comparisons where a person gives none."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# (left, top, width, height) of parts of two 640 x 427 photographs: a temple and a flower.
_CROPS = (
    (0, 0, 640, 427),
    (0, 0, 320, 320),
    (320, 60, 320, 240),
    (100, 200, 227, 227),
    (40, 30, 160, 380),
    (400, 250, 200, 150),
)
_DIGITS = (0, 7, 19, 42)
_MAGNIFIED = 16

_LONG = (
    "The committee, having heard both sides, adjourned without a decision; its chair, who had "
    "hoped for a vote before the summer, said that the question would return in the autumn, when "
    "the figures of the second quarter, which several members had asked for, would be at hand."
)
TEXTS: tuple[str, ...] = (
    "Yes.",
    "The lift on the second floor is out of order again.",
    "I would not buy this kettle again: the lid broke within a week, and nobody answered my mail.",
    "An absolute joy from the first page to the last!!!",
    "Der Zug nach Hamburg hatte heute leider 40 Minuten Verspätung.",
    "¿Dónde puedo encontrar una farmacia abierta a esta hora?",
    "Le musée est fermé le lundi, sauf pendant les vacances d'été.",
    "明日の朝は雨が降るそうです。",
    "天气很好，我们去公园散步吧。",  # noqa: RUF001 -- its own comma
    "Спасибо, всё получилось с первого раза.",  # noqa: RUF001 -- its own letters
    "def area(radius): return 3.14159 * radius ** 2",
    "Order no. 4711-B / 2 x 19.99 EUR, paid on 2024-02-29; see https://example.org/orders?id=4711",
    "whats ur fav pizza topping lol 🍕🍕",
    _LONG,
    "Water boils at a lower temperature on a mountain because the air presses less on its surface.",
    "no no no",
)
PAIRS: tuple[tuple[str, str], ...] = (
    ("Is the museum open on Mondays?", "Le musée est fermé le lundi."),
    ("A man is playing a guitar on a crowded square.", "Someone makes music."),
    ("Yes.", "The committee, having heard both sides, adjourned without a decision."),
)


@cache
def images() -> tuple[ImageInput, ...]:
    """Parts of scikit-learn's two photographs, and four of its handwritten digits."""
    from sklearn.datasets import load_digits, load_sample_images

    photographs = load_sample_images().images
    found = [
        _encoded(f"photograph {number} part {part}", photograph[y : y + h, x : x + w])
        for number, photograph in enumerate(photographs, 1)
        for part, (x, y, w, h) in enumerate(_CROPS, 1)
    ]
    digits = load_digits().images
    for row in _DIGITS:
        large = (digits[row] * 15.9375).astype("uint8").repeat(_MAGNIFIED, 0).repeat(_MAGNIFIED, 1)
        found.append(_encoded(f"digit {row}", large))
    return tuple(found)


def _encoded(name: str, pixels: Array) -> ImageInput:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(buffer, "PNG", compress_level=1)
    return ImageInput(name=name, data=buffer.getvalue())


def sounds(rate: int) -> tuple[Array, ...]:
    """Six sounds of one or two seconds: chords, a sweep and a knock, each (N,) float32.

    Args:
        rate: samples a second.
    """
    import numpy as np

    found: list[Array] = []
    for seconds, chord in ((1.0, (220, 277, 330)), (2.0, (98, 440)), (1.0, (880, 1320, 1760))):
        time = np.arange(int(seconds * rate)) / rate
        tones = np.sum([np.sin(2 * np.pi * tone * time) for tone in chord], axis=0)
        sweep = np.sin(2 * np.pi * (chord[0] + 600 * time) * time)
        knock = np.exp(-30 * (time % 0.5))
        found += [0.2 * tones * (0.2 + knock), 0.3 * sweep * (1 - time / seconds)]
    return tuple(sound.astype(np.float32) for sound in found)
