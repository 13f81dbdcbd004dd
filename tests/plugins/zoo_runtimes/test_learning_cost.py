"""A batch is costed from the configuration alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo.embedded
from zoo.types.model import Checkpoint, ModelEntry
from zoo.types.training import Forecasts, StudentRequest
from zoo_runtimes.torch_runtime import TorchRuntime


@pytest.fixture
def resnet(tmp_path):
    """The embedded network, without its weights."""
    source = Path(zoo.embedded.__path__[0]) / "resnet-digits-0-4"
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    entry = ModelEntry(ref="embedded:resnet-digits-0-4", modality="image", library="transformers")
    return Checkpoint(entry=entry, folder=str(tmp_path), digest="d")


def test_a_teacher_only_looks_and_a_student_learns(resnet):
    runtime = TorchRuntime()
    assert isinstance(runtime, Forecasts)
    teacher = runtime.step_cost(resnet, "image", 8, taps=("stage.3",))
    request = StudentRequest(labels=tuple("abcde"), initial="random")
    student = runtime.step_cost(resnet, "image", 8, student=request, taps=("stage.3",))
    assert (teacher.trained, teacher.backward) == (0, ())
    assert 0 < student.trained <= student.parameters
    assert 2 * teacher.dense < student.dense <= 3 * teacher.dense
    assert teacher.inputs == 8 * 3 * 32 * 32 * 4


def test_twice_the_batch_is_twice_the_work(resnet):
    runtime = TorchRuntime()
    one, two = (runtime.step_cost(resnet, "image", batch) for batch in (4, 8))
    assert two.dense == pytest.approx(2 * one.dense, rel=0.01)
    assert two.parameters == one.parameters
