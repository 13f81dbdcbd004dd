"""Opening graphs: verified devices, damaged files, memory, threads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zoo.errors import CheckpointError, InputError, OutOfMemoryError
from zoo_runtimes.onnx import providers, sessions
from zoo_runtimes.onnx.providers import CPU, CUDA, Choice, cuda_memory
from zoo_runtimes.onnx.sessions import memory_guard, open_session

WIDTH = 64


@pytest.fixture
def graph(tmp_path):
    """Two outputs, one after the other: sums and their rectified products."""
    return save(two_layers(), tmp_path / "model.onnx")


def two_layers():
    weights = np.random.default_rng(0).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"]),
        helper.make_node("MatMul", ["sum", "w"], ["product"]),
        helper.make_node("Relu", ["product"], ["relu"]),
    ]
    return helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", WIDTH])
            for name in ("sum", "relu")
        ],
        [numpy_helper.from_array(weights, "w")],
    )


def save(made, path, **options):
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path, **options)
    return path


def rows(count=3):
    return np.random.default_rng(1).normal(size=(count, WIDTH)).astype(np.float32)


def test_a_graph_is_opened_and_run(graph):
    session = open_session(graph)
    assert session.device == "cpu"
    assert session.kinds == {"x": "float32"}
    assert session.runner.get_providers() == [CPU]
    x = rows()
    both = session.run(["sum", "relu"], {"x": x})
    np.testing.assert_array_equal(both[0], x + x)
    (alone,) = session.run(["relu"], {"x": x})
    np.testing.assert_array_equal(alone, both[1])
    (first,) = session.run(["sum"], {"x": x})
    np.testing.assert_array_equal(first, both[0])


def test_bound_inputs_and_outputs_give_the_same(graph):
    """The way a GPU goes; the CPU has memory to bind, too."""
    session, x = open_session(graph), rows(5)
    options = providers.load_onnxruntime().RunOptions()
    bound = session._bound(["relu", "sum"], {"x": x}, options)
    for here, there in zip(bound, session.run(["relu", "sum"], {"x": x}), strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_threads_are_the_persons_and_do_not_spin(graph, threads):
    session = open_session(graph, threads=threads)
    options = session.runner.get_session_options()
    assert options.intra_op_num_threads == max(1, threads)
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_wrong_optimisation_is_off(tmp_path):
    """ONNX Runtime folds zero padding into max pooling: -1 would come out where 0 belongs."""
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], dtype=np.int64), "pads")
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["padded"], mode="constant"),
        helper.make_node("MaxPool", ["padded"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
    ]
    shape = [1, 1, 4, 4]
    made = helper.make_graph(
        nodes,
        "pooling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [pads],
    )
    session = open_session(save(made, tmp_path / "pooling.onnx"))
    (found,) = session.run(["y"], {"x": np.full(shape, -1, dtype=np.float32)})
    assert found[0, 0, 0, 0] == 0


def test_a_missing_graph_is_explained(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.onnx is missing") as error:
        open_session(tmp_path / "gone.onnx")
    assert error.value.hint


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "noise", "unknown operator"])
def test_a_damaged_graph_is_explained(damage, graph):
    whole = graph.read_bytes()
    made = two_layers()
    made.node[2].op_type = "Rectify"
    if damage == "unknown operator":
        save(made, graph)
    else:
        graph.write_bytes(
            {
                "cut": whole[: len(whole) // 2],
                "empty": b"",
                "text": b"no graph at all",
                "noise": b"\xff" * 100 + whole[100:],
            }[damage]
        )
    with pytest.raises(CheckpointError, match="cannot be opened by ONNX Runtime") as error:
        open_session(graph)
    assert "\n" not in error.value.message
    assert "ONNXRuntimeError" not in error.value.message
    assert "export it again" in error.value.hint


def test_missing_external_weights_are_explained(tmp_path):
    path = save(
        two_layers(),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    assert open_session(path).device == "cpu"
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(CheckpointError, match="cannot be opened by ONNX Runtime"):
        open_session(path)


def test_a_session_on_something_else_than_asked_for_is_refused(graph, monkeypatch):
    """What ONNX Runtime does without CUDA: a session, on the CPU, and no word about it."""
    monkeypatch.setattr(sessions, "choose", lambda device, names: Choice((CUDA,)))
    monkeypatch.setattr(sessions, "preload_cuda", lambda: None)
    cpu_only = sessions._start(graph, Choice((CPU,)), 1, strict=False)
    monkeypatch.setattr(sessions, "_open", lambda *_: cpu_only)
    with pytest.raises(InputError, match=f"asked for {CUDA} and gives {CPU}") as error:
        open_session(graph, "cuda")
    assert "zoo doctor" in error.value.hint


@pytest.mark.skipif(bool(cuda_memory()), reason="this machine has a CUDA device")
def test_nothing_reaches_the_terminal_whatever_is_asked_for(graph):
    code = (
        "import sys; from pathlib import Path; from zoo.errors import ZooError\n"
        "from zoo_runtimes.onnx.sessions import open_session\n"
        "for path, device in [(sys.argv[1], 'cuda'), (sys.argv[1], 'cpu'), ('no.onnx', 'cpu')]:\n"
        "    try: open_session(Path(path), device)\n"
        "    except ZooError: pass\n"
    )
    command = [sys.executable, "-c", code, str(graph)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "text",
    [
        "[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 107374",
        "std::bad_alloc",
        "Available memory of 12345 is smaller than requested bytes of 99999",
        "CUDA failure 2: out of memory ; GPU=0",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
    ],
)
def test_every_way_of_running_out_of_memory_is_one_error(text):
    with pytest.raises(OutOfMemoryError, match=r"^too much$"), memory_guard("too much"):
        raise RuntimeError(text)
    with pytest.raises(OutOfMemoryError), memory_guard("too much"):
        raise MemoryError


def test_other_failures_are_not_taken_for_it():
    with pytest.raises(ValueError, match="shape"), memory_guard("too much"):
        raise ValueError("shape mismatch")


def test_a_batch_that_does_not_fit_is_found_out(tmp_path):
    """A product of 2^22 x 2^22 numbers fits nowhere: ONNX Runtime's own message is understood."""
    size = helper.make_tensor_value_info
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "y"], ["z"])],
        "outer",
        [size("x", TensorProto.FLOAT, ["n", 1]), size("y", TensorProto.FLOAT, [1, "m"])],
        [size("z", TensorProto.FLOAT, ["n", "m"])],
    )
    session = open_session(save(made, tmp_path / "outer.onnx"))
    column = np.zeros((2**22, 1), dtype=np.float32)
    with pytest.raises(OutOfMemoryError):
        session.run(["z"], {"x": column, "y": column.T})


@pytest.mark.skipif(not cuda_memory(), reason="this machine has no CUDA device")
def test_a_cuda_session_runs_on_cuda_and_gives_the_same(graph):
    session, x = open_session(graph, "cuda"), rows(5)
    assert session.device == "cuda:0"
    assert session.runner.get_providers()[0] == CUDA
    (here,) = session.run(["relu"], {"x": x})
    (there,) = open_session(graph).run(["relu"], {"x": x})
    np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-4)
