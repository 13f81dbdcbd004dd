"""Small checkpoints, pictures and a runtime of numpy, where no framework is the point."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


@pytest.fixture
def pocket(monkeypatch):
    """The runtime of numpy; it forgets what it did in other tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import pocket_runtime

    pocket_runtime.Pocket.batches.clear()
    pocket_runtime.Pocket.opened.clear()
    yield pocket_runtime.Pocket
    sys.modules.pop("pocket_runtime", None)


@pytest.fixture
def catalogue(pocket):
    """What the core provides, and the runtime of numpy."""
    import pocket_runtime

    import zoo.builtin
    from zoo.catalogue import Catalogue
    from zoo.host import PluginHost

    host = PluginHost(strict=True)
    host.register(zoo.builtin, "zoo-reuse:core")
    host.register(pocket_runtime, "test:pocket")
    return Catalogue(host)


@pytest.fixture
def settings(tmp_path):
    from zoo.settings import Settings

    return Settings(home=str(tmp_path / "home"), device="cpu", jobs=1)


@pytest.fixture
def net(tmp_path):
    """Make a checkpoint in the Hub's format; its config takes further fields."""

    def make(name="net", *, modality="image", head=True, **config):
        from safetensors.numpy import save_file

        folder = tmp_path / name
        folder.mkdir()
        kind = "ImageClassification" if modality == "image" else "SequenceClassification"
        if head:
            config = {"id2label": dict(enumerate(COLOURS)), **config}
        architecture = f"ViTFor{kind}" if head else "ViTModel"
        config = {"model_type": "vit", "architectures": [architecture], **config}
        (folder / "config.json").write_text(json.dumps(config))
        save_file({"w": np.ones((3, 3), np.float32)}, folder / "model.safetensors")
        if modality == "image":
            settings = '{"image_processor_type": "ViTImageProcessor"}'
            (folder / "preprocessor_config.json").write_text(settings)
        else:
            (folder / "tokenizer.json").write_text("{}")
        return str(folder)

    return make


@pytest.fixture
def pictures(tmp_path):
    """Draw a folder of little pictures of three colours, four each."""
    from PIL import Image

    folder = tmp_path / "pictures"
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 6), colour).save(folder / name / f"{number}.png")
    return folder
