"""PyTorch and ONNX Runtime on one real checkpoint, tiny and random."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from zoo.catalogue import build
from zoo.engine import LocalEngine, ModelTask, contest, extract, worker
from zoo.engine.batches import Batches
from zoo.engine.choices import Choice, Entrants, keep_choice, read_choice
from zoo.engine.contest import Contest, Rival
from zoo.engine.jobs import ExtractJob, ShardJob
from zoo.engine.preparation import Wanted
from zoo.store import Store
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types import Checkpoint, ImageInput, ModelEntry, Probe, RuntimeSpec

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

TORCH = RuntimeSpec(name="torch", target="zoo_runtimes.torch_runtime:TorchRuntime", summary="")
ONNX = RuntimeSpec(name="onnx", target="zoo_runtimes.onnx.runtime:OnnxRuntime", summary="")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = build_tiny_checkpoint("resnet", tmp_path_factory.mktemp("tiny") / "resnet")
    entry = ModelEntry(ref="./resnet", modality="image", library="transformers")
    return Checkpoint(entry=entry, folder=str(folder), digest="resnet")


@pytest.fixture(scope="module")
def probe():
    from PIL import Image

    random = np.random.default_rng(0)
    inputs = []
    for index in range(48):
        file = io.BytesIO()
        picture = random.integers(0, 255, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(picture).save(file, format="PNG")
        inputs.append(ImageInput(name=f"{index}", data=file.getvalue()))
    return Probe(
        name="drawn",
        source="drawn",
        task="classification",
        modality="image",
        inputs=inputs,
        labels=np.arange(48) % 3,
        label_names=("a", "b", "c"),
        fingerprint="drawn",
    )


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(autouse=True)
def _one_export_for_all(settings, graphs):
    settings.folder.mkdir(parents=True)
    (settings.folder / "graphs").symlink_to(graphs)


def small_batches(size, costs, budget):
    del budget
    return Batches(costs, size * max(costs))


def features(store, key):
    return {name: np.array(each) for name, each in store.read("features", key).tensors.items()}


def test_they_agree_and_the_winner_s_features_are_kept(checkpoint, probe, settings, monkeypatch):
    monkeypatch.setattr(contest, "_FEWEST", 1.0)
    monkeypatch.setattr(contest, "_WORTH", float("inf"))
    monkeypatch.setattr(extract, "Batches", partial(small_batches, 4))
    store = Store(settings.folder)
    shard = ShardJob(
        store=store.folder,
        key="shard",
        checkpoint=checkpoint,
        runtime=ONNX,
        inputs=tuple(probe.inputs),
    )
    assert worker.prepare_shard(shard).failure is None
    job = ExtractJob(
        store=store.folder,
        key="torch",
        checkpoint=checkpoint,
        runtime=TORCH,
        modality="image",
        shards=("shard",),
        texts=(),
        threads=1,
        prepare_seconds=0.0,
        contest=Contest(rivals=(Rival(runtime=ONNX, key="onnx"),), memory="memory", least=0.0),
    )
    done = worker.extract_features(job)
    assert done.failure is None
    choice = read_choice(store, "memory")
    assert (set(choice.rates), choice.out) == ({"torch", "onnx"}, {})
    assert done.runtime == choice.runtime
    other = {"torch": ONNX, "onnx": TORCH}[done.runtime]
    alone = replace(job, runtime=other, key="alone", contest=None)
    assert worker.extract_features(alone).failure is None
    mine = features(store, "alone")
    for name, values in features(store, done.runtime).items():
        assert np.abs(values - mine[name]).max() <= 1e-4 * np.abs(mine[name]).max()


def test_a_remembered_runtime_does_the_work_and_is_named(checkpoint, probe, settings):
    store = Store(settings.folder)
    pair = [
        Wanted(
            checkpoint=checkpoint,
            runtime=spec,
            identity=build(spec).identity(),
            input_key=build(spec).input_key(checkpoint, "image"),
            number=1,
        )
        for spec in (TORCH, ONNX)
    ]
    assert pair[0].shares_inputs(pair[1])
    memory = Entrants(pair, store, settings, "image").memory
    keep_choice(store, memory, Choice(runtime="onnx", rates={"torch": 10.0, "onnx": 0.1}))
    task = ModelTask(checkpoint=checkpoint, runtime=TORCH, rivals=(ONNX,), estimators=())
    with LocalEngine(settings, probe) as engine:
        result = engine.submit(task).result(timeout=300)
    assert (result.failures, result.runtime, result.device) == ((), "onnx", "cpu")
    assert any(store.graphs.iterdir())
