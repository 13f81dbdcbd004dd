"""A trained network becomes a folder that plain transformers loads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_runtimes.explaining import quiet
from zoo_runtimes.learning.inputs import PREPROCESSING, TextReader

if TYPE_CHECKING:
    from zoo.types.model import Checkpoint
    from zoo_runtimes.learning.inputs import ImageReader
    from zoo_runtimes.loading import Network


def save(
    network: Network, reader: ImageReader | TextReader, inputs_from: Checkpoint, folder: Path
) -> None:
    """Write weights as safetensors, the configuration, and the preprocessing.

    Args:
        network: what is saved.
        reader: its side of the data.
        inputs_from: whose files about images are copied, word by word.
        folder: where to; created if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        network.module.save_pretrained(folder)  # type: ignore[operator]
        if isinstance(reader, TextReader):
            reader.tokenizer.save_pretrained(folder)
            return
    for name in PREPROCESSING:
        source = Path(inputs_from.folder) / name
        if source.is_file():
            shutil.copyfile(source, folder / name)
