"""What is in the demo zoo: registry entries, and how each checkpoint fares on the probe."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from embedded_zoo.recipes import RECIPES, Recipe
from embedded_zoo.training import features
from zoo.embedded import demo_probe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image


def entries(root: Path) -> list[dict[str, Any]]:
    """Describe every checkpoint for the registry."""
    return [_entry(recipe, root / recipe.name) for recipe in RECIPES]


def parameters(folder: Path) -> int:
    """Count the trained parameters, without the running statistics of batch normalisation."""
    with safe_open(folder / "model.safetensors", "np") as weights:
        return sum(
            weights.get_tensor(name).size
            for name in weights.keys()  # noqa: SIM118 - safe_open is no mapping
            if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        )


def probe_accuracies(root: Path) -> dict[str, float]:
    """Fit a linear classifier on every checkpoint's features of the probe's even rows.

    Returns:
        Checkpoint -> accuracy on the odd rows, best first. "raw pixels" is the same without a
        checkpoint.
    """
    images, labels, _ = demo_probe()
    seen = {recipe.name: features(root / recipe.name, images).numpy() for recipe in RECIPES}
    seen["raw pixels"] = _raw(images)
    accuracies = {name: _linear_accuracy(values, labels) for name, values in seen.items()}
    return dict(sorted(accuracies.items(), key=lambda item: -item[1]))


def _entry(recipe: Recipe, folder: Path) -> dict[str, Any]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return {
        "ref": f"embedded:{recipe.name}",
        "task": "image-classification",
        "modality": "image",
        "library": "transformers",
        "architecture": config["architectures"][0],
        "parameters": parameters(folder),
        "bytes": sum(path.stat().st_size for path in files),
        "license": "apache-2.0",
        "labels": len(config["id2label"]),
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "tags": {"source_task": recipe.task},
    }


def _raw(images: list[Image.Image]) -> NDArray[np.floating[Any]]:
    return np.stack([np.asarray(image, dtype=np.float32).ravel() for image in images])


def _linear_accuracy(values: NDArray[np.floating[Any]], labels: list[int]) -> float:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    classifier.fit(values[::2], labels[::2])
    return float(classifier.score(values[1::2], labels[1::2]))
