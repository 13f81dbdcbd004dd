"""Which part of the input a layer responds to, by forward passes alone: cover a part, and look.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, arXiv
1311.2901; for texts Li et al., "Understanding Neural Networks through Representation Erasure",
arXiv 1612.08220. What the sum of the pooled units loses is the relevance of the part, with the
sign that gradient x input gives it. An image costs 65 forward passes, a text at most 33. Imports no
framework.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo_runtimes.methods import GRID, SPANS, Method
from zoo_runtimes.offsets import places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from zoo.types.runtimes import EncodedInput
    from zoo_runtimes.offsets import Places
    from zoo_runtimes.tokens import Tokens

    Array = npt.NDArray[Any]
    Extract = Callable[[Sequence[EncodedInput]], Mapping[str, Array]]

#: An image is covered by so many patches a side, each over 4 x 4 cells.
PATCHES = 8
#: A text is covered in at most so many runs of tokens.
RUNS = 32

_GREY = 128
_COVERS = ("[MASK]", "<mask>", "[UNK]", "<unk>")


def attribute(
    batch: Sequence[EncodedInput],
    extract: Extract,
    method: Method,
    *,
    budget: int,
    tokens: Tokens | None = None,
) -> dict[str, Array]:
    """Cover each part of each input in turn: name -> (B, G) float32.

    Images are covered by 8 x 8 patches of grey (zeros, where they are no longer bytes), whose
    relevance their cells share. Texts are covered in up to 32 runs of tokens that become the
    tokenizer's mask, else its unknown token, else its padding; tokens that stand on no character
    are never covered.

    Args:
        batch: encoded images or texts.
        extract: from encoded inputs to (B, D) pooled outputs, name by name.
        method: whether relevance keeps its sign.
        budget: cost of one forward pass.
        tokens: the tokenizer; None for images.

    Raises:
        NotApplicable: the inputs are neither.
    """
    rows: dict[str, list[Array]] = {}
    found, cover = _text_places(batch, tokens), 0 if tokens is None else _cover(tokens)
    for entry, place in zip(batch, found, strict=True):
        if place is None:
            losses = _losses(_covered_image(entry), extract, budget)
            cells = {name: _image_cells(own) for name, own in losses.items()}
        else:
            runs = _runs(place)
            covered = [_without(entry, run, cover) for run in runs]
            losses = _losses([entry, *covered], extract, budget)
            cells = {name: _text_cells(own, runs, place) for name, own in losses.items()}
        for name, values in cells.items():
            rows.setdefault(name, []).append(np.abs(values) if method.absolute else values)
    return {name: np.stack(own).astype(np.float32) for name, own in rows.items()}


def _text_places(batch: Sequence[EncodedInput], tokens: Tokens | None) -> Sequence[Places | None]:
    if tokens is not None:
        return places(tokens, [entry.data["text"] for entry in batch])
    if not all(isinstance(entry.data, np.ndarray) and entry.data.ndim == 3 for entry in batch):
        raise NotApplicable("only images and texts are attributed by covering parts of them.")
    return [None] * len(batch)


def _losses(
    variants: Sequence[EncodedInput], extract: Extract, budget: int
) -> dict[str, npt.NDArray[np.float64]]:
    """What the sum of the pooled units loses in each variant against the first."""
    size = max(1, budget // max(1, variants[0].cost))
    parts = [extract(variants[start : start + size]) for start in range(0, len(variants), size)]
    found = {}
    for name in parts[0]:
        sums = np.concatenate([part[name].sum(axis=1, dtype=np.float64) for part in parts])
        found[name] = sums[0] - sums[1:]
    return found


def _covered_image(entry: EncodedInput) -> list[EncodedInput]:
    """The image, then the image without each patch, row by row."""
    image: Array = entry.data
    bytes_ = image.dtype == np.uint8
    height, width = image.shape[:2] if bytes_ else image.shape[1:]
    tops, lefts = (
        np.linspace(0, side, PATCHES + 1).round().astype(int) for side in (height, width)
    )
    variants = [entry]
    for part in range(PATCHES**2):
        row, column = divmod(part, PATCHES)
        down, across = slice(*tops[row : row + 2]), slice(*lefts[column : column + 2])
        covered = image.copy()
        covered[(down, across) if bytes_ else (slice(None), down, across)] = _GREY if bytes_ else 0
        variants.append(replace(entry, data=covered))
    return variants


def _image_cells(losses: Array) -> Array:
    side = GRID // PATCHES
    shares: Array = np.kron(losses.reshape(PATCHES, PATCHES), np.full((side, side), side**-2.0))
    return shares.ravel()


def _runs(place: Places) -> list[Array]:
    """Numbers of the tokens of each run; neighbours that stand on characters."""
    real = np.flatnonzero(place.ends > place.starts)
    return np.array_split(real, min(RUNS, len(real))) if len(real) else []


def _text_cells(losses: Array, runs: Sequence[Array], place: Places) -> Array:
    relevance = np.zeros(len(place.starts))
    for loss, run in zip(losses, runs, strict=True):
        relevance[run] = loss / len(run)
    return place.spread(relevance, SPANS)


def _without(entry: EncodedInput, run: Array, cover: int) -> EncodedInput:
    ids = list(entry.data["input_ids"])
    for number in run:
        ids[number] = cover
    return replace(entry, data={**entry.data, "input_ids": ids})


def _cover(tokens: Tokens) -> int:
    """The token that stands for nothing."""
    live = tokens.tokenizer
    known = [getattr(live, name, None) for name in ("mask_token_id", "unk_token_id")]
    convert = getattr(getattr(live, "_tokenizer", None), "token_to_id", None)
    if convert is not None and not any(number is not None for number in known):
        known = [convert(name) for name in _COVERS]
    return next((int(number) for number in known if number is not None), tokens.padding)
