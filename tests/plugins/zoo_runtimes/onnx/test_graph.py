"""Small networks become graphs of any batch size, or one sentence says why not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from zoo.errors import CheckpointError, InputError
from zoo.types.runtimes import Tap
from zoo_runtimes.loading import Network
from zoo_runtimes.onnx import graph
from zoo_runtimes.onnx.sessions import open_session
from zoo_runtimes.pooling import Pooling
from zoo_runtimes.taps import Point

_PIXELS = {"pixel_values": torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))}


class Toy(torch.nn.Module):
    """One convolution, its mean, and whatever a test does to the logits."""

    def __init__(self, change=lambda logits: logits):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3)
        self._change = change

    def forward(self, pixel_values):
        return SimpleNamespace(logits=self._change(self.convolution(pixel_values).mean((2, 3))))


def logits(name="logits"):
    return Point(Tap(name=name, dimension=4), Pooling("vector"), "field", field="logits")


def exported(path, module, points=None, **options):
    network = Network(module.eval().requires_grad_(False), None, head=True, pooler=False)
    points = points or (logits(),)
    graph.export_graph("./toy", network, points, _PIXELS, path, **options)
    return open_session(path)


def refusal(tmp_path, change):
    with pytest.raises(CheckpointError) as caught:
        exported(tmp_path / "model.onnx", Toy(change))
    assert caught.value.hint == "Run it with --runtime torch."
    assert not list(tmp_path.iterdir())
    return caught.value.message


def test_a_graph_pools_its_taps_for_any_batch_and_says_nothing(tmp_path, capfd):
    module = Toy()
    stage = Point(
        Tap(name="stage.1", dimension=4), Pooling("spatial"), "output", module="convolution"
    )
    session = exported(tmp_path / "model.onnx", module, (stage, logits(), logits("twin")))
    for size in (1, 2, 5):
        pixels = torch.randn(size, 3, 8, 8)
        expected = module(pixels).logits.numpy()
        for values in session.run(["stage.1", "logits", "twin"], {"pixel_values": pixels.numpy()}):
            np.testing.assert_allclose(values, expected, atol=1e-6)
    assert capfd.readouterr() == ("", "")
    model = onnx.load(tmp_path / "model.onnx")
    assert {part.domain: part.version for part in model.opset_import}[""] == graph.OPSET
    assert [value.name for value in model.graph.output] == ["stage.1", "logits", "twin"]
    (pixels,) = model.graph.input
    sizes = [part.dim_param or part.dim_value for part in pixels.type.tensor_type.shape.dim]
    assert sizes == ["batch", 3, 8, 8]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_images_of_several_sizes_need_a_graph_without_one(tmp_path):
    module = Toy()
    session = exported(tmp_path / "model.onnx", module, varying=True)
    pixels = torch.randn(1, 3, 11, 20)
    (found,) = session.run(["logits"], {"pixel_values": pixels.numpy()})
    np.testing.assert_allclose(found, module(pixels).logits.numpy(), atol=1e-6)


def test_large_weights_lie_beside_the_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "EXTERNAL_FROM", 100)
    session = exported(tmp_path / "model.onnx", Toy())
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.onnx.data"}
    assert session.run(["logits"], {"pixel_values": _PIXELS["pixel_values"].numpy()})
    other = tmp_path / "pruned"
    other.mkdir()
    graph.prune(tmp_path / "model.onnx", ["logits"], other / "model.onnx")
    assert {path.name for path in other.iterdir()} == {"model.onnx", "model.onnx.data"}
    open_session(other / "model.onnx")


def test_an_operator_without_translation_is_named(tmp_path):
    assert "operator aten.linalg_eig has no translation" in refusal(
        tmp_path, lambda x: torch.linalg.eigvals(x.reshape(-1, 2, 2)).abs()
    )


def test_an_operator_of_a_stranger_is_named(tmp_path):
    with torch.library._scoped_library("zoo_test", "DEF") as library:
        library.define("odd(Tensor x) -> Tensor")
        library.impl("odd", torch.clone, "CPU")
        message = refusal(tmp_path, torch.ops.zoo_test.odd)
    assert message.startswith("./toy cannot be exported to ONNX: operator zoo_test.odd")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x + torch.zeros(len(x), 1), "works for a single batch size or length"),
        (lambda x: x * 2 if x.sum() > 0 else x, "depends on the values of its inputs"),
    ],
    ids=["fixed batch", "control flow"],
)
def test_a_network_that_one_graph_cannot_hold_is_refused(tmp_path, change, reason):
    assert reason in refusal(tmp_path, change)


def test_a_missing_package_comes_with_the_command(monkeypatch):
    monkeypatch.setattr(graph, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(InputError, match="package onnxscript") as caught:
        graph.require_packages()
    assert caught.value.hint == "pip install 'zoo-reuse[onnx]'"
