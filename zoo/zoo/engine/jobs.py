"""What travels between the engine and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from zoo.engine.extract import Extraction
    from zoo.engine.tasks import ModelTask
    from zoo.types.failure import Failure
    from zoo.types.model import Checkpoint
    from zoo.types.probe import Task
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
class ExtractJob:
    """Run one checkpoint over the probe.

    Attributes:
        shards: keys of the prepared inputs, in the order of the samples; empty for texts.
        texts: the inputs that need no preparation.
        prepare_seconds: what the shards took.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractDone:
    """Features are in the store, or why not.

    Attributes:
        lost: shards that are no longer there; prepare them again and repeat.
        seconds: of the whole job.
    """

    extraction: Extraction | None = None
    failure: Failure | None = None
    lost: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreJob:
    """Compute what is missing of a model's records."""

    store: Path
    key: str
    task: ModelTask
    labels: npt.NDArray[Any]
    probe_task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDone:
    """Every record, old and new.

    Attributes:
        lost: the features are no longer there, or damaged; extract them again.
    """

    extraction: Extraction | None = None
    records: tuple[ScoreRecord, ...] = ()
    failures: tuple[Failure, ...] = ()
    lost: bool = False
