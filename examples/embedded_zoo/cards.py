"""The model card of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huggingface_hub import EvalResult, ModelCardData

from embedded_zoo.training import BATCH, SEED

if TYPE_CHECKING:
    from embedded_zoo.recipes import Recipe
    from embedded_zoo.tasks import Split, Task

_TEXT = """---
{front_matter}
---

# {name}

A small {family} ({parameters:,} parameters) for 32x32 RGB images. It is part of the demo zoo
that ships with Zoo, and exists so that `zoo recommend` has real checkpoints to rank offline.

## Training

- **Task**: {summary}.
- **Classes ({count})**: {labels}.
- **Data**: {train_images:,} images, made or read by `examples/build_zoo.py`.
- **Procedure**: from random weights, AdamW, one-cycle schedule with a peak rate of {rate:g},
  batches of {batch}, {epochs} epochs, seed {seed}, on one CPU thread.{jitter}

## Evaluation

**Accuracy {accuracy:.1%}** (chance {chance:.1%}) on {held_out_images:,} held-out images:
{held_out}.

## Limits

{limits} It is a demonstration, far too small for use on its own.
"""
_JITTER = " Training images are\n  turned, scaled and shifted at random."


def card(recipe: Recipe, task: Task, split: Split, *, parameters: int, accuracy: float) -> str:
    """Write the card: what the checkpoint learned, how, how well, and what it cannot do."""
    labels = split.train.label_names
    return _TEXT.format(
        front_matter=_front_matter(recipe, task, accuracy),
        name=recipe.name,
        family=recipe.family,
        parameters=parameters,
        summary=task.summary,
        count=len(labels),
        labels=", ".join(labels),
        train_images=len(split.train.images),
        rate=recipe.rate,
        batch=BATCH,
        epochs=recipe.epochs,
        seed=SEED,
        jitter=_JITTER if task.jitter else "",
        accuracy=accuracy,
        chance=1 / len(labels),
        held_out_images=len(split.held_out.images),
        held_out=task.held_out,
        limits=task.limits,
    )


def _front_matter(recipe: Recipe, task: Task, accuracy: float) -> str:
    result = EvalResult(
        task_type="image-classification",
        dataset_type=recipe.task,
        dataset_name=task.summary,
        dataset_split="held-out",
        metric_type="accuracy",
        metric_value=round(accuracy, 4),
    )
    front_matter: str = ModelCardData(
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="image-classification",
        tags=["zoo-demo", recipe.family.lower(), recipe.task],
        model_name=recipe.name,
        eval_results=[result],
    ).to_yaml()
    return front_matter
