"""Texts of a batch in groups of like length: most of what is padding is never computed.

A batch that mixes sentences and paragraphs is mostly padding. Texts do not see each other in a
network, so that a pass a group gives what one pass over all gives, and the batch stays as drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[Mapping[str, torch.Tensor], torch.Tensor | None], dict[str, torch.Tensor]]

_MOST = 3
# A pass costs something beside its tokens: dense gradients of the embeddings above all.
_WORTH = 0.75


def has_lengths(inputs: Mapping[str, torch.Tensor]) -> bool:
    """Whether these are texts whose values are known: imagined ones have shapes alone."""
    return "input_ids" in inputs and type(inputs.get("attention_mask")) is torch.Tensor


def grouped(mask: torch.Tensor) -> list[torch.Tensor]:
    """Give the rows of each group, the longest texts first: up to half as long, up to a quarter.

    Args:
        mask: (B, T), 1 for a token, padded on the right.
    """
    lengths = mask.sum(1).clamp(min=1)
    halvings = (lengths.max() / lengths).log2().floor().clamp(max=_MOST - 1)
    groups = [torch.nonzero(halvings == number)[:, 0] for number in torch.unique(halvings)]
    computed = sum(len(rows) * int(lengths[rows].max()) for rows in groups)
    whole = len(lengths) * int(lengths.max())
    return groups if computed < _WORTH * whole else [torch.arange(len(lengths))]


def read_in_groups(read: Read, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Read every group in a pass of its own, and put the samples back in their order.

    Args:
        read: gives (B, ...) tensors by name.
        inputs: of texts, each (B, T).
    """
    mask = inputs["attention_mask"]
    groups = grouped(mask)
    if len(groups) == 1:
        return read(inputs, mask)
    parts = [_part(read, inputs, rows) for rows in groups]
    order = torch.argsort(torch.cat(groups))
    return {name: torch.cat([part[name] for part in parts])[order] for name in parts[0]}


def _part(
    read: Read, inputs: Mapping[str, torch.Tensor], rows: torch.Tensor
) -> dict[str, torch.Tensor]:
    longest = max(1, int(inputs["attention_mask"][rows].sum(1).max()))
    cut = {name: values[rows, :longest] for name, values in inputs.items()}
    return read(cut, cut["attention_mask"])
