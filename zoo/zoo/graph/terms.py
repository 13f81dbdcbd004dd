"""The vocabulary: the IRIs that the project's own triples use."""

from __future__ import annotations

import re
from urllib.parse import quote

_PLAIN = "/:@.-_~+"
_LOCAL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?")

GRAPH = "urn:zoo:graph:"
MODEL = "urn:zoo:model:"
DATA = "urn:zoo:data:"
RUN = "urn:zoo:run:"
TERMS = "urn:zoo:terms:"

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"
PROV = "http://www.w3.org/ns/prov#"
DCT = "http://purl.org/dc/terms/"
#: Of the Global WordNet Association; ``hypernym``, ``mero_part``, ``mero_substance``, ``ili`` ...
WN = "https://globalwordnet.github.io/schemas/wn#"

#: What each prefix stands for in queries, which need not declare them.
PREFIXES = {
    "rdf": RDF,
    "rdfs": RDFS,
    "skos": SKOS,
    "owl": OWL,
    "xsd": XSD,
    "prov": PROV,
    "dct": DCT,
    "wn": WN,
    "zoo": TERMS,
    "model": MODEL,
    "data": DATA,
    "run": RUN,
    "graph": GRAPH,
}
#: Links from the narrower to the broader, whoever wrote them.
BROADER = (f"{WN}hypernym", f"{SKOS}broader", f"{RDFS}subClassOf", f"{WN}instance_hypernym")
#: Links from a whole to a part.
PARTS = (f"{WN}mero_part",)
#: Names of a node, the one to show first.
NAMES = (f"{SKOS}prefLabel", f"{RDFS}label", f"{SKOS}altLabel")
GLOSSES = (f"{SKOS}definition", f"{RDFS}comment")

#: What the provenance of runs says; see ``docs/how-to/graph.md``.
RUN_KIND = f"{TERMS}Run"
PLACE_KIND = f"{TERMS}Place"
SCORE_KIND = f"{TERMS}Score"
TRANSFER_KIND = f"{TERMS}Transfer"
FAILURE_KIND = f"{TERMS}Failure"
EXCLUSION_KIND = f"{TERMS}Exclusion"


def iri_of_graph(name: str) -> str:
    """Give the IRI of a named graph of the store."""
    return f"{GRAPH}{name}"


def iri_of_model(reference: str) -> str:
    """Give the IRI of a model by its reference, such as ``hub:org/name@revision``."""
    return f"{MODEL}{quote(reference, safe=_PLAIN)}"


def iri_of_data(fingerprint: str) -> str:
    """Give the IRI of the samples of a data set by their fingerprint."""
    return f"{DATA}{quote(fingerprint, safe=_PLAIN)}"


def iri_of_run(name: str, *parts: str) -> str:
    """Give the IRI of a run, or of something that came out of it."""
    return "/".join([f"{RUN}{quote(name, safe=_PLAIN)}", *(quote(each, safe="") for each in parts)])


def prefixed(iri: str) -> str:
    """Shorten an IRI by the prefixes; one that has none stays whole."""
    fitting = (each for each in PREFIXES.items() if iri.startswith(each[1]))
    prefix, start = max(fitting, key=lambda each: len(each[1]), default=("", ""))
    rest = iri[len(start) :]
    return f"{prefix}:{rest}" if prefix and _LOCAL.fullmatch(rest) else iri


def expanded(text: str) -> str:
    """Turn a prefixed name into the IRI; what is none stays as it is."""
    prefix, colon, rest = text.partition(":")
    return f"{PREFIXES[prefix]}{rest}" if colon and prefix in PREFIXES else text


def is_run(name: str) -> bool:
    """Tell the named graphs of runs, ``run:NAME``, from those that a person imported."""
    return name.startswith("run:")
