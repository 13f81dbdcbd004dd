"""A graph of forty nouns, their kinds and their parts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from zoo.graph import Graph
from zoo.graph.terms import SKOS, WN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo.types.explaining import Triple

_NOUNS = """
entity: object matter
object: organism artefact
organism: animal plant
animal: mammal bird
mammal: carnivore ungulate
carnivore: canine feline
canine: dog wolf
dog: hound terrier
hound: beagle
feline: cat tiger
cat: tabby
ungulate: horse cow
bird: finch robin
plant: flower tree
flower: daisy rose tulip sunflower
tree: oak
artefact: vehicle container tool furniture
vehicle: car truck bicycle
container: bottle jar
tool: hammer
furniture: chair
"""
_WHOLES = {"animal": ("head",), "mammal": ("hair",), "vehicle": ("wheel",), "plant": ("leaf",)}


def sample_graph(without: Iterable[Triple] = ()) -> Graph:
    """Make a graph of the nouns, but for some triples."""
    left = {f"{subject} {predicate} {object_} ." for subject, predicate, object_ in without}
    kept = [line for line in _triples() if line not in left]
    return Graph.in_memory(nouns="\n".join(kept).encode())


@lru_cache(maxsize=1)
def _triples() -> tuple[str, ...]:
    parents: dict[str, str] = {}
    for line in _NOUNS.strip().splitlines():
        parent, _, children = line.partition(": ")
        parents |= dict.fromkeys(children.split(), parent)
    parts = sorted({each for names in _WHOLES.values() for each in names})
    names = ["entity", *parents, *parts]
    iris = {
        name: f"<https://en-word.net/id/oewn-{number:08d}-n>"
        for number, name in enumerate(names, start=1)
    }
    lines = []
    for name, iri in iris.items():
        parent = parents.get(name, "object")
        lines.append(f'{iri} <{SKOS}prefLabel> "{name}"@en .')
        lines.append(f'{iri} <{SKOS}definition> "a kind of {parent}"@en .')
        lines.append(f'{iri} <{WN}lexfile> "noun.thing" .')
        if name != "entity":
            lines.append(f"{iri} <{WN}hypernym> {iris[parent]} .")
        lines += [f"{iri} <{WN}mero_part> {iris[part]} ." for part in _WHOLES.get(name, ())]
    return tuple(lines)
