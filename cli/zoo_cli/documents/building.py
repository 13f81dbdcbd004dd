"""What the commands that make a model print, where it is no type of the core's own."""

from __future__ import annotations

from zoo.building.plan import Plan
from zoo.growing.plan import GrowthPlan
from zoo_cli.documents.base import Document


class BuildingPlan(Plan, frozen=True, kw_only=True):
    """What ``--dry-run`` of ``zoo amalgamate``, ``distill`` and ``finetune`` would do.

    Attributes:
        dry_run: true.
    """

    dry_run: bool = True


class GrowingPlan(GrowthPlan, frozen=True, kw_only=True):
    """What ``zoo grow --dry-run`` would do.

    Attributes:
        dry_run: true.
    """

    dry_run: bool = True


class LabelMapFile(Document, frozen=True, kw_only=True):
    """A map of the teachers' labels that was written.

    Attributes:
        label_map: the file.
    """

    label_map: str
