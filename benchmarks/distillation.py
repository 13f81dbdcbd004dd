"""All methods of distillation on CIFAR-10, three seeds, a CNN into a CNN and into a transformer.

    python benchmarks/distillation.py --data ../shared/data --work /tmp/distillation

Every method is added to KD with its published weight. The students of one seed start from the same
weights and see the same batches and the same teacher. Called again, it skips what is finished and
goes on with what was interrupted. Time and memory of a step are measured apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from distilling.lessons import GROUPS, Course
from distilling.networks import (
    STUDENTS,
    TEACHERS,
    Images,
    open_student,
    open_teacher,
    prepare,
    read,
)
from distilling.table import summarise, write
from distilling.timing import measure
from distilling.training import train_group

from zoo.files import write_atomically

BATCH, EPOCHS, ROUNDS = 32, 6, 9


def course_of(work: Path, student: str, group: str, seed: int, images: Images) -> Course:
    """Open everything that a group needs."""
    chosen = GROUPS[group]
    aliases = list(TEACHERS)[: chosen.teachers]
    return Course(
        group=chosen,
        teachers=tuple(open_teacher(work, alias) for alias in aliases),
        open_student=partial(open_student, work, student, images.names, seed),
        samples=len(images.inputs),
        batch=min(BATCH, len(images.inputs)),
        seed=seed,
        labels=images.labels if chosen.labelled else None,
    )


def carry_out(
    options: argparse.Namespace, student: str, group: str, seed: int, data: tuple[Images, Images]
) -> dict[str, Any]:
    """Train a group with one seed, go on with one that was interrupted, or read what it gave."""
    name = f"{student}-{group.replace(' ', '-')}-{options.epochs:g}-{seed}"
    answer = options.work / "runs" / f"{name}.json"
    if not answer.exists():
        print(f"{name}: training", flush=True)
        folder = options.work / "runs" / name
        course = course_of(options.work, student, group, seed, data[0])
        found = train_group(course, *data, folder, options.epochs)
        found = {"student": student, "group": group, "seed": seed, **found}
        write_atomically(answer, json.dumps(found).encode())
        shutil.rmtree(folder)
    result: dict[str, Any] = json.loads(answer.read_text())
    print(f"{name}: {result['seconds']:.0f} s", flush=True)
    return result


def costs_of(options: argparse.Namespace, student: str, images: Images) -> dict[str, Any]:
    """Measure a step of every method, or read what was measured."""
    answer = options.work / "runs" / f"{student}-costs.json"
    if not answer.exists():
        found: dict[str, Any] = {}
        for group in [name for name, each in GROUPS.items() if each.timed]:
            course = course_of(options.work, student, group, 0, images)
            found |= measure(course, course.fitting()[0], images, rounds=options.rounds)
        write_atomically(answer, json.dumps(found, indent=1).encode())
    costs: dict[str, Any] = json.loads(answer.read_text())
    return costs


def main() -> None:
    """Make the teachers, train and measure everything, write the table after every part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="with zoo/ and images/")
    parser.add_argument("--work", type=Path, required=True, help="teachers and runs; may be used")
    parser.add_argument("--students", nargs="+", default=list(STUDENTS), choices=list(STUDENTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=EPOCHS)
    parser.add_argument("--samples", type=int, default=0, help="training images; 0 takes all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of which medians are taken")
    parser.add_argument("-o", "--output", type=Path, help="a .json; the table goes beside it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work = options.work.resolve()
    (options.work / "runs").mkdir(parents=True, exist_ok=True)
    train, test = read(options.data, "train", options.samples), read(options.data, "test")
    teachers = prepare(options.data, options.work, train, test)
    sizes = {"train": len(train.inputs), "test": len(test.inputs), "epochs": options.epochs}
    results: dict[str, Any] = {"teachers": teachers, **sizes, "costs": {}, "runs": []}
    output = options.output or options.work / "distillation.json"
    for seed in range(options.seeds):
        for student in options.students:
            for group in GROUPS:
                results["runs"].append(carry_out(options, student, group, seed, (train, test)))
            results["summary"] = summarise(results["runs"])
            write(results, output)
    for student in options.students:
        results["costs"][student] = costs_of(options, student, train)
        write(results, output)


if __name__ == "__main__":
    main()
