"""What authors of plugins test with: fixtures, checks, strategies, a Hub on this machine.

The fixtures ``zoo_host``, ``tiny_probe``, ``tiny_checkpoint`` and ``loopback_hub`` come with pytest
as soon as Zoo is installed. The names below are public; they are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.testing.amalgamators import check_amalgamator
    from zoo.testing.augmenters import check_augmenter
    from zoo.testing.calibrators import check_calibrator
    from zoo.testing.commands import check_command
    from zoo.testing.completers import check_completer
    from zoo.testing.distillers import check_distiller
    from zoo.testing.estimators import check_estimator
    from zoo.testing.families import check_family
    from zoo.testing.graph_sources import check_graph_source
    from zoo.testing.growers import check_grower
    from zoo.testing.growth import try_growth
    from zoo.testing.kit import Check, Kit, Outcome, Trial, checks_of, run_check
    from zoo.testing.label_encoders import check_label_encoder
    from zoo.testing.parametrize import parametrize_with_checks
    from zoo.testing.pretexts import check_pretext
    from zoo.testing.probes import check_probe
    from zoo.testing.promises import NotTriedError
    from zoo.testing.reporters import check_reporter
    from zoo.testing.runtimes import check_trains
    from zoo.testing.sources import check_source
    from zoo.testing.strategies import features, graphs, growth_plans, labels, n_triples
    from zoo.testing.students import check_regulariser

_HOMES = {
    "zoo.testing.amalgamators": ("check_amalgamator",),
    "zoo.testing.augmenters": ("check_augmenter",),
    "zoo.testing.calibrators": ("check_calibrator",),
    "zoo.testing.commands": ("check_command",),
    "zoo.testing.completers": ("check_completer",),
    "zoo.testing.distillers": ("check_distiller",),
    "zoo.testing.estimators": ("check_estimator",),
    "zoo.testing.families": ("check_family",),
    "zoo.testing.graph_sources": ("check_graph_source",),
    "zoo.testing.growers": ("check_grower",),
    "zoo.testing.growth": ("try_growth",),
    "zoo.testing.kit": (
        "Check",
        "Kit",
        "Outcome",
        "Trial",
        "checks_of",
        "run_check",
    ),
    "zoo.testing.label_encoders": ("check_label_encoder",),
    "zoo.testing.parametrize": ("parametrize_with_checks",),
    "zoo.testing.pretexts": ("check_pretext",),
    "zoo.testing.probes": ("check_probe",),
    "zoo.testing.promises": ("NotTriedError",),
    "zoo.testing.reporters": ("check_reporter",),
    "zoo.testing.runtimes": ("check_trains",),
    "zoo.testing.sources": ("check_source",),
    "zoo.testing.strategies": (
        "features",
        "graphs",
        "growth_plans",
        "labels",
        "n_triples",
    ),
    "zoo.testing.students": ("check_regulariser",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Check",
    "Kit",
    "NotTriedError",
    "Outcome",
    "Trial",
    "check_amalgamator",
    "check_augmenter",
    "check_calibrator",
    "check_command",
    "check_completer",
    "check_distiller",
    "check_estimator",
    "check_family",
    "check_graph_source",
    "check_grower",
    "check_label_encoder",
    "check_pretext",
    "check_probe",
    "check_regulariser",
    "check_reporter",
    "check_source",
    "check_trains",
    "checks_of",
    "features",
    "graphs",
    "growth_plans",
    "labels",
    "n_triples",
    "parametrize_with_checks",
    "run_check",
    "try_growth",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zoo.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
