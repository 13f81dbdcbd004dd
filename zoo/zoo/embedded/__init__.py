"""The demo zoo that ships with the package: small trained checkpoints and a probe for them.

Nothing here needs the network. `examples/build_zoo.py` trains the checkpoints.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["LabelledImages", "demo_probe", "folder", "names", "source_digits"]

_SIDE = 32
_DIGITS = tuple("0123456789")


class LabelledImages(NamedTuple):
    """RGB images, one integer label each, and the name of every label."""

    images: list[Image.Image]
    labels: list[int]
    label_names: tuple[str, ...]


def names() -> tuple[str, ...]:
    """List the embedded checkpoints, sorted."""
    return tuple(sorted(config.parent.name for config in _root().glob("*/config.json")))


def folder(name: str) -> Path:
    """Locate the folder of one embedded checkpoint.

    Args:
        name: One of `names()`.

    Returns:
        A folder that `from_pretrained` of transformers reads.

    Raises:
        KeyError: No embedded checkpoint has that name.
    """
    if name not in names():
        raise KeyError(name)
    return _root() / name


def demo_probe() -> LabelledImages:
    """Return the handwritten digits that no embedded checkpoint was trained or selected on."""
    return _digits(probe=True)


def source_digits() -> LabelledImages:
    """Return the other half of the handwritten digits, which the builder may train on."""
    return _digits(probe=False)


def _root() -> Path:
    return Path(str(resources.files(__name__)))


def _digits(*, probe: bool) -> LabelledImages:
    from PIL import Image

    pictures, target = _handwritten()
    middle = len(target) // 2
    # The file lists writer after writer: contiguous halves share at most one of them, whereas a
    # shuffled split would let every checkpoint see each writer of the probe.
    half = slice(middle, None) if probe else slice(None, middle)
    grey = (pictures[half] * (255 / 16)).round().astype("uint8")
    images = [
        Image.fromarray(ink).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).convert("RGB")
        for ink in grey
    ]
    return LabelledImages(images, [int(label) for label in target[half]], _DIGITS)


def _handwritten() -> tuple[Any, Any]:
    """Read scikit-learn's digits: (1797, 8, 8) and (1797,); importing it takes seconds."""
    from importlib.util import find_spec

    import numpy as np

    found = find_spec("sklearn")
    folder = Path((found.submodule_search_locations or [""])[0] if found else "")
    table = folder / "datasets" / "data" / "digits.csv.gz"
    if not table.is_file():
        from sklearn.datasets import load_digits

        digits = load_digits()
        return digits.images, digits.target
    rows = np.loadtxt(table, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)
