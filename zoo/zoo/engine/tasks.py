"""What is asked of the engine, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from zoo.types.failure import Failure
    from zoo.types.model import Checkpoint
    from zoo.types.runtimes import Tap
    from zoo.types.score import ScoreRecord
    from zoo.types.specs import EstimatorSpec, RuntimeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorJob:
    """One estimator with the person's options.

    Attributes:
        options: keyword parameters of its object; they have to fit into JSON.
        distribution_version: version of the distribution it comes from: part of the scores' key.
        plugin: the stranger's plugin that it comes from; empty: it is Zoo's own.
    """

    spec: EstimatorSpec
    options: dict[str, Any] = field(default_factory=dict)
    distribution_version: str = ""
    plugin: str = ""

    @property
    def owner(self) -> dict[str, str]:
        """The plugin and its version, as a failure names them; nothing where it is Zoo's own."""
        return {"plugin": self.plugin, "version": self.distribution_version} if self.plugin else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A measured model that others are compared with, at one of its layers.

    Attributes:
        features: key of its features on the same samples, as :attr:`ModelResult.features`.
        attributions: key of its attributions; empty when there are none.
    """

    model: str
    layer: str
    features: str
    attributions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTask:
    """Measure one checkpoint on the engine's probe.

    Attributes:
        rivals: other runtimes that may take over where they turn out to be faster.
        estimators: what to score by; none keeps the features and no more.
        layers: score the layer a new head would read, or all of them.
        permutations: shuffled label sets for the null.
        folds: folds of the jack-knife.
        seed: of both.
        attributions: attribute these layers to the input by this method; empty does not.
        attribution_samples: of so many samples, spread evenly.
        reference: what estimators that compare are given.
        slices: measure the first so many slices of the engine's probe; 0 measures every sample.
    """

    checkpoint: Checkpoint
    runtime: RuntimeSpec
    estimators: tuple[EstimatorJob, ...]
    layers: Literal["last", "all"] = "last"
    permutations: int = 50
    folds: int = 10
    seed: int = 0
    attributions: str = ""
    attribution_samples: int = 100
    reference: Reference | None = None
    slices: int = 0
    rivals: tuple[RuntimeSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """Everything measured on one checkpoint; failures are part of the answer.

    Attributes:
        records: one a (layer, estimator), in the order of the layers, then of the estimators.
        default_layer: the layer a new head would read; empty when the checkpoint never opened.
        layers: every layer in the order of the forward pass, without the head's logits.
        prepare_seconds: decoding and resizing, shared by all checkpoints with equal inputs.
        load_seconds: opening the checkpoint.
        forward_seconds: forward passes with pooling.
        score_seconds: all estimators, nulls and folds included.
        device: where the forward passes ran.
        from_store: no forward pass was needed; the seconds are those of the run that did it.
        features: key of the features, for :class:`Reference` and :meth:`LocalEngine.read`.
        attributions: key of the attributions; empty when there are none.
        runtime: name of what opened it.
    """

    model: str
    records: tuple[ScoreRecord, ...] = ()
    failures: tuple[Failure, ...] = ()
    default_layer: str = ""
    layers: tuple[Tap, ...] = ()
    prepare_seconds: float = 0.0
    load_seconds: float = 0.0
    forward_seconds: float = 0.0
    score_seconds: float = 0.0
    device: str = ""
    from_store: bool = False
    features: str = ""
    attributions: str = ""
    runtime: str = ""
