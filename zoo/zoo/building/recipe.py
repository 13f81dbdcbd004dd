"""The recipe: everything that decides what a built model becomes, as ``run.yaml`` keeps it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from zoo.types.protocols import ProbeOptions

# Bounded above, so that infinity is refused.
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=1)]

PresetName = Literal["paper", "balanced", "quick"]
Command = Literal["amalgamate", "distill", "finetune"]
#: Their methods add up; there may be several, and each has options of its own.
ADDING: frozenset[Command] = frozenset({"distill", "finetune"})
TargetKind = Literal["concat", "per_teacher", "standardised", "gated", "union"]
GateKind = Literal["entropy", "max_logit", "energy"]


class TeacherChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A teacher as a person names it.

    Attributes:
        model: reference, folder or name of the registry.
        alias: short name, before the ``=``; made of the model's name where it is empty.
        tap: where its features are read; ``auto`` takes what the method pairs.
    """

    model: str
    alias: str = ""
    tap: str = "auto"


class StudentChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The student.

    Attributes:
        model: reference, folder (one with only a ``config.json`` will do) or name.
        initial: its weights; ``auto`` takes those of the checkpoint where it has some.
        head: keep the trained head of the checkpoint, or draw a new one; ``auto`` keeps it in
            fine-tuning where its labels are the classes of the data.
        tap: where its features are read.
    """

    model: str
    initial: Literal["auto", "pretrained", "random"] = "auto"
    head: Literal["auto", "keep", "new"] = "auto"
    tap: str = "auto"


class SoftTargets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the teachers' logits become what the student learns.

    Attributes:
        kind: see ``docs/explanation/amalgamation.md``.
        temperature: T, of both softmaxes.
        gate: what says how ambiguous a teacher is on a sample; for ``gated``.
        gate_temperature: sharpness of the gate, the smaller the harder.
    """

    kind: TargetKind = "standardised"
    temperature: Positive = 1.0
    gate: GateKind = "entropy"
    gate_temperature: Positive = 0.1


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long and how fast to train.

    Attributes:
        epochs: passes over the data.
        batch: samples of one forward pass; a method sees so many at a time.
        accumulate: batches of one optimiser step.
        learning_rate: of the student's body.
        head_rate: multiple of it for the head.
        extras_rate: multiple of it for what a method trains beside the student.
        weight_decay: an L2 penalty.
        optimiser: ``sgd`` has Nesterov momentum of 0.9.
        decay: ``step`` divides the rates by ten half-way, ``steps`` after 5, 6 and 7 eighths,
            ``cosine`` brings them to zero.
        warmup: share of the steps over which the weights of a method's losses rise from zero.
        save_minutes: time between two checkpoints to resume from.
    """

    epochs: Positive = 30
    batch: Count = 64
    accumulate: Count = 1
    learning_rate: Positive = 1e-3
    head_rate: Positive = 1.0
    extras_rate: Positive = 1.0
    weight_decay: NotNegative = 1e-4
    optimiser: Literal["adam", "sgd"] = "adam"
    decay: Literal["step", "steps", "cosine", "constant"] = "cosine"
    warmup: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    save_minutes: Positive = 5.0


class Views(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which crops of an image the networks see; all of them see the same one.

    Attributes:
        kind: ``random`` crops and flips anew in every epoch; ``fixed`` repeats ``count`` views, of
            which the first is the plain image, so that teachers can be asked once.
        count: fixed views of each image.
        scale: smallest share of the area that a crop keeps.
        flip: whether half of the crops are mirrored.
    """

    kind: Literal["random", "fixed"] = "random"
    count: Count = 1
    scale: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.35
    flip: bool = True


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides what a built model becomes.

    Attributes:
        command: which command it belongs to.
        method: name of the amalgamator, or names of methods of distillation that add up, each with
            its weight: ``kd,hkd:3``; ``auto`` takes what fits. In fine-tuning, those beside the
            labels; ``labels`` for none.
        options: of the amalgamator; in distillation and fine-tuning, method -> its options.
        loss_weights: name of a loss -> its weight; the method's own where it is not named; ``soft``
            is that of the soft targets.
        loss_factor: multiplies the method's own weight of every loss that is not named.
        standardise_features: bring what teachers show to one scale before it is compared.
        teachers: in the order of the student's labels; ``[alias=]MODEL`` each will do.
        student: what is trained; its reference will do.
        data: inputs; labels that they may have are not looked at, unless ``labelled``.
        labelled: learn the labels of the data, too; fine-tuning learns nothing else.
        probe: how to read them.
        samples: most of them to use, evenly spread; 0 takes all.
        held_out: share of the data that is kept for judging without labels.
        evaluation: labelled data; empty for none.
        preset: what is meant by everything that is not said.
        targets: how the teachers' logits become what the student learns.
        label_map: YAML file that maps the labels of every teacher to those of the student; or
            ``separate`` or ``union``, which say what equal names of two teachers are.
        keep: labels that the student is to have; empty keeps all.
        schedule: how long and how fast to train.
        views: which crops of an image the networks see.
        compare: train a student by the soft targets alone beside it.
        cache: keep the teachers' outputs on disk; ``auto`` where that saves work.
        precision: numbers that forward passes compute in.
        onnx: add the exported graph.
        calibrate: name of what makes the finished model's probabilities honest.
        seed: of everything that is drawn.
        trust_remote_code: references that may run their own code; heard when typed, not from a
            file.
        folder: working directory that relative paths start from.
        base: the checkpoint that all teachers were made from, for merging.
    """

    command: Command = "amalgamate"
    method: str = "auto"
    options: dict[str, Any] = {}
    loss_weights: dict[str, NotNegative] = {}
    loss_factor: NotNegative = 1.0
    standardise_features: bool = True
    teachers: tuple[TeacherChoice, ...] = ()
    student: StudentChoice | None = None
    data: str = ""
    labelled: bool = False
    probe: ProbeOptions = ProbeOptions()
    samples: Annotated[int, msgspec.Meta(ge=0)] = 0
    held_out: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    evaluation: str = ""
    preset: PresetName = "balanced"
    targets: SoftTargets = SoftTargets()
    label_map: str = ""
    keep: tuple[str, ...] = ()
    schedule: Schedule = Schedule()
    views: Views = Views()
    compare: bool = True
    cache: Literal["auto", "yes", "no"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    onnx: bool = False
    calibrate: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    trust_remote_code: tuple[str, ...] = ()
    folder: str = ""
    base: str = ""
    schema_version: int = 1
