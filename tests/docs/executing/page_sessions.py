"""What each page takes for granted before its first block, and how its runs are kept small."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from page_blocks import ROOT
from page_materials import (
    SHAPES,
    configuration,
    digits,
    graph,
    model,
    packed,
    parquet,
    pictures,
    questions,
    registry,
    sentences,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DESKS = ("HUM", "NUM", "LOC", "ENTY", "DESC")
NEWEST = "zoo runs list -q | head -1"
QUICK = {"ZOO_PERMUTATIONS": "5", "ZOO_FOLDS": "4", "ZOO_PROBE_SIZE": "60"}
EIGHT = tuple(
    f"embedded:{name}"
    for name in ("resnet-digits-0-4", "regnet-textures", "mobilenet-v1-shapes", "convnext-glyphs")
)
TRUTH = "model,accuracy\n" + "".join(f"{ref},0.{9 - n}\n" for n, ref in enumerate(EIGHT))
TREES = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="urn:a:">'
    '<rdf:Description rdf:about="urn:a:elm"><a:kind rdf:resource="urn:a:tree"/>'
    "</rdf:Description></rdf:RDF>\n"
)
ASSERTION = '/a/[/r/IsA/,/c/en/cat/]\t/r/IsA\t/c/en/cat\t/c/en/animal\t{"weight": 1.0}\n'


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        material: fills the folder.
        before: command lines that ran earlier in the story.
        settings: variables that make its runs small.
        hub: repository -> recipe of a checkpoint; the page then has a Hub on this machine.
        names: see ``Session``.
        thin: see ``Session``.
        quick: it is run by default, and not only by ``make test-exhaustive``.
    """

    material: Callable[[Path], object] = lambda _: None
    before: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=lambda: QUICK)
    hub: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    thin: dict[str, int] = field(default_factory=dict)
    quick: bool = False


def readme(at: Path) -> None:
    pictures(at / "photos", SHAPES)
    pictures(at / "labelled", SHAPES)
    sentences(at / "reviews.csv")
    digits(at / "features.npz")
    table(at / "truth.csv", "model,accuracy\nembedded:regnet-textures,.9\n./classifier,.8\n")
    shutil.copy(at / "photos/circle/0000.png", at / "photo.jpg")
    graph(at / "wordnet.ttl")
    for name in ("chosen", "classifier", "large", "model", "birds", "a", "tuned"):
        model(at / name, "mobilenet-v1-shapes")
    model(at / "machines", "regnet-textures")
    model(at / "checkpoints/a", "regnet-textures")
    model(at / "b", "mobilenet-v2-hues")
    model(at / "c", "swin-orientations")
    model(at / "tiny", "resnet-digits-0-4")
    model(at / "my-encoder", "tiny:bert")
    registry(
        at / "registry.json",
        "./classifier",
        "embedded:regnet-textures",
        "embedded:swin-orientations",
        "embedded:convnext-glyphs",
    )


def amalgamate(at: Path) -> None:
    shutil.copytree(ROOT / "examples/embedded_zoo", at / "examples/embedded_zoo")
    model(at / "news", "tiny:roberta", ("World", "Sports", "Business", "Science", "Other"))
    model(at / "questions", "tiny:bert", DESKS)
    configuration(at / "student", "tiny:distilbert")
    questions(at / "texts.txt", None)
    questions(at / "labelled.csv", (*DESKS, "World", "Sports"))
    table(
        at / "some.txt",
        "Who wrote Hamlet ?\nStocks fell on Wall Street after oil prices rose to a record.\n",
    )
    for name in ("seed-1", "seed-2", "birds", "dogs", "base"):
        model(at / name, "regnet-textures")


def calibrate(at: Path) -> None:
    model(at / "over", "mobilenet-v1-shapes")
    model(at / "digits", "regnet-textures")
    pictures(at / "photos", (), each=24)
    pictures(at / "labelled", SHAPES, each=6)
    pictures(at / "scans", (), each=24)
    pictures(at / "checked", ("stripes", "checks", "dots", "bricks"), each=12)


def distill(at: Path) -> None:
    model(at / "questions", "tiny:bert", DESKS)
    model(at / "all-MiniLM-L6-v2", "body:bert")
    questions(at / "questions.txt", None)
    questions(at / "texts.txt", None)
    questions(at / "asked.csv", DESKS)
    questions(at / "known.csv", DESKS)
    pictures(at / "pictures", (), each=60)


def evaluate(at: Path) -> None:
    registry(at / "registry.json", *EIGHT)
    pictures(at / "photos", SHAPES[:4])
    places = [(ref, name) for ref in EIGHT for name in ("photos", "antsbees")]
    truth = [
        f"{r},{s},{how},0.{9 - n}" for n, (r, s) in enumerate(places) for how in ("head", "full")
    ]
    table(at / "truth.csv", "\n".join(["model,set,recipe,accuracy", *truth, ""]))
    sizes = [f"{ref},{name},{number}" for number, (ref, name) in enumerate(places)]
    table(at / "size.csv", "\n".join(["model,set,parameters", *sizes, ""]))


def explain(at: Path) -> None:
    registry(at / "registry.json", *EIGHT)
    pictures(at / "photos", (*SHAPES[:3], "crane"))
    model(at / "mobilenet_v1_1.0_224", "mobilenet-v1-shapes")
    model(at / "all-MiniLM-L6-v2", "body:bert")
    graph(at / "wordnet.ttl")


def export(at: Path) -> None:
    for number in range(5):
        pictures(at / "photos" / str(number), (), each=8, end="jpg")
    pictures(at / "flowers5", SHAPES[:4], each=20)
    pictures(at / "data", SHAPES[:3])
    model(at / "mobilenet_v1_0.25_128", "mobilenet-v1-shapes")
    model(at / "another", "regnet-textures")


def flowers(at: Path) -> None:
    model(at / "mobilenet", "tiny:mobilenet_v1")
    model(at / "all-MiniLM-L6-v2", "body:bert")
    parquet(at / "train.parquet")
    parquet(at / "test.parquet")
    table(
        at / "larger.json",
        '{"hidden_size": 72, "num_attention_heads": 6, "intermediate_size": 192, '
        '"num_hidden_layers": 5}\n',
    )


def graphs(at: Path) -> None:
    graph(at / "wordnet.ttl")
    graph(at / "classes.ttl")
    graph(at / "theirs.ttl")
    packed(at / "plants.nt.gz", "<urn:a:oak> <urn:a:kind> <urn:a:tree> .\n")
    table(at / "trees.owl", TREES)
    packed(at / "assertions.csv.gz", ASSERTION)
    pictures(at / "photos", SHAPES[:2])
    registry(at / "registry.json", *EIGHT[:2])
    table(at / "mine.ttl", "@prefix : <urn:a:> .\n\n:a wn:hypernym :b .\n")


def images(at: Path) -> None:
    pictures(at / "photos", SHAPES[:3])
    registry(at / "registry.json", *EIGHT[:2])


def labels(at: Path) -> None:
    pictures(at / "cifar10", ("cat", "dog", "bird", "fish"))
    model(at / "mobilenet_v1_0.25_128", "mobilenet-v1-shapes")
    model(at / "mobilenet_v1_0.5_160", "regnet-textures")
    model(at / "all-MiniLM-L6-v2", "body:bert")


def layers(at: Path) -> None:
    questions(at / "trec6.csv", DESKS)
    (at / "trec6").mkdir()
    shutil.move(at / "trec6.csv", at / "trec6/train.csv")
    model(at / "all-MiniLM-L6-v2", "body:bert")
    pictures(at / "photos", SHAPES[:3])
    pictures(at / "flowers5", SHAPES[:3])
    model(at / "source", "regnet-textures")
    model(at / "target", "mobilenet-v1-shapes")
    for name, recipe in (
        ("mobilenet_v1_0.25_224", "mobilenet-v1-shapes"),
        ("mobilenet_v1_1.0_224", "regnet-textures"),
        ("mobilenet_v2_1.0_224", "mobilenet-v2-hues"),
        ("mobilenet_v2_1.0_224_inat_bird", "swin-orientations"),
    ):
        model(at / name, recipe)


def unlabelled(at: Path) -> None:
    pictures(at / "photos", (), each=20)
    registry(at / "registry.json", *EIGHT[:2])


def registries(at: Path) -> None:
    model(at / "mobilenet", "mobilenet-v1-shapes")
    model(at / "MiniLM", "body:bert")
    registry(at / "old.json", "./mobilenet")
    registry(at / "registry.json", "hub:microsoft/resnet-18", modality="image")


def letters(at: Path) -> None:
    rows = "".join(f"letter {n} of a friend,answer {n} to it\n" for n in range(30))
    table(at / "letters.csv", f"letter,reply\n{rows}")


def texts(at: Path) -> None:
    sentences(at / "reviews.csv", 300)
    model(at / "my-encoder", "tiny:bert")
    model(at / "other", "body:roberta")
    table(at / "encoders.txt", "./other\n")


def teachers(at: Path) -> None:
    pictures(at / "photos", ())
    model(at / "birds", "mobilenet-v1-shapes")
    model(at / "dogs", "regnet-textures")
    model(at / "tiny", "resnet-digits-0-4")


def plugins(at: Path) -> None:
    table(at / "kinds.csv", "spoon,cutlery\ncutlery,tableware\n")
    pictures(at / "photos", SHAPES[:3])
    registry(at / "registry.json", *EIGHT[:2])


def completion(at: Path) -> None:
    import gzip

    graph(at / "kg.ttl")
    model(at / "all-MiniLM-L6-v2", "body:bert")
    with gzip.open(at / "kg_core.nt.gz", "wt") as file:
        file.write("")


#: Page -> its session; a page that is not named has one that begins with nothing.
SESSIONS: dict[str, Page] = {
    "README.md": Page(
        readme,
        ("zoo graph import wordnet.ttl --name wordnet",),
        hub={"org/encoder": "tiny:bert", "org/name": "tiny:resnet"},
        names={"RUN": NEWEST},
    ),
    "docs/how-to/amalgamate.md": Page(amalgamate, thin={"pictures": 80, "labelled": 64}),
    "docs/how-to/budget.md": Page(settings={"ZOO_PERMUTATIONS": "10"}),
    "docs/how-to/calibrate.md": Page(calibrate),
    "docs/how-to/distill.md": Page(distill),
    "docs/how-to/evaluate.md": Page(evaluate, ("zoo recommend photos",), names={"5ede": NEWEST}),
    "docs/how-to/explain.md": Page(
        explain,
        ("zoo graph import wordnet.ttl --name wordnet", "zoo recommend photos"),
        names={"3695": NEWEST, "9bed": NEWEST},
    ),
    "docs/how-to/export.md": Page(export),
    "docs/how-to/finetune.md": Page(flowers),
    "docs/how-to/graph.md": Page(
        graphs,
        ("zoo graph import wordnet.ttl --name wordnet", "zoo recommend photos"),
        names={"2026-11-21-70a2": NEWEST},
    ),
    "docs/how-to/grow.md": Page(flowers),
    "docs/how-to/images.md": Page(images),
    "docs/how-to/label-encoders.md": Page(labels),
    "docs/how-to/layers.md": Page(layers),
    "docs/how-to/no-labels.md": Page(unlabelled),
    "docs/how-to/offline.md": Page(images, hub={"org/name": "tiny:resnet"}),
    "docs/how-to/registry.md": Page(registries, hub={"microsoft/resnet-18": "tiny:resnet"}),
    "docs/how-to/runtimes.md": Page(labels),
    "docs/how-to/score-features.md": Page(settings={"ZOO_PERMUTATIONS": "10"}),
    "docs/how-to/structured-labels.md": Page(letters, settings={}),
    "docs/how-to/texts.md": Page(
        texts,
        hub={
            "sentence-transformers/all-MiniLM-L6-v2": "body:bert",
            "distilbert/distilbert-base-uncased": "body:distilbert",
        },
    ),
    "docs/explanation/completion.md": Page(completion),
    "docs/plugins.md": Page(plugins, quick=True),
    "docs/plugins/explanations.md": Page(plugins, ("zoo recommend photos",)),
    "docs/plugins/growth.md": Page(lambda at: model(at / "my-mpnet", "tiny:mpnet")),
    "docs/plugins/training.md": Page(teachers),
    "docs/tutorial.md": Page(
        settings={"ZOO_PERMUTATIONS": "10"}, names={"27dd": NEWEST, "4cb0": NEWEST}
    ),
}
