"""The runtime, random images, and copies of checkpoints to break."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from PIL import Image

from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.probe import ImageInput
from zoo_runtimes.torch_runtime import TorchRuntime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache that fills as tests ask for graphs; the processes that share it make each once."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return str(shared / "graphs")


@pytest.fixture(scope="session")
def runtime() -> TorchRuntime:
    return TorchRuntime()


def encoded(image: Image.Image, form: str = "PNG", name: str = "picture") -> ImageInput:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return ImageInput(name=name, data=buffer.getvalue())


def noise(*shape: int, seed: int = 0) -> Image.Image:
    """Smooth noise: pure noise would be one grey after resizing."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def images() -> list[ImageInput]:
    return [encoded(noise(70 + 9 * seed, 90 - 3 * seed, seed=seed)) for seed in range(8)]


@pytest.fixture
def broken_copy(tmp_path: Path) -> Callable[[Checkpoint], Checkpoint]:
    """Copy a checkpoint so that a test may damage it."""

    def copy(checkpoint: Checkpoint) -> Checkpoint:
        folder = shutil.copytree(checkpoint.folder, tmp_path / "broken")
        return msgspec.structs.replace(
            checkpoint, folder=str(folder), digest="broken", entry=ModelEntry(ref="./broken")
        )

    return copy
