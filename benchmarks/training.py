"""Samples a second of the training loop beside the bare networks that it trains.

    python benchmarks/training.py                       # photos, networks of usual size
    python benchmarks/training.py --embedded            # the packaged checkpoints: tiny networks
    python benchmarks/training.py --workers 0 1 --method cfl --compare
    python benchmarks/training.py --teachers FOLDER FOLDER --student FOLDER --size 500 375

Bare is what no loop can do without: the forward passes of the teachers and the forward and backward
pass of the student, from tensors that are ready made. The loop decodes JPEG files, crops, resizes
and normalises for every network, computes losses, steps the optimiser, writes its journal and
listens for Ctrl-C. The ratio of the two should be 0.85 or more; with --method cfl or --compare the
loop trains more than the bare student, and the ratio says how much that costs.

Everything has one thread. Rates are a second of processor time of the training process, because
other work on the machine disturbs that less; that of wall time stands beside it. A process that
reads ahead is not counted: it runs on another core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from bare_engines import build_random, find_checkpoint
from PIL import Image
from torch.nn.functional import cross_entropy

from zoo.building.recipe import Schedule, Views
from zoo.building.stages import make_stages
from zoo.training import loop
from zoo.training.observing import Teacher
from zoo.training.samples import batches
from zoo.training.setup import Learner, TrainingSetup
from zoo.training.teaching import OnlineTeaching
from zoo.training.trainer import train
from zoo.types import ImageInput
from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import StudentRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo.training.setup import Batch, Taught, Teaching
    from zoo.types.training import TrainableNetwork

TARGET = 0.85
TEACHERS, STUDENT = ("resnet18", "vit_tiny"), "mobilenet_v2"
EMBEDDED = ("embedded:resnet-digits-0-4", "embedded:vit-digit-parity")
_IGNORED = 3


@dataclass
class Ticks:
    """Moments at which steps begin: (processor time, wall time)."""

    moments: list[tuple[float, float]] = field(default_factory=list)

    def tick(self) -> None:
        """Note a moment."""
        self.moments.append((time.process_time(), time.perf_counter()))

    def seconds(self) -> tuple[float, float]:
        """Give the median seconds of a step, without the first ones."""
        steps = np.diff(np.asarray(self.moments), axis=0)[_IGNORED:]
        return statistics.median(steps[:, 0]), statistics.median(steps[:, 1])


@dataclass
class Timed:
    """Teachers that note when they are asked: once a step."""

    teaching: Teaching
    ticks: Ticks = field(default_factory=Ticks)

    @property
    def readers(self) -> Any:
        """Those of the teachers."""
        return self.teaching.readers

    def teach(self, batch: Batch) -> Taught:
        """Note the time, then ask."""
        self.ticks.tick()
        return self.teaching.teach(batch)


class Concatenated:
    """Softmax of all teachers' logits, side by side."""

    def loss(self, student: torch.Tensor, teachers: Sequence[torch.Tensor]) -> torch.Tensor:
        """Cross-entropy."""
        return cross_entropy(student, torch.cat(tuple(teachers), 1).softmax(1))


def make_photos(folder: Path, count: int, size: tuple[int, int]) -> list[ImageInput]:
    """Write JPEG files as large as photos on the web: soft shapes and some noise."""
    found = []
    for number in range(count):
        draw = np.random.default_rng(number)
        coarse = Image.fromarray(draw.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
        pixels += draw.integers(-12, 13, pixels.shape, dtype=np.int16)
        path = folder / f"{number}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        found.append(ImageInput(name=path.name, path=str(path)))
    return found


def open_networks(
    options: argparse.Namespace, folder: Path
) -> tuple[list[TrainableNetwork], Callable[[], TrainableNetwork]]:
    """Open two teachers, and give what opens a student."""
    from zoo_runtimes.torch_runtime import TorchRuntime

    runtime, run = TorchRuntime(), RuntimeOptions(extras={"modality": "image"})
    if options.teachers:
        models, student = options.teachers, options.student or options.teachers[0]
    elif options.embedded:
        models, student = list(EMBEDDED), EMBEDDED[0]
    else:
        models = [str(build_random(name, folder)) for name in TEACHERS]
        student = str(build_random(STUDENT, folder))
    opened = [
        runtime.open_teacher(find_checkpoint(each, str(folder / "home")), run, "image")
        for each in models
    ]
    labels = [f"{n}/{label}" for n, each in enumerate(opened) for label in each.head.labels]

    def open_student() -> TrainableNetwork:
        checkpoint = find_checkpoint(student, str(folder / "home"))
        return runtime.open_student(
            checkpoint, run, "image", StudentRequest(labels=tuple(labels), seed=0)
        )

    return opened, open_student


def learner_of(
    student: TrainableNetwork, teachers: Sequence[TrainableNetwork], method: str
) -> Learner:
    """Give a student the losses of a method."""
    if method == "kd":
        return Learner(network=student, weights={"soft": 1.0})
    from zoo_amalgamation.cfl import CommonFeatureLearning

    amalgamator = CommonFeatureLearning()
    layers = [each.layers for each in teachers]
    stages = make_stages(layers, student.layers, amalgamator.pair(layers, student.layers))
    weights = {"soft": 1.0, **amalgamator.weights(len(teachers))}
    return Learner(
        network=student, stages=stages, extras=amalgamator.build(stages), weights=weights
    )


def bare(
    teachers: Sequence[TrainableNetwork], student: TrainableNetwork, batch: Batch, steps: int
) -> Ticks:
    """Forward passes of the teachers, forward and backward pass of the student."""
    ticks, targets = Ticks(), Concatenated()
    student.module.train()
    for _ in range(steps + 1):
        ticks.tick()
        with torch.no_grad():
            said = [each.observe(batch.inputs[each.reader.key], ()).logits for each in teachers]
        logits = student.observe(batch.inputs[student.reader.key], ()).logits
        targets.loss(logits, said).backward()
        student.module.zero_grad()
    return ticks


def measure(options: argparse.Namespace, workers: int, folder: Path) -> dict[str, Any]:
    """Time the bare networks, the loop, and the bare networks again."""
    teachers, open_student = open_networks(options, folder)
    size = tuple(options.size or ((64, 64) if options.embedded else (500, 375)))
    photos = folder / "photos"
    photos.mkdir()
    samples = make_photos(photos, 4 * options.batch, size)
    student = open_student()
    readers = {each.reader.key: each.reader for each in (*teachers, student)}
    rows = range(options.batch)
    (batch,) = batches(samples, rows, readers, modality="image", batch=options.batch)
    before = bare(teachers, student, batch, options.steps)
    learners = {"student": learner_of(open_student(), teachers, options.method)}
    if options.compare:
        learners["kd"] = learner_of(open_student(), teachers, "kd")
    stages = learners["student"].stages
    asked = [Teacher(str(number), each) for number, each in enumerate(teachers)]
    teaching = Timed(OnlineTeaching(asked, stages))
    setup = TrainingSetup(
        learners=learners,
        teaching=teaching,
        targets=Concatenated(),
        samples=samples,
        rows=list(range(len(samples))),
        modality="image",
        views=Views(),
        schedule=Schedule(epochs=(options.steps + _IGNORED + 1) / 4, batch=options.batch),
        seed=0,
        precision="fp32",
        device=torch.device("cpu"),
    )
    loop.choose_workers = lambda *_: workers
    train(setup, folder / "run")
    after = bare(teachers, student, batch, options.steps)
    bare_cpu, bare_wall = np.minimum(before.seconds(), after.seconds())
    cpu, wall = teaching.ticks.seconds()
    return {
        "workers": workers,
        "method": options.method + (" beside kd" if options.compare else ""),
        "bare_samples_per_second": round(options.batch / bare_cpu, 2),
        "loop_samples_per_second": round(options.batch / cpu, 2),
        "ratio": round(bare_cpu / cpu, 3),
        "wall_ratio": round(bare_wall / wall, 3),
    }


def main() -> None:
    """Print a line a number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embedded", action="store_true", help="the packaged tiny networks")
    parser.add_argument("--teachers", nargs="+", metavar="MODEL", help="checkpoints of your own")
    parser.add_argument("--student", metavar="MODEL", help="the first teacher, if not said")
    parser.add_argument("--size", type=int, nargs=2, metavar="PIXELS", help="of the photos")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--method", choices=["kd", "cfl"], default="kd")
    parser.add_argument("--compare", action="store_true", help="train two students in lockstep")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for workers in options.workers:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(options, workers, Path(folder))
        print(json.dumps({**found, "target": TARGET}), flush=True)


if __name__ == "__main__":
    main()
