"""What the commands around a ranking print, where it is no type of the core's own."""

# ruff: noqa: TC001 -- msgspec reads the types of the fields

from __future__ import annotations

from typing import Any

import msgspec

from zoo.plan import Plan
from zoo.types.explaining import Report
from zoo.types.failure import Failure
from zoo.types.ranking import ProbeSummary, Ranking
from zoo.types.runtimes import ExportReport
from zoo_cli.documents.base import Document


class PlannedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A model that would be measured.

    Attributes:
        model: the reference.
        parameters: number of weights; ``null`` when not known.
        bytes: size of its files.
        download: bytes still to fetch.
        seconds: expected time of its forward passes on one core; ``null`` when not known.
        license: SPDX-like id.
    """

    model: str
    parameters: int | None
    bytes: int | None
    download: int
    seconds: float | None
    license: str | None


class RankingPlan(Plan, frozen=True, kw_only=True):
    """What ``zoo recommend --dry-run`` would do.

    Attributes:
        models: those that would be measured.
        download: bytes to fetch, in all.
        seconds: expected wall time of the forward passes.
        dry_run: true.
        schema_version: 1; within a version fields are only added.
    """

    models: tuple[PlannedRow, ...]  # type: ignore[assignment]  # what is printed of each
    download: int
    seconds: float
    dry_run: bool = True
    schema_version: int = 1


class ExplainedRanking(Ranking, frozen=True, kw_only=True):
    """A ranking, and why the first is the first.

    Attributes:
        explanation: what ``zoo explain`` prints; ``null`` where it could not be made.
    """

    explanation: Report | None


class ScoreCell(msgspec.Struct, frozen=True, kw_only=True):
    """The word of one estimator.

    Attributes:
        value: the score; ``null`` when the method does not apply.
        z: (value - null_mean) / null_sd.
        null_mean: mean under shuffled labels.
        null_sd: standard deviation under shuffled labels.
        interval: 95 % jack-knife interval of the value.
        saturated: the value says nothing at this sample size and width.
        note: why the method does not apply, or what to know.
        applicable: whether it applies.
        details: further numbers.
        seconds: null and folds included.
    """

    value: float | None
    z: float | None
    null_mean: float | None
    null_sd: float | None
    interval: tuple[float, float] | None
    saturated: bool
    note: str
    applicable: bool
    details: dict[str, Any]
    seconds: float


class ScoredFeatures(Document, frozen=True, kw_only=True):
    """Scores of features that a person brings.

    Attributes:
        source: the file.
        task: what the labels are.
        samples: how many.
        width: of the features.
        scores: estimator -> its word.
        failures: estimators that broke.
        notes: what was understood or left out.
        permutations: shuffled label sets that a score is compared with.
        folds: of the jack-knife.
        seed: of both.
    """

    source: str
    task: str
    samples: int
    width: int
    scores: dict[str, ScoreCell]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    permutations: int
    folds: int
    seed: int


class ProbeColumns(ProbeSummary, frozen=True, kw_only=True):
    """What was understood of the data.

    Attributes:
        columns: role -> column.
    """

    columns: dict[str, str]


class ShownProbe(Document, frozen=True, kw_only=True):
    """Data with classes, labels or label texts, as Zoo reads them.

    Attributes:
        probe: what was understood.
        labels: one an entry: ``class`` or ``text``, and ``samples``.
        examples: a few samples: ``label`` and ``input``.
    """

    probe: ProbeColumns
    labels: tuple[dict[str, str | int], ...]
    examples: tuple[dict[str, str], ...]


class ShownTargets(Document, frozen=True, kw_only=True):
    """Data with numbers to predict, as Zoo reads them.

    Attributes:
        probe: what was understood.
        targets: one a quantile: ``quantile`` and ``value``.
        examples: a few samples: ``label`` and ``input``.
    """

    probe: ProbeColumns
    targets: tuple[dict[str, str | float], ...]
    examples: tuple[dict[str, str], ...]


class SavedProbe(Document, frozen=True, kw_only=True):
    """A sample that was written to a file.

    Attributes:
        path: where.
        samples: how many.
        fingerprint: that of the data, and of the file when it is read back.
    """

    path: str
    samples: int
    fingerprint: str


class ExportDocument(ExportReport, frozen=True, kw_only=True):
    """An export that was compared with the original.

    Attributes:
        schema_version: 1; within a version fields are only added.
    """

    schema_version: int = 1
