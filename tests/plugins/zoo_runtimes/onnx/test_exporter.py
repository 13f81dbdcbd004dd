"""Exported folders: whole, verified, made once; and real checkpoints, where they are there."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from zoo.errors import UnknownNameError
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.runtimes import ExportRequest, RuntimeOptions
from zoo_runtimes.onnx import caching, samples
from zoo_runtimes.onnx.exporter import ensure_graph, export, is_cached
from zoo_runtimes.onnx.manifest import FILE, read_manifest
from zoo_runtimes.onnx.runtime import OnnxRuntime
from zoo_runtimes.torch_runtime import TorchRuntime

DATA = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()


@pytest.fixture
def kept(exported, tmp_path):
    """A cache of its own that holds the graph of one tiny checkpoint."""
    folder = Path(exported("resnet", "image").folder)
    shutil.copytree(folder, tmp_path / "graphs" / folder.name)
    return tmp_path / "graphs"


def test_an_exported_folder_says_everything_and_predicts_as_the_original(
    exported, tiny_checkpoint, graphs, tmp_path, capfd
):
    exported("bert", "text")
    original = tiny_checkpoint("bert")
    report = export(original, tmp_path / "out", ExportRequest(cache=graphs))
    assert capfd.readouterr() == ("", "")
    manifest = read_manifest(tmp_path / "out")
    assert report.cached
    assert report.agreement == 1
    assert report.files == manifest.files == caching.digests(tmp_path / "out")
    assert {"model.onnx", "tokenizer.json", "config.json", "README.md"} <= set(report.files)
    assert manifest.head is not None
    assert len(manifest.head.labels) == 5
    assert manifest.digest == original.digest
    page = (tmp_path / "out/README.md").read_text()
    assert "| logits | 5 |" in page
    entry = ModelEntry(ref="./out", modality="text", library="onnx")
    copy = Checkpoint(entry=entry, folder=str(tmp_path / "out"), digest="out")
    names = [tap.name for tap in manifest.taps]
    values = []
    for runtime, checkpoint in ((TorchRuntime(), original), (OnnxRuntime(), copy)):
        backbone = runtime.open(checkpoint, RuntimeOptions())
        values.append(backbone.extract(backbone.encode(samples.TEXTS), names))
    for name in names:
        np.testing.assert_allclose(values[0][name], values[1][name], atol=1e-5)


def test_chosen_taps_and_the_logits_are_all_that_a_graph_gives(tiny_checkpoint, kept, tmp_path):
    request = ExportRequest(cache=str(kept), taps=("stage.2",))
    report = export(tiny_checkpoint("resnet"), tmp_path / "out", request)
    manifest = read_manifest(tmp_path / "out")
    assert [tap.name for tap in manifest.taps] == ["stage.2", "logits"]
    assert manifest.default_tap == "stage.2"
    assert report.cached
    assert report.tolerance == 1e-4


def test_an_unknown_tap_is_refused_before_anything_is_written(tiny_checkpoint, kept, tmp_path):
    request = ExportRequest(cache=str(kept), taps=("stage.99",))
    with pytest.raises(UnknownNameError, match=r"no tap called 'stage\.99'"):
        export(tiny_checkpoint("resnet"), tmp_path / "out", request)
    assert not (tmp_path / "out").exists()


def test_a_graph_is_kept_for_its_weights_precision_and_versions(tiny_checkpoint, kept, monkeypatch):
    original, cache = tiny_checkpoint("resnet"), str(kept)
    assert is_cached(original, "image", precision="fp32", cache=cache)
    assert not is_cached(original, "image", precision="int8", cache=cache)
    assert not is_cached(original, "image", precision="fp32", cache="")
    monkeypatch.setattr(caching, "RECIPE", caching.RECIPE + 1)
    assert not is_cached(original, "image", precision="fp32", cache=cache)


def test_a_kept_graph_is_not_made_again(tiny_checkpoint, kept, monkeypatch):
    monkeypatch.setattr("zoo_runtimes.onnx.exporter._open", None)
    folder = ensure_graph(tiny_checkpoint("resnet"), "image", precision="fp32", cache=str(kept))
    assert folder.parent == kept


def fill(folder):
    (folder / "model.onnx").write_bytes(b"graph")
    digest = hashlib.sha256(b"graph").hexdigest()
    (folder / FILE).write_text(
        '{"entry": {"ref": "./m"}, "digest": "d", "modality": "image", "precision": "fp32",'
        '"opset": 20, "inputs": [], "taps": [], "default_tap": "x",'
        f'"files": {{"model.onnx": "{digest}"}}}}'
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.onnx").write_bytes(b"grapk"),
        lambda folder: (folder / "model.onnx").unlink(),
        lambda folder: (folder / FILE).write_text("{"),
        shutil.rmtree,
    ],
    ids=["changed", "missing", "manifest", "gone"],
)
def test_a_damaged_folder_of_the_cache_is_made_anew(tmp_path, damage):
    place = caching.keep(tmp_path / "cache/one", fill)
    damage(place)
    assert not caching.is_whole(place)
    caching.keep(place, fill)
    assert caching.is_whole(place)


def test_an_interrupted_export_leaves_nothing_and_a_killed_one_is_swept(tmp_path):
    place = tmp_path / "cache/one"

    def interrupted(folder):
        (folder / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caching.keep(place, interrupted)
    assert not list(place.parent.glob("*.tmp"))
    (place.parent / ".one-dead.tmp").mkdir()
    (place.parent / ".other-alive.tmp").mkdir()
    caching.keep(place, fill)
    names = {path.name for path in place.parent.iterdir() if path.suffix != ".lock"}
    assert names == {"one", ".other-alive.tmp"}


@pytest.fixture(scope="module")
def real(graphs):
    def open_real(name, modality):
        folder = DATA / "zoo" / name
        if not folder.is_dir():
            pytest.skip(f"no {folder}; set ZOO_SHARED_DATA to run this test")
        entry = ModelEntry(ref=f"./{name}", modality=modality)
        return Checkpoint(entry=entry, folder=str(folder), digest=name)

    return open_real


@pytest.mark.parametrize(
    ("name", "modality"), [("mobilenet_v1_0.25_128", "image"), ("all-MiniLM-L6-v2", "text")]
)
def test_real_checkpoints_export_within_the_tolerance(real, graphs, tmp_path, name, modality):
    report = export(real(name, modality), tmp_path / "out", ExportRequest(cache=graphs))
    assert max(tap.relative for tap in report.taps) <= 1e-4
    assert report.agreement in {1.0, None}


def test_eight_bits_that_cost_more_than_a_point_are_reported_with_the_figure(
    real, graphs, tmp_path
):
    request = ExportRequest(cache=graphs, precision="int8")
    report = export(real("mobilenet_v1_0.25_128", "image"), tmp_path / "out", request)
    assert report.agreement is not None
    assert report.agreement < 0.99
    assert any("changes the first label of" in note for note in report.warnings)
