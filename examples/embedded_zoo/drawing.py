"""Draw one 32x32 RGB image of a class: glyphs, shapes, gratings, textures, hues, photos."""

from __future__ import annotations

import colorsys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from sklearn.datasets import load_sample_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.random import Generator

Plane = NDArray[np.floating[Any]]

SIDE = 32
GLYPHS = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
SHAPES = ("circle", "triangle", "square", "pentagon", "star", "plus", "ring", "crescent")
ORIENTATIONS = tuple(f"{22.5 * step:g} degrees" for step in range(8))
HUES: Mapping[str, int] = {
    "red": 0,
    "orange": 28,
    "yellow": 55,
    "green": 115,
    "cyan": 180,
    "blue": 225,
    "purple": 272,
    "pink": 325,
}
PHOTOS = ("china.jpg", "flower.jpg")

_SCALE = 3
_FINE = SIDE * _SCALE


def glyph(rng: Generator, label: int) -> Image.Image:
    """Print a character in Pillow's built-in font under a random affine map."""
    canvas = Image.new("L", (_FINE, _FINE))
    font = ImageFont.load_default(float(rng.uniform(62, 88)))
    ImageDraw.Draw(canvas).text(
        (_FINE / 2, _FINE / 2),
        GLYPHS[label],
        fill=255,
        font=font,
        anchor="mm",
        stroke_width=int(rng.integers(0, 5)),
    )
    return _paint(rng, _shrink(_warp(rng, canvas)))


def shape(rng: Generator, label: int) -> Image.Image:
    """Fill a geometric shape of random place, size and rotation."""
    canvas = Image.new("L", (_FINE, _FINE))
    pen = ImageDraw.Draw(canvas)
    name, radius, turn = SHAPES[label], rng.uniform(22, 40), rng.uniform(0, 2 * np.pi)
    centre = _FINE / 2 + rng.uniform(-8, 8, size=2)
    pen.polygon(_points(_outline(name) * radius, turn, centre), fill=255)
    if name in {"ring", "crescent"}:
        hole = _outline("circle") * 0.6 if name == "ring" else _outline("circle") * 0.85 + [0.5, 0]
        pen.polygon(_points(hole * radius, turn, centre), fill=0)
    return _paint(rng, _shrink(canvas))


def grating(rng: Generator, label: int) -> Image.Image:
    """Draw a sinusoidal grating whose orientation is the class."""
    angle = np.deg2rad(22.5 * label + rng.uniform(-6, 6))
    along, _ = _axes(angle)
    wave = np.sin(2 * np.pi * rng.uniform(0.06, 0.2) * along + rng.uniform(0, 2 * np.pi))
    return _paint(rng, 0.5 + 0.5 * wave, noise=0.12)


def texture(rng: Generator, label: int) -> Image.Image:
    """Draw a texture of random scale, phase, rotation and colours."""
    across, along = _axes(rng.uniform(0, 2 * np.pi))
    period = rng.uniform(6, 12)
    u, v = across / period + rng.uniform(), along / period + rng.uniform()
    draw = tuple(TEXTURES.values())[label]
    return _paint(rng, draw(rng, u, v))


def hue(rng: Generator, label: int) -> Image.Image:
    """Paint a patch in one hue, with uneven lighting and grain."""
    degrees = tuple(HUES.values())[label] + rng.uniform(-9, 9)
    colour = colorsys.hsv_to_rgb(degrees % 360 / 360, rng.uniform(0.5, 1), rng.uniform(0.6, 1))
    light = 0.55 + 0.45 * _clouds(rng, 4)
    grain = rng.normal(0, 0.04, (SIDE, SIDE, 1))
    return _to_image(light[..., None] * np.asarray(colour) + grain)


def damaged_photo(rng: Generator, label: int, *, held_out: bool) -> Image.Image:
    """Cut a square from a photograph and damage it; held-out squares come from the right third."""
    photo = _photo(PHOTOS[int(rng.integers(len(PHOTOS)))])
    side = int(rng.integers(48, 120))
    border = round(photo.width * 0.66)
    low, high = (border, photo.width - side) if held_out else (0, border - side)
    left, top = int(rng.integers(low, high + 1)), int(rng.integers(0, photo.height - side + 1))
    patch = photo.resize((SIDE, SIDE), Image.Resampling.BOX, (left, top, left + side, top + side))
    return tuple(DAMAGES.values())[label](rng, patch)


def _stripes(_rng: Generator, u: Plane, _v: Plane) -> Plane:
    return np.where(u % 1 < 0.5, 1.0, 0.0)


def _checks(_rng: Generator, u: Plane, v: Plane) -> Plane:
    return np.where((u % 1 < 0.5) ^ (v % 1 < 0.5), 1.0, 0.0)


def _dots(_rng: Generator, u: Plane, v: Plane) -> Plane:
    return np.where(np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.32, 1.0, 0.0)


def _bricks(_rng: Generator, u: Plane, v: Plane) -> Plane:
    offset = 0.5 * (np.floor(v * 1.4) % 2)
    return np.where(((u * 0.8 + offset) % 1 > 0.18) & ((v * 1.4) % 1 > 0.25), 1.0, 0.0)


def _waves(_rng: Generator, u: Plane, v: Plane) -> Plane:
    return np.where((u + 0.35 * np.sin(2 * np.pi * v)) % 1 < 0.5, 1.0, 0.0)


def _rings(rng: Generator, u: Plane, v: Plane) -> Plane:
    middle = rng.uniform(-0.5, 0.5, size=2)
    distance = np.hypot(u - u.mean() - middle[0], v - v.mean() - middle[1])
    return np.where(distance % 0.8 < 0.4, 1.0, 0.0)


def _grain(rng: Generator, u: Plane, _v: Plane) -> Plane:
    return rng.uniform(size=u.shape)


def _smoke(rng: Generator, _u: Plane, _v: Plane) -> Plane:
    return _clouds(rng, int(rng.integers(4, 9)))


TEXTURES: Mapping[str, Callable[[Generator, Plane, Plane], Plane]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "bricks": _bricks,
    "waves": _waves,
    "rings": _rings,
    "grain": _grain,
    "clouds": _smoke,
}


def _noisy(rng: Generator, patch: Image.Image) -> Image.Image:
    return _to_image(np.asarray(patch) / 255 + rng.normal(0, 0.12, (SIDE, SIDE, 3)))


def _speckled(rng: Generator, patch: Image.Image) -> Image.Image:
    dust = rng.uniform(size=(SIDE, SIDE, 1))
    return _to_image(np.where(dust < 0.05, 0, np.where(dust > 0.95, 1, np.asarray(patch) / 255)))


def _pixelated(_rng: Generator, patch: Image.Image) -> Image.Image:
    return patch.reduce(4).resize(patch.size, Image.Resampling.NEAREST)


DAMAGES: Mapping[str, Callable[[Generator, Image.Image], Image.Image]] = {
    "intact": lambda _rng, patch: patch,
    "blurred": lambda _rng, patch: patch.filter(ImageFilter.GaussianBlur(1.6)),
    "noisy": _noisy,
    "speckled": _speckled,
    "pixelated": _pixelated,
    "posterized": lambda _rng, patch: ImageOps.posterize(patch, 2),
    "negative": lambda _rng, patch: ImageOps.invert(patch),
    "grey": lambda _rng, patch: patch.convert("L").convert("RGB"),
}


def _axes(angle: float) -> tuple[Plane, Plane]:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _clouds(rng: Generator, cells: int) -> Plane:
    coarse = Image.fromarray(rng.uniform(size=(cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _outline(name: str) -> Plane:
    if name == "plus":
        arm = np.array([[1, 0.33], [0.33, 0.33], [0.33, 1], [-0.33, 1], [-0.33, 0.33], [-1, 0.33]])
        return np.concatenate([arm, -arm])
    corners = {"triangle": 3, "square": 4, "pentagon": 5, "star": 10}.get(name, 48)
    angles = np.arange(corners) * 2 * np.pi / corners
    radii = np.where(np.arange(corners) % 2, 0.42, 1.0) if name == "star" else np.ones(corners)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _points(outline: Plane, turn: float, centre: Plane) -> list[tuple[float, float]]:
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return [(float(x), float(y)) for x, y in outline @ rotation.T + centre]


def _warp(rng: Generator, canvas: Image.Image) -> Image.Image:
    angle, shear = np.deg2rad(rng.uniform(-14, 14)), rng.uniform(-0.25, 0.25)
    inverse = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = inverse @ np.array([[1, shear], [0, 1]]) / rng.uniform(0.85, 1.1, size=2)
    middle = np.full(2, _FINE / 2)
    offset = middle - inverse @ (middle + rng.uniform(-8, 8, size=2))
    (a, b), (d, e) = inverse.tolist()
    c, f = offset.tolist()
    coefficients = (a, b, c, d, e, f)
    return canvas.transform(
        canvas.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )


def _shrink(canvas: Image.Image) -> Plane:
    return np.asarray(canvas.reduce(_SCALE)) / 255


def _paint(rng: Generator, mask: Plane, *, noise: float = 0.05) -> Image.Image:
    """Blend two random colours of clearly different brightness along the mask."""
    dark, bright = rng.uniform(0, 0.4, size=3), rng.uniform(0.6, 1, size=3)
    low, high = (dark, bright) if rng.uniform() < 0.7 else (bright, dark)
    return _to_image(low + mask[..., None] * (high - low) + rng.normal(0, noise, (SIDE, SIDE, 1)))


def _to_image(pixels: Plane) -> Image.Image:
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


@cache
def _photo(name: str) -> Image.Image:
    return Image.fromarray(load_sample_image(name))
