"""Specs: what a plugin advertises without importing anything heavy.

A spec names its object as ``package.module:Class``; the module is imported on first use. The
options of the object are the keyword parameters of its ``__init__``, so that
``zoo plugins show logme`` and ``--set logme.refinements=30`` need no second declaration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.types.probe import Task

Need = Literal[
    "features",
    "labels",
    "logits",
    "label_embeddings",
    "attributions",
    "reference",
    "graph",
    "entry",
    "scores",
]
#: What a distiller may read beside features.
Knowledge = Literal["logits", "labels", "partial_view", "student_again"]
Cost = Literal["free", "cheap", "moderate", "expensive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every kind of spec has.

    Attributes:
        name: the name that a person types; unique within its kind.
        target: ``package.module:Class`` of the object behind it.
        summary: one line for tables.
        reference: where the method comes from.
        expected_failures: promises of its kind that it does not keep: name of the check -> why.
            ``zoo plugins check`` names them.
    """

    name: str
    target: str
    summary: str
    reference: str = ""
    expected_failures: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorSpec(Spec):
    """A transferability estimator; see :class:`zoo.types.protocols.Estimator`.

    Attributes:
        tasks: the tasks it can score.
        needs: what it reads. ``("entry",)`` alone makes it a data-free prior, which sees the
            registry entry and nothing of the person's data; ``"scores"`` among them makes it a
            combiner, which sees the scores of all candidates.
        wants: what it reads where it can be had; ``reference`` is the features of a model that
            others are compared with.
        cost: how it compares with the forward passes; what is expensive is scored once, without
            shuffled labels and folds.
        default: whether it takes part when no estimator is named.
    """

    tasks: tuple[Task, ...] = ("classification",)
    needs: tuple[Need, ...] = ("features", "labels")
    wants: tuple[Need, ...] = ()
    cost: Cost = "cheap"
    default: bool = True

    @property
    def data_free(self) -> bool:
        """Whether it is a prior."""
        return self.needs == ("entry",)

    @property
    def combines(self) -> bool:
        """Whether it makes one score of the others', all candidates at once."""
        return "scores" in self.needs

    @property
    def reads_features(self) -> bool:
        """Whether it scores the features of one layer, as most do."""
        return not (self.data_free or self.combines)

    def reads(self, need: Need) -> bool:
        """Whether it needs or wants something."""
        return need in self.needs or need in self.wants


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEncoderSpec(Spec):
    """Turns labels into vectors; see :class:`zoo.types.protocols.LabelEncoder`.

    Attributes:
        tasks: the tasks whose labels it can encode.
        default: whether it takes part when no label encoder is named.
        members: other label encoders that it stands for; it is none itself then.
    """

    tasks: tuple[Task, ...] = ("classification", "text")
    default: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec(Spec):
    """A place checkpoints come from; ``name`` is the scheme of its references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSpec(Spec):
    """Something that runs a checkpoint and taps its layers.

    Attributes:
        libraries: the ``library`` values of registry entries it can open.
        modalities: what it can feed.
    """

    libraries: tuple[str, ...] = ("transformers",)
    modalities: tuple[str, ...] = ("image", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec(Spec):
    """A reader of one data layout; see :class:`zoo.types.protocols.ProbeLoader`.

    Attributes:
        priority: readers are asked in this order, lowest first.
    """

    priority: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AmalgamatorSpec(Spec):
    """Makes one student of several teachers; see :mod:`zoo.types.training`.

    Attributes:
        kind: ``training`` is an :class:`zoo.types.training.Amalgamator`, ``merging`` a
            :class:`zoo.types.training.Merger`; an ``ensemble`` only asks the teachers.
        soft: its student learns soft targets, which the core forms of the teachers' logits.
        features: it reads the features of teachers and student.
        smallest_batch: fewer samples of one forward pass are refused.
        advised_batch: fewer are warned of.
        default: the first of its kind to take where no method is named.
        published: options that its authors used, where its own defaults are others; the preset
            ``paper`` takes them.
    """

    kind: Literal["training", "merging", "ensemble"] = "training"
    soft: bool = True
    features: bool = True
    smallest_batch: int = 1
    advised_batch: int = 1
    default: bool = False
    published: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillerSpec(Spec):
    """Moves what a teacher knows into a student; see :class:`zoo.types.distilling.Distiller`.

    Attributes:
        teachers: ``each``: it sees one teacher, and is built once for every one; ``one``: there
            may be no other; ``several``: it needs two at least, and sees all of them.
        needs: what it cannot do without. ``logits`` are those of teachers and student, on the
            same labels; ``labels`` those of the data; ``partial_view`` is a second view of every
            sample, a part of the first; ``student_again`` further passes of the student over a
            batch.
        wants: what it reads where it can be had.
        imitates_maps: it compares maps place by place, which may harm across architectures.
        soft: the core's soft targets are its loss, with ``weight``; such a method has no other.
        teaches_logits: its loss reaches the student's head; the core adds soft targets to methods
            of which none does.
        weight: of its losses beside others', as published; ``NAME:3`` says another.
        smallest_batch: fewer samples of one forward pass are refused.
        advised_batch: fewer are warned of.
        default: the first to take where no method is named.
        published: options that its authors used, where its own defaults are others; the preset
            ``paper`` takes them.
    """

    teachers: Literal["each", "one", "several"] = "each"
    needs: tuple[Knowledge, ...] = ()
    wants: tuple[Knowledge, ...] = ()
    imitates_maps: bool = False
    soft: bool = False
    teaches_logits: bool = False
    weight: float = 1.0
    smallest_batch: int = 1
    advised_batch: int = 1
    default: bool = False
    published: Mapping[str, Any] = field(default_factory=dict)

    def reads(self, knowledge: Knowledge) -> bool:
        """Whether it needs or wants something."""
        return knowledge in self.needs or knowledge in self.wants


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSpec(DistillerSpec):
    """A semi-supervised objective of student and teacher; the object is a distiller's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulariserSpec(Spec):
    """Looks at the student alone; see :class:`zoo.types.distilling.Regulariser`.

    Attributes:
        weight: of its losses beside others'; ``NAME:3`` says another.
        smallest_batch: fewer samples of one forward pass are refused.
    """

    weight: float = 1.0
    smallest_batch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmenterSpec(Spec):
    """Mixes the samples of a batch inside the student; :class:`zoo.types.distilling.Augmenter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PretextSpec(Spec):
    """A task without labels and teachers; see :class:`zoo.types.distilling.Pretext`.

    Attributes:
        modalities: what it can be made from.
        share: of the training that warms a student up with it; ``NAME:0.5`` says another.
    """

    modalities: tuple[str, ...] = ("image",)
    share: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratorSpec(Spec):
    """Makes probabilities honest; see :class:`zoo.types.distilling.Calibrator`.

    Attributes:
        default: the first to take where none is named.
    """

    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowerSpec(Spec):
    """Sets the weights of a larger network; see :class:`zoo.types.growers.Grower`.

    Attributes:
        preserving: it keeps the function wherever the family can; what is another is refused.
        needs: what it reads beside the network: ``samples``, or ``labels`` of them, too.
        default: the first to take where none is named.
    """

    preserving: bool = True
    needs: Literal["", "samples", "labels"] = ""
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySpec(Spec):
    """Knows an architecture well enough to grow it; see :class:`zoo.types.growers.Family`.

    Attributes:
        model_types: the ``model_type`` values of configurations that it knows; none: it reads
            modules of a person's own, see :class:`zoo.types.growers.ModuleFamily`.
        sizes: which of ``hidden``, ``heads``, ``kv_heads``, ``mlp``, ``depth`` it can change;
            every family has ``width``.
    """

    model_types: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ("depth",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterSpec(Spec):
    """Explains with evidence; see :class:`zoo.types.reporting.Reporter`.

    Attributes:
        subject: ``ranking``: why one model stands before another; ``class``: why a model knows a
            class that it never saw.
        topic: heading of its claims.
        needs: what it cannot do without: ``graph``, ``features``, ``attributions``, ``history``,
            ``classifier``. Where that cannot be had, the report says so in its place.
        order: where its claims stand; small numbers first.
    """

    subject: Literal["ranking", "class"] = "ranking"
    topic: str = ""
    needs: tuple[str, ...] = ()
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSourceSpec(Spec):
    """Gives triples to the knowledge graph; see :class:`zoo.types.reporting.GraphSource`.

    Attributes:
        reads: what the place that a person names has to be, in a few words.
        fetches: it can also get the data itself.
        license: SPDX-like id of the data.
    """

    reads: str = ""
    fetches: bool = False
    license: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleterSpec(Spec):
    """Expects links that a graph lacks; see :class:`zoo.types.reporting.Completer`.

    Attributes:
        reads_texts: it uses vectors of the nodes' texts where there are some.
        default: the first to take where none is named.
    """

    reads_texts: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec(Spec):
    """A click command that joins ``zoo``; ``target`` is the command object."""
