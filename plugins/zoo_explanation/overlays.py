"""A picture with what features depend on: the rest darker, the strongest part outlined."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable

if TYPE_CHECKING:
    import numpy.typing as npt

    Map = npt.NDArray[np.float64]

#: Longest side, in pixels.
SIDE = 160
#: Of Okabe and Ito's palette, which everyone can tell apart; on black it shows without colour.
_ORANGE = np.array([230, 159, 0], dtype=np.float64)
#: Brightness of what the features do not depend on.
_DIM = 0.35
#: Cells a side of what is drawn.
_DRAWN = 10
#: Pillow's filters, which is imported where it is needed.
_CUBIC, _BOX = 3, 4
_LARGEST = 64_000_000


def overlay(picture: bytes, values: Map) -> str:
    """Draw one picture as base64 PNG.

    Args:
        picture: encoded.
        values: (H, W) attributions on a grid over it.

    Raises:
        NotApplicable: it is no picture.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture)) as opened:
            if opened.width * opened.height > _LARGEST:
                raise NotApplicable("a picture is too large to draw")
            opened.thumbnail((SIDE, SIDE))
            pixels = np.asarray(opened.convert("RGB"), dtype=np.float64)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotApplicable("a picture cannot be opened again") from error
    strength = _stretched(values, pixels.shape[:2])
    drawn = pixels * (_DIM + (1 - _DIM) * np.sqrt(strength)[..., None])
    threshold = float(np.quantile(strength, 0.9))
    inside = strength >= threshold if threshold > 0 else strength > 0
    edge = inside & ~_shrunk(inside)
    drawn[_grown(edge) & ~edge] = 0.0
    drawn[edge] = _ORANGE
    out = io.BytesIO()
    Image.fromarray(drawn.round().clip(0, 255).astype(np.uint8)).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def _stretched(values: Map, shape: tuple[int, ...]) -> Map:
    """Scale a grid smoothly to a picture; 0 for the least, 1 for the most.

    Single cells of gradients are noise to the eye: neighbours are averaged before they are drawn.
    """
    from PIL import Image

    image = Image.fromarray(magnitude(values).astype(np.float32))
    coarse = image.resize((min(image.width, _DRAWN), min(image.height, _DRAWN)), _BOX)
    resized = np.asarray(coarse.resize((shape[1], shape[0]), _CUBIC), dtype=np.float64)
    low, high = float(resized.min()), float(np.quantile(resized, 0.98))
    if high <= low:
        return np.ones(shape)
    return ((resized - low) / (high - low)).clip(0.0, 1.0)


def magnitude(values: npt.NDArray[Any]) -> Map:
    """Give how strongly the features depend on each cell, in whichever direction."""
    strength: Map = np.nan_to_num(np.abs(np.asarray(values, dtype=np.float64)))
    return strength


def _grown(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    grown: npt.NDArray[np.bool_] = (
        mask | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]
    )
    return grown


def _shrunk(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return ~_grown(~mask)
