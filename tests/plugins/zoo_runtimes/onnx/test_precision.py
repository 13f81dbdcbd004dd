"""Half precision and eight bits: where they are used, and that graphs keep their float32 ends."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest

from zoo.errors import CheckpointError, InputError
from zoo.types.runtimes import ExportRequest
from zoo_runtimes.onnx.exporter import export
from zoo_runtimes.onnx.precision import check_precision, convert, quantisation


def graph_of(checkpoint):
    return Path(checkpoint.folder) / "model.onnx"


def operators(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_only_convolutional_networks_are_calibrated_in_advance(exported):
    assert quantisation(graph_of(exported("resnet", "image"))) == "static"
    assert quantisation(graph_of(exported("bert", "text"))) == "dynamic"


def test_bfloat16_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="bf16 is not offered for ONNX"):
        check_precision("bf16")


def test_half_precision_goes_in_and_comes_out_in_float32(
    exported, tiny_checkpoint, graphs, tmp_path
):
    exported("bert", "text")
    request = ExportRequest(precision="fp16", cache=graphs)
    report = export(tiny_checkpoint("bert"), tmp_path / "half", request)
    assert 1e-6 < max(found.relative for found in report.taps) <= report.tolerance
    model = onnx.load(tmp_path / "half/model.onnx")
    assert {value.type.tensor_type.elem_type for value in model.graph.output} == {1}
    kinds = Counter(part.data_type for part in model.graph.initializer)
    assert kinds[onnx.TensorProto.FLOAT16] > kinds[onnx.TensorProto.FLOAT]


def test_eight_bits_of_a_transformer_are_dynamic_products(
    exported, tiny_checkpoint, graphs, tmp_path
):
    exported("bert", "text")
    request = ExportRequest(precision="int8", cache=graphs, taps=("head_input",))
    report = export(tiny_checkpoint("bert"), tmp_path / "small", request)
    found = operators(tmp_path / "small/model.onnx")
    assert found["MatMulInteger"]
    assert not found["QuantizeLinear"]
    assert [each.tap for each in report.taps] == ["head_input", "logits"]
    assert report.agreement is not None


def test_eight_bits_of_a_convolutional_network_are_calibrated_with_the_given_images(
    exported, tiny_checkpoint, graphs, tmp_path, photographs
):
    exported("resnet", "image")
    request = ExportRequest(precision="int8", cache=graphs, inputs=photographs * 5)
    report = export(tiny_checkpoint("resnet"), tmp_path / "small", request)
    found = operators(tmp_path / "small/model.onnx")
    assert found["QuantizeLinear"]
    assert not found["ConvInteger"]
    assert report.samples == 17
    assert "Its ranges were measured on 18 other inputs." in report.notes


def test_a_graph_that_cannot_be_converted_says_so(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match=r"\./m: its graph cannot be converted to fp16"):
        convert("./m", tmp_path / "model.onnx", tmp_path / "out.onnx", "fp16")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
