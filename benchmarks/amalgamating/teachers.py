"""Fine-tune the teachers, and write the unlabelled and the labelled data, for the benchmark.

Every teacher starts from a pre-trained checkpoint and is fine-tuned with labels on its own task.
The students never see a label.
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

EMBEDDED = Path(__file__).resolve().parents[2] / "zoo" / "zoo" / "embedded"


@dataclass(frozen=True)
class Task:
    """What one teacher knows.

    Attributes:
        alias: short name of the teacher.
        checkpoint: where it starts: below ``DATA/zoo``, or an embedded one.
        images: data set below ``DATA/images``.
        classes: the labels it is taught; empty takes all.
    """

    alias: str
    checkpoint: str
    images: str
    classes: tuple[str, ...] = ()
    epochs: int = 12
    rate: float = 1e-3
    embedded: bool = True


TASKS = (
    Task(
        alias="early",
        checkpoint="mobilenet_v1_0.25_128",
        images="notmnist",
        classes=tuple("ABCDE"),
        epochs=6,
        rate=3e-4,
        embedded=False,
    ),
    Task(alias="late", checkpoint="vit-digit-parity", images="notmnist", classes=tuple("FGHIJ")),
    Task(alias="signs", checkpoint="convnext-glyphs", images="signdigits", epochs=20),
    Task(alias="digits", checkpoint="resnet-digits-0-4", images="mnist"),
)
SETTINGS = {2: TASKS[:2], 4: TASKS}


def rows(data: Path, task: Task, split: str) -> tuple[list[bytes], list[str]]:
    """The encoded images of a task, and the names of their labels."""
    (path,) = (data / "images" / task.images / "data").glob(f"{split}-*.parquet")
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    names = features["label"]["names"]
    images = [cell["bytes"] for cell in table["image"].to_pylist()]
    labels = [names[number] for number in table["label"].to_pylist()]
    kept = [row for row, label in enumerate(labels) if not task.classes or label in task.classes]
    return [images[row] for row in kept], [labels[row] for row in kept]


def fine_tune(data: Path, task: Task, folder: Path, *, seed: int = 0) -> float:
    """Train one teacher with labels into a folder; give its accuracy on the test split."""
    source = EMBEDDED / task.checkpoint if task.embedded else data / "zoo" / task.checkpoint
    train, labels = rows(data, task, "train")
    test, truth = rows(data, task, "test")
    names = sorted(set(labels))
    torch.manual_seed(seed)
    processor = AutoImageProcessor.from_pretrained(source, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(
        source,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
        ignore_mismatched_sizes=True,
    )
    # The norms of the published checkpoints are folded away: training mode would undo that.
    model.train(mode=task.embedded)
    pixels = prepared(processor, train)
    targets = torch.tensor([names.index(label) for label in labels])
    steps = task.epochs * (len(train) // 64)
    optimiser = torch.optim.AdamW(model.parameters(), lr=task.rate, weight_decay=0.01)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimiser, task.rate, total_steps=steps + 1)
    for _ in range(task.epochs):
        order = torch.randperm(len(train))
        for start in range(0, len(train) - 63, 64):
            batch = order[start : start + 64]
            loss = torch.nn.functional.cross_entropy(model(pixels[batch]).logits, targets[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            decay.step()
    model.eval()
    with torch.inference_mode():
        seen = prepared(processor, test)
        guesses = torch.cat([model(part).logits.argmax(1) for part in seen.split(64)])
    right = np.mean(
        [names[int(guess)] == label for guess, label in zip(guesses, truth, strict=True)]
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return float(right)


def prepared(processor: Any, images: list[bytes]) -> torch.Tensor:
    """Pixels as the checkpoint's own processor makes them."""
    parts = []
    for start in range(0, len(images), 256):
        opened = [
            Image.open(io.BytesIO(each)).convert("RGB") for each in images[start : start + 256]
        ]
        parts.append(processor(opened, return_tensors="pt")["pixel_values"])
    return torch.cat(parts)


def write_data(data: Path, tasks: tuple[Task, ...], folder: Path) -> None:
    """Write ``unlabelled/`` (images alone, all tasks) and ``labelled/`` (test, label names).

    Labels are prefixed with the teacher's alias where two tasks share a name, as Zoo does.
    """
    taught = {task.alias: set(rows(data, task, "train")[1]) for task in tasks}
    everything = [label for labels in taught.values() for label in labels]
    unlabelled, labelled, names = [], [], []
    for task in tasks:
        unlabelled += rows(data, task, "train")[0]
        images, labels = rows(data, task, "test")
        labelled += images
        names += [f"{task.alias}/{each}" if everything.count(each) > 1 else each for each in labels]
    for name, images, extra in (
        ("unlabelled", unlabelled, {}),
        ("labelled", labelled, {"label": names}),
    ):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name / "data").mkdir(parents=True)
        cells = pa.array([{"bytes": each, "path": None} for each in images])
        table = pa.table({"image": cells, **{key: pa.array(each) for key, each in extra.items()}})
        split = "train" if name == "unlabelled" else "test"
        pq.write_table(table, folder / name / "data" / f"{split}-00000-of-00001.parquet")


def prepare(data: Path, work: Path, count: int) -> dict[str, float]:
    """Make everything that a setting needs, once; give each teacher's accuracy."""
    known = work / "teachers.json"
    accuracy: dict[str, float] = json.loads(known.read_text()) if known.exists() else {}
    for task in SETTINGS[count]:
        if task.alias not in accuracy:
            accuracy[task.alias] = fine_tune(data, task, work / "teachers" / task.alias)
            known.write_text(json.dumps(accuracy, indent=1))
            print(f"{task.alias}: {accuracy[task.alias]:.3f} on its own test images", flush=True)
    place = work / f"data-{count}"
    if not (place / "labelled").exists():
        write_data(data, SETTINGS[count], place)
    return {task.alias: accuracy[task.alias] for task in SETTINGS[count]}
