"""Transferability estimators: how well a checkpoint would transfer, without training it."""

from __future__ import annotations

from zoo.hookspecs import hookimpl
from zoo.types.specs import EstimatorSpec


@hookimpl
def zoo_estimators() -> list[EstimatorSpec]:
    """Four estimators that stay meaningful with few samples, and the data-free prior."""
    return [
        EstimatorSpec(
            name="logme",
            target="zoo_transferability.logme:LogME",
            summary="log evidence of a Bayesian linear head, maximised exactly",
            tasks=("classification", "multi-label", "regression"),
            reference="You et al., ICML 2021, arXiv 2102.11005",
        ),
    ]
