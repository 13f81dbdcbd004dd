"""What travels between the engine and its workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from zoo.engine.contest import Contest
    from zoo.engine.extract import Extraction
    from zoo.engine.keys import Names
    from zoo.engine.pieces import Piece
    from zoo.engine.tasks import ModelTask
    from zoo.types.failure import Failure
    from zoo.types.model import Checkpoint
    from zoo.types.probe import Task
    from zoo.types.runtimes import Precision
    from zoo.types.score import ScoreRecord
    from zoo.types.specs import RuntimeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """Prepare some inputs; ``checkpoint`` is any of those that want them alike."""

    store: Path
    key: str
    checkpoint: Checkpoint
    runtime: RuntimeSpec
    inputs: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDone:
    """Prepared inputs are in the store, or why not."""

    seconds: float = 0.0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionJob:
    """Attribute the layers of a checkpoint to its input.

    Attributes:
        key: of the attributions.
        method: as :class:`zoo.types.Attributes` names it.
        samples: how many, spread evenly.
        layers: ``last`` or ``all``.
    """

    key: str
    method: str
    samples: int
    layers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractJob:
    """Run one checkpoint over the probe.

    Attributes:
        shards: keys of the prepared inputs, in the order of the samples; empty for texts.
        texts: the inputs that need no preparation.
        prepare_seconds: what the shards took.
        attribution: what to attribute while the checkpoint is open.
        precision: numbers that the forward pass computes in.
        demanded: the device that a person asked for by name; empty where any will do.
        contest: other runtimes that may take over; None where there are none.
    """

    store: Path
    key: str
    checkpoint: Checkpoint
    runtime: RuntimeSpec
    shards: tuple[str, ...]
    texts: tuple[Any, ...]
    modality: str
    threads: int
    prepare_seconds: float
    attribution: AttributionJob | None = None
    precision: Precision = "fp32"
    demanded: str = ""
    contest: Contest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractDone:
    """Features are in the store, or why not.

    Attributes:
        lost: shards that are no longer there; prepare them again and repeat.
        seconds: of the whole job.
        unattributed: why there are no attributions, where some were wanted.
        runtime: name of what made the features, or failed to; empty where they were there.
    """

    extraction: Extraction | None = None
    failure: Failure | None = None
    lost: tuple[str, ...] = ()
    seconds: float = 0.0
    unattributed: Failure | None = None
    runtime: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob:
    """Compute what is missing of a model's records.

    Attributes:
        names: what is scored, for the keys of the records.
        pieces: where its features are.
        reference: where those of the task's reference are.
        labels, extras: of the samples that are scored, in their order.
    """

    store: Path
    names: Names
    task: ModelTask
    pieces: tuple[Piece, ...]
    labels: npt.NDArray[Any]
    probe_task: Task
    reference: tuple[Piece, ...] = ()
    extras: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDone:
    """Every record, old and new.

    Attributes:
        lost: features or attributions are no longer there, or damaged; extract them again.
    """

    extraction: Extraction | None = None
    records: tuple[ScoreRecord, ...] = ()
    failures: tuple[Failure, ...] = ()
    lost: bool = False
