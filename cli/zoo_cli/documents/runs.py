"""What ``zoo runs`` prints."""

# ruff: noqa: TC001 -- msgspec reads the types of the fields

from __future__ import annotations

import msgspec

from zoo.runs import RunInfo
from zoo_cli.documents.base import Document


class RunList(Document, frozen=True, kw_only=True):
    """Past runs.

    Attributes:
        runs: newest first.
    """

    runs: tuple[RunInfo, ...]


class RemovedRuns(Document, frozen=True, kw_only=True):
    """Runs that are gone.

    Attributes:
        removed: their names.
    """

    removed: tuple[str, ...]


class ComparedModel(msgspec.Struct, frozen=True, kw_only=True):
    """Where one model stands in two runs; ``null`` where it is not in one of them.

    Attributes:
        model: the reference.
        rank: in the first run.
        other: rank in the second run.
        score: in the first run.
        other_score: in the second run.
    """

    model: str
    rank: int | None = None
    other: int | None = None
    score: float | None = None
    other_score: float | None = None


class ComparedRuns(Document, frozen=True, kw_only=True):
    """Two rankings side by side.

    Attributes:
        runs: names of the two.
        models: every model of either, in the order of the first.
    """

    runs: tuple[str, str]
    models: tuple[ComparedModel, ...]
