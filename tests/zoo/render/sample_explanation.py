"""An explanation that uses everything, made by a real ledger."""

from __future__ import annotations

import base64
import struct
import zlib

from zoo.explaining import Ledger
from zoo.explaining.telling import compose
from zoo.types import Failure
from zoo.types.explaining import GraphUse, Report
from zoo.types.reporting import Case

WN = "https://globalwordnet.github.io/schemas/wn#"
LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"
A, B = "hub:microsoft/resnet-50", "hub:google/mobilenet_v2_1.0_224"
UP, DOWN = "is a kind of", "is a kind of"


def node(number: int) -> str:
    return f"<https://en-word.net/id/oewn-{number:08}-n>"


def png(shade: int, side: int = 24) -> str:
    """A small picture as base64 PNG: a bright spot on a ground of some shade."""
    rows = []
    for y in range(side):
        row = bytearray(b"\0")
        for x in range(side):
            near = max(0, 120 - 2 * ((x - shade % side) ** 2 + (y - side // 2) ** 2))
            row += bytes((min(255, shade + near), min(255, shade // 2 + near // 2), shade // 3))
        rows.append(bytes(row))
    chunks = b""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    for kind, content in (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ):
        chunks += struct.pack(">I", len(content)) + kind + content
        chunks += struct.pack(">I", zlib.crc32(kind + content))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


def _preference(ledger: Ledger) -> None:
    origin = {"source": "ranking.json of run 2026-11-20-a1f3", "sha256": "9f" * 32}
    check = "zoo runs show 2026-11-20-a1f3 --json"
    score = ledger.observe(
        "measurement", "resnet-50", "score", check=check, **origin,
        model="resnet-50", other="mobilenet_v2_1.0_224", first=0.864, second=0.713,
        interval=(0.8, 0.91),
    )  # fmt: skip
    agree = ledger.observe(
        "measurement", "resnet-50", "agreement", check=check, **origin,
        agree=6, counted=7, place="three",
    )  # fmt: skip
    stayed = ledger.derive(
        "measurement", "resnet-50", "order in resamples", [score, agree], above=97, resamples=100
    )
    ledger.claim(
        "measured",
        "{model} is ranked above {other}: {first:.2f} against {second:.2f}; it stayed above in "
        "{above} of {resamples} resamples of the samples.",
        score, stayed, models=(A, B), prefers=A, topic="Why this order",
        model="resnet-50", other="mobilenet_v2_1.0_224", first=0.864, second=0.713,
        above=97, resamples=100,
    )  # fmt: skip
    ledger.claim(
        "measured", "{agree} of {counted} estimators put it in the first {place}.", agree,
        topic="Why this order", models=(A,), agree=6, counted=7, place="three",
    )  # fmt: skip
    rows = [
        {"label": "daisy", "values": [0.96, 0.91]},
        {"label": "yellow lady's slipper", "values": [0.88, 0.52]},
        {"label": "tulip", "values": [0.71, 0.78]},
        {"label": "dandelion, Taraxacum officinale, of the meadows", "values": [0.93, None]},
        {"label": "rose", "values": [-0.04, 0.33]},
    ]
    bars = ledger.derive("measurement", "both", "kept apart", [score], rows=rows)
    ledger.claim(
        "measured", "{model} keeps {label} apart most clearly.", bars, score,
        topic="Class by class", model="resnet-50", label="yellow lady's slipper",
    )  # fmt: skip
    ledger.figure(
        "bars", "How well each class is kept apart", "Silhouette of each class in both feature "
        "spaces; one is best, zero is no better than chance.", bars, topic="Class by class",
        names=["resnet-50", "mobilenet_v2_1.0_224"], rows=rows,
    )  # fmt: skip


def _overlap(ledger: Ledger) -> None:
    slipper = ("yellow lady's slipper, Cypripedium calceolus", "lady's slipper", "orchid")
    daisy = ("daisy", "composite plant", "herb")
    top = "vascular plant"
    triples = [(node(1), f"<{LABEL}>", '"daisy"'), (node(2), f"<{LABEL}>", '"composite plant"@en')]
    triples += [(node(each), f"<{WN}hypernym>", node(each + 1)) for each in (1, 2, 3)]
    fact = ledger.observe(
        "fact", "daisy", "hypernym path", source="graph wordnet", sha256="ab" * 32,
        triples=triples,
        check=f"SELECT ?x WHERE {{ {node(1)} wn:hypernym+ ?x }}",
        up=[*daisy, top], down=[top, *slipper[::-1]], nearest="yellow lady's slipper",
    )  # fmt: skip
    guess = ledger.observe(
        "alignment", "daisy", "means", source="labels of the data", confirmed=False,
        label="daisy", how="the first sense of its last word", gloss="any of several <b>herbs</b>",
    )  # fmt: skip
    ledger.claim(
        "known", "The nearest training class of {model} to your class '{label}' is '{nearest}'.",
        fact, guess, ledger.observe("fact", "resnet-50", "classes", source="config.json", n=1000),
        topic="What the models have seen", models=(A,),
        model="resnet-50", label="daisy", nearest="yellow lady's slipper",
    )  # fmt: skip
    ledger.figure(
        "path", "Nearest training classes", "From your class up to the first kind that both are, "
        "and down to the training class.", fact, guess, topic="What the models have seen",
        paths=[
            {"caption": "daisy and yellow lady's slipper",
             "nodes": [*daisy, top, *slipper[::-1]], "links": [UP] * 3 + [DOWN] * 3, "top": 3},
            {"caption": "tulip is a kind of a training class",
             "nodes": ["tulip", "liliaceous plant", "bulbous plant"], "links": [UP, UP], "top": 2},
            {"caption": "A part that both have", "nodes": ["daisy", "flower head", "sunflower"],
             "links": ["has the part", "is a part of"]},
        ],
    )  # fmt: skip
    nothing = ledger.observe(
        "absence",
        "rose <img src=x>",
        "sense",
        source="graph wordnet",
        looked_for="rose <img src=x>",
    )
    ledger.claim(
        "not known", "'{label}' is not in the graph.", nothing, topic="What the models have seen",
        label="rose <img src=x>",
    )  # fmt: skip


def _layers(ledger: Ledger) -> None:
    values = [0.2, 0.35, 0.41, 0.62, 0.88, 0.91, 0.8, 0.7]
    other = [0.15, 0.2, 0.44, 0.5, 0.66, 0.6, 0.63, None]
    names = ["embeddings", *(f"stage.{n}" for n in range(6)), "head_input"]
    curve = ledger.observe(
        "measurement", "resnet-50", "layers", source="ranking.json", layer="stage.4",
        values=values, other=other, gain=0.21,
    )  # fmt: skip
    ledger.claim(
        "measured", "Layer {layer} is better than the last one by {gain:.2f}.", curve,
        topic="Where to cut", layer="stage.4", gain=0.21,
    )  # fmt: skip
    ledger.figure(
        "curve", "Score of each layer", "resnet-50 rises to stage.4 and falls again.", curve,
        topic="Where to cut", layers=names,
        series=[{"name": "resnet-50", "values": values, "chosen": "stage.4"},
                {"name": "mobilenet_v2_1.0_224", "values": other, "chosen": 4}],
    )  # fmt: skip


def _others(ledger: Ledger) -> None:
    maps = ledger.observe(
        "measurement", "resnet-50", "attribution", source="features", share=61.5, label="daisy"
    )
    ledger.claim(
        "measured", "{share:.0f} percent of the attribution of '{label}' lies in the middle.",
        maps, topic="What the features look at", share=61.5, label="daisy",
    )  # fmt: skip
    ledger.figure(
        "images", "What the features look at", "Bright: what the features depend on most.", maps,
        topic="What the features look at",
        rows=[{"caption": "daisy, sample 4", "images": [
            {"png": png(40), "alt": "resnet-50: the flower's middle is bright"},
            {"png": png(90), "alt": "mobilenet: the ground is bright"},
        ]}],
    )  # fmt: skip
    tried = ledger.observe(
        "test", "coverage", "Spearman within target", source="history.csv", n=42, targets=6,
        rho=0.41, q=0.03, low=0.12, high=0.63, quantity="the share of classes seen before",
    )  # fmt: skip
    ledger.claim(
        "supported", "In {n} recorded transfers over {targets} targets, {quantity} went with "
        "higher accuracy (rho {rho:.2f}, 90 % interval {low:.2f} to {high:.2f}, q {q:.2f})."
        .replace("90 %", "{width} %"),
        tried, ledger.observe("test", "interval", "width", source="computed", width=90),
        topic="What usually helps", n=42, targets=6, rho=0.41, q=0.03, low=0.12, high=0.63,
        quantity="the share of classes seen before", width=90,
    )  # fmt: skip
    card = ledger.observe(
        "record", "resnet-50", "card", source="README.md", license="apache-2.0",
        trained="<script>alert('x')</script> [here](javascript:alert(1)) `*red*` | a",
    )  # fmt: skip
    ledger.claim(
        "known", "Its card names the licence {license} and the data {trained}.", card,
        topic="Where it comes from", license="apache-2.0",
        trained="<script>alert('x')</script> [here](javascript:alert(1)) `*red*` | a",
    )  # fmt: skip


def sample_report() -> Report:
    """All levels, all figures, a guess, a failure, a graph, and strangers' texts."""
    ledger = Ledger("sample")
    for part in (_preference, _overlap, _layers, _others):
        part(ledger)
    report = compose(
        [ledger],
        [Failure(stage="report noisy", error="it <b>broke</b>.", hint="zoo plugins check noisy")],
        Case(ledger=ledger),
        subject="ranking",
        title=f"{A} and {B} for flowers <b>102</b>",
        run="2026-11-20-a1f3",
        model=A,
        against=B,
        data="flowers <b>102</b>",
    )
    graph = GraphUse(name="wordnet", triples=412_345, license="CC-BY-4.0", credit="Open WordNet.")
    from msgspec.structs import replace

    return replace(report, graphs=(graph,), versions={"zoo-reuse": "0.1.0"})
