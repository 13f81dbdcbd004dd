"""Small labelled features, and golden inputs as features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo.types import Features


def planted(
    samples: int = 90,
    width: int = 20,
    classes: int = 3,
    *,
    signal: float = 1.0,
    seed: int = 0,
    task: str = "classification",
) -> Features:
    """Make rectified features in which every class is shifted along its own direction."""
    generator = np.random.default_rng(seed)
    ids = generator.permutation(np.arange(samples) % classes)
    shift = generator.standard_normal((classes, width))
    values = np.maximum(generator.standard_normal((samples, width)) + signal * shift[ids], 0)
    labels: Any = ids
    if task == "multi-label":
        labels = np.stack([ids % 2, ids > 1], axis=1).astype(float)
    elif task == "regression":
        noise = generator.standard_normal((samples, 2))
        labels = values[:, :2] @ generator.standard_normal((2, 2)) + 0.3 * noise
    return Features(values=values, labels=labels, task=task, model="m", layer="l")


@pytest.fixture
def make_features():
    return planted


@pytest.fixture
def read_golden():
    """Read a golden case's input: ``read_golden((folder, case))``."""

    def read(golden, *, multi_label: bool = False) -> Features:
        folder, case = golden
        with np.load(folder / case["input"]) as arrays:
            if "y" in arrays:
                return Features(values=arrays["X"], labels=arrays["y"])
            task = "multi-label" if multi_label else "regression"
            return Features(values=arrays["X"], labels=arrays["Y"], task=task)

    return read
