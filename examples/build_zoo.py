"""Train the demo zoo that ships with the package.

Run from the repository root, with Zoo installed:

    python examples/build_zoo.py                       train all checkpoints
    python examples/build_zoo.py --only vit-digit-parity
    python examples/build_zoo.py --check               how each fares on the demo probe
    python examples/build_zoo.py --entries entries.json
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch
from embedded_zoo.cards import card
from embedded_zoo.recipes import RECIPES, Recipe
from embedded_zoo.report import entries, parameters, probe_accuracies
from embedded_zoo.tasks import TASKS, Split, Task
from embedded_zoo.training import accuracy, train
from transformers.utils.logging import disable_progress_bar

_ROOT = Path(__file__).parents[1] / "zoo" / "zoo" / "embedded"
_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--out", type=_FOLDER, default=_ROOT, help="Where the checkpoint folders are.")
@click.option(
    "--only",
    type=click.Choice([recipe.name for recipe in RECIPES]),
    multiple=True,
    help="Train this checkpoint only; may be repeated.",
)
@click.option("--check", is_flag=True, help="Train nothing: print the probe table.")
@click.option("--entries", "file", type=_FILE, help="Train nothing: write registry entries here.")
def main(out: Path, only: tuple[str, ...], file: Path | None, *, check: bool) -> None:
    """Train the embedded checkpoints, or report on those that are there."""
    # More threads gain nothing at this size, and one keeps sums in one order: same seed, same file.
    torch.set_num_threads(1)
    disable_progress_bar()
    if check:
        for name, value in probe_accuracies(out).items():
            click.echo(f"{name:<28}{value:.3f}")
    if file:
        file.write_text(json.dumps(entries(out), indent=2) + "\n", "utf-8")
    if not (check or file):
        for recipe in RECIPES:
            if not only or recipe.name in only:
                _build(recipe, out / recipe.name)


def _build(recipe: Recipe, folder: Path) -> None:
    task = TASKS[recipe.task]
    split = task.split()
    train(recipe, task, split.train, folder)
    _describe(recipe, task, split, folder)


def _describe(recipe: Recipe, task: Task, split: Split, folder: Path) -> None:
    held_out, size = accuracy(folder, split.held_out), parameters(folder)
    text = card(recipe, task, split, parameters=size, accuracy=held_out)
    (folder / "README.md").write_text(text, "utf-8")
    click.echo(f"{recipe.name:<28}{size:>8,} parameters   held-out accuracy {held_out:.3f}")


if __name__ == "__main__":
    main()
