"""A runtime of a few lines of numpy that opens, outlines and exports, for tests of the core.

Its network is one matrix on the mean colour of an image, or on the lengths of a text.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np

from zoo import hookimpl
from zoo.errors import CheckpointError, InputError
from zoo.types import EncodedInput, ExportReport, Head, RuntimeSpec, Tap, TapParity

TARGET = "pocket_runtime:Pocket"
FEATURES = 3


@hookimpl
def zoo_runtimes():
    return [
        RuntimeSpec(
            name="pocket",
            target=TARGET,
            summary="numpy",
            libraries=("transformers", "pocket"),
        )
    ]


class Pocket:
    #: What the last pass was given, and what was done.
    batches: ClassVar[list[int]] = []
    opened: ClassVar[list[str]] = []

    def identity(self):
        return "pocket=1"

    def input_key(self, checkpoint, modality):
        return modality

    def prepare(self, checkpoint, inputs):
        return [_mean_colour(each) for each in inputs]

    def open(self, checkpoint, options):
        self.opened.append(checkpoint.folder)
        return Backbone(checkpoint)

    def outline(self, checkpoint, modality=None):
        return _taps(_head(checkpoint))

    def export(self, checkpoint, folder, request):
        head = _head(checkpoint)
        names = [tap.name for tap in _taps(head)]
        for name in request.taps:
            if name not in names:
                raise InputError(f"no tap called {name!r}.")
        if checkpoint.entry.architecture == "Crashing":
            raise ZeroDivisionError("no reason")
        graph = io.BytesIO()
        np.savez(graph, weights=_weights(head))
        (folder / "graph.npz").write_bytes(graph.getvalue())
        if checkpoint.entry.architecture == "Interrupted":
            raise KeyboardInterrupt
        difference = 1e-6
        if request.tolerance is not None and difference > request.tolerance:
            raise CheckpointError(f"the export differs by {difference}.")
        files = {"graph.npz": hashlib.sha256(graph.getvalue()).hexdigest()}
        manifest = {
            "entry": msgspec.to_builtins(checkpoint.entry),
            "format": "pocket",
            "precision": request.precision,
            "modality": checkpoint.entry.modality,
            "files": files,
            "head": msgspec.to_builtins(head),
        }
        if checkpoint.entry.architecture != "Forgetful":
            (folder / "zoo_export.json").write_text(json.dumps(manifest))
        return ExportReport(
            model=checkpoint.model,
            folder=str(folder),
            format="pocket",
            precision=request.precision,
            opset=0,
            taps=tuple(
                TapParity(tap=name, dimension=3, difference=difference, relative=difference)
                for name in names
                if name in (*request.taps, "logits") or not request.taps
            ),
            samples=len(request.inputs) or 4,
            tolerance=request.tolerance or 1e-4,
            agreement=0.95 if request.precision == "int8" else 1.0,
            bytes=len(graph.getvalue()),
            files=files,
            notes=(f"{len(request.inputs)} inputs of yours.",) if request.inputs else (),
            warnings=("int8 changes 5 %.",) if request.precision == "int8" else (),
        )


class Backbone:
    budget = 64
    default_tap = "head_input"

    def __init__(self, checkpoint):
        self.head = _head(checkpoint)
        folder = Path(checkpoint.folder)
        if (folder / "graph.npz").exists():
            self.weights = np.load(folder / "graph.npz")["weights"]
        else:
            self.weights = _weights(self.head)
        self.taps = _taps(self.head)

    def encode(self, inputs):
        return [EncodedInput(cost=8, data=_vector(each)) for each in inputs]

    def extract(self, batch, taps):
        Pocket.batches.append(len(batch))
        features = np.stack([each.data for each in batch])
        outputs = {"head_input": features}
        if self.head:
            outputs["logits"] = features @ self.weights
        return {name: outputs[name].astype(np.float32) for name in taps}

    def close(self):
        pass


def _taps(head):
    taps = [Tap(name="head_input", dimension=FEATURES, shape=(None, FEATURES))]
    return [*taps, Tap(name="logits", dimension=len(head.labels))] if head else taps


def _head(checkpoint):
    folder = Path(checkpoint.folder)
    exported = folder / "zoo_export.json"
    if exported.exists():
        found = json.loads(exported.read_text())["head"]
        return msgspec.convert(found, Head) if found else None
    config = json.loads((folder / "config.json").read_text())
    names = config.get("id2label")
    kind = config.get("kind", "classification")
    return Head(labels=tuple(names.values()), kind=kind) if names else None


def _weights(head):
    return np.eye(FEATURES, len(head.labels) if head else 1) * 4


def _vector(value):
    if isinstance(value, str):
        value = [value.count("r"), value.count("g"), value.count("b")]
    elif isinstance(value, tuple):
        value = [len(each) for each in value] + [0]
    return np.asarray(value, dtype=float)


def _mean_colour(image):
    from PIL import Image

    try:
        source = image.path if image.data is None else io.BytesIO(image.data)
        with Image.open(source) as opened:
            pixels = np.asarray(opened.convert("RGB"), dtype=float)
    except OSError as error:
        raise InputError(f"cannot read the image {image.name}.", "Replace it.") from error
    if pixels[0, 0].tolist() == [1, 2, 3]:
        return np.full(3, np.nan)
    return pixels.mean(axis=(0, 1)) / 255
