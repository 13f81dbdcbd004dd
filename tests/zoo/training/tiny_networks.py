"""Small real networks, images, teachers and losses: everything that a training is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from zoo.building.recipe import Schedule, Views
from zoo.training.aligning import align
from zoo.training.setup import Learner, Taught, TrainingSetup
from zoo.types import ImageInput
from zoo.types.runtimes import Head
from zoo.types.training import FeatureShape, Observed, Stage


@dataclass(frozen=True)
class TinyReader:
    """Resizes to a square of bytes, and normalises a batch at a time."""

    size: int = 16
    mean: float = 0.5

    @property
    def key(self):
        return f"tiny-{self.size}-{self.mean}"

    def prepare(self, sample):
        return np.asarray(sample.resize((self.size, self.size), Image.Resampling.BILINEAR))

    def collate(self, samples):
        pixels = torch.from_numpy(np.stack(samples)).permute(0, 3, 1, 2)
        return {"pixel_values": pixels.float().div(255).sub(self.mean)}


@dataclass(frozen=True)
class WordReader:
    """Counts letters: texts have no pixels."""

    key = "words"

    def prepare(self, sample):
        return sample

    def collate(self, samples):
        counts = [[text.count(letter) for letter in "abcdefgh"] for text in samples]
        return {"counts": torch.tensor(counts, dtype=torch.float32)}


class Cnn(nn.Module):
    """Two stages with batch norm, then a linear head."""

    base_model_prefix = "body"

    def __init__(self, labels, width=8, dropout=0.0):
        super().__init__()
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(i, o, 3, 2, 1, bias=False),
                nn.BatchNorm2d(o),
                nn.ReLU(),
                nn.Dropout(dropout),
            )
            for i, o in ((3, width), (width, 2 * width))
        )
        self.classifier = nn.Linear(2 * width, labels) if labels else None

    def run(self, pixel_values):
        maps = {}
        for number, stage in enumerate(self.body):
            pixel_values = maps[f"stage.{number}"] = stage(pixel_values)
        logits = self.classifier(pixel_values.mean((2, 3))) if self.classifier else None
        return maps, logits


class Vit(nn.Module):
    """Patches of four pixels, a class token, two blocks."""

    base_model_prefix = "body"

    def __init__(self, labels, size=16, width=16, dropout=0.0):
        super().__init__()
        self.grid = size // 4
        block = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout, batch_first=True)
        self.body = nn.ModuleDict(
            {
                "patches": nn.Conv2d(3, width, 4, 4),
                "positions": nn.Embedding(self.grid**2 + 1, width),
                "blocks": nn.ModuleList(
                    [block, type(block)(width, 2, 2 * width, dropout, batch_first=True)]
                ),
            }
        )
        self.classifier = nn.Linear(width, labels) if labels else None

    def run(self, pixel_values):
        tokens = self.body["patches"](pixel_values).flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1)
        tokens = tokens + self.body["positions"].weight
        maps = {}
        for number, block in enumerate(self.body["blocks"]):
            tokens = block(tokens)
            maps[f"block.{number}"] = tokens[:, 1:].transpose(1, 2).unflatten(2, (self.grid,) * 2)
        return maps, self.classifier(tokens[:, 0]) if self.classifier else None


class Words(nn.Module):
    """A network of texts: one hidden layer."""

    base_model_prefix = "body"

    def __init__(self, labels, dropout=0.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(dropout))
        self.classifier = nn.Linear(16, labels)

    def run(self, counts):
        hidden = self.body(counts)
        return {"hidden": hidden}, self.classifier(hidden)


@dataclass(eq=False)
class TinyNetwork:
    """Implements :class:`zoo.types.training.TrainableNetwork`."""

    module: nn.Module
    reader: object
    layers: tuple[FeatureShape, ...]
    head: Head | None
    seen: list[int] = field(default_factory=list)

    def observe(self, inputs, taps, alter=None):
        assert not alter
        maps, logits = self.module.run(**inputs)
        return Observed(features={tap: maps[tap] for tap in taps}, logits=logits)

    def save(self, folder):
        torch.save(self.module.state_dict(), Path(folder) / "weights.pt")


def _head(labels):
    return Head(labels=tuple(f"class {each}" for each in range(labels))) if labels else None


def _opened(module, reader, layers, labels, trained):
    if not trained:
        module.eval().requires_grad_(False)
    return TinyNetwork(module, reader, tuple(layers), _head(labels))


def open_cnn(labels=3, *, seed=0, size=16, width=8, trained=False, dropout=0.0, mean=0.5):
    """Maps of (width, size / 2, size / 2) and (2 width, size / 4, size / 4)."""
    torch.manual_seed(seed)
    layers = (
        FeatureShape(tap="stage.0", width=width, grid=(size // 2,) * 2),
        FeatureShape(tap="stage.1", width=2 * width, grid=(size // 4,) * 2),
    )
    module = Cnn(labels, width, dropout)
    return _opened(module, TinyReader(size, mean), layers, labels, trained)


def open_vit(labels=3, *, seed=0, size=16, width=16, trained=False, dropout=0.0, mean=0.25):
    """Two grids of (width, size / 4, size / 4)."""
    torch.manual_seed(seed)
    grid = (size // 4,) * 2
    layers = tuple(FeatureShape(tap=f"block.{n}", width=width, grid=grid) for n in range(2))
    module = Vit(labels, size, width, dropout)
    return _opened(module, TinyReader(size, mean), layers, labels, trained)


def open_words(labels=3, *, seed=0, trained=False, dropout=0.0):
    """One vector of 16."""
    torch.manual_seed(seed)
    layers = (FeatureShape(tap="hidden", width=16),)
    return _opened(Words(labels, dropout), WordReader(), layers, labels, trained)


class Asked:
    """Teachers that are asked anew for every batch."""

    def __init__(self, networks, stages=()):
        self.networks, self.stages = tuple(networks), tuple(stages)
        self.batches = []

    @property
    def readers(self):
        return {each.reader.key: each.reader for each in self.networks}

    def teach(self, batch):
        self.batches.append((batch.rows.tolist(), batch.views.tolist()))
        seen = [
            network.observe(
                batch.inputs[network.reader.key], [stage.teachers[n].tap for stage in self.stages]
            )
            for n, network in enumerate(self.networks)
        ]
        return Taught(
            logits=tuple(each.logits for each in seen),
            features=tuple(
                tuple(
                    align(each.features[shape.tap], shape)
                    for each, shape in zip(seen, stage.teachers, strict=True)
                )
                for stage in self.stages
            ),
        )


class Concatenated:
    """Cross-entropy with the softmax of all teachers' logits, side by side."""

    def loss(self, student, teachers):
        targets = torch.cat(tuple(teachers), dim=1).softmax(1)
        return nn.functional.cross_entropy(student, targets)


class Paired(nn.Module):
    """Projects the student to each teacher and compares them place by place."""

    def __init__(self, stages, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.stages = stages
        self.projections = nn.ModuleList(
            nn.Linear(stage.student.width, sum(each.width for each in stage.teachers))
            for stage in stages
        )

    def forward(self, lesson):
        losses = [
            nn.functional.mse_loss(
                _last(projection, meeting.student), torch.cat(meeting.teachers, 1)
            )
            for projection, meeting in zip(self.projections, lesson.meetings, strict=True)
        ]
        penalty = sum(each.weight.square().mean() for each in self.projections)
        return {"paired": torch.stack(losses).sum(), "penalty": penalty}

    def display(self, name, value, batch):
        return value - 1 / batch if name == "paired" else value


def _last(projection, values):
    return projection(values.movedim(1, -1)).movedim(-1, 1)


def make_images(folder, count=40, size=(20, 24)):
    """Write pictures of stripes and noise."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(count):
        random = np.random.default_rng(number)
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        pixels[:: number % 4 + 2] = 255 - pixels[:: number % 4 + 2] // 4
        path = folder / f"{number:03}.png"
        Image.fromarray(pixels).save(path)
        found.append(ImageInput(name=path.name, path=str(path)))
    return found


def make_setup(samples, *, kd=True, method=True, dropout=0.0, views=None, **schedule):
    """A student of six classes and two teachers of three: a convolutional one, a transformer."""
    is_image = isinstance(samples[0], ImageInput)
    if is_image:
        teachers = [open_cnn(3, seed=1), open_vit(3, seed=2)]
        students = [open_cnn(6, seed=3, width=4, trained=True, dropout=dropout) for _ in range(2)]
    else:
        teachers = [open_words(3, seed=1), open_words(3, seed=2)]
        students = [open_words(6, seed=3, trained=True, dropout=dropout) for _ in range(2)]
    shapes = [each.layers[-1] for each in (*teachers, students[0])]
    stages = (Stage(student=shapes[-1], teachers=tuple(shapes[:-1])),) if method else ()
    student = Learner(
        network=students[0],
        stages=stages,
        extras=Paired(stages) if method else None,
        weights={"soft": 1.0, "paired": 0.5, "penalty": 0.01} if method else {"soft": 1.0},
    )
    learners = {"student": student}
    if kd:
        learners["kd"] = Learner(network=students[1], weights={"soft": 1.0})
    settings = {
        "epochs": 3,
        "batch": 8,
        "learning_rate": 0.01,
        "head_rate": 2.0,
        "extras_rate": 3.0,
    }
    return TrainingSetup(
        learners=learners,
        teaching=Asked(teachers, stages),
        targets=Concatenated(),
        samples=samples,
        rows=list(range(len(samples))),
        modality="image" if is_image else "text",
        views=views or Views(),
        schedule=Schedule(**{**settings, **schedule}),
        seed=0,
        precision="fp32",
        device=torch.device("cpu"),
    )


def changed(setup, **schedule):
    """The same setup with another schedule."""
    old = setup.schedule
    values = {name: getattr(old, name) for name in old.__struct_fields__}
    return replace(setup, schedule=Schedule(**{**values, **schedule}))


def weights_of(setup, name="student"):
    """Everything that a learner has learned, extras included, as copies."""
    learner = setup.learners[name]
    found = {f"network.{k}": v.clone() for k, v in learner.network.module.state_dict().items()}
    if learner.extras is not None:
        found |= {f"extras.{k}": v.clone() for k, v in learner.extras.state_dict().items()}
    return found
