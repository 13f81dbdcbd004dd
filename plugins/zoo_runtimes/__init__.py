"""Runtimes: what opens a checkpoint and taps its layers."""

from __future__ import annotations

from zoo.hookspecs import hookimpl
from zoo.types.specs import RuntimeSpec


@hookimpl
def zoo_runtimes() -> list[RuntimeSpec]:
    """PyTorch, for every architecture that transformers loads."""
    return [
        RuntimeSpec(
            name="torch",
            target="zoo_runtimes.torch_runtime:TorchRuntime",
            summary="PyTorch through transformers' Auto classes",
            libraries=("transformers", "timm", "sentence-transformers"),
            modalities=("image", "text"),
        )
    ]
