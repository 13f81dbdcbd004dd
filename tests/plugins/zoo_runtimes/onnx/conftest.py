"""Tiny checkpoints, exported once a session."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
from PIL import Image

from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.probe import ImageInput

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="session")
def exported(graphs, tiny_checkpoint):
    """Export a tiny checkpoint: the folder, as a checkpoint of its own."""
    from zoo_runtimes.onnx.exporter import ensure_graph

    @cache
    def export(name, modality):
        original = tiny_checkpoint(name)
        folder = ensure_graph(original, modality, precision="fp32", cache=graphs)
        entry = ModelEntry(ref=f"./{name}-exported", modality=modality, library="onnx")
        return Checkpoint(entry=entry, folder=str(folder), digest=f"{name} exported")

    return export


@pytest.fixture(scope="session")
def photographs():
    """Smooth noise, encoded, in several shapes."""
    found = []
    for seed in range(7):
        small = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
        shape = (90 - 3 * seed, 70 + 9 * seed)
        file = io.BytesIO()
        Image.fromarray(small).resize(shape, Image.Resampling.BICUBIC).save(file, "PNG")
        found.append(ImageInput(name=f"photograph {seed}", data=file.getvalue()))
    return found
