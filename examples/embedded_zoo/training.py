"""Train one checkpoint, and use a saved one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import AutoImageProcessor, AutoModelForImageClassification

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image
    from torch import Tensor, nn

    from embedded_zoo.recipes import Recipe
    from embedded_zoo.tasks import Task
    from zoo.embedded import LabelledImages

BATCH = 64
SEED = 7


def train(recipe: Recipe, task: Task, images: LabelledImages, folder: Path) -> None:
    """Train from random weights and write the checkpoint in the Hub's format."""
    torch.manual_seed(SEED)
    processor = recipe.new_processor()
    model = AutoModelForImageClassification.from_config(recipe.new_config(images.label_names))
    pixels = _pixels(processor, images.images)
    _fit(model, pixels, torch.tensor(images.labels), recipe, jitter=task.jitter)
    _settle_batch_norm(model, pixels)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)


def load(folder: Path) -> tuple[Any, Any]:
    """Load a checkpoint and its image processor as anybody would."""
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return AutoModelForImageClassification.from_pretrained(folder).eval(), processor


def accuracy(folder: Path, images: LabelledImages) -> float:
    """Measure the saved checkpoint."""
    logits, _ = _forward(folder, images.images)
    return float((logits.argmax(1) == torch.tensor(images.labels)).float().mean())


def features(folder: Path, images: list[Image.Image]) -> Tensor:
    """Compute what the saved checkpoint's classifier sees of each image."""
    return _forward(folder, images)[1]


def _fit(model: nn.Module, pixels: Tensor, labels: Tensor, recipe: Recipe, *, jitter: bool) -> None:
    steps = recipe.epochs * math.ceil(len(pixels) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    model.train()
    for _ in range(recipe.epochs):
        for rows in torch.split(torch.randperm(len(pixels)), BATCH):
            batch = _jittered(pixels[rows]) if jitter else pixels[rows]
            loss = functional.cross_entropy(model(pixel_values=batch).logits, labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()


def _jittered(batch: Tensor) -> Tensor:
    """Turn, scale and shift each image a little."""
    count = len(batch)
    angle, size = (torch.rand(count) - 0.5) * 0.5, 1 + (torch.rand(count) - 0.5) * 0.3
    shift = (torch.rand(count, 2) - 0.5) * 0.3
    cos, sin = size * angle.cos(), size * angle.sin()
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def _settle_batch_norm(model: nn.Module, pixels: Tensor) -> None:
    """Replace the running statistics by plain averages over the training images.

    MobileNet's configurations come with a momentum near 1, which in torch's convention keeps the
    last batch only.
    """
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for rows in torch.split(torch.randperm(len(pixels)), 4 * BATCH) if norms else ():
        model(pixel_values=pixels[rows])


@torch.no_grad()
def _forward(folder: Path, images: list[Image.Image]) -> tuple[Tensor, Tensor]:
    model, processor = load(folder)
    seen: list[Tensor] = []
    *_, head = (module for module in model.modules() if isinstance(module, torch.nn.Linear))
    head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    batches = torch.split(_pixels(processor, images), 4 * BATCH)
    logits = torch.cat([model(pixel_values=batch).logits for batch in batches])
    return logits, torch.cat(seen)


def _pixels(processor: Any, images: list[Image.Image]) -> Tensor:
    pixels: Tensor = processor(images, return_tensors="pt")["pixel_values"]
    return pixels
