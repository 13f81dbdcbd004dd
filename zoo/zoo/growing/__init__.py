"""Growing trained networks: what families and growers are written with.

The names below are public, with the contract in :mod:`zoo.types`. They are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.growing.axes import generator_of
    from zoo.growing.choosing import exact_maps
    from zoo.growing.depth import deepened_names, stacked
    from zoo.growing.filling import fill
    from zoo.growing.sizes import check_size, deepened, sized
    from zoo.growing.tables import (
        KEEPS,
        batch_norm,
        depthwise,
        linear,
        norm,
        parameter,
        reads,
        resolve,
        writes,
    )

_HOMES = {
    "zoo.growing.axes": ("generator_of",),
    "zoo.growing.choosing": ("exact_maps",),
    "zoo.growing.depth": ("deepened_names", "stacked"),
    "zoo.growing.filling": ("fill",),
    "zoo.growing.sizes": ("check_size", "deepened", "sized"),
    "zoo.growing.tables": (
        "KEEPS",
        "batch_norm",
        "depthwise",
        "linear",
        "norm",
        "parameter",
        "reads",
        "resolve",
        "writes",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "KEEPS",
    "batch_norm",
    "check_size",
    "deepened",
    "deepened_names",
    "depthwise",
    "exact_maps",
    "fill",
    "generator_of",
    "linear",
    "norm",
    "parameter",
    "reads",
    "resolve",
    "sized",
    "stacked",
    "writes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zoo.growing' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
