"""Classes that a classifier never saw: rows derived from the graph beside word vectors.

    python benchmarks/zero_shot.py --data ../shared/data --graph ../shared/data/knowledge_graph \
        --output docs/reference/zero-shot.json

Every class of a data set, and every kind of it, is taken out of the head of an ImageNet MobileNet.
The graph network learns the rows that are left. Then the images are classified among the unseen
classes alone, and among all. Images are centred by the mean of unlabelled training images.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import torch
from bare_engines import find_checkpoint

from zoo.building.intervals import share
from zoo.files import write_atomically
from zoo.graph import Graph
from zoo.types import ImageInput
from zoo.types.reporting import LabelSpace
from zoo.types.runtimes import RuntimeOptions
from zoo_explanation.alignment import align
from zoo_explanation.lexicon import lexicon_of
from zoo_explanation.sources.wordnet import WordNet
from zoo_explanation.zero_shot.baselines import conse, ridge
from zoo_explanation.zero_shot.class_graph import class_graph
from zoo_explanation.zero_shot.learning import Recipe, attend, classifier, comparable, learn
from zoo_explanation.zero_shot.texts import texts_of, unit
from zoo_runtimes.torch_runtime import TorchRuntime

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo_explanation.lexicon import Lexicon

SETS = ("antsbees", "cifar10", "flowers5", "visda200")
MODELS = ("mobilenet_v1_1.0_224", "mobilenet_v2_1.0_224")
ENCODER = "all-MiniLM-L6-v2"
WAYS = ("graph with attention", "graph without attention", "word vectors", "ConSE")


@dataclass(frozen=True, eq=False)
class Head:
    """A classifier's last layer: (S, D), (S,) and S names."""

    weight: npt.NDArray[Any]
    space: LabelSpace


@dataclass(frozen=True, eq=False)
class Seen:
    """What a checkpoint makes of a data set's images: (N, D), (N, S), (N,), and C names."""

    features: npt.NDArray[Any]
    logits: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    names: tuple[str, ...]


def open_lexicon(folder: Path) -> Lexicon:
    """Read a folder of WordNet into memory."""
    with tempfile.TemporaryFile() as file:
        WordNet().write(folder, file, offline=True)
        file.seek(0)
        return lexicon_of(Graph.in_memory(wordnet=file.read()))


def encode(folder: Path, texts: Sequence[str]) -> npt.NDArray[Any]:
    """Encode texts: (N, E) of unit length."""
    with tempfile.TemporaryDirectory() as home:
        backbone = TorchRuntime().open(find_checkpoint(str(folder), home), RuntimeOptions())
        inputs = backbone.encode(texts)
        order = sorted(range(len(texts)), key=lambda each: inputs[each].cost)
        found = np.empty((len(texts), 0))
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            taps = backbone.extract([inputs[each] for each in rows], [backbone.default_tap])
            part = taps[backbone.default_tap]
            found = np.empty((len(texts), part.shape[1])) if not found.size else found
            found[rows] = part
    return unit(found)


def read(folder: Path, split: str, most: int) -> tuple[list[ImageInput], Any, tuple[str, ...]]:
    """Draw images of a split, always the same."""
    (path,) = (folder / "data").glob(f"{split}-*.parquet")
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    rows = np.random.default_rng(0).permutation(len(table))[:most]
    cells, labels = table["image"].to_pylist(), np.array(table["label"].to_pylist())
    inputs = [ImageInput(name=f"{split} {row}", data=cells[row]["bytes"]) for row in rows]
    return inputs, labels[rows], tuple(features["label"]["names"])


def look(data: Path, model: str, name: str, most: int) -> Seen:
    """Show a data set to a checkpoint."""
    runtime = TorchRuntime()
    with tempfile.TemporaryDirectory() as home:
        checkpoint = find_checkpoint(str(data / "zoo" / model), home)
        backbone = runtime.open(checkpoint, RuntimeOptions())
    test, labels, names = read(data / "images" / name, "test", most)
    train, *_ = read(data / "images" / name, "train", most // 2)
    found: dict[str, list[Any]] = {"head_input": [], "logits": []}
    encoded = backbone.encode(runtime.prepare(checkpoint, [*test, *train]))
    for start in range(0, len(encoded), 32):
        part = backbone.extract(encoded[start : start + 32], list(found))
        for tap, arrays in found.items():
            arrays.append(part[tap])
    features, logits = (np.concatenate(arrays) for arrays in found.values())
    centre = features[len(test) :].mean(axis=0)
    return Seen(features[: len(test)] - centre, logits[: len(test)], labels, names)


def open_head(folder: Path) -> Head:
    """Read the last layer of a checkpoint of transformers."""
    from safetensors.numpy import load_file

    tensors = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    names = config["id2label"]
    labels = tuple(names[str(number)] for number in range(len(names)))
    weight = np.asarray(tensors["classifier.weight"], np.float32)
    return Head(weight, LabelSpace(name=folder.name, labels=labels))


def right(scores: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which images get the class that they are of: (N,)."""
    found: npt.NDArray[np.bool_] = scores.argmax(axis=1) == wanted
    return found


@dataclass(frozen=True, eq=False)
class Task:
    """A data set, a head without its classes, and the graph of both.

    Attributes:
        kept: (S,) classes of the head that are none of the data's, nor kinds of them.
        places: (S,) of those in ``texts``; ``unseen`` are the (C,) of the data's classes.
    """

    seen: Seen
    rows: npt.NDArray[Any]
    kept: npt.NDArray[Any]
    texts: npt.NDArray[Any]
    edges: npt.NDArray[Any]
    places: npt.NDArray[Any]
    unseen: npt.NDArray[Any]


def answers(task: Task, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Score every image for the unseen classes, then the seen ones, in every way."""
    found = {}
    places, unseen, texts = task.places, task.unseen, task.texts
    for way, recipe in zip(WAYS[:2], (Recipe(), Recipe(attentive=0)), strict=True):
        learnt = learn(texts, task.edges, places, task.rows, recipe, seed=seed)
        weights = attend(learnt, unseen, places, recipe) if recipe.attentive else None
        found[way] = classifier(learnt, unseen, weights, task.rows)
    found["word vectors"] = ridge(texts[places], task.rows, texts[unseen], seed=seed)
    scores = {
        way: task.seen.features @ np.concatenate([rows, task.rows]).T for way, rows in found.items()
    }
    everything = np.concatenate([texts[unseen], texts[places]])
    logits = task.seen.logits[:, task.kept]
    return {**scores, "ConSE": conse(logits, texts[places], everything)}


def measure(task: Task, seeds: int) -> dict[str, Any]:
    """Classify with every seed; the interval is Wilson's at the mean over the seeds."""
    labels, classes = task.seen.labels, len(task.unseen)
    found: dict[str, Any] = {}
    for seed in range(seeds):
        for way, scores in answers(task, seed).items():
            parts = found.setdefault(way, {"unseen": [], "all": []})
            parts["unseen"].append(right(scores[:, :classes], labels))
            parts["all"].append(right(scores, labels))
    return {way: {k: interval(each) for k, each in parts.items()} for way, parts in found.items()}


def interval(each: Sequence[npt.NDArray[np.bool_]]) -> dict[str, Any]:
    """Give the mean over seeds with Wilson's interval for the images of one seed."""
    values = [float(one.mean()) for one in each]
    images = len(each[0])
    middle = np.arange(images) < round(float(np.mean(values)) * images)
    found = share(middle)
    assert found is not None
    return {"value": float(np.mean(values)), "low": found.low, "high": found.high, "seeds": values}


def below(lexicon: Lexicon, node: int | None, kinds: set[int]) -> bool:
    """Whether a class is one of some kinds, or of their kind."""
    return node is None or bool(kinds & lexicon.ancestors(node).keys())


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure every data set with every checkpoint."""
    lexicon = open_lexicon(options.graph)
    heads = {model: open_head(options.data / "zoo" / model) for model in options.models}
    spaces = {
        name: LabelSpace(name=name, labels=read(options.data / "images" / name, "test", 1)[2])
        for name in options.sets
    }
    known = {name: align(each, lexicon) for name, each in spaces.items()}
    trained = {model: align(each.space, lexicon) for model, each in heads.items()}
    nodes = [
        each.node for group in (*known.values(), *trained.values()) for each in group if each.node
    ]
    graph = class_graph(lexicon, nodes)
    texts = encode(options.data / "zoo" / ENCODER, texts_of(lexicon, graph.nodes))
    results: dict[str, Any] = {"images": options.images, "seeds": options.seeds, "rows": []}
    results["classes"] = {
        name: {each.label: lexicon.gloss(each.node or 0) for each in group}
        for name, group in known.items()
    }
    for model, head in heads.items():
        for name, group in known.items():
            unseen = [each.node for each in group if each.node is not None]
            assert len(unseen) == len(group), f"{name} has classes that are not in the graph"
            kinds = set(unseen)
            kept = np.array(
                [i for i, each in enumerate(trained[model]) if not below(lexicon, each.node, kinds)]
            )
            task = Task(
                seen=look(options.data, model, name, options.images),
                rows=comparable(head.weight[kept]),
                kept=kept,
                texts=texts,
                edges=graph.edges,
                places=graph.places([trained[model][i].node or 0 for i in kept]),
                unseen=graph.places(unseen),
            )
            row = {
                "model": model,
                "data": name,
                "classes": len(unseen),
                "seen": len(kept),
                "images": len(task.seen.labels),
                "chance": 1 / len(unseen),
                "ways": measure(task, options.seeds),
            }
            results["rows"].append(row)
            print(json.dumps(row), flush=True)
            write(results, options.output)
    return results


def write(results: dict[str, Any], output: Path) -> None:
    """Write the figures, and the table beside them."""
    write_atomically(output, (json.dumps(results, indent=1) + "\n").encode())
    out = io.StringIO()
    out.write(HEAD.format(images=results["images"], seeds=results["seeds"]))
    for part, title in (("unseen", "Among the unseen classes"), ("all", "Among seen and unseen")):
        out.write(f"\n## {title}\n\n| data | classes | model | chance | {' | '.join(WAYS)} |\n")
        out.write(f"| --- | ---: | --- | ---: |{' ---: |' * len(WAYS)}\n")
        for row in results["rows"]:
            total = row["classes"] + (row["seen"] if part == "all" else 0)
            cells = [_cell(row["ways"][way][part], 1 / total) for way in WAYS]
            out.write(
                f"| {row['data']} | {total} | {row['model']} | {100 / total:.1f} | "
                f"{' | '.join(cells)} |\n"
            )
    out.write(FOOT.format(first=MODELS[0]))
    write_atomically(output.with_suffix(".md"), out.getvalue().encode())


def _cell(found: dict[str, Any], chance: float) -> str:
    text = f"{100 * found['value']:.1f} ({100 * found['low']:.1f}-{100 * found['high']:.1f})"
    return f"**{text}**" if found["low"] > chance else text


HEAD = """# Classes that a classifier never saw

    python benchmarks/zero_shot.py --data ../shared/data \\
        --graph ../shared/data/knowledge_graph --output docs/reference/zero-shot.json

Every class of the data, and every kind of it, is taken out of the head of an ImageNet MobileNet
before anything is learnt. What stands in the place of their rows comes from the graph and the texts
alone. Up to {images} test images a set, {seeds} seeds; accuracy in percent with Wilson's 95 %
interval at the mean over the seeds. In bold: the interval lies above chance.
"""
FOOT = """
*Graph with attention* is what `zoo explain MODEL --unseen CLASS` uses: half a row that two graph
convolutions make of names, glosses and hypernym links, half a mixture of the head's own rows by
attention. *Without attention* is the row of the convolutions alone, learnt without it. *Word
vectors* is ridge regression from the same texts to the rows; *ConSE* (Norouzi et al., 2014) mixes
the texts of the likeliest seen classes. Images are centred by the mean of unlabelled training
images.

What was chosen on what: texts, self loops and the loss on held-out classes of the head of
{first}. That a row is half network and half mixture, and that images are centred,
was decided with the figures of that model on these images in sight; the other model was not looked
at before this run, but the images are the same. The interval is that of drawing images, not of
drawing seeds, which the .json has one by one.
"""


def main() -> None:
    """Measure, and write the figures and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="with zoo/ and images/")
    parser.add_argument("--graph", type=Path, required=True, help="a folder of WordNet")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=300, help="a set, at most")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a .json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run(options)


if __name__ == "__main__":
    main()
