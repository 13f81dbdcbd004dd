"""The engine with real checkpoints, tiny and random, and the torch runtime."""

from __future__ import annotations

import io
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from zoo.engine import EstimatorJob, LocalEngine, ModelTask
from zoo.settings import Settings
from zoo.store import Store
from zoo.types import (
    Checkpoint,
    EstimatorSpec,
    ImageInput,
    ModelEntry,
    Probe,
    RuntimeSpec,
)

TORCH = RuntimeSpec(name="torch", target="zoo_runtimes.torch_runtime:TorchRuntime", summary="")
LOGME = EstimatorSpec(name="logme", target="zoo_transferability.logme:LogME", summary="")
IMAGE = ("resnet", "convnext", "vit")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

    folder = tmp_path_factory.mktemp("tiny")
    built = {name: build_tiny_checkpoint(name, folder / name) for name in (*IMAGE, "bert")}
    built["cut"] = folder / "cut"
    shutil.copytree(built["vit"], built["cut"])
    weights = built["cut"] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return built


@pytest.fixture(scope="module")
def images():
    from PIL import Image

    random = np.random.default_rng(0)
    inputs = []
    for index in range(36):
        picture = random.integers(0, 120, (48, 64, 3), dtype=np.uint8)
        picture[..., index % 3] += 100
        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="PNG")
        inputs.append(ImageInput(name=f"{index}", data=file.getvalue()))
    return probe_of("image", inputs, np.arange(36) % 3)


@pytest.fixture(scope="module")
def texts():
    inputs = [("good " if index % 2 else "bad ") * (1 + index % 7) for index in range(30)]
    return probe_of("text", inputs, np.arange(30) % 2)


def probe_of(modality, inputs, labels):
    return Probe(
        name="drawn",
        source="drawn",
        task="classification",
        modality=modality,
        inputs=inputs,
        labels=labels.astype(np.int64),
        label_names=tuple("abc"[: labels.max() + 1]),
        fingerprint=f"drawn {modality}",
    )


def task_of(folder, modality="image", layers="all"):
    entry = ModelEntry(ref=f"./{folder.name}", modality=modality, library="transformers")
    checkpoint = Checkpoint(entry=entry, folder=str(folder), digest=folder.name)
    jobs = (EstimatorJob(spec=LOGME),)
    return ModelTask(
        checkpoint=checkpoint,
        runtime=TORCH,
        estimators=jobs,
        layers=layers,
        permutations=3,
        folds=3,
    )


def run(home, probe, tasks, jobs=1):
    with LocalEngine(Settings(home=str(home), device="cpu", jobs=jobs), probe) as engine:
        return [future.result(timeout=200) for future in [engine.submit(task) for task in tasks]]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def measured(home, checkpoints, images):
    return run(home, images, [task_of(checkpoints[name]) for name in (*IMAGE, "cut")])


def test_every_layer_of_real_networks_is_scored(measured):
    for result in measured[:-1]:
        assert result.failures == ()
        assert result.default_layer in {tap.name for tap in result.layers}
        assert [record.layer for record in result.records] == [tap.name for tap in result.layers]
        assert all(record.value is not None for record in result.records)
        assert result.forward_seconds > 0
        assert result.load_seconds > 0


def test_images_are_prepared_once_for_equal_processors(measured, home):
    shards = list(home.glob("inputs/??/*.safetensors"))
    assert 2 <= len(shards) <= 2 * len(IMAGE)


def test_a_warm_run_loads_no_framework_and_starts_no_process(measured, home, checkpoints):
    code = """
import sys, pickle
home, probe, tasks = pickle.load(sys.stdin.buffer)
from zoo.engine import LocalEngine
from zoo.settings import Settings
with LocalEngine(Settings(home=home, device="cpu"), probe) as engine:
    results = [engine.submit(task).result() for task in tasks]
assert all(result.from_store and result.records for result in results)
heavy = ("torch", "transformers", "pebble", "scipy", "sklearn", "huggingface_hub", "PIL")
print([name for name in heavy if name in sys.modules])
"""
    content = pickle.dumps((str(home), _without_images(), [task_of(checkpoints[n]) for n in IMAGE]))
    process = subprocess.run(
        [sys.executable, "-c", code], input=content, capture_output=True, check=False
    )
    assert process.stderr.decode() == ""
    assert process.stdout.decode() == "[]\n"


def test_features_are_the_same_bit_for_bit(measured, home, checkpoints, images, tmp_path):
    run(tmp_path, images, [task_of(checkpoints["vit"], layers="last")])
    (path,) = tmp_path.glob("features/??/*.safetensors")
    fresh = Store(tmp_path).read("features", path.stem)
    known = Store(home).read("features", path.stem)
    for name, tensor in known.tensors.items():
        assert tensor.tobytes() == fresh.tensors[name].tobytes()


def test_texts_of_all_lengths_are_measured(checkpoints, texts, tmp_path):
    (result,) = run(tmp_path, texts, [task_of(checkpoints["bert"], "text")])
    assert result.failures == ()
    assert all(record.value is not None for record in result.records)


def test_truncated_weights_are_a_failure_with_a_hint(measured):
    (failure,) = measured[-1].failures
    assert (failure.model, failure.stage) == ("./cut", "load")
    assert failure.hint


def test_an_image_that_cannot_be_read_is_named(checkpoints, images, tmp_path):
    inputs = [*images.inputs[:-1], ImageInput(name="broken.png", data=b"no image")]
    broken = replace(images, inputs=inputs, fingerprint="broken")
    (result,) = run(tmp_path, broken, [task_of(checkpoints["vit"])])
    (failure,) = result.failures
    assert "broken.png" in failure.error


def _without_images():
    """Give the probe that was measured, without its images: a warm run does not read them."""
    return replace(probe_of("image", [None] * 36, np.arange(36) % 3), fingerprint="drawn image")
