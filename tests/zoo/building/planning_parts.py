"""A runtime that only names layers, a source that counts, and methods of one line."""

from __future__ import annotations

from typing import ClassVar

from zoo import hookimpl
from zoo.errors import CheckpointError
from zoo.sources.folder import FolderSource
from zoo.types import AmalgamatorSpec, RuntimeSpec, SourceSpec
from zoo.types.training import FeatureShape

HERE = "planning_parts"


@hookimpl
def zoo_runtimes():
    return [
        RuntimeSpec(name="idle", target=f"{HERE}:Idle", summary="neither opens nor trains"),
        RuntimeSpec(name="namer", target=f"{HERE}:Namer", summary="names layers"),
    ]


@hookimpl
def zoo_sources():
    return [SourceSpec(name="folder", target=f"{HERE}:Counting", summary="counts")]


@hookimpl
def zoo_amalgamators():
    return [
        AmalgamatorSpec(
            name="plain", target=f"{HERE}:Plain", summary="logits alone", features=False
        ),
        AmalgamatorSpec(
            name="sets",
            target=f"{HERE}:Sets",
            summary="features and logits",
            smallest_batch=4,
            advised_batch=16,
            default=True,
        ),
        AmalgamatorSpec(name="blind", target=f"{HERE}:Plain", summary="features", soft=False),
        AmalgamatorSpec(
            name="mean",
            target=f"{HERE}:Mean",
            summary="of the weights",
            kind="merging",
            soft=False,
            features=False,
        ),
        AmalgamatorSpec(
            name="changes",
            target=f"{HERE}:Changes",
            summary="what each changed",
            kind="merging",
            soft=False,
            features=False,
        ),
    ]


class Counting(FolderSource):
    fetched: ClassVar[list[str]] = []

    def fetch(self, candidate):
        self.fetched.append(candidate.model)
        return super().fetch(candidate)


class Idle:
    pass


class Namer:
    asked: ClassVar[list[object]] = []

    def open_teacher(self, *_):
        raise AssertionError("nothing is opened before the plan is agreed to")

    open_student = open_teacher

    def layers(self, checkpoint, modality, student=None):
        self.asked.append(student)
        if checkpoint.entry.architecture == "Shapeless":
            raise CheckpointError(f"{checkpoint.model} has no layers.")
        shapes = [
            FeatureShape(tap="stage.1", width=8, grid=(4, 4)),
            FeatureShape(tap="stage.2", width=16, grid=(2, 2)),
        ]
        return shapes, 1000 + (len(student.labels) if student else 0)


class Plain:
    def pair(self, teachers, student):
        return [(student[-1].tap, tuple(each[-1].tap for each in teachers))]

    def check(self, stages, batch):
        return ()

    def weights(self, teachers):
        return {"distance": 0.5}

    def build(self, stages):
        import torch

        return torch.nn.Linear(2, 3)


class Sets(Plain):
    def __init__(self, *, width: int = 8) -> None:
        self.width = width

    def check(self, stages, batch):
        return ("the width is odd.",) if self.width % 2 else ()


class Mean:
    needs_base = False

    def check(self, models):
        return () if models > 1 else ("one model has no mean.",)

    def merge(self, name, tensors, base):
        return sum(tensors) / len(tensors)


class Changes(Mean):
    needs_base = True
