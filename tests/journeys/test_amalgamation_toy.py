"""A toy of two unlike teachers, through the real loop: a CNN of digits 0-4, a ViT of digits 5-9.

A small CNN learns both from digits without labels. Among the exhaustive tests: one seed, and the
mean of three.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from zoo.building.recipe import Schedule, SoftTargets, Views
from zoo.building.stages import make_stages
from zoo.training.observing import logits_of
from zoo.training.setup import Learner, TrainingSetup
from zoo.training.targets import make_targets
from zoo.training.teacher_cache import CachedTeaching, ClosedTeacher, Questions, fill
from zoo.training.trainer import train
from zoo.types import ImageInput
from zoo.types.runtimes import Head
from zoo.types.training import FeatureShape, Observed
from zoo_amalgamation.cfl import CommonFeatureLearning

pytestmark = pytest.mark.slow

COLUMNS = (tuple(range(5)), tuple(range(5, 10)))
#: Every sample is seen once an epoch, as it is: the teachers can be asked beforehand.
VIEWS = Views(kind="fixed", count=1)
SCHEDULE = Schedule(epochs=30, batch=64, learning_rate=2e-3)


class Cnn(nn.Module):
    """(B, 1, 8, 8) -> maps (B, width, 4, 4) and logits."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth):
            inputs, stride = width if number else 1, 2 if number == 1 else 1
            layers += [
                nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        maps = self.body(images)
        return maps, self.head(maps.mean((2, 3)))


class Vit(nn.Module):
    """(B, 1, 8, 8) in patches of 2 -> grids of tokens (B, width, 4, 4) and logits."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, 2)
        self.position = nn.Parameter(0.02 * torch.randn(1, 16, width))
        self.body = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 4, 64, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).mT + self.position
        for block in self.body:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return tokens.mT.unflatten(2, (4, 4)), self.head(tokens.mean(1))


class DigitReader:
    key = "digits"

    def prepare(self, sample):
        return np.asarray(sample)[..., 0]

    def collate(self, samples):
        pixels = torch.from_numpy(np.stack(samples)).float() / 240
        return {"pixels": pixels[:, None]}


@dataclass
class ToyNetwork:
    """What a runtime opens, made by hand."""

    module: nn.Module
    width: int
    labels: tuple[int, ...]

    @property
    def reader(self):
        return DigitReader()

    @property
    def head(self):
        return Head(labels=tuple(map(str, self.labels)))

    @property
    def layers(self):
        return (FeatureShape(tap="last", width=self.width, grid=(4, 4)),)

    def observe(self, inputs, taps):
        maps, logits = self.module(inputs["pixels"])
        return Observed(features=dict.fromkeys(taps, maps), logits=logits)

    def save(self, folder) -> None:
        torch.save(self.module.state_dict(), folder / "model.pt")


@dataclass
class Digits:
    samples: list[ImageInput]
    pixels: torch.Tensor
    labels: torch.Tensor
    train: list[int]
    test: list[int]

    @classmethod
    def drawn(cls, seed):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        images = images.reshape(-1, 8, 8)
        train, test = train_test_split(
            np.arange(len(labels)), train_size=0.6, stratify=labels, random_state=seed
        )
        return cls(
            samples=[ImageInput(name=str(row), data=_png(each)) for row, each in enumerate(images)],
            pixels=torch.tensor(images[:, None] / 16, dtype=torch.float32),
            labels=torch.tensor(labels),
            train=sorted(train.tolist()),
            test=sorted(test.tolist()),
        )


def _png(digit):
    file = io.BytesIO()
    Image.fromarray((15 * digit).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _learn(network, digits, epochs):
    """Train a teacher with the labels of its own digits."""
    rows = torch.tensor([row for row in digits.train if int(digits.labels[row]) in network.labels])
    optimiser = torch.optim.Adam(network.module.parameters(), lr=2e-3, weight_decay=1e-4)
    for _ in range(epochs):
        for batch in rows[torch.randperm(len(rows))].split(64):
            _, logits = network.module(digits.pixels[batch])
            loss = functional.cross_entropy(logits, digits.labels[batch] - network.labels[0])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    network.module.eval().requires_grad_(requires_grad=False)
    return network


def _student(seed):
    torch.manual_seed(seed)
    return ToyNetwork(Cnn(16, 3, 10), 16, tuple(range(10)))


@dataclass
class Class:
    """Two teachers of one seed, who were asked about everything that a student sees."""

    digits: Digits
    teachers: list[ToyNetwork]
    stages: Any
    cache: Any

    @classmethod
    def gathered(cls, seed, folder):
        digits = Digits.drawn(seed)
        torch.manual_seed(seed)
        teachers = [
            _learn(ToyNetwork(Cnn(48, 4, 5), 48, COLUMNS[0]), digits, epochs=12),
            _learn(ToyNetwork(Vit(32, 2, 5), 32, COLUMNS[1]), digits, epochs=20),
        ]
        shapes = [each.layers for each in teachers], _student(seed).layers
        stages = make_stages(*shapes, CommonFeatureLearning().pair(*shapes))
        closed = [
            ClosedTeacher(
                alias=alias, digest=alias, reader_key="digits", columns=5, open=partial(_same, each)
            )
            for alias, each in zip("ab", teachers, strict=True)
        ]
        questions = Questions(
            samples=digits.samples,
            fingerprint="digits",
            rows=digits.train,
            modality="image",
            views=VIEWS,
            seed=seed,
        )
        return cls(digits, teachers, stages, fill(closed, stages, questions, folder / "teachers"))

    def taught(self, kind, names, seed, folder):
        """Train the named students in lockstep by soft targets of one kind: name -> network."""
        students = {name: _student(seed) for name in names}
        method = CommonFeatureLearning()
        extras = method.build(self.stages)
        learners = {name: Learner(network=students[name], weights={"soft": 1.0}) for name in names}
        if "student" in names:
            learners["student"] = Learner(
                network=students["student"],
                stages=self.stages,
                extras=extras,
                weights={"soft": 1.0, **method.weights(2)},
            )
        setup = TrainingSetup(
            learners=learners,
            teaching=CachedTeaching(self.cache),
            targets=make_targets(SoftTargets(kind=kind), COLUMNS, 10, self.cache.statistics),
            samples=self.digits.samples,
            rows=self.digits.train,
            modality="image",
            views=VIEWS,
            schedule=SCHEDULE,
            seed=seed,
            precision="fp32",
            device=torch.device("cpu"),
        )
        folder.mkdir()
        train(setup, folder, on_event=lambda event: None)
        return students

    def accuracy(self, network):
        """Share of the test digits that a student of all ten tells apart."""
        logits = logits_of(network, self.digits.samples, self.digits.test, modality="image")
        return float(np.mean(logits.argmax(1) == self.digits.labels[self.digits.test].numpy()))


def _same(network):
    return network


def _state(network):
    return {name: value.clone() for name, value in network.module.state_dict().items()}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((0,), id="one-seed", marks=pytest.mark.exhaustive),
        pytest.param((0, 1, 2), id="three-seeds", marks=pytest.mark.exhaustive),
    ],
)
def accuracies(request, tmp_path_factory):
    """(targets, student) -> mean accuracy; and whether the teachers are what they were."""
    found: dict[tuple[str, str], list[float]] = {}
    unchanged = []
    for seed in request.param:
        folder = tmp_path_factory.mktemp(f"seed{seed}")
        school = Class.gathered(seed, folder)
        before = [_state(each) for each in school.teachers]
        for kind, names in (("concat", ("student", "kd")), ("standardised", ("kd",))):
            students = school.taught(kind, names, seed, folder / kind)
            for name, network in students.items():
                found.setdefault((kind, name), []).append(school.accuracy(network))
        for state, each in zip(before, school.teachers, strict=True):
            after = each.module.state_dict()
            unchanged.append(all(torch.equal(state[name], after[name]) for name in state))
    return {name: float(np.mean(values)) for name, values in found.items()}, all(unchanged)


@pytest.mark.timeout(1200)
def test_a_student_learns_two_unlike_teachers_from_unlabelled_digits(accuracies):
    means, _ = accuracies
    assert means["concat", "kd"] >= 0.70
    assert means["concat", "student"] >= means["concat", "kd"] - 0.03
    assert means["standardised", "kd"] >= 0.92


@pytest.mark.timeout(1200)
def test_the_teachers_are_what_they_were_bit_for_bit(accuracies):
    _, unchanged = accuracies
    assert unchanged
