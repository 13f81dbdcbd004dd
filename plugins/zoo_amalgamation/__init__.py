"""Amalgamation: common-feature learning, its neighbours, and the merging of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl
from zoo.types import AmalgamatorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence


_MERGING = (
    (
        "linear",
        "linear:Linear",
        "weighted mean of the weights (model soup)",
        "Wortsman et al., ICML 2022",
    ),
    ("slerp", "slerp:Slerp", "two models, along the arc between their weights", "Shoemake, 1985"),
    (
        "task",
        "task_arithmetic:TaskArithmetic",
        "base plus the sum of what each model changed",
        "Ilharco et al., ICLR 2023",
    ),
    (
        "ties",
        "ties:Ties",
        "trimmed changes, and of those the ones that agree in sign",
        "Yadav et al., NeurIPS 2023",
    ),
    ("dare", "dare:Dare", "randomly dropped changes, rescaled", "Yu et al., ICML 2024"),
)


@hookimpl
def zoo_amalgamators() -> Sequence[AmalgamatorSpec]:
    """Advertise the amalgamators; importing nothing heavy."""
    package = "zoo_amalgamation"
    return (
        AmalgamatorSpec(
            name="cfl",
            target=f"{package}.cfl:CommonFeatureLearning",
            summary="common-feature learning: soft targets and a shared feature space",
            reference="Luo et al., IJCAI 2019, arXiv 1906.10546",
            smallest_batch=4,
            advised_batch=16,
            published={"width": 128},
            default=True,
        ),
        AmalgamatorSpec(
            name="kd",
            target=f"{package}.kd:SoftTargetsAlone",
            summary="soft targets alone: the baseline",
            reference="Hinton et al., 2015, arXiv 1503.02531",
            features=False,
        ),
        AmalgamatorSpec(
            name="layerwise",
            target=f"{package}.layerwise:LayerWise",
            summary="a compressed joint code of homogeneous teachers, layer by layer",
            reference="Shen et al., AAAI 2019, arXiv 1811.02796",
        ),
        AmalgamatorSpec(
            name="agglomerate",
            target=f"{package}.agglomerate:Agglomerate",
            summary="the features of extractors without heads, one projection a teacher",
            reference="Ranzinger et al., CVPR 2024 (AM-RADIO), arXiv 2312.06709",
            soft=False,
        ),
        *(
            AmalgamatorSpec(
                name=f"merge-{name}",
                target=f"{package}.merging.{target}",
                summary=summary,
                reference=reference,
                kind="merging",
                soft=False,
                features=False,
            )
            for name, target, summary, reference in _MERGING
        ),
        AmalgamatorSpec(
            name="ensemble",
            target=f"{package}.ensemble:Ensemble",
            summary="no student: all teachers are asked, the surest wins",
            reference="the upper reference of label-free amalgamation",
            kind="ensemble",
            soft=False,
            features=False,
        ),
    )
