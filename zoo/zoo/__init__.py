"""Zoo: data in; a ranked, costed, pinned list of checkpoints to start from out.

The names below are the public API, with :mod:`zoo.hookspecs`, :mod:`zoo.types`,
:mod:`zoo.graph`, :mod:`zoo.growing` and :mod:`zoo.testing`. They are imported on first use, so
that ``import zoo`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zoo.hookspecs import HOOK_API, hookimpl

if TYPE_CHECKING:
    from zoo.api import calibrate, export, load_probe, predict, recommend, score, taps
    from zoo.catalogue import Catalogue
    from zoo.errors import (
        CheckpointError,
        HubError,
        InputError,
        NotApplicable,
        OfflineError,
        OutOfMemoryError,
        PluginError,
        ZooError,
    )
    from zoo.evaluation import evaluate
    from zoo.explaining.entry import explain, explain_class
    from zoo.growing.entry import grow
    from zoo.growing.modules import grow_module
    from zoo.host import PluginHost
    from zoo.making import amalgamate, distill, finetune, resume
    from zoo.registry import Registry
    from zoo.settings import Settings
    from zoo.types import (
        Deepen,
        EstimatorSpec,
        Features,
        ModelEntry,
        ModelRef,
        Probe,
        Ranking,
        RuntimeSpec,
        Score,
        SourceSpec,
        Widen,
    )

__version__ = "0.2.0"

_HOMES = {
    "zoo.api": (
        "calibrate",
        "export",
        "load_probe",
        "predict",
        "recommend",
        "score",
        "taps",
    ),
    "zoo.catalogue": ("Catalogue",),
    "zoo.errors": (
        "CheckpointError",
        "HubError",
        "InputError",
        "NotApplicable",
        "OfflineError",
        "OutOfMemoryError",
        "PluginError",
        "ZooError",
    ),
    "zoo.evaluation": ("evaluate",),
    "zoo.explaining.entry": ("explain", "explain_class"),
    "zoo.growing.entry": ("grow",),
    "zoo.growing.modules": ("grow_module",),
    "zoo.host": ("PluginHost",),
    "zoo.making": ("amalgamate", "distill", "finetune", "resume"),
    "zoo.registry": ("Registry",),
    "zoo.settings": ("Settings",),
    "zoo.types": (
        "Deepen",
        "EstimatorSpec",
        "Features",
        "ModelEntry",
        "ModelRef",
        "Probe",
        "Ranking",
        "RuntimeSpec",
        "Score",
        "SourceSpec",
        "Widen",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "HOOK_API",
    "Catalogue",
    "CheckpointError",
    "Deepen",
    "EstimatorSpec",
    "Features",
    "HubError",
    "InputError",
    "ModelEntry",
    "ModelRef",
    "NotApplicable",
    "OfflineError",
    "OutOfMemoryError",
    "PluginError",
    "PluginHost",
    "Probe",
    "Ranking",
    "Registry",
    "RuntimeSpec",
    "Score",
    "Settings",
    "SourceSpec",
    "Widen",
    "ZooError",
    "amalgamate",
    "calibrate",
    "distill",
    "evaluate",
    "explain",
    "explain_class",
    "export",
    "finetune",
    "grow",
    "grow_module",
    "hookimpl",
    "load_probe",
    "predict",
    "recommend",
    "resume",
    "score",
    "taps",
]


#: Names that go: each is a :class:`zoo.deprecation.Moved`.
_DEPRECATED: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name in _DEPRECATED:
        from zoo.deprecation import old_name

        return old_name(__name__, name, _DEPRECATED[name])
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
