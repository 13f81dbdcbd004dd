"""Real images, two teachers fine-tuned on them, and what the students are.

The teachers read the images of 32 x 32 at 64 x 64, which is nearer to what they were pre-trained
on; the students read them as they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import torch
from amalgamating.teachers import prepared
from bare_engines import find_checkpoint
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    ConvNextImageProcessorPil,
    ResNetConfig,
    ViTConfig,
)

from zoo.types import ImageInput
from zoo.types.runtimes import RuntimeOptions
from zoo.types.training import StudentRequest
from zoo_runtimes.torch_runtime import TorchRuntime

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.types.training import TrainableNetwork

SIDE = 64
#: Alias -> pre-trained checkpoint below ``DATA/zoo``. All methods learn from the first one.
TEACHERS = {"teacher": "mobilenet_v1_0.5_160", "second": "mobilenet_v1_0.25_128"}
STUDENTS: dict[str, Any] = {
    "resnet": ResNetConfig(
        layer_type="basic", embedding_size=16, hidden_sizes=[16, 32, 64], depths=[1, 1, 1]
    ),
    "vit": ViTConfig(
        image_size=32,
        patch_size=8,
        hidden_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=96,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ),
}
_EPOCHS, _RATE, _BATCH = 8, 5e-4, 64
_RUN = RuntimeOptions(extras={"modality": "image"})


@dataclass(frozen=True, eq=False)
class Images:
    """One split.

    Attributes:
        inputs: encoded.
        labels: (N,) int64.
        names: of the C labels.
    """

    inputs: list[ImageInput]
    labels: torch.Tensor
    names: tuple[str, ...]


def read(data: Path, split: str, most: int = 0) -> Images:
    """Read a split of CIFAR-10, or its first images; its rows are in no order."""
    (path,) = (data / "images" / "cifar10" / "data").glob(f"{split}-*.parquet")
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    encoded = [cell["bytes"] for cell in table["image"].to_pylist()]
    labels = torch.tensor(table["label"].to_pylist())
    order = torch.randperm(len(encoded), generator=torch.Generator().manual_seed(0))
    rows = order[: most or None].tolist()
    inputs = [ImageInput(name=f"{split} {row}", data=encoded[row]) for row in rows]
    return Images(inputs, labels[rows], tuple(features["label"]["names"]))


def fine_tune(source: Path, train: Images, test: Images, folder: Path) -> float:
    """Train a teacher with labels into a folder; give its accuracy on the test images."""
    torch.manual_seed(0)
    side = {"height": SIDE, "width": SIDE}
    processor = AutoImageProcessor.from_pretrained(
        source, backend="pil", size={"shortest_edge": SIDE}, crop_size=side
    )
    model = AutoModelForImageClassification.from_pretrained(
        source,
        num_labels=len(train.names),
        id2label=dict(enumerate(train.names)),
        label2id={name: number for number, name in enumerate(train.names)},
        ignore_mismatched_sizes=True,
    )
    # The norms of the published checkpoints are folded away: training mode would undo that.
    model.eval()
    pixels = prepared(processor, [each.data or b"" for each in train.inputs])
    epoch = len(pixels) // _BATCH
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_EPOCHS * epoch + 1)
    for _ in range(_EPOCHS):
        order = torch.randperm(len(pixels))[: epoch * _BATCH]
        for rows in torch.split(order, _BATCH):
            loss = torch.nn.functional.cross_entropy(
                model(altered(pixels[rows])).logits, train.labels[rows]
            )
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
    with torch.inference_mode():
        seen = prepared(processor, [each.data or b"" for each in test.inputs])
        guesses = torch.cat([model(part).logits.argmax(1) for part in torch.split(seen, 256)])
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return float((guesses == test.labels).float().mean())


def altered(pixels: torch.Tensor) -> torch.Tensor:
    """Mirror half of the (B, 3, H, W) images, and shift the batch by up to an eighth."""
    mirrored = torch.rand(len(pixels), 1, 1, 1) < 0.5
    pixels = torch.where(mirrored, pixels.flip(3), pixels)
    edge = SIDE // 8
    top, left = torch.randint(0, 2 * edge + 1, (2,)).tolist()
    wide = torch.nn.functional.pad(pixels, (edge,) * 4, mode="reflect")
    return wide[:, :, top : top + SIDE, left : left + SIDE]


def write_student(name: str, folder: Path) -> None:
    """Write a student; its weights are drawn anew for every seed."""
    AutoModelForImageClassification.from_config(STUDENTS[name]).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    # ConvNext's resizes and normalises, and crops nothing off so small an image.
    ConvNextImageProcessorPil(
        size={"shortest_edge": 32}, crop_pct=1.0, image_mean=half, image_std=half
    ).save_pretrained(folder)


def prepare(data: Path, work: Path, train: Images, test: Images) -> dict[str, float]:
    """Make teachers and students, once; give each teacher's accuracy."""
    known = work / "teachers.json"
    accuracy: dict[str, float] = json.loads(known.read_text()) if known.exists() else {}
    for alias, source in TEACHERS.items():
        if alias not in accuracy:
            accuracy[alias] = fine_tune(data / "zoo" / source, train, test, work / alias)
            known.write_text(json.dumps(accuracy, indent=1))
            print(f"{alias}: {accuracy[alias]:.3f} of the test images", flush=True)
    for name in STUDENTS:
        if not (work / name).exists():
            write_student(name, work / name)
    return accuracy


@cache
def open_teacher(work: Path, alias: str) -> TrainableNetwork:
    """Open a teacher once; nobody changes it."""
    checkpoint = find_checkpoint(str(work / alias), str(work / "home"))
    return TorchRuntime().open_teacher(checkpoint, _RUN, "image")


def open_student(work: Path, name: str, labels: tuple[str, ...], seed: int) -> TrainableNetwork:
    """Make a student from random weights."""
    request = StudentRequest(labels=labels, initial="random", seed=seed)
    checkpoint = find_checkpoint(str(work / name), str(work / "home"))
    return TorchRuntime().open_student(checkpoint, _RUN, "image", request)
