"""Explanation: why a checkpoint, in claims that cite evidence, and the graph they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.hookspecs import hookimpl
from zoo.types import CompleterSpec, GraphSourceSpec, ReporterSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.graph import Graph

_PACKAGE = "zoo_explanation"


@hookimpl
def zoo_reporters() -> Sequence[ReporterSpec]:
    """Advertise what explains; importing nothing heavy."""
    return (
        ReporterSpec(
            name="preference",
            target=f"{_PACKAGE}.preference:Preference",
            summary="score differences with intervals, ties, agreement, the prior",
            topic="Why this order",
            order=10,
        ),
        ReporterSpec(
            name="classes",
            target=f"{_PACKAGE}.classes:Classes",
            summary="which classes a model keeps apart, and which it takes for each other",
            topic="Class by class",
            needs=("features",),
            order=20,
        ),
        ReporterSpec(
            name="overlap",
            target=f"{_PACKAGE}.overlap:Overlap",
            summary="your classes and the classes a model was trained on, through the graph",
            topic="What the models have seen",
            needs=("graph",),
            order=30,
        ),
        ReporterSpec(
            name="layers",
            target=f"{_PACKAGE}.layer_curve:LayerCurve",
            summary="where to cut, and what the other layers are worth",
            topic="Where to cut",
            order=40,
        ),
        ReporterSpec(
            name="maps",
            target=f"{_PACKAGE}.attribution_maps:AttributionMaps",
            summary="what in your images the features depend on",
            topic="What the features look at",
            needs=("attributions",),
            reference="Song et al., CVPR 2020 (DEPARA), arXiv 2003.07496",
            order=50,
        ),
        ReporterSpec(
            name="contexts",
            target=f"{_PACKAGE}.contexts.reporter:Contexts",
            summary="which shared contexts went with good transfers so far",
            topic="What usually helps",
            needs=("history",),
            reference="Chen et al., KR 2018; Chen et al., arXiv 1901.08547",
            order=60,
        ),
        ReporterSpec(
            name="lineage",
            target=f"{_PACKAGE}.lineage:Lineage",
            summary="where a model comes from, its licence, and what it costs to run",
            topic="Where it comes from, and what it costs",
            order=70,
        ),
        ReporterSpec(
            name="prototypes",
            target=f"{_PACKAGE}.zero_shot.prototypes:Prototypes",
            summary="which classes of the model's head stand nearest to yours, tried by deletion",
            topic="Which of its classes help",
            needs=("features", "classifier", "graph"),
            reference="Geng et al., Semantic Web 12(5), 2021",
            order=35,
        ),
        ReporterSpec(
            name="unseen",
            target=f"{_PACKAGE}.zero_shot.reporter:Unseen",
            summary="what a classifier makes of a class that it never saw, and why",
            subject="class",
            topic="A class that it never saw",
            needs=("classifier", "graph"),
            reference="Geng et al., Semantic Web 12(5), 2021",
        ),
    )


@hookimpl
def zoo_graph_sources() -> Sequence[GraphSourceSpec]:
    """Advertise what can be read into the graph."""
    return (
        GraphSourceSpec(
            name="wordnet",
            target=f"{_PACKAGE}.sources.wordnet:WordNet",
            summary="nouns of Open English WordNet or of WordNet 3: kinds, parts, glosses",
            reads="a folder of WordNet's dict files or of parquet, or an LMF file",
            fetches=True,
            license="CC-BY-4.0",
        ),
        GraphSourceSpec(
            name="imagenet",
            target=f"{_PACKAGE}.sources.imagenet:ImageNet",
            summary="the thousand classes of ImageNet-1k by their WordNet ids",
            reads="a file of WordNet ids in the order of the classes",
            fetches=True,
        ),
        GraphSourceSpec(
            name="conceptnet",
            target=f"{_PACKAGE}.sources.conceptnet:ConceptNet",
            summary="assertions of ConceptNet 5",
            reads="an assertions file, gzipped or not",
            license="CC-BY-SA-4.0",
        ),
        GraphSourceSpec(
            name="atomic",
            target=f"{_PACKAGE}.sources.atomic:Atomic",
            summary="head, relation and tail texts, as ATOMIC and ConceptNet-100k have them",
            reads="a file of tab-separated head, relation, tail",
        ),
        GraphSourceSpec(
            name="wikidata",
            target=f"{_PACKAGE}.sources.wikidata:Wikidata",
            summary="items of a Wikidata JSON dump: labels, kinds, parts",
            reads="a JSON dump, gzipped or bzipped or not",
            license="CC0-1.0",
        ),
    )


@hookimpl
def zoo_completers() -> Sequence[CompleterSpec]:
    """Advertise what expects missing links."""
    return (
        CompleterSpec(
            name="convtranse",
            target=f"{_PACKAGE}.completion.methods:ConvTransE",
            summary="texts of the nodes, a graph encoder over similar ones, a convolution",
            reference="Malaviya et al., AAAI 2020, arXiv 1910.02915",
            reads_texts=True,
            default=True,
        ),
        CompleterSpec(
            name="distmult",
            target=f"{_PACKAGE}.completion.methods:DistMult",
            summary="a product of three vectors",
            reference="Yang et al., ICLR 2015, arXiv 1412.6575",
        ),
        CompleterSpec(
            name="transe",
            target=f"{_PACKAGE}.completion.methods:TransE",
            summary="a relation moves the head to the tail",
            reference="Bordes et al., NeurIPS 2013",
        ),
    )


@hookimpl
def zoo_graph_changed(graph: Graph) -> None:
    """Make the index of nodes now, so that the first explanation need not."""
    from zoo_explanation.lexicon import lexicon_of

    lexicon_of(graph)
