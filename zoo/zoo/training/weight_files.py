"""Weights on disk: read a tensor at a time, written as shards of bounded size."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from zoo.errors import CheckpointError, ZooError
from zoo.hub.files import INDEX, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from zoo.training.contents import Contents


class WeightReader:
    """The tensors of one checkpoint; nothing stays in memory.

    Raises:
        CheckpointError: a file is damaged.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._open: dict[str, Any] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def read(self, name: str) -> Tensor:
        """Read one tensor."""
        return self._explained(name, lambda file: file.get_tensor(name))

    def head(self, name: str, numbers: int) -> Tensor:
        """Read as many first rows of a tensor as hold so many numbers, at least one row."""
        shape = self._contents.tensors[name].shape
        rows = max(1, numbers // max(1, torch.Size(shape[1:]).numel()))
        return self._explained(name, lambda file: file.get_slice(name)[:rows])

    def _explained(self, name: str, read: Callable[[Any], Tensor]) -> Tensor:
        file = self._contents.tensors[name].file
        try:
            if file not in self._open:
                path = self._contents.files.folder / file
                self._open[file] = self._stack.enter_context(safe_open(path, framework="pt"))
            return read(self._open[file])
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{self._contents.name}: {file} is damaged: {error}.", "Copy or download it again."
            ) from error


def split_shards(sizes: Mapping[str, int], largest: int) -> list[list[str]]:
    """Share out tensors in their order so that no shard is above ``largest`` bytes.

    A tensor that is larger by itself has a shard of its own.
    """
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if shards[-1] and filled + size > largest:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards


def write_shards(
    folder: Path, shards: Sequence[Sequence[str]], make: Callable[[str], Tensor]
) -> list[str]:
    """Make the tensors of one shard at a time and write them; give the names of the files.

    More than one shard has an index beside it, as transformers and the Hub know it.

    Raises:
        ZooError: they cannot be written.
    """
    count = len(shards)
    files = [
        WEIGHTS if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"
        for number in range(1, count + 1)
    ]
    places: dict[str, str] = {}
    total = 0
    for file, names in zip(files, shards, strict=True):
        tensors = {name: make(name) for name in names}
        total += sum(tensor.nbytes for tensor in tensors.values())
        try:
            save_file(tensors, folder / file, metadata={"format": "pt"})
        except (SafetensorError, OSError) as error:
            raise ZooError(
                f"the merged weights cannot be written to {folder.parent}: {error}.", "Make room."
            ) from error
        places |= dict.fromkeys(names, file)
        del tensors
    if count == 1:
        return files
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return [*files, INDEX]
