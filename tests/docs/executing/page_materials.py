"""What the pages take for granted: folders of images, tables, checkpoints, a graph; all small."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from page_blocks import ROOT

from zoo import embedded
from zoo.testing.tiny_checkpoints import CLASSES, build_tiny_checkpoint

sys.path.insert(0, str(ROOT / "examples"))
from embedded_zoo.drawing import SHAPES, shape, texture

#: Words that the tokenizers of tiny checkpoints know.
GOOD, BAD = (
    ("a good film", "the best acting", "great plot"),
    ("a bad film", "the awful plot", "bad"),
)
#: A few nouns of WordNet, for explanations and questions.
NOUNS = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wn: <https://globalwordnet.github.io/schemas/wn#> .
@prefix : <https://en-word.net/id/> .
"""
KINDS = {
    "entity": "", "animal": "entity", "dog": "animal", "cat": "animal", "bird": "animal",
    "working dog": "dog", "guide dog": "working dog", "beagle": "dog",
    "Seeing Eye dog": "guide dog",
    "zebra": "animal", "artifact": "entity", "shape": "entity", "circle": "shape",
    "star": "shape", "square": "shape", "triangle": "shape", "machine": "artifact",
    "crane": "bird", "crane#2": "machine", "giraffe": "animal", "pentagon": "shape",
    "plus": "shape", "ring": "shape", "crescent": "shape",
}  # fmt: skip


def pictures(place: Path, names: tuple[str, ...] = SHAPES[:2], each: int = 12, end: str = "png"):
    """Draw a folder a class: shapes where the name is one, textures otherwise; no names: flat."""
    draw = np.random.default_rng(0)
    for label, name in enumerate(names or ("",)):
        (place / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            drawn = shape(draw, SHAPES.index(name)) if name in SHAPES else texture(draw, label % 8)
            drawn.save(place / name / f"{number:04}.{end}")


def parquet(path: Path, names: tuple[str, ...] = SHAPES[:5], each: int = 8) -> None:
    """Write encoded images and their labels as one table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(mkdtemp())
    pictures(folder, names, each)
    files = sorted(folder.rglob("*.png"))
    images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    pq.write_table(pa.table({"image": images, "label": [f.parent.name for f in files]}), path)


def sentences(
    path: Path, rows: int = 40, head: tuple[str, ...] = ("id", "review", "stars")
) -> None:
    """Write a table of short texts, the good ones with other labels than the bad ones."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in range(rows):
            words = (GOOD, BAD)[row % 2][row // 2 % 3]
            text = f"{words} {'and a red dog ' * (row % 3)}".strip()
            writer.writerow([*[row] * (len(head) - 2), text, (5, 1)[row % 2]])


def questions(path: Path, labels: tuple[str, ...] | None, rows: int = 40) -> None:
    """Write questions, a line each; with labels as a table that has them beside."""
    texts = [
        f"which {('cat', 'dog', 'bird', 'fish')[n % 4]} is {'good ' * (n % 5)}" for n in range(rows)
    ]
    if labels is None:
        path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((text, labels[n % len(labels)]) for n, text in enumerate(texts))


@cache
def _tiny(name: str, head: bool) -> Path:
    return build_tiny_checkpoint(name, Path(mkdtemp()) / name, head=head)


def model(place: Path, recipe: str, labels: tuple[str, ...] = ()) -> None:
    """Copy a packaged checkpoint, or a tiny one of random weights, as in ``tiny:bert``."""
    kind, _, name = recipe.rpartition(":")
    source = _tiny(name, kind == "tiny") if kind else embedded.folder(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, place)
    if labels:
        assert len(labels) == CLASSES
        path = place / "config.json"
        config = json.loads(path.read_text("utf-8"))
        config["id2label"] = {str(n): name for n, name in enumerate(labels)}
        config["label2id"] = {name: n for n, name in enumerate(labels)}
        path.write_text(json.dumps(config), encoding="utf-8")


def configuration(place: Path, recipe: str) -> None:
    """Make a folder that holds a configuration and nothing else."""
    kind, _, name = recipe.rpartition(":")
    place.mkdir(parents=True)
    shutil.copy(_tiny(name, kind == "tiny") / "config.json", place)


def digits(path: Path, rows: int = 200) -> None:
    """Write features and labels, as ``zoo score`` reads them."""
    from sklearn.datasets import load_digits

    found = load_digits()
    np.savez(path, X=found.data[:rows], y=found.target[:rows])


def graph(path: Path) -> None:
    """Write a few nouns as Turtle, named and linked as WordNet's are."""
    iris = {name: f":oewn-{number:08}-n" for number, name in enumerate(KINDS, 1)}
    lines = [NOUNS]
    for key, above in KINDS.items():
        iri, name = iris[key], key.partition("#")[0]
        link = f" ; wn:hypernym {iris[above]}" if above else ""
        texts = f'skos:prefLabel "{name}"@en ; skos:definition "a kind of {above or "thing"}"@en'
        lines.append(f"{iri} {texts}{link} .")
    path.write_text("\n".join(lines), encoding="utf-8")


def table(path: Path, rows: str) -> None:
    path.write_text(rows, encoding="utf-8")


def registry(path: Path, *references: str, **facts: str) -> None:
    """List checkpoints; ``facts`` are known of each of them."""
    models = [{"ref": each, **facts} for each in references]
    path.write_text(json.dumps({"schema_version": 1, "models": models}), encoding="utf-8")


def packed(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))
