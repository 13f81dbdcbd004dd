"""Whether both runtimes agree, one architecture after the other: docs/reference/runtimes.md.

    python benchmarks/architectures.py                       # every tiny random checkpoint
    python benchmarks/architectures.py vit bert              # only these; the others' rows stay
    python benchmarks/architectures.py --data DIR            # and every checkpoint in DIR/zoo

Each checkpoint is outlined from its configuration, opened in torch, exported, and opened in ONNX
Runtime. Both read every tap of a few dozen drawn images, made-up sentences or tones of a few
classes, and cheap estimators rank the taps by the features of either. The rows go to
docs/reference/architectures.json; `make docs` makes the table of them.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable, ZooError
from zoo.types.features import Features
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.probe import ImageInput
from zoo.types.runtimes import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from zoo.types.runtimes import Backbone, EncodedInput

    Array = npt.NDArray[Any]

ROWS = Path(__file__).parents[1] / "docs" / "reference" / "architectures.json"
ESTIMATORS = ("logme", "reg_hscore", "ridge_loo", "knn")
CLASSES, EACH = 4, 8
SIDE, RATE = 96, 16_000
BATCH = 8
#: Scores nearer than this, beside their size, are one rank: what rounding moves.
TIE = 1e-3
METHODS = {"gradient_x_input": "gradient", "occlusion": "occlusion"}
_SUBJECTS = (("cat", "dog"), ("film", "plot", "acting"), ("red", "green", "blue"), ("zoo", "word"))
_FILLERS = ("the", "a", "and", "not", "of", "in", "is", "was", "it", "this", "very", "good", "bad")


@dataclass(frozen=True)
class Row:
    """One architecture, or one real checkpoint.

    Attributes:
        outlined: the configuration alone names the same taps, with the same widths and shapes.
        reason: why there is no graph; empty: there is one.
        relative: largest difference of any tap, over the largest value of that tap in torch.
        worst: the tap that differs most.
        agreement: share of the inputs with the same first label; None without a head.
        ranked: every estimator orders the taps alike by the features of either runtime.
        attributions: ``gradient``, ``occlusion`` or ``none``, in ONNX Runtime.
        megabytes: of the graph.
        seconds: to export and compare it, on whatever else the machine did.
    """

    name: str
    architecture: str
    modality: str
    random: bool
    taps: tuple[str, ...]
    outlined: bool
    reason: str = ""
    relative: float | None = None
    worst: str = ""
    agreement: float | None = None
    ranked: bool | None = None
    attributions: str = ""
    megabytes: float = 0.0
    seconds: float = 0.0


def drawn(modality: str) -> tuple[list[Any], Array]:
    """A few inputs of a few classes that any network can tell apart, and their labels."""
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(CLASSES), EACH)
    draw = {"image": _stripes, "text": _sentence, "audio": _tone}[modality]
    return [draw(int(label), random) for label in labels], labels


def _stripes(label: int, random: np.random.Generator) -> ImageInput:
    from PIL import Image

    angle = np.pi * (label + random.normal(0, 0.15)) / CLASSES
    down, right = np.mgrid[:SIDE, :SIDE]
    wave = np.sin((down * np.cos(angle) + right * np.sin(angle)) / 4 + random.uniform(0, 6))
    colour = 0.3 + 0.5 * np.array([label % 2, label // 2, 0.5])
    noise = random.normal(0, 0.1, (SIDE, SIDE, 3))
    pixels = 255 * (wave[..., None] * 0.3 + colour + noise).clip(0, 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return ImageInput(name=f"stripes {label}", data=buffer.getvalue())


def _sentence(label: int, random: np.random.Generator) -> str:
    words = [*random.choice(_FILLERS, random.integers(2, 12))]
    words += [*random.choice(_SUBJECTS[label], 3)]
    return " ".join(map(str, random.permutation(words)))


def _tone(label: int, random: np.random.Generator) -> Array:
    length = RATE // (1 + int(random.integers(2)))
    moment = np.arange(length) / RATE
    wave = np.sin(2 * np.pi * 300 * (label + 1 + random.normal(0, 0.1)) * moment)
    return (0.3 * wave + random.normal(0, 0.05, length)).astype(np.float32)


def features(backbone: Backbone, inputs: Sequence[Any]) -> dict[str, Array]:
    """Every tap of prepared inputs, in batches of equal cost as the engine makes them."""
    names = [tap.name for tap in backbone.taps]
    batch = backbone.encode(inputs)
    parts = [backbone.extract(part, names) for part in _batches(batch)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _batches(batch: Sequence[EncodedInput]) -> Iterator[Sequence[EncodedInput]]:
    for start in range(0, len(batch), BATCH):
        yield batch[start : start + BATCH]


def differences(expected: dict[str, Array], found: dict[str, Array]) -> dict[str, float]:
    """Largest difference of each tap over its largest value; infinite where either is no number."""
    result = {}
    for name, values in expected.items():
        scale = float(np.abs(values).max()) or 1.0
        gap = float(np.abs(values - found[name]).max()) / scale
        result[name] = gap if np.isfinite(gap) else float("inf")
    return result


def scores(found: dict[str, Array], labels: Array) -> dict[str, dict[str, float]]:
    """Estimator -> tap -> score."""
    from zoo.catalogue import Catalogue
    from zoo.host import PluginHost

    catalogue = Catalogue(PluginHost().discover())
    result: dict[str, dict[str, float]] = {}
    for name in ESTIMATORS:
        estimator: Any = catalogue.create("estimator", name)
        result[name] = {
            tap: float(estimator.score(Features(values=values, labels=labels)).value)
            for tap, values in found.items()
            if values.any()  # a layer that was never trained ranks nowhere
        }
    return result


def same_order(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether no two names change places by more than a tie."""
    for a, b in combinations(one, 2):
        gaps = one[a] - one[b], other[a] - other[b]
        tie = TIE * max(abs(one[a]), abs(one[b]), 1e-9)
        if gaps[0] * gaps[1] < 0 and min(abs(gaps[0]), abs(gaps[1])) > tie:
            return False
    return True


def measure(checkpoint: Checkpoint, modality: str, cache: str, *, random: bool) -> Row:
    """Open one checkpoint in both runtimes and compare everything."""
    from zoo_runtimes.onnx.runtime import OnnxRuntime
    from zoo_runtimes.torch_runtime import TorchRuntime

    torch_runtime, onnx_runtime = TorchRuntime(), OnnxRuntime()
    options = RuntimeOptions(cache=cache, extras={"modality": modality})
    inputs, labels = drawn(modality)
    prepared = inputs if modality == "text" else torch_runtime.prepare(checkpoint, inputs)
    original = torch_runtime.open(checkpoint, options)
    outlined = list(torch_runtime.outline(checkpoint, modality)) == list(original.taps)
    expected = features(original, prepared)
    row: dict[str, Any] = {
        "name": checkpoint.entry.ref,
        "architecture": architecture(checkpoint),
        "modality": modality,
        "random": random,
        "taps": tuple(expected),
        "outlined": outlined,
    }
    started = time.monotonic()
    try:
        graph = onnx_runtime.open(checkpoint, options)
    except ZooError as error:
        return Row(**row, reason=error.message)
    seconds = time.monotonic() - started
    found = features(graph, prepared)
    gaps = differences(expected, found)
    worst = max(gaps, key=lambda name: gaps[name])
    ours, theirs = scores(expected, labels), scores(found, labels)
    return Row(
        **row,
        relative=gaps[worst],
        worst=worst,
        agreement=_agreement(expected, found),
        ranked=all(same_order(ours[name], theirs[name]) for name in ESTIMATORS),
        attributions=_attributions(graph, prepared),
        megabytes=_graph_size(checkpoint, modality, cache),
        seconds=seconds,
    )


def architecture(checkpoint: Checkpoint) -> str:
    """The class that the configuration names."""
    config = json.loads((Path(checkpoint.folder) / "config.json").read_text(encoding="utf-8"))
    return str((config.get("architectures") or ["unknown"])[0])


def _agreement(expected: dict[str, Array], found: dict[str, Array]) -> float | None:
    if "logits" not in expected:
        return None
    first = expected["logits"].argmax(1) == found["logits"].argmax(1)
    return float(first.mean())


def _attributions(graph: Any, prepared: Sequence[Any]) -> str:
    """How a graph attributes: the first method that it answers to, and not by another."""
    tap = next(tap.name for tap in reversed(graph.taps) if tap.name != "logits")
    for method, meaning in METHODS.items():
        try:
            graph.attribute(graph.encode(prepared[:1]), [tap], method)
        except (AttributeError, NotApplicable):
            continue
        if not graph.attribution_note:
            return meaning
    return "none"


def _graph_size(checkpoint: Checkpoint, modality: str, cache: str) -> float:
    from zoo_runtimes.onnx.exporter import ensure_graph

    folder = ensure_graph(checkpoint, modality, precision="fp32", cache=cache)
    return sum(path.stat().st_size for path in folder.glob("model.onnx*")) / 1e6


def tiny(names: Sequence[str], folder: Path) -> Iterator[tuple[Checkpoint, str]]:
    """Every tiny random checkpoint, each tower by itself."""
    from zoo.testing import tiny_checkpoints as made

    kinds = {"image": made.TINY_IMAGE, "text": made.TINY_TEXT, "audio": made.TINY_AUDIO}
    listed = [(name, kind) for kind, those in kinds.items() for name in those]
    listed += [(name, kind) for name in ("clip", "siglip") for kind in ("image", "text")]
    for name, kind in [*listed, ("t5", "text")]:
        if not names or name in names:
            path = made.build_tiny_checkpoint(name, folder / name)
            yield at(path, name), kind


def real(names: Sequence[str], data: Path) -> Iterator[tuple[Checkpoint, str]]:
    """Every checkpoint of a folder that says how its inputs are prepared."""
    for path in sorted((data / "zoo").glob("*/config.json")):
        reads = (path.parent / "tokenizer.json").is_file()
        sees = (path.parent / "preprocessor_config.json").is_file()
        if (reads or sees) and (not names or path.parent.name in names):
            yield at(path.parent, path.parent.name), "text" if reads else "image"


def at(folder: Path, name: str) -> Checkpoint:
    """A checkpoint in a folder, told apart from others by its name alone."""
    return Checkpoint(entry=ModelEntry(ref=name), folder=str(folder), digest=name)


def _write(rows: Sequence[Row], path: Path) -> None:
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    merged = {(row["name"], row["modality"]): row for row in kept}
    merged |= {(row.name, row.modality): asdict(row) for row in rows}
    path.write_text(json.dumps(list(merged.values()), indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure what is named and put the rows where the documentation reads them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--data", type=Path, help="folder with real checkpoints in DIR/zoo")
    parser.add_argument("--output", type=Path, default=ROWS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cases = [(*case, True) for case in tiny(arguments.names, folder)]
        if arguments.data:
            cases += [(*case, False) for case in real(arguments.names, arguments.data)]
        for checkpoint, modality, random in cases:
            row = measure(checkpoint, modality, str(folder / "graphs"), random=random)
            _write([row], arguments.output)
            print(json.dumps(asdict(row)), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
