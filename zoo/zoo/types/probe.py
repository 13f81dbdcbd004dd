"""A sample of the person's data, as the engine and the estimators see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Task = Literal["classification", "multi-label", "regression", "text"]
ProbeModality = Literal["image", "text", "features"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """One encoded image: a file, or the bytes of one. Cheap to send to a worker.

    Attributes:
        name: how a person finds it: the path, or ``file.parquet row 17``.
        path: absolute path, when it is a file.
        data: the encoded bytes, when it is not.
    """

    name: str
    path: str | None = None
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """Labelled samples of one data set, in the order of the sample.

    Attributes:
        name: short name for tables: the folder's or file's own.
        source: what the person typed.
        task: classification, multi-label, regression, or text: each label is a text of its own,
            such as a caption or an answer.
        modality: what the inputs are.
        inputs: N :class:`ImageInput`; or N texts; or N (text, text) pairs; or (N, D) features.
        labels: (N,) int64 class ids 0..C-1; (N, T) float64 in {0, 1}; (N,) or (N, T) float64; or
            for text (N,) int64 ids of distinct texts.
        label_names: C class names, T label names, T target names, or the distinct texts.
        split: the split that was read, such as ``train``.
        rows: how many labelled rows the split had before sampling.
        fingerprint: sha256 over (content digest, label) of the samples and the task.
        seed: the seed of the sample.
        columns: role -> column, such as ``{"text": "body", "label": "stars"}``.
        notes: what was understood or left out, one sentence each.
    """

    name: str
    source: str
    task: Task
    modality: ProbeModality
    inputs: Sequence[Any]
    labels: npt.NDArray[Any]
    label_names: tuple[str, ...]
    fingerprint: str
    split: str | None = None
    rows: int = 0
    seed: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """Number of samples N."""
        return len(self.labels)

    @property
    def classes(self) -> int | None:
        """Number of classes or of labels; None where labels are numbers or texts."""
        return None if self.task in {"regression", "text"} else len(self.label_names)
