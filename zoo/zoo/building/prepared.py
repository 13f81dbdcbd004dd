"""What preflight hands to the journey: everything that is settled before a weight is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from zoo.building.caching import CacheDecision
    from zoo.building.label_spaces import LabelSpace
    from zoo.building.members import Member
    from zoo.building.methods import Part
    from zoo.building.plan import Estimates, Plan
    from zoo.building.recipe import Recipe
    from zoo.probes.unlabelled import Inputs
    from zoo.types.probe import Probe
    from zoo.types.specs import AmalgamatorSpec
    from zoo.types.training import FeatureShape, Stage, StudentRequest


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A recipe that can be carried out.

    Attributes:
        recipe: with everything in it that was chosen: method, aliases, pinned references, targets,
            rates. Carrying it out again chooses nothing.
        place: the output folder; nothing has been written there.
        spec: of the method.
        method: an :class:`zoo.types.training.Amalgamator`, a :class:`zoo.types.training.Merger`,
            or what an ensemble is; by ``spec.kind``.
        why: why it was chosen, half a sentence.
        teachers: in the order of the columns.
        student: None where weights are merged or teachers only asked.
        base: the common ancestor, for a merger that reads it.
        request: what the student is to be; None without a student.
        space: the labels; None for a student without a head, and for teachers without.
        modality: ``image`` or ``text``.
        stages: where features are compared; empty where they are not.
        watched: where the student alone is looked at.
        weights: name of a loss -> its weight, ``soft`` among them where soft targets are learned.
        parts: methods of a distillation.
        head: whether a fine-tuned model keeps its trained head, and why, half a sentence.
        tap: layer of the student whose samples are mixed; empty where they are not.
        compare: a student of the soft targets alone is trained beside.
        extras: parameters of what is trained beside the student.
        inputs: the unlabelled data; None where a merger gets none.
        rows: numbers of those that are used, evenly spread; what is held out is among them.
        truth: (N,) int64 column of the right label of every input, -1 where the student has none;
            None where labels are not learned.
        evaluation: the labelled data.
        cache: whether the teachers' outputs are kept.
        device: where it will run.
        estimates: what it will cost.
        notes: what was chosen because of the data, one sentence each.
        warnings: what a person should think about, one sentence each.
    """

    recipe: Recipe
    place: Path
    spec: AmalgamatorSpec
    method: Any
    why: str
    teachers: tuple[Member, ...]
    student: Member | None
    base: Member | None
    request: StudentRequest | None
    space: LabelSpace | None
    modality: str
    stages: tuple[Stage, ...]
    weights: Mapping[str, float]
    extras: int
    watched: tuple[FeatureShape, ...] = ()
    parts: tuple[Part, ...] = ()
    tap: str = ""
    head: str = ""
    compare: bool = False
    truth: npt.NDArray[np.int64] | None = None
    inputs: Inputs | None
    rows: Sequence[int]
    evaluation: Probe | None
    cache: CacheDecision | None
    device: str
    estimates: Estimates
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def plan(self) -> Plan:
        """Everything that a person sees before they agree, JSON-able."""
        from zoo.building.plan import make_plan

        return make_plan(self)

    @property
    def held_out(self) -> int:
        """How many of the rows are kept for judging."""
        return held_out(len(self.rows), self.recipe.held_out)


def held_out(rows: int, share: float) -> int:
    """Count the rows that are kept for judging: at least one where any share is."""
    return min(rows, max(1, round(rows * share))) if share and rows else 0
