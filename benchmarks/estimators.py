"""CPU time and memory of the feature estimators, beside the floor of their shared algebra.

    OMP_NUM_THREADS=1 python benchmarks/estimators.py [--peer peer/bin/python]
    OMP_NUM_THREADS=1 python benchmarks/estimators.py --sweep

The floor is what any of them needs: one Gram matrix, its eigendecomposition and a Cholesky
factorisation, of float64 features in one call each. SFDA by definition needs a second Gram matrix
and every class's logits for every sample, twice, and TransRate a Gram matrix and its determinant
for every class: further ratios count those products as floor too. Every figure is the best of the
repetitions, in seconds of this process at one BLAS thread.

``--peer`` times LogME and the regularised H-score of transformer-ranker 0.2.0, installed in an
environment of its own, on the same arrays at the same number of threads.

``--sweep`` scores 30 layers with every estimator there is, null and jack-knife included, and prints
that beside the forward passes that make such features. Its total is CPU time; the figure of each
estimator is wall time, which other work on the machine lengthens.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from scipy.linalg import cholesky, eigh
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf

from zoo.api import open_catalogue
from zoo.catalogue import build
from zoo.errors import ZooError
from zoo.scoring import score_layer
from zoo.settings import Settings
from zoo.sweeps import BLOCK
from zoo.types import Features

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.types import EstimatorSpec

SHAPES = ((5000, 512, 10), (5000, 2048, 100), (20000, 768, 37), (50000, 1024, 1000))
SIX = ("logme", "hscore", "reg_hscore", "transrate", "sfda", "emms")
#: Width and number of the label embeddings that EMMS reads.
EMBEDDING, ENCODERS = 1024, 3
SWEEP_SAMPLES, SWEEP_WIDTH, SWEEP_CLASSES, SWEEP_LAYERS = 2000, 768, 10, 30


def features_like(samples: int, width: int, classes: int, seed: int = 0) -> Features:
    """Make rectified features with a little of every class in them, as float32."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    labels[:classes] = np.arange(classes)
    values = generator.standard_normal((samples, width), dtype=np.float32)
    centres = generator.standard_normal((classes, width), dtype=np.float32)
    for rows in np.array_split(np.arange(samples), 50):
        values[rows] = np.maximum(values[rows] + 0.3 * centres[labels[rows]], 0)
    table = generator.standard_normal((classes, EMBEDDING, ENCODERS))
    return Features(values=values, labels=labels, extras={"class_embeddings": table})


def fresh(features: Features) -> Features:
    """Forget what was computed."""
    return Features(values=features.values, labels=features.labels, extras=features.extras)


def seconds(work: Callable[[], Any], repeat: int) -> float:
    """Best CPU time of some repetitions."""
    times = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def floors(features: Features, repeat: int) -> dict[str, float]:
    """Time the matrix products and factorisations alone."""
    samples, width = features.values.shape
    classes = int(features.labels.max()) + 1
    values = features.values.astype(np.float64)
    values -= values.mean(axis=0)
    gram = dsyrk(1.0, values.T, lower=1)
    gram.flat[:: width + 1] += 1e-6 * np.trace(gram) / width
    head = np.zeros((width, classes))
    order = np.argsort(features.labels, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(features.labels))[:-1])
    groups = [np.asfortranarray(values[each].T) for each in members]

    def code_classes() -> None:
        for each in groups:
            tall = each.shape[1] <= width
            lower = dsyrk(1.0, each, trans=int(tall), lower=1)
            lower.flat[:: len(lower) + 1] += 1.0
            dpotrf(lower, lower=1, overwrite_a=1)

    return {
        "gram": seconds(lambda: dsyrk(1.0, values.T, lower=1), repeat),
        "eigh": seconds(lambda: eigh(gram, driver="evd", check_finite=False), repeat),
        "cholesky": seconds(lambda: cholesky(gram, lower=True, check_finite=False), repeat),
        "classes": seconds(code_classes, repeat),
        "logits": seconds(
            lambda: [values[at : at + 512] @ head for at in range(0, samples, 512)], repeat
        ),
    }


def estimators(names: tuple[str, ...]) -> dict[str, Any]:
    """Build the estimators that can be built, and say which cannot."""
    catalogue, built = open_catalogue(Settings()), {}
    for name in names:
        try:
            built[name] = build(catalogue.spec("estimator", name))
        except ZooError as error:
            print(f"  without {name}: {error.message}")
    return built


def peak_megabytes(work: Callable[[], Any]) -> float:
    """Most memory that was allocated at a time beyond what was there before."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def peer_seconds(peer: str, features: Features, repeat: int) -> dict[str, dict[str, float]]:
    """Run the peer's LogME and H-score over the same arrays, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", features.values)
        np.save(Path(folder) / "y.npy", features.labels)
        script = Path(__file__).parent / "peer_estimators.py"
        done = subprocess.run(
            [peer, str(script), folder, str(repeat)], check=True, capture_output=True, text=True
        )
    result: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return result


def table(shape: tuple[int, int, int], peer: str, repeat: int) -> None:
    """Print one shape's figures."""
    samples, width, classes = shape
    features = features_like(*shape)
    print(f"\nN={samples} D={width} C={classes}")
    built = estimators(SIX)
    floor = floors(features, repeat)
    shared = floor["gram"] + floor["eigh"] + floor["cholesky"]
    own = shared + floor["gram"] + floor["cholesky"] + 2 * floor["logits"]
    both = own + floor["classes"]
    parts = ", ".join(f"{name} {value:.3f}" for name, value in floor.items())
    print(
        f"  floor {shared:.3f} s  ({parts}); "
        f"with SFDA's own products {own:.3f} s, and TransRate's {both:.3f} s"
    )
    for name, estimator in built.items():
        time_alone = seconds(lambda each=estimator: each.score(fresh(features)), repeat)
        memory = peak_megabytes(lambda each=estimator: each.score(fresh(features)))
        print(f"  {name:12} alone {time_alone:7.3f} s  peak {memory:6.0f} MB")

    def together() -> None:
        same = fresh(features)
        for estimator in built.values():
            estimator.score(same)

    used, memory = seconds(together, repeat), peak_megabytes(together)
    without = {name: each for name, each in built.items() if name != "sfda"}

    def rest() -> None:
        same = fresh(features)
        for estimator in without.values():
            estimator.score(same)

    five = seconds(rest, repeat)
    bound = 8 * (
        6 * width**2 + 4 * classes * width + 4 * BLOCK + 3 * classes * EMBEDDING * ENCODERS
    )
    print(
        f"  {len(built)} together {used:.3f} s = {used / shared:.2f} x floor, "
        f"{used / own:.2f} x with SFDA's products, {used / both:.2f} x with TransRate's too; "
        f"without SFDA {five / shared:.2f} x floor"
    )
    print(
        f"  peak {memory:.0f} MB; 6 D^2 + 4 C D + 4 blocks + label tables is {bound / 1e6:.0f} MB, "
        f"one float64 copy of the features {8e-6 * samples * width:.0f} MB"
    )
    if peer:
        for name, theirs in peer_seconds(peer, features, 1).items():
            ours = seconds(lambda each=name: built[each].score(fresh(features)), repeat)
            ratio = theirs["seconds"] / ours
            print(f"  transformer-ranker {name:11} {theirs['seconds']:8.3f} s  x{ratio:.1f} ours")


def forward_seconds(images: int) -> float:
    """Seconds of CPU for 2000 forward passes of a 30-layer transformer of width 768, scaled up."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.set_num_threads(1)
    config = ViTConfig(num_hidden_layers=SWEEP_LAYERS, hidden_size=SWEEP_WIDTH)
    model = ViTModel(config, add_pooling_layer=False).eval()
    batch = torch.rand(8, 3, 224, 224)
    with torch.inference_mode():
        model(batch)
        started = time.process_time()
        for _ in range(images // len(batch)):
            model(batch, output_hidden_states=True)
        used = time.process_time() - started
    return used * SWEEP_SAMPLES / (images // len(batch) * len(batch))


def sweep_pairs() -> list[tuple[EstimatorSpec, Any]]:
    """Every estimator that reads features; those that cannot be built are named."""
    pairs = []
    for name, spec in open_catalogue(Settings()).specs("estimator").items():
        if not spec.reads_features:
            continue
        try:
            pairs.append((spec, build(spec)))
        except ZooError as error:
            print(f"  without {name}: {error.message}")
    return pairs


def sweep(layers: int, images: int) -> None:
    """Score layers with everything, and print that beside the forward passes."""
    shape = (SWEEP_SAMPLES, SWEEP_WIDTH, SWEEP_CLASSES)
    pairs = sweep_pairs()
    seconds_of: dict[str, float] = {}
    dashes: dict[str, str] = {}
    started = time.process_time()
    for layer in range(layers):
        features = features_like(*shape, seed=layer)
        generator = np.random.default_rng(layer)
        maps = np.full((SWEEP_SAMPLES, 1024), np.nan, dtype=np.float32)
        maps[:: SWEEP_SAMPLES // 100] = generator.random((100, 1024), dtype=np.float32)
        extras = features.extras | {"attributions": maps}
        logits = generator.standard_normal((SWEEP_SAMPLES, 1000), dtype=np.float32)
        reference = features_like(*shape, seed=1000)
        reference.extras["attributions"] = extras["attributions"]
        features = Features(
            values=features.values,
            labels=features.labels,
            logits=logits,
            reference=reference,
            extras=extras,
            layer=str(layer),
        )
        records, failures = score_layer(features, pairs)
        for record in records:
            seconds_of[record.estimator] = seconds_of.get(record.estimator, 0.0) + record.seconds
            if record.not_applicable or "no null" in record.note:
                dashes[record.estimator] = record.not_applicable or record.note
        for failure in failures:
            dashes[failure.stage] = failure.error
    used = time.process_time() - started
    scale = SWEEP_LAYERS / layers
    for name, value in sorted(seconds_of.items(), key=lambda item: -item[1]):
        print(f"  {name:14} {value * scale:8.1f} s  {dashes.get(name, '')}")
    for name, why in dashes.items():
        if name not in seconds_of:
            print(f"  {name}: {why}")
    forward = forward_seconds(images)
    print(
        f"{layers} layers measured, scaled to {SWEEP_LAYERS}; {len(seconds_of)} estimators, "
        f"50 shuffles, 10 folds, {shape}: {used * scale:.1f} s of CPU;\n"
        f"forward passes of {SWEEP_SAMPLES} images ({images} measured, scaled): {forward:.0f} s; "
        f"share {used * scale / forward:.1%}"
    )


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default="", help="python with transformer-ranker 0.2.0")
    parser.add_argument("--shape", type=int, nargs=3, action="append", metavar=("N", "D", "C"))
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--layers", type=int, default=SWEEP_LAYERS, help="of the sweep")
    parser.add_argument("--images", type=int, default=24, help="forward passes that are measured")
    arguments = parser.parse_args()
    threads, version = os.environ["OMP_NUM_THREADS"], sys.version.split()[0]
    print(f"load {os.getloadavg()[0]:.1f}, {threads} thread, Python {version}")
    if arguments.sweep:
        sweep(arguments.layers, arguments.images)
        return
    for shape in arguments.shape or SHAPES:
        table(tuple(shape), arguments.peer, arguments.repeat)


if __name__ == "__main__":
    main()
