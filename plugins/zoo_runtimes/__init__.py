"""Runtimes: what opens a checkpoint and taps its layers."""

from __future__ import annotations

from zoo.hookspecs import hookimpl
from zoo.types.specs import RuntimeSpec


@hookimpl
def zoo_runtimes() -> list[RuntimeSpec]:
    """PyTorch, and ONNX Runtime for what can be exported."""
    return [
        RuntimeSpec(
            name="torch",
            target="zoo_runtimes.torch_runtime:TorchRuntime",
            summary="PyTorch through transformers' Auto classes",
            libraries=("transformers", "timm", "sentence-transformers"),
            modalities=("image", "text", "audio"),
        ),
        RuntimeSpec(
            name="onnx",
            target="zoo_runtimes.onnx.runtime:OnnxRuntime",
            summary="ONNX Runtime, on graphs exported from PyTorch and kept",
            libraries=("transformers", "timm", "sentence-transformers", "onnx"),
            modalities=("image", "text", "audio"),
        ),
    ]
