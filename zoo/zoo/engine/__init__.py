"""One forward pass a checkpoint, kept; every score from what was kept.

Imported lazily: a worker process has to set its environment before numpy is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.engine.local import LocalEngine
    from zoo.engine.tasks import EstimatorJob, ModelResult, ModelTask, Reference

_HOME = {
    "EstimatorJob": "zoo.engine.tasks",
    "LocalEngine": "zoo.engine.local",
    "ModelResult": "zoo.engine.tasks",
    "ModelTask": "zoo.engine.tasks",
    "Reference": "zoo.engine.tasks",
}

__all__ = ["EstimatorJob", "LocalEngine", "ModelResult", "ModelTask", "Reference"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zoo.engine' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
