"""Distillation: what a student can be taught of a teacher, and what else helps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl
from zoo.types import (
    AugmenterSpec,
    CalibratorSpec,
    DistillerSpec,
    ObjectiveSpec,
    PretextSpec,
    RegulariserSpec,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGE = "zoo_distillation"
#: 20 of 240 epochs.
_WARMUP = 20 / 240


@hookimpl
def zoo_distillers() -> Sequence[DistillerSpec]:
    """Advertise the distillers; importing nothing heavy."""
    return (*_logits(), *_vectors(), *_contrasts(), *_maps(), *_several())


def _logits() -> tuple[DistillerSpec, ...]:
    return (
        DistillerSpec(
            name="kd",
            target=f"{_PACKAGE}.kd:LogitDistillation",
            summary="the teacher's logits, softened by a temperature",
            reference="Hinton et al., 2015, arXiv 1503.02531",
            needs=("logits",),
            soft=True,
            teaches_logits=True,
            default=True,
        ),
        DistillerSpec(
            name="dkd",
            target=f"{_PACKAGE}.dkd:DecoupledDistillation",
            published={"warmup": _WARMUP},
            summary="logits, the target class apart from the others",
            reference="Zhao et al., CVPR 2022, arXiv 2203.08679",
            needs=("logits",),
            wants=("labels",),
            teaches_logits=True,
        ),
    )


def _vectors() -> tuple[DistillerSpec, ...]:
    return (
        DistillerSpec(
            name="rkd",
            target=f"{_PACKAGE}.rkd:RelationalDistillation",
            summary="distances and angles between the samples of a batch",
            reference="Park et al., CVPR 2019, arXiv 1904.05068",
            smallest_batch=3,
            advised_batch=32,
            default=True,
        ),
        DistillerSpec(
            name="sp",
            target=f"{_PACKAGE}.sp:SimilarityPreservation",
            summary="which samples of a batch are alike",
            reference="Tung and Mori, ICCV 2019, arXiv 1907.09682",
            weight=3000.0,
            smallest_batch=2,
            advised_batch=32,
            published={"whole": True},
        ),
        DistillerSpec(
            name="pkt",
            target=f"{_PACKAGE}.pkt:ProbabilisticTransfer",
            summary="which samples are neighbours, as probabilities",
            reference="Passalis and Tefas, ECCV 2018, arXiv 1803.10837",
            weight=30000.0,
            smallest_batch=2,
            advised_batch=32,
        ),
        DistillerSpec(
            name="cc",
            target=f"{_PACKAGE}.cc:CorrelationCongruence",
            summary="how the errors of neighbouring samples go together",
            reference="Peng et al., ICCV 2019, arXiv 1904.01802",
            weight=0.02,
            smallest_batch=2,
        ),
    )


def _contrasts() -> tuple[DistillerSpec, ...]:
    return (
        DistillerSpec(
            name="crd",
            target=f"{_PACKAGE}.crd:ContrastiveDistillation",
            summary="the teacher's view of a sample against those of many others",
            reference="Tian et al., ICLR 2020, arXiv 1910.10699",
            wants=("labels",),
            weight=0.8,
            published={"negatives": 16384},
        ),
        DistillerSpec(
            name="hkd",
            target=f"{_PACKAGE}.hkd:HolisticDistillation",
            summary="features and the graph between samples, fused and contrasted",
            reference="Zhou et al., ICCV 2021",
            needs=("logits",),
            wants=("labels",),
            weight=3.0,
            smallest_batch=8,
            advised_batch=32,
            published={"count": 16384},
        ),
        DistillerSpec(
            name="demi",
            target=f"{_PACKAGE}.demi:DecomposedInformation",
            summary="mutual information with the teacher, of a part and of the rest",
            reference="Sordoni et al., ICML 2021, arXiv 2106.13401",
            needs=("partial_view",),
            smallest_batch=3,
            advised_batch=32,
        ),
    )


def _maps() -> tuple[DistillerSpec, ...]:
    return (
        DistillerSpec(
            name="fitnet",
            target=f"{_PACKAGE}.fitnet:Hint",
            summary="one feature map, through a regressor",
            reference="Romero et al., ICLR 2015, arXiv 1412.6550",
            imitates_maps=True,
            weight=100.0,
            smallest_batch=2,
            published={"relu": True},
        ),
        DistillerSpec(
            name="at",
            target=f"{_PACKAGE}.at:AttentionTransfer",
            summary="where the maps of every stage are active",
            reference="Zagoruyko and Komodakis, ICLR 2017, arXiv 1612.03928",
            imitates_maps=True,
            weight=1000.0,
        ),
        DistillerSpec(
            name="nst",
            target=f"{_PACKAGE}.nst:NeuronSelectivity",
            summary="the distribution of the channels of every stage",
            reference="Huang and Wang, 2017, arXiv 1707.01219",
            imitates_maps=True,
            weight=50.0,
        ),
        DistillerSpec(
            name="vid",
            target=f"{_PACKAGE}.vid:VariationalInformation",
            summary="what the maps of every stage say about the teacher's",
            reference="Ahn et al., CVPR 2019, arXiv 1904.05835",
            imitates_maps=True,
        ),
        DistillerSpec(
            name="reviewkd",
            target=f"{_PACKAGE}.reviewkd:KnowledgeReview",
            published={"warmup": _WARMUP},
            summary="every stage of the teacher, reviewed by the deeper ones of the student",
            reference="Chen et al., CVPR 2021, arXiv 2104.09044",
            teachers="one",
            imitates_maps=True,
            smallest_batch=2,
        ),
        DistillerSpec(
            name="dfa",
            target=f"{_PACKAGE}.dfa:FeatureAggregation",
            summary="searches which of the teacher's layers to imitate, then does",
            reference="Guan et al., ECCV 2020, arXiv 2008.00506",
            teachers="one",
            needs=("student_again", "logits"),
            imitates_maps=True,
            smallest_batch=4,
        ),
    )


def _several() -> tuple[DistillerSpec, ...]:
    return (
        DistillerSpec(
            name="graph",
            target=f"{_PACKAGE}.graph:GraphDistillation",
            summary="logits and pairwise features of several teachers, as two graphs",
            reference="Zhang and Peng, IJCAI 2018, arXiv 1804.10069",
            teachers="several",
            wants=("logits",),
            teaches_logits=True,
            smallest_batch=4,
            advised_batch=16,
        ),
    )


@hookimpl
def zoo_objectives() -> Sequence[ObjectiveSpec]:
    """Advertise the semi-supervised objectives."""
    return (
        ObjectiveSpec(
            name="herocon",
            target=f"{_PACKAGE}.herocon:HeterogeneousContrast",
            summary="student and teacher as two views, contrasted by weights and known labels",
            reference="Zheng et al., KDD 2022",
            needs=("labels",),
            smallest_batch=2,
            advised_batch=32,
        ),
    )


@hookimpl
def zoo_regularisers() -> Sequence[RegulariserSpec]:
    """Advertise what looks at a student alone."""
    return (
        RegulariserSpec(
            name="gnnsd",
            target=f"{_PACKAGE}.gnnsd:GraphSelfDistillation",
            summary="keeps neighbouring nodes of a graph apart from layer to layer",
            reference="Chen et al., IJCAI 2021, arXiv 2011.02255",
            weight=0.1,
        ),
    )


@hookimpl
def zoo_augmenters() -> Sequence[AugmenterSpec]:
    """Advertise what mixes samples inside a student."""
    return (
        AugmenterSpec(
            name="moex",
            target=f"{_PACKAGE}.moex:MomentExchange",
            summary="samples of a batch exchange the moments of one layer",
            reference="Li et al., CVPR 2021, arXiv 2002.11102",
        ),
    )


@hookimpl
def zoo_pretexts() -> Sequence[PretextSpec]:
    """Advertise tasks that images alone define."""
    return (
        PretextSpec(
            name="exemplar",
            target=f"{_PACKAGE}.exemplar:ExemplarTask",
            summary="tell which seed patch an altered one was made from",
            reference="Dosovitskiy et al., TPAMI 2016, arXiv 1406.6909",
        ),
    )


@hookimpl
def zoo_calibrators() -> Sequence[CalibratorSpec]:
    """Advertise what makes probabilities honest."""
    return (
        CalibratorSpec(
            name="laplace",
            target=f"{_PACKAGE}.laplace:SubnetworkLaplace",
            summary="a linearised Laplace posterior over the weights that matter most",
            reference="Daxberger et al., ICML 2021, arXiv 2010.14689",
            default=True,
        ),
    )
