"""The merging of one tensor after the other, and what there is to say about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from zoo.errors import CheckpointError
from zoo.events import Event, Listener
from zoo.training.mergeable import is_floating, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zoo.training.contents import Contents
    from zoo.training.merged_heads import HeadPlan
    from zoo.training.weight_files import WeightReader
    from zoo.types.training import Merger

_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "I8": 1, "U8": 1, "BOOL": 1}
#: Rounding may move a variance that a merger only passes on.
_ROUNDING = 1e-5


@dataclass(eq=False)
class MergedTensors:
    """Makes the tensors of the merged model by name.

    Attributes:
        merger: how.
        contents: the models.
        base: what they were made from, if the merger reads it.
        readers: of the weights of the models, and of the base.
        head: what becomes of the heads.
        dtype: of floating numbers; None for that of the first model.
        on_event: hears of every tensor.
        copied: names of those that hold no numbers to average.
    """

    merger: Merger
    contents: Sequence[Contents]
    base: Contents | None
    readers: Sequence[WeightReader]
    head: HeadPlan
    dtype: torch.dtype | None
    on_event: Listener
    copied: list[str] = field(default_factory=list)
    _unequal: list[str] = field(default_factory=list)
    _averaged: list[str] = field(default_factory=list)
    _moved_back: int = 0
    _done: int = 0

    def sizes(self) -> dict[str, int]:
        """Bytes of every merged tensor, in the order of the first model's files."""
        sizes = {}
        for name, tensor in self.contents[0].tensors.items():
            owners = self.contents if self._stands_beside(name) else self.contents[:1]
            numbers = sum(torch.Size(each.tensors[name].shape).numel() for each in owners)
            cast = self.dtype if is_floating(tensor.dtype) else None
            sizes[name] = numbers * (cast.itemsize if cast else _BYTES.get(tensor.dtype, 2))
        return sizes

    def make(self, name: str) -> Tensor:
        """Merge one tensor, in float32 or more, and cast it to the kind of the first model's."""
        parts = [reader.read(name) for reader in self.readers[: len(self.contents)]]
        self._done += 1
        total = len(self.contents[0].tensors)
        self.on_event(Event(kind="batch", done=self._done, total=total, message=name))
        if not parts[0].is_floating_point():
            return self._copy(name, parts)
        kind = self.dtype or parts[0].dtype
        if self._stands_beside(name):
            return _finite(name, torch.cat([part.to(kind) for part in parts]), parts)
        double = torch.float64 in {part.dtype for part in parts}
        working = torch.float64 if double else torch.float32
        parts = self._in_order(name, [part.to(working) for part in parts])
        return _finite(name, self._merge(name, parts).to(kind), parts)

    def _merge(self, name: str, parts: list[Tensor]) -> Tensor:
        known = self._base_tensor(name, parts[0])
        if self.base and known is None:
            self._averaged.append(name)
            return torch.stack(parts).mean(dim=0)
        merged = self.merger.merge(name, parts, known)
        if not name.endswith("running_var"):
            return merged
        # Sums of changes leave the positive numbers, of which a norm takes the root.
        bounds = torch.stack(parts if known is None else [*parts, known])
        inside = merged.clamp(bounds.amin(dim=0), bounds.amax(dim=0))
        self._moved_back += int(((inside - merged).abs() > _ROUNDING * inside.abs()).sum())
        return inside

    def _base_tensor(self, name: str, like: Tensor) -> Tensor | None:
        """Read the base's tensor; None where it is not there, or is that of another head."""
        known = self.base.find(name) if self.base else None
        if self.base is None or known is None:
            return None
        foreign = name in self.head.tensors and self.base.labels != self.contents[0].labels
        if foreign or self.base.tensors[known].shape != tuple(like.shape):
            return None
        return self.readers[-1].read(known).to(like.dtype)

    def _stands_beside(self, name: str) -> bool:
        return self.head.way == "concatenate" and name in self.head.tensors

    def _in_order(self, name: str, parts: list[Tensor]) -> list[Tensor]:
        """Bring the rows of the heads into the order of the merged labels."""
        if name not in self.head.tensors or self.head.space is None:
            return parts
        orders = [torch.tensor(columns).argsort() for columns in self.head.space.columns]
        return [part[order] for part, order in zip(parts, orders, strict=True)]

    def _copy(self, name: str, parts: list[Tensor]) -> Tensor:
        self.copied.append(name)
        if not all(torch.equal(part, parts[0]) for part in parts[1:]):
            self._unequal.append(name)
        return parts[0].clone()

    def notes(self) -> list[str]:
        """Say what was not combined as the method would have."""
        notes = []
        if self._unequal:
            notes.append(
                f"{some(self._unequal)} hold no numbers to average and differ: they are those of "
                f"{self.contents[0].name}."
            )
        if self._averaged and self.base:
            notes.append(
                f"{self.base.name} has nothing like {some(self._averaged)} for these labels: "
                "there the plain mean of the models was taken."
            )
        if self._moved_back:
            notes.append(
                f"{self._moved_back} running variances had left the range of those of the models "
                "and were moved back into it."
            )
        return notes


def _finite(name: str, merged: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """Refuse what cannot be computed with; infinities that all models share may stay."""
    if bool(torch.isfinite(merged).all()):
        return merged.contiguous()
    if not torch.isfinite(parts[0]).all() and all(torch.equal(part, parts[0]) for part in parts):
        return parts[0].to(merged.dtype).contiguous()
    raise CheckpointError(
        f"the merged {name} holds infinite or undefined numbers as {merged.dtype}.",
        "Look for broken weights among the models, or for options that let them grow.",
    )
