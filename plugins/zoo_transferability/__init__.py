"""Transferability estimators: how well a checkpoint would transfer, without training it."""

from __future__ import annotations

from zoo.hookspecs import hookimpl
from zoo.types.specs import EstimatorSpec


@hookimpl
def zoo_estimators() -> list[EstimatorSpec]:
    """Four estimators that stay meaningful with few samples, plain H-score, and the prior."""
    return [
        EstimatorSpec(
            name="logme",
            target="zoo_transferability.logme:LogME",
            summary="log evidence of a Bayesian linear head, maximised exactly",
            tasks=("classification", "multi-label", "regression"),
            reference="You et al., ICML 2021, arXiv 2102.11005",
        ),
        EstimatorSpec(
            name="reg_hscore",
            target="zoo_transferability.hscore:RegularisedHScore",
            summary="between-class over total variance, Ledoit-Wolf covariance",
            reference="Ibrahim et al., ECML 2022, arXiv 2110.06893",
        ),
        EstimatorSpec(
            name="hscore",
            target="zoo_transferability.hscore:HScore",
            summary="between-class over total variance; says nothing once N <= D",
            reference="Bao et al., ICIP 2019",
            default=False,
        ),
        EstimatorSpec(
            name="knn",
            target="zoo_transferability.knn:KNN",
            summary="nearest neighbours, each sample predicted by the others",
            tasks=("classification", "multi-label", "regression"),
            reference="Bolya et al., NeurIPS 2021, arXiv 2111.06977 (baseline)",
        ),
        EstimatorSpec(
            name="ridge_loo",
            target="zoo_transferability.ridge_loo:RidgeLOO",
            summary="a ridge head's leave-one-out accuracy or R2, in closed form",
            tasks=("classification", "multi-label", "regression"),
            reference="Allen, Technometrics 1974 (PRESS); Golub et al., 1979 (GCV)",
        ),
        EstimatorSpec(
            name="prior",
            target="zoo_transferability.prior:Prior",
            summary="size and pre-training data alone: what the others have to beat",
            tasks=("classification", "multi-label", "regression"),
            needs=("entry",),
            cost="free",
        ),
    ]
