"""What a checkpoint says about itself without its weights: configuration, headers, card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.hub.files import read_config, stored_tensors
from zoo.sources.folder import FolderFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.hub.files import StoredTensor
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import HeadKind


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """A checkpoint, opened as far as that costs nothing.

    Attributes:
        checkpoint: which one.
        files: its folder.
        config: its ``config.json``.
        tensors: name -> shape and file of every stored tensor, in the order of the files.
        labels: names of its logits in their order; empty without a trained head.
        kind: what the logits mean.
    """

    checkpoint: Checkpoint
    files: FolderFiles
    config: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]
    labels: tuple[str, ...] = ()
    kind: HeadKind = "classification"

    @property
    def name(self) -> str:
        """The checkpoint as messages call it."""
        return self.checkpoint.model

    @property
    def architecture(self) -> str:
        """The class that the configuration names, or what else it says."""
        named = self.config.get("architectures") or [self.config.get("architecture")]
        return str(named[0] or self.config.get("model_type") or "unknown")

    @property
    def body(self) -> str:
        """The first part of most names, such as ``bert.``; empty where no part has most of them."""
        starts = [name.partition(".")[0] for name in self.tensors]
        most = max(set(starts), key=starts.count, default="")
        return f"{most}." if 2 * starts.count(most) > len(starts) else ""

    def find(self, name: str) -> str | None:
        """Find the tensor that another checkpoint calls ``name``.

        A body that was saved without its head lacks the first part of the names.
        """
        start, _, rest = name.partition(".")
        for known in (name, rest, f"{self.body}{name}", f"{start}.{name}"):
            if known in self.tensors:
                return known
        return None


def read_contents(checkpoint: Checkpoint) -> Contents:
    """Read configuration and headers.

    Raises:
        CheckpointError: missing or damaged, or weights that are not safetensors.
    """
    files = FolderFiles(Path(checkpoint.folder), checkpoint.model)
    config = read_config(files)
    labels = _labels(config)
    return Contents(
        checkpoint=checkpoint,
        files=files,
        config=config,
        tensors=stored_tensors(files),
        labels=labels,
        kind=_kind(config.get("problem_type"), len(labels)),
    )


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the logits of a classifier as its configuration does."""
    named = str((config.get("architectures") or [""])[0])
    if "architecture" in config:
        count = int(config.get("num_classes") or 0)
        listed = config.get("label_names") or []
        return tuple(map(str, listed)) if listed else _numbered(count)
    if not named.endswith("Classification"):
        return ()
    labels = config.get("id2label")
    if isinstance(labels, dict) and labels:
        return tuple(str(labels[key]) for key in sorted(labels, key=int))
    # transformers leaves its default of two labels out of the file.
    return _numbered(int(config.get("num_labels") or 2))


def _kind(problem: object, width: int) -> HeadKind:
    if problem == "multi_label_classification":
        return "multi-label"
    if problem == "regression" or (problem is None and width == 1):
        return "regression"
    return "classification"


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"LABEL_{number}" for number in range(count))
