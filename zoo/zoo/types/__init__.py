"""The frozen values that flow through Zoo. Free of heavy imports."""

from __future__ import annotations

from zoo.types.failure import Failure
from zoo.types.features import Features
from zoo.types.model import Candidate, Checkpoint, Modality, ModelEntry, ModelRef
from zoo.types.probe import ImageInput, Probe, ProbeModality, Task
from zoo.types.protocols import (
    Backbone,
    EncodedInput,
    Estimator,
    ManyFolds,
    ManyLabels,
    Prior,
    ProbeLoader,
    ProbeOptions,
    Runtime,
    RuntimeOptions,
    Source,
    Tap,
)
from zoo.types.provenance import Provenance
from zoo.types.ranking import (
    EstimatorCell,
    Exclusion,
    LayerScore,
    PriorRow,
    ProbeSummary,
    Ranking,
    RankingRow,
)
from zoo.types.score import Score, ScoreRecord
from zoo.types.specs import (
    AmalgamatorSpec,
    CommandSpec,
    DistillerSpec,
    EstimatorSpec,
    GrowerSpec,
    ProbeSpec,
    ReporterSpec,
    RuntimeSpec,
    SourceSpec,
    Spec,
)

__all__ = [
    "AmalgamatorSpec",
    "Backbone",
    "Candidate",
    "Checkpoint",
    "CommandSpec",
    "DistillerSpec",
    "EncodedInput",
    "Estimator",
    "EstimatorCell",
    "EstimatorSpec",
    "Exclusion",
    "Failure",
    "Features",
    "GrowerSpec",
    "ImageInput",
    "LayerScore",
    "ManyFolds",
    "ManyLabels",
    "Modality",
    "ModelEntry",
    "ModelRef",
    "Prior",
    "PriorRow",
    "Probe",
    "ProbeLoader",
    "ProbeModality",
    "ProbeOptions",
    "ProbeSpec",
    "ProbeSummary",
    "Provenance",
    "Ranking",
    "RankingRow",
    "ReporterSpec",
    "Runtime",
    "RuntimeOptions",
    "RuntimeSpec",
    "Score",
    "ScoreRecord",
    "Source",
    "SourceSpec",
    "Spec",
    "Tap",
    "Task",
]
