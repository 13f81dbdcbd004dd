"""RankMe, an estimator that reads no labels, for Zoo."""

from __future__ import annotations

from zoo import EstimatorSpec, hookimpl


@hookimpl
def zoo_estimators() -> list[EstimatorSpec]:
    """Advertise RankMe; it takes part when it is named, as it sees nothing of the labels."""
    return [
        EstimatorSpec(
            name="rankme",
            target="zoo_rankme.rank:RankMe",
            summary="effective rank of the features; reads no labels",
            tasks=("classification", "multi-label", "regression", "text"),
            needs=("features",),
            reference="Garrido et al., ICML 2023, arXiv 2210.02885",
            default=False,
        )
    ]
