"""Where the time of a cold run goes, beside the floor of bare forward passes.

    python benchmarks/engine.py                                  # random weights, drawn images
    python benchmarks/engine.py --registry registry.json --data DIR_OF_IMAGES

The engine measures every model cold, in a store of its own. Then as many processes run the same
models, prepared inputs and batches again, each batch twice: once as the engine does and once with
nothing but the forward pass, no hook, no pooling, no copy. That side by side gives the floor.
At the end, ``zoo recommend`` runs as a whole process, cold and warm. On a busy machine the shares
of waiting grow: look at the load that is printed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import open_catalogue
from zoo.engine import EstimatorJob, LocalEngine, ModelTask
from zoo.engine.batches import run_in_batches
from zoo.engine.inputs import shards, unpack
from zoo.engine.keys import labels_digest, shard_key
from zoo.engine.process import worker_environment
from zoo.plan import source_of
from zoo.probes import load
from zoo.registry import load_registry
from zoo.settings import Settings
from zoo.sources import open_sources
from zoo.store import Store
from zoo.types import ProbeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.engine import ModelResult
    from zoo.types import Probe

FORWARD_SHARE = 0.85
WARM_RATIO = 20.0
WARM_REPEATS = 3

#: Families and sizes of well-known checkpoints, 224 pixels.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": ("ResNet", {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]}),
    "resnet26": ("ResNet", {"layer_type": "bottleneck"}),
    "vit_tiny": ("ViT", {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}),
    "deit_small": ("DeiT", {"hidden_size": 384, "num_attention_heads": 6}),
    "convnext_atto": ("ConvNext", {"hidden_sizes": [40, 80, 160, 320], "depths": [2, 2, 6, 2]}),
    "mobilenet_v2": ("MobileNetV2", {}),
}
_DEPTHS = {"resnet18": [2, 2, 2, 2], "resnet26": [2, 2, 2, 2]}
_PROCESSORS = {"ResNet": "ConvNext", "DeiT": "DeiT", "ViT": "ViT"}


def build_models(folder: Path) -> list[Path]:
    """Write checkpoints of realistic size with random weights."""
    import transformers

    transformers.utils.logging.disable_progress_bar()

    built = []
    for name, (prefix, settings) in MODELS.items():
        options = {**settings, **({"depths": _DEPTHS[name]} if name in _DEPTHS else {})}
        if prefix == "DeiT":
            options["intermediate_size"] = 1536
        config = getattr(transformers, f"{prefix}Config")(num_labels=1000, **options)
        network = getattr(transformers, f"{prefix}ForImageClassification")(config)
        network.eval().save_pretrained(folder / name)
        family = _PROCESSORS.get(prefix, prefix)
        processor = getattr(transformers, f"{family}ImageProcessorPil", None)
        processor = processor or getattr(transformers, f"{family}ImageProcessor")
        processor().save_pretrained(folder / name)
        built.append(folder / name)
    return built


def draw_images(folder: Path, count: int) -> Path:
    """Write photographs-to-be: 500 x 375 JPEG files of four classes of noise and shapes."""
    import numpy as np
    from PIL import Image, ImageDraw

    random = np.random.default_rng(0)
    for index in range(count):
        noise = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((500, 375), Image.Resampling.BICUBIC)
        x, y, size = random.integers(40, 200, 3).tolist()
        draw = ImageDraw.Draw(picture)
        kind = index % 4
        shape = draw.ellipse if kind % 2 else draw.rectangle
        shape([x, y, x + size, y + size], fill=(255, 255, 255) if kind < 2 else (0, 0, 0))
        target = folder / f"class{kind}" / f"{index}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target, quality=90)
    return folder


def write_registry(models: Sequence[Path], folder: Path) -> Path:
    """Name the models in a registry file."""
    path = folder / "registry.json"
    entries = [{"ref": str(model.absolute())} for model in models]
    path.write_text(json.dumps({"schema_version": 1, "models": entries}))
    return path


def make_tasks(registry: Path, probe: Probe, settings: Settings) -> list[ModelTask]:
    """One task a model that reads what the probe holds, with the default estimators."""
    catalogue = open_catalogue(settings)
    sources = open_sources(catalogue, settings)
    specs = catalogue.specs("estimator").values()
    wanted = [each for each in specs if each.default and not each.data_free]
    jobs = tuple(EstimatorJob(spec=each) for each in wanted if probe.task in each.tasks)
    tasks = []
    for candidate in load_registry(registry).candidates():
        checkpoint = source_of(candidate, sources).fetch(candidate)
        if checkpoint.entry.modality in {None, probe.modality}:
            runtime = catalogue.spec("runtime", "torch")
            tasks.append(ModelTask(checkpoint=checkpoint, runtime=runtime, estimators=jobs))
    return tasks


def measure(
    settings: Settings, probe: Probe, tasks: Sequence[ModelTask]
) -> tuple[list[ModelResult], dict[str, float], int, float]:
    """Run the engine cold; results, busy seconds by kind of job, workers, wall seconds."""
    started = time.perf_counter()
    with LocalEngine(settings, probe) as engine:
        futures = [engine.submit(task) for task in tasks]
        results = [future.result() for future in futures]
    wall = time.perf_counter() - started
    return results, dict(engine.workers.busy), engine.workers.limit, wall


def compare_forward(
    settings: Settings, task: ModelTask, inputs: Sequence[Any]
) -> tuple[float, float]:
    """Seconds of all batches as the engine runs them, and through the bare network."""
    import torch

    from zoo.types import RuntimeOptions
    from zoo_runtimes.torch_runtime import TorchRuntime

    prepared = inputs
    if isinstance(inputs, tuple):  # keys of prepared inputs
        prepared = []
        for key in inputs:
            stored = Store(settings.folder).read("inputs", key)
            assert stored is not None
            prepared += unpack(stored.tensors)
    options = RuntimeOptions(threads=settings.threads)
    backbone: Any = TorchRuntime().open(task.checkpoint, options)
    encoded = backbone.encode(prepared)
    taps = [tap.name for tap in backbone.taps]
    tapped = bare = 0.0

    def forward(batch: Sequence[int]) -> None:
        nonlocal tapped, bare
        chosen = [encoded[index] for index in batch]
        started = time.perf_counter()
        backbone.extract(chosen, taps)
        tapped += time.perf_counter() - started
        for _, tensors in backbone._feed.batches(chosen):  # noqa: SLF001
            started = time.perf_counter()
            with torch.inference_mode():
                backbone._network.module(**tensors)  # noqa: SLF001
            bare += time.perf_counter() - started

    run_in_batches([each.cost for each in encoded], backbone.budget, forward)
    return tapped, bare


def measure_floor(
    settings: Settings, probe: Probe, tasks: Sequence[ModelTask], workers: int
) -> list[float]:
    """Share of bare forward passes in the engine's, model by model."""
    from zoo_runtimes.torch_runtime import TorchRuntime

    runtime = TorchRuntime()
    os.environ.update(worker_environment(settings.threads))
    labels, package = labels_digest(probe), TorchRuntime.__module__.partition(".")[0]
    inputs: list[Any] = []
    for task in tasks:
        key = runtime.input_key(task.checkpoint, probe.modality)
        name = partial(shard_key, package, key, probe.fingerprint, labels)
        parts = tuple(name(rows) for rows in shards(probe.samples))
        inputs.append(parts if probe.modality == "image" else list(probe.inputs))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        order = sorted(range(len(tasks)), key=lambda i: -(tasks[i].checkpoint.entry.bytes or 0))
        futures = {i: pool.submit(compare_forward, settings, tasks[i], inputs[i]) for i in order}
        pairs = [futures[index].result() for index in range(len(tasks))]
    return [bare / tapped for tapped, bare in pairs]


def prepared_seconds(settings: Settings) -> float:
    """Seconds of decoding and resizing, every shard once."""
    store = Store(settings.folder)
    keys = [path.stem for path in settings.folder.glob("inputs/??/*.safetensors")]
    stored = [store.read("inputs", key, names=()) for key in keys]
    return sum(float(each.metadata["seconds"]) for each in stored if each is not None)


def report(
    settings: Settings,
    probe: Probe,
    results: Sequence[ModelResult],
    shares: Sequence[float],
    busy: dict[str, float],
    workers: int,
    wall: float,
) -> bool:
    """Print models and shares; whether the forward passes have their share."""
    print(f"{'model':<36}{'forward s':>10}{'items/s':>9}{'floor':>8}{'ratio':>7}")
    for result, share in zip(results, shares, strict=True):
        rate = probe.samples / result.forward_seconds
        print(f"{Path(result.model).name:<36}{result.forward_seconds:>10.2f}{rate:>9.1f}", end="")
        print(f"{rate / share:>8.1f}{share:>7.2f}")
    forward = sum(each.forward_seconds for each in results)
    floor = sum(each.forward_seconds * share for each, share in zip(results, shares, strict=True))
    load_seconds = sum(each.load_seconds for each in results)
    prepare, total = prepared_seconds(settings), workers * wall
    parts = {
        "bare forward passes": floor,
        "pooling, batches, copies": forward - floor,
        "decode and prepare": prepare,
        "load (framework imports too)": load_seconds,
        "score": busy.get("score_features", 0.0),
        "store, encode, start of workers": busy.get("extract_features", 0.0)
        + busy.get("prepare_shard", 0.0)
        - forward
        - load_seconds
        - prepare,
        "idle": total - sum(busy.values()),
    }
    print(f"\n{workers} workers x {wall:.1f} s = {total:.1f} s")
    for name, seconds in parts.items():
        print(f"  {name:<34}{seconds:>9.2f} s {seconds / total:>7.1%}")
    print(f"  {'all forward passes':<34}{forward:>9.2f} s {forward / total:>7.1%}")
    print(
        f"  {'of the time that workers had work':<34}{'':>11} {forward / sum(busy.values()):>7.1%}"
    )
    return forward / sum(busy.values()) >= FORWARD_SHARE


def whole_command(registry: Path, data: str, samples: int, jobs: int, home: Path) -> bool:
    """Time ``zoo recommend`` as a process, cold and warm; whether warm is fast enough."""
    zoo = Path(sys.executable).with_name("zoo")
    command = [str(zoo), "recommend", data, "--registry", str(registry), "--json", "--offline"]
    command += ["--probe-size", str(samples)]
    environment = {**os.environ, "ZOO_HOME": str(home), "ZOO_JOBS": str(jobs)}
    seconds = []
    for _ in range(1 + WARM_REPEATS):
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        seconds.append(time.perf_counter() - started)
        if done.returncode not in {0, 3}:
            print(f"zoo recommend ended with {done.returncode}: {done.stderr.decode()[-300:]}")
            return False
    cold, warm = seconds[0], statistics.median(seconds[1:])
    print(f"\nzoo recommend: cold {cold:.1f} s, warm {warm:.2f} s, ratio {cold / warm:.0f}")
    return cold / warm >= WARM_RATIO


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--registry", type=Path, help="registry file of the models")
    parser.add_argument("--models", type=Path, nargs="+", help="folders, instead of a registry")
    parser.add_argument("--data", help="images or texts; drawn when absent")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=0, help="worker processes; 0: one a core")
    parser.add_argument("--no-command", action="store_true", help="skip zoo recommend")
    return parser.parse_args()


def main() -> int:
    """Measure, print, and fail below the promised shares."""
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="zoo-engine-") as temporary:
        folder = Path(temporary)
        data = arguments.data or str(draw_images(folder / "images", arguments.samples))
        registry = arguments.registry
        if registry is None:
            models = arguments.models or build_models(folder / "models")
            registry = write_registry(models, folder)
        settings = Settings(home=str(folder / "home"), device="cpu", jobs=arguments.jobs)
        catalogue = open_catalogue(settings)
        probe = load(data, ProbeOptions(samples=arguments.samples), catalogue)
        tasks = make_tasks(registry, probe, settings)
        load_average = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        print(
            f"{len(tasks)} models, {probe.samples} {probe.modality} samples of {probe.name}, ",
            end="",
        )
        print(f"load before the start {load_average:.1f}\n")
        results, busy, workers, wall = measure(settings, probe, tasks)
        for failure in (each for result in results for each in result.failures):
            print(f"failed: {failure}")
        pairs = [(t, r) for t, r in zip(tasks, results, strict=True) if r.forward_seconds]
        floor = measure_floor(settings, probe, [task for task, _ in pairs], workers)
        good = report(settings, probe, [r for _, r in pairs], floor, busy, workers, wall)
        if not arguments.no_command:
            home = folder / "process"
            good &= whole_command(registry, data, arguments.samples, arguments.jobs, home)
        return int(not good)


if __name__ == "__main__":
    sys.exit(main())
