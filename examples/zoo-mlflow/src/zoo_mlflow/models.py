"""One run a model that was built: its recipe, its curves, its numbers, its card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from zoo_mlflow.flat import joined, leaves, numbers
from zoo_mlflow.store import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.types import BuiltModel

#: Copied to MLflow where they are there. Weights are not, unless ``ZOO_MLFLOW_WEIGHTS=1``.
PAPERS = (
    "README.md",
    "metrics.json",
    "growth.json",
    "run.yaml",
    "label_map.yaml",
    "training.jsonl",
    "training.png",
)
_CURVES = ("losses", "shown", "rates")


def write_model(result: BuiltModel) -> None:
    """Write a model; an earlier run of the same folder stays, as it was another model.

    Raises:
        ZooError: MLflow cannot be written.
    """
    folder = Path(result.folder).expanduser().absolute()
    with opened() as store:
        name = f"{result.command} {folder.name}"
        with store.run(name, _tags(result, folder), seconds=result.seconds) as run:
            run.params(_params(result, folder))
            run.metrics([*_curves(folder / "training.jsonl"), *_metrics(result)])
            if os.environ.get("ZOO_MLFLOW_WEIGHTS") == "1":
                store.client.log_artifacts(run.id, str(folder))
                return
            for each in PAPERS:
                if (folder / each).is_file():
                    store.client.log_artifact(run.id, str(folder / each))


def _tags(result: BuiltModel, folder: Path) -> dict[str, str]:
    notes = [*result.notes, *result.failures]
    return {
        "zoo.command": result.command,
        "zoo.method": result.method,
        "zoo.folder": str(folder),
        **{joined("teacher", alias): each for alias, each in result.teachers.items()},
        "mlflow.source.name": f"zoo {result.command}",
        "mlflow.note.content": "\n".join(f"- {each}" for each in notes),
    }


def _params(result: BuiltModel, folder: Path) -> dict[str, object]:
    recipe: Any = {}
    if (folder / "run.yaml").is_file():
        recipe = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    return {"method": result.method, **dict(leaves(recipe))}


def _metrics(result: BuiltModel) -> Iterator[tuple[str, float, int]]:
    """Give what the finished model is worth, at the last step."""
    sizes = {name: getattr(result, name) for name in ("parameters", "bytes", "seconds")}
    more = {"peak_bytes": result.peak_bytes, "steps": result.steps, "skipped": result.skipped}
    measured = {name: value for name, value in more.items() if value}
    for name, value in numbers({**sizes, **measured, **result.metrics}):
        yield name, value, result.steps


def _curves(journal: Path) -> Iterator[tuple[str, float, int]]:
    """Give the losses and rates of a training, line by line."""
    if not journal.is_file():
        return
    for text in journal.read_bytes().splitlines():
        line = msgspec.json.decode(text)
        for name, value in numbers({each: line.get(each) for each in _CURVES}):
            yield name, value, line["step"]
