"""A small checkpoint in a folder."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def files() -> dict[str, bytes]:
    import numpy as np
    from safetensors.numpy import save

    weights = np.random.default_rng(0).normal(size=(30, 10)).astype("float32")
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
    }


@pytest.fixture
def folder(tmp_path, files):
    target = tmp_path / "net"
    target.mkdir()
    for name, content in files.items():
        (target / name).write_bytes(content)
    return target
