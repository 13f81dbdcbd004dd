"""A small checkpoint on a loopback Hub, and a source that does not really wait."""

from __future__ import annotations

import json

import pytest

from zoo.hub.retry import Retry
from zoo.sources.hub import HubSource

REPO = "org/net"


@pytest.fixture
def files() -> dict[str, bytes]:
    import numpy as np
    from safetensors.numpy import save

    weights = np.random.default_rng(0).normal(size=(300, 1000)).astype("float32")
    config = {
        "model_type": "vit",
        "architectures": ["ViTForImageClassification"],
        "id2label": {"0": "cat", "1": "dog", "2": "owl"},
    }
    return {
        "config.json": json.dumps(config).encode(),
        "preprocessor_config.json": b'{"image_processor_type": "ViTImageProcessor"}',
        "model.safetensors": save({"w": weights, "b": weights[0]}),
        "README.md": b"---\nlicense: mit\npipeline_tag: image-classification\n---\n# Net\n",
        "pytorch_model.bin": b"never touched",
        "onnx/model.onnx": b"never touched",
    }


@pytest.fixture
def hub(loopback_hub, files):
    loopback_hub.add(REPO, files)
    return loopback_hub


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def source(hub, tmp_path, waits) -> HubSource:
    retry = Retry(sleep=waits.append, jitter=lambda: 1.0)
    return HubSource(home=str(tmp_path / "home"), retry=retry)
