"""The runtime: what it exports on the way, what it opens as it is, and what that needs."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from zoo.engine import EstimatorJob, LocalEngine, ModelTask
from zoo.errors import CheckpointError, InputError
from zoo.settings import Settings
from zoo.types import EstimatorSpec, Probe, RuntimeSpec
from zoo.types.runtimes import ExportRequest, Exports, OpensSlowly, Outlines, RuntimeOptions
from zoo_runtimes import zoo_runtimes
from zoo_runtimes.onnx.manifest import FILE, GRAPH, read_manifest, write_manifest
from zoo_runtimes.onnx.runtime import OnnxRuntime
from zoo_runtimes.torch_runtime import TorchRuntime

RUNTIME = OnnxRuntime()
TEXTS = ["the cat", "a very good film", ""]
KINDS = [("resnet", "image"), ("bert", "text")]
HIDING = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "onnx", "onnxscript"}:
            raise ImportError(f"{name} is hidden")
sys.meta_path.insert(0, Hide())
"""
OPENING = (
    HIDING
    + """
import pickle
from zoo_runtimes.onnx.runtime import OnnxRuntime
from zoo.types.runtimes import RuntimeOptions
runtime, found = OnnxRuntime(), []
for checkpoint, modality, inputs, cache in pickle.load(sys.stdin.buffer):
    runtime.identity()
    key = runtime.input_key(checkpoint, modality)
    options = RuntimeOptions(cache=cache, extras={"modality": modality})
    assert runtime.opening_seconds(checkpoint, options) < 1
    backbone = runtime.open(checkpoint, options)
    prepared = runtime.prepare(checkpoint, inputs) if modality == "image" and not cache else inputs
    names = [tap.name for tap in backbone.taps]
    found.append((key, backbone.extract(backbone.encode(prepared), names)))
    assert [tap.name for tap in runtime.outline(checkpoint)] == names if not cache else True
assert not {"torch", "transformers"} & set(sys.modules)
sys.stdout.buffer.write(pickle.dumps(found))
"""
)


@pytest.fixture
def broken(exported, tmp_path):
    """A copy of an exported folder, to be damaged."""
    whole = exported("resnet", "image")
    folder = shutil.copytree(whole.folder, tmp_path / "broken")
    return msgspec.structs.replace(whole, folder=str(folder), digest=str(folder))


def test_the_spec_opens_what_torch_opens_and_exported_folders():
    torch, onnx = zoo_runtimes()
    assert (torch.name, onnx.name) == ("torch", "onnx")
    assert {*torch.libraries, "onnx"} == set(onnx.libraries)
    assert isinstance(RUNTIME, Exports)
    assert isinstance(RUNTIME, Outlines)
    assert isinstance(RUNTIME, OpensSlowly)


def test_exported_and_cached_graphs_open_where_there_is_no_torch(
    exported, graphs, tiny_checkpoint, photographs
):
    prepared = RUNTIME.prepare(exported("resnet", "image"), photographs)
    jobs = [
        (exported("resnet", "image"), "image", photographs, ""),
        (exported("bert", "text"), "text", TEXTS, ""),
        (tiny_checkpoint("resnet"), "image", list(prepared), graphs),
        (tiny_checkpoint("bert"), "text", TEXTS, graphs),
    ]
    done = subprocess.run(
        [sys.executable, "-c", OPENING], input=pickle.dumps(jobs), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    found = pickle.loads(done.stdout)
    for (checkpoint, modality, inputs, cache), (key, features) in zip(jobs, found, strict=True):
        original = tiny_checkpoint("resnet" if modality == "image" else "bert")
        assert key == TorchRuntime().input_key(original, modality)
        torch = TorchRuntime().open(original, RuntimeOptions())
        whole = modality == "image" and not cache
        arrays = TorchRuntime().prepare(original, inputs) if whole else inputs
        expected = torch.extract(torch.encode(arrays), list(features))
        for name, values in expected.items():
            scale = float(np.abs(values).max()) or 1.0
            np.testing.assert_allclose(features[name], values, rtol=0, atol=1e-4 * scale)
        assert checkpoint.folder


@pytest.mark.parametrize(("name", "modality"), KINDS)
def test_prepared_inputs_are_shared_with_torch(
    name, modality, exported, tiny_checkpoint, photographs
):
    original, folder = tiny_checkpoint(name), exported(name, modality)
    keys = {
        TorchRuntime().input_key(original, modality),
        RUNTIME.input_key(original, modality),
        RUNTIME.input_key(folder, modality),
    }
    assert len(keys) == 1
    if modality == "image":
        expected = TorchRuntime().prepare(original, photographs)
        for runtime, checkpoint in ((RUNTIME, original), (RUNTIME, folder)):
            found = runtime.prepare(checkpoint, photographs)
            for here, there in zip(found, expected, strict=True):
                np.testing.assert_array_equal(here, there)


def test_identity_names_what_runs_and_what_exports():
    identity = RUNTIME.identity()
    for part in ("onnx-runtime=", "onnxruntime=1.", "torch=2", "onnxscript="):
        assert part in identity
    assert identity != TorchRuntime().identity()


def test_opening_is_slow_once(graphs, exported, tiny_checkpoint, tmp_path):
    exported("resnet", "image")
    known = RuntimeOptions(cache=graphs)
    assert RUNTIME.opening_seconds(tiny_checkpoint("resnet"), known) < 1
    fresh = RuntimeOptions(cache=str(tmp_path))
    assert RUNTIME.opening_seconds(tiny_checkpoint("resnet"), fresh) > 1
    assert RUNTIME.opening_seconds(tiny_checkpoint("resnet"), RuntimeOptions()) > 1
    assert RUNTIME.opening_seconds(exported("resnet", "image"), RuntimeOptions()) < 1


def test_the_outline_of_an_exported_folder_is_its_taps(exported):
    backbone = RUNTIME.open(exported("bert", "text"), RuntimeOptions())
    assert RUNTIME.outline(exported("bert", "text")) == backbone.taps


def test_bfloat16_is_refused_before_anything_is_made(tiny_checkpoint, exported):
    bf16 = RuntimeOptions(precision="bf16")
    with pytest.raises(InputError, match="not in bf16") as error:
        RUNTIME.open(tiny_checkpoint("resnet"), bf16)
    assert "--runtime torch" in error.value.hint
    with pytest.raises(InputError, match="was exported in fp32, so it cannot run in bf16"):
        RUNTIME.open(exported("resnet", "image"), bf16)


def test_an_exported_folder_has_the_precision_it_has(exported, broken):
    with pytest.raises(InputError, match="was exported in fp32, so it cannot run in int8"):
        RUNTIME.open(exported("resnet", "image"), RuntimeOptions(precision="int8"))
    manifest = msgspec.structs.replace(read_manifest(Path(broken.folder)), precision="int8")
    write_manifest(manifest, Path(broken.folder))
    for precision in ("fp32", "int8"):
        assert RUNTIME.open(broken, RuntimeOptions(precision=precision)).device == "cpu"


def test_an_exported_folder_reads_what_it_was_exported_to_read(exported):
    options = RuntimeOptions(extras={"modality": "text"})
    with pytest.raises(CheckpointError, match="was exported to read image, not text"):
        RUNTIME.open(exported("resnet", "image"), options)


def test_an_exported_folder_is_not_exported_again(exported, tmp_path):
    with pytest.raises(InputError, match="is exported already"):
        RUNTIME.export(exported("resnet", "image"), tmp_path / "out", ExportRequest())


@pytest.mark.parametrize("damage", ["cut", "one weight", "absent"])
def test_a_graph_that_is_not_what_was_written_is_refused(damage, broken):
    path = Path(broken.folder) / GRAPH
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "absent":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(whole[:middle])
    else:
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    words = "is missing" if damage == "absent" else "is not what the export wrote"
    with pytest.raises(CheckpointError, match=f"^\\./resnet-exported: model.onnx {words}") as error:
        RUNTIME.open(broken, RuntimeOptions())
    assert "Copy the folder again" in error.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"entry": {"ref": "x"}}'])
def test_a_damaged_manifest_is_named(text, broken):
    (Path(broken.folder) / FILE).write_text(text)
    for ask in (
        lambda: RUNTIME.open(broken, RuntimeOptions()),
        lambda: RUNTIME.input_key(broken, "image"),
    ):
        with pytest.raises(CheckpointError, match=f"{FILE} cannot be read"):
            ask()


def test_a_damaged_graph_in_the_cache_is_made_again(tiny_checkpoint, graphs, exported, tmp_path):
    """Here only refused or replaced, never run: the maker of graphs has its own tests."""
    place = Path(exported("resnet", "image").folder)
    cache = tmp_path / "cache"
    shutil.copytree(place, cache / place.name)
    found = RUNTIME.open(tiny_checkpoint("resnet"), RuntimeOptions(cache=str(cache)))
    assert found.device == "cpu"
    assert json.loads((cache / place.name / FILE).read_text())["format"] == "onnx"


def test_the_engine_scores_an_exported_folder_as_its_original(
    exported, tiny_checkpoint, photographs, tmp_path
):
    torch, onnx = (
        RuntimeSpec(name=spec.name, target=spec.target, summary="") for spec in zoo_runtimes()
    )
    logme = EstimatorSpec(name="logme", target="zoo_transferability.logme:LogME", summary="")
    inputs = [photographs[row % len(photographs)] for row in range(21)]
    probe = Probe(
        name="drawn",
        source="drawn",
        task="classification",
        modality="image",
        inputs=inputs,
        labels=np.arange(21) % 3,
        label_names=("a", "b", "c"),
        fingerprint="drawn",
    )
    tasks = [
        ModelTask(
            checkpoint=checkpoint,
            runtime=spec,
            estimators=(EstimatorJob(spec=logme),),
            layers="all",
            permutations=2,
            folds=2,
        )
        for spec, checkpoint in [
            (torch, tiny_checkpoint("resnet")),
            (onnx, exported("resnet", "image")),
        ]
    ]
    settings = Settings(home=str(tmp_path), device="cpu", jobs=1)
    with LocalEngine(settings, probe) as engine:
        first, second = (engine.submit(task).result(timeout=300) for task in tasks)
    assert first.failures == second.failures == ()
    scores = [
        {record.layer: record.value for record in result.records} for result in (first, second)
    ]
    assert scores[0].keys() == scores[1].keys()
    for layer, value in scores[0].items():
        assert scores[1][layer] == pytest.approx(value, rel=1e-3, abs=1e-3)
    assert len(list(tmp_path.glob("inputs/??/*.safetensors"))) == 1
