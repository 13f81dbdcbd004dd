"""A tiny graph whose structure decides the rows of a head."""

from __future__ import annotations

import numpy as np

from zoo.explaining import Ledger
from zoo.graph import Graph
from zoo.types.features import Features
from zoo.types.reporting import Case, Classifier, LabelSpace

KINDS = ("bird", "fish", "tree", "tool")
EACH = 8
PARTS = {"bird": ("wing", "beak"), "fish": ("fin",), "tree": ("root", "bark"), "tool": ("handle",)}
WORDS = ("amber", "brisk", "cobalt", "dusky", "elder", "fallow", "golden", "hollow")
WN = "https://globalwordnet.github.io/schemas/wn#"
SKOS = "http://www.w3.org/2004/02/skos/core#"


def name(kind, number):
    return f"{WORDS[number]} {kind}"


def iri(text):
    return f"<urn:t:{text.replace(' ', '-')}>"


def triples():
    lines = []

    def node(text):
        lines.append(f'{iri(text)} <{SKOS}prefLabel> "{text}"@en .')

    for kind in ("thing", "living", *KINDS):
        node(kind)
    for kind in KINDS:
        top = "living" if kind != "tool" else "thing"
        lines.append(f"{iri(kind)} <{WN}hypernym> {iri(top)} .")
        for part in PARTS[kind]:
            node(part)
            lines.append(f"{iri(kind)} <{WN}mero_part> {iri(part)} .")
        for number in range(EACH):
            node(name(kind, number))
            lines.append(f"{iri(name(kind, number))} <{WN}hypernym> {iri(kind)} .")
    lines.append(f"{iri('living')} <{WN}hypernym> {iri('thing')} .")
    loud = "<http://conceptnet.io/r/HasProperty> <http://conceptnet.io/c/en/loud>"
    lines.extend(f"{iri(name('bird', number))} {loud} ." for number in (0, 1))
    return ("\n".join(lines) + "\n").encode()


def head(unseen, *, width=24, seed=0):
    """The rows of a kind stand around its own direction."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(KINDS), width))
    rows, labels = {}, []
    for place, kind in enumerate(KINDS):
        for number in range(EACH):
            rows[name(kind, number)] = centres[place] + 0.3 * random.normal(size=width)
            labels.append(name(kind, number))
    seen = [each for each in labels if each not in unseen]
    weight = np.stack([rows[each] for each in seen]).astype(np.float32)
    space = LabelSpace(name="planted", labels=tuple(seen))
    return Classifier(weight=weight, bias=None, space=space, source="head.safetensors"), rows


def case(unseen, *, images=0, withheld=(), target=None, **more):
    classifier, rows = head(unseen)
    names = target or tuple(unseen)
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(len(names)), max(images, 1))
    values = np.stack([rows[names[each]] for each in labels]) if images else None
    if images:
        values = values + 0.5 * random.normal(size=values.shape)
        more["read_features"] = lambda _: Features(values=values, labels=labels, layer="head_input")
        more["target"] = LabelSpace(name="data", labels=names, source="images")
    return Case(
        ledger=Ledger("unseen", withheld),
        model="planted",
        graph=more.pop("graph", None) or Graph.in_memory(planted=triples()),
        unseen=tuple(unseen),
        read_classifier=lambda _: classifier,
        **more,
    )
