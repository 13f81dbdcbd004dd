"""Whether checkpoints share an ancestor: what they say of it, and how alike their weights are."""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

import torch

from zoo.training.mergeable import is_floating

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from zoo.training.contents import Contents
    from zoo.training.weight_files import WeightReader

#: Networks that were trained from different beginnings lie within 0.05 of zero.
UNRELATED = 0.2
_TENSORS = 8
_SMALLEST, _LARGEST = 64, 1 << 22


def named_ancestors(contents: Contents) -> frozenset[str]:
    """Names of what a checkpoint was made from, by its card and its configuration."""
    said = contents.files.card().get("base_model") or []
    names = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    path = contents.config.get("_name_or_path")
    return frozenset(str(name).strip() for name in [*names, path] if name)


def ancestor_notes(contents: Sequence[Contents], base: Contents | None) -> list[str]:
    """Say where cards and configurations name different ancestors."""
    named = {each.name: named_ancestors(each) for each in contents}
    known = {name: found for name, found in named.items() if found}
    listed = "; ".join(f"{name} from {', '.join(sorted(each))}" for name, each in known.items())
    if base:
        own = {base.name, base.checkpoint.entry.parsed.name, *named_ancestors(base)}
        strangers = [name for name, found in known.items() if not found & own]
        if strangers:
            return [
                f"by their files {', '.join(strangers)} was not made from {base.name}: {listed}."
            ]
    elif len(known) > 1 and not frozenset.intersection(*known.values()):
        return [f"by their files they were made from different checkpoints: {listed}."]
    return []


def likeness(
    contents: Sequence[Contents], readers: Sequence[WeightReader], apart: Sequence[str] = ()
) -> dict[tuple[int, int], float]:
    """Cosine of the flattened weights of each pair, the median over a few tensors.

    Args:
        contents: the checkpoints, the base among them if there is one.
        readers: of their weights.
        apart: tensors that are not compared.

    Returns:
        (number of the one, number of the other) -> cosine; empty where nothing can be compared.
    """
    names = _telling(contents, apart)
    found: dict[tuple[int, int], list[float]] = {}
    for name in names:
        parts = [
            reader.head(each.find(name) or name, _LARGEST)
            for each, reader in zip(contents, readers, strict=True)
        ]
        for (one, first), (other, second) in combinations(enumerate(parts), 2):
            found.setdefault((one, other), []).append(_cosine(first, second))
    return {pair: median(cosines) for pair, cosines in found.items()}


def likeness_notes(
    contents: Sequence[Contents], cosines: Mapping[tuple[int, int], float]
) -> list[str]:
    """Warn of weights that have nothing to do with each other, and of equal ones."""
    notes = []
    for (one, other), cosine in cosines.items():
        pair = f"{contents[one].name} and {contents[other].name}"
        if cosine < UNRELATED:
            notes.append(
                f"the weights of {pair} look unrelated (cosine {cosine:.2f}): networks without a "
                "common ancestor number their neurons differently, and combining such weights "
                "gives a network that has learnt nothing."
            )
        elif contents[one].checkpoint.digest == contents[other].checkpoint.digest:
            notes.append(f"{pair} are the same weights.")
    return notes


def _telling(contents: Sequence[Contents], apart: Sequence[str]) -> list[str]:
    """Choose matrices spread over the depth; vectors lie near one or zero in any network."""
    first, *others = contents
    able = [
        name
        for name, tensor in first.tensors.items()
        if len(tensor.shape) > 1
        and is_floating(tensor.dtype)
        and torch.Size(tensor.shape).numel() >= _SMALLEST
        and name not in apart
        and all(_fits(each, name, tensor.shape) for each in others)
    ]
    step = max(1, len(able) // _TENSORS)
    return able[::step][:_TENSORS]


def _fits(contents: Contents, name: str, shape: tuple[int, ...]) -> bool:
    known = contents.find(name)
    return known is not None and contents.tensors[known].shape == shape


def _cosine(first: Tensor, second: Tensor) -> float:
    left, right = first.flatten().double(), second.flatten().double()
    length = float(torch.linalg.vector_norm(left) * torch.linalg.vector_norm(right))
    return float(left @ right) / length if length else 1.0
