"""Methods of a few lines, one of every kind, and a runtime that only names layers."""

from __future__ import annotations

import torch
from torch import nn

from zoo import hookimpl
from zoo.errors import InputError
from zoo.sources.folder import FolderSource
from zoo.types import (
    AugmenterSpec,
    DistillerSpec,
    ObjectiveSpec,
    PretextSpec,
    RegulariserSpec,
    RuntimeSpec,
    SourceSpec,
)
from zoo.types.distilling import Mixed, Pair
from zoo.types.training import FeatureShape

HERE = "distilling_parts"


@hookimpl
def zoo_runtimes():
    return [RuntimeSpec(name="namer", target=f"{HERE}:Namer", summary="names layers")]


@hookimpl
def zoo_sources():
    return [SourceSpec(name="folder", target=f"{HERE}:Local", summary="folders")]


@hookimpl
def zoo_distillers():
    def spec(name, target, **more):
        return DistillerSpec(name=name, target=f"{HERE}:{target}", summary=name, **more)

    return [
        spec("ends", "Ends", default=True, weight=2.0, smallest_batch=3, published={"width": 64}),
        spec("soft", "Silent", needs=("logits",), soft=True, teaches_logits=True, default=True),
        spec("maps", "Maps", imitates_maps=True, smallest_batch=2),
        spec("even", "Even"),
        spec("wise", "Wise", needs=("logits",), teaches_logits=True),
        spec("lone", "Ends", teachers="one"),
        spec("crowd", "Ends", teachers="several"),
        spec("told", "Ends", needs=("labels",)),
    ]


@hookimpl
def zoo_objectives():
    return [ObjectiveSpec(name="aim", target=f"{HERE}:Ends", summary="an objective")]


@hookimpl
def zoo_regularisers():
    return [RegulariserSpec(name="calm", target=f"{HERE}:Calm", summary="small", weight=0.5)]


@hookimpl
def zoo_augmenters():
    return [AugmenterSpec(name="mixer", target=f"{HERE}:Mixer", summary="mixes")]


@hookimpl
def zoo_pretexts():
    return [PretextSpec(name="puzzle", target=f"{HERE}:Puzzle", summary="pieces")]


class Local(FolderSource):
    def fetch(self, candidate):
        raise AssertionError("nothing is fetched before the plan is agreed to")


class Namer:
    def open_teacher(self, *_):
        raise AssertionError("nothing is opened before the plan is agreed to")

    open_student = open_teacher

    def layers(self, checkpoint, modality, student=None):
        grids = [(8, 8), (4, 4)] if checkpoint.entry.architecture.startswith("ViT") else [None]
        shapes = [FeatureShape(tap=f"s{n}", width=8 * n, grid=g) for n, g in enumerate(grids, 1)]
        return shapes, 1000 + (len(student.labels) if student else 0)


class Silent:
    """Gives no loss of its own."""

    def pair(self, teachers, student):
        return ()

    def check(self, classroom):
        return ()

    def weights(self, teachers):
        return {}

    def build(self, classroom):
        return Gives({})


class Wise(Silent):
    """Compares logits."""

    def weights(self, teachers):
        return {"wise": 1.0}

    def build(self, classroom):
        return Gives({"wise": 1.0})


class Ends(Silent):
    """Compares the vectors at the end."""

    def __init__(self, *, width: int = 8) -> None:
        if width < 1:
            raise InputError(f"ends.width must be 1 or more, not {width}.")
        self.width = width

    form = "vector"

    def pair(self, teachers, student):
        taps = tuple(each[-1].tap for each in teachers)
        return (Pair(student=student[-1].tap, teachers=taps, form=self.form),)

    def check(self, classroom):
        return ("the width is odd.",) if self.width % 2 else ()

    def weights(self, teachers):
        return {"end": float(teachers), "more": 3.0}

    def build(self, classroom):
        return Gives({"end": 1.0, "more": 2.0})


class Even(Ends):
    form = "common"


class Maps(Silent):
    """Compares all layers as they are, and looks at the first one of the student."""

    def pair(self, teachers, student):
        (teacher,) = teachers
        met = [
            Pair(student=mine.tap, teachers=(other.tap,))
            for mine, other in zip(student, teacher, strict=True)
        ]
        return (*met, Pair(student=student[0].tap))

    def weights(self, teachers):
        return {"maps": 1.0}

    def build(self, classroom):
        return Gives({"maps": 1.0})


class Calm:
    def watch(self, student):
        return [each.tap for each in student]

    def weights(self):
        return {"calm": 4.0}

    def build(self, classroom):
        return Gives({"calm": 1.0})


class Mixer:
    def __init__(self, *, probability: float = 1.0) -> None:
        self.probability = probability

    def tap(self, student):
        return student[0].tap

    def mix(self, features):
        order = torch.arange(len(features)).roll(1)
        return Mixed(features=features[order], order=order, share=0.25)


class Puzzle:
    pass


class Gives(nn.Module):
    """Gives fixed losses, and remembers what it was shown."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.lessons = losses, []

    def forward(self, lesson):
        self.lessons.append(lesson)
        return {name: torch.tensor(value) for name, value in self.losses.items()}
