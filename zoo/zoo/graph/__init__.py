"""The knowledge graph: an embedded RDF store that any SPARQL query reads.

Each source has a named graph of its own, ``urn:zoo:graph:NAME``; queries see the union of all.
"""

from __future__ import annotations

from zoo.graph.folder import GraphInfo
from zoo.graph.store import Graph, open_graph
from zoo.graph.terms import iri_of_graph

__all__ = ["Graph", "GraphInfo", "iri_of_graph", "open_graph"]
