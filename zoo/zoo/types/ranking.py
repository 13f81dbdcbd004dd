"""The answer to ``zoo recommend``: also its JSON, field by field."""

from __future__ import annotations

import msgspec

from zoo.types.failure import Failure
from zoo.types.provenance import Provenance

SCHEMA_VERSION = 1


class ProbeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The data as a ranking remembers it.

    Attributes:
        labels: names of the classes; empty where labels are numbers or texts of their own, and in
            rankings of earlier versions.
    """

    name: str
    source: str
    task: str
    modality: str
    samples: int
    classes: int | None
    fingerprint: str
    seed: int = 0
    rows: int = 0
    split: str | None = None
    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class EstimatorCell(msgspec.Struct, frozen=True, kw_only=True):
    """One estimator's word on one model, at the layer that was chosen.

    Attributes:
        interval: 95 % jack-knife interval of the value.
        note: why the value is missing, saturated or special.
    """

    value: float | None
    z: float | None = None
    seconds: float = 0.0
    saturated: bool = False
    interval: tuple[float, float] | None = None
    rank: int | None = None
    note: str = ""


class LayerScore(msgspec.Struct, frozen=True, kw_only=True):
    """The consensus of one layer among the layers of its model."""

    layer: str
    score: float


class RankingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model.

    Attributes:
        score: what the order goes by, in [0, 1]: the expected share of the other candidates that it
            beats, by the combined score where there is one, else by the evidence.
        evidence: the same by the estimators alone; None in rankings of earlier versions.
        interval: 95 % jack-knife interval of the score.
        estimators: every estimator's cell; ``prior`` and ``combined`` among them where they are.
        tied: no clear difference from the model one rank above or below.
        tied_with: references of every model it is not clearly different from.
        layer: the layer the scores are of: where to cut.
        agree: how many of the counted estimators put it in the first three.
        counted: how many estimators the consensus counts.
        seconds: forward passes and scoring.
        signal: False when no counted estimator beats shuffled labels by three deviations.
        runtime: what opened it; empty in rankings of earlier versions, like ``device``.
        device: where its forward passes ran.
    """

    model: str
    rank: int
    score: float
    interval: tuple[float, float]
    tied: bool
    layer: str
    estimators: dict[str, EstimatorCell]
    parameters: int | None = None
    bytes: int | None = None
    license: str | None = None
    seconds: float = 0.0
    tied_with: tuple[str, ...] = ()
    agree: int = 0
    counted: int = 0
    signal: bool = True
    layers: tuple[LayerScore, ...] = ()
    dimension: int | None = None
    architecture: str | None = None
    evidence: float | None = None
    runtime: str = ""
    device: str = ""


class PriorRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model before any of the person's data is seen."""

    model: str
    rank: int
    score: float
    reason: str


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate left out before anything was downloaded, or dropped from a race."""

    model: str
    reason: str


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the leaders was worth once it was fine-tuned.

    Attributes:
        accuracy: share of the held-out samples that it gets right.
        interval: 95 % interval of the accuracy.
        samples: that were held out; the same ones for every model.
        steps: of its training.
        seconds: of it, or of its last part where it was interrupted.
        folder: where the fine-tuned model lies.
    """

    model: str
    accuracy: float
    interval: tuple[float, float]
    samples: int
    steps: int
    seconds: float
    folder: str


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """Which checkpoints to start from, best first, and everything left out.

    Attributes:
        prior: the order without any data: what the scores have to beat.
        agreement: Kendall's W of the counted estimators; None with fewer than two.
        prior_agreement: weighted tau between the evidence and the prior.
        warnings: where the evidence is thin, one sentence each.
        truth: leaders that were fine-tuned, in the order of the ranking; empty where nobody asked.
    """

    run: str
    probe: ProbeSummary
    ranking: tuple[RankingRow, ...]
    prior: tuple[PriorRow, ...]
    excluded: tuple[Exclusion, ...]
    failures: tuple[Failure, ...]
    provenance: Provenance
    warnings: tuple[str, ...] = ()
    agreement: float | None = None
    prior_agreement: float | None = None
    seconds: float = 0.0
    truth: tuple[Truth, ...] = ()
    schema_version: int = SCHEMA_VERSION
