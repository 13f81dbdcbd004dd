"""Memory and work of a computation that never happens."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.training.simulating import emptied, extras_cost, simulated
from zoo.types.distilling import Classroom
from zoo.types.training import FeatureShape, Stage


def held(trace):
    """Bytes that a trace leaves, and the most that it holds."""
    sizes, live, most = [], 0, 0
    for event in trace:
        if event >= 0:
            sizes.append(event)
            live += event
        else:
            live -= sizes[-1 - event]
        most = max(most, live)
    return live, most


def test_memory_is_what_tensors_take():
    with simulated() as seen:
        values = torch.empty(100, 10)
        seen.begin()
        doubled = values * 2
        kept = doubled + 1
        view = kept[:5]
        del doubled, values
        left, most = held(seen.trace)
    assert (left, most) == (4000, 8000)
    assert view.shape == (5, 10)


def test_a_linear_layer_counts_forward_and_back():
    with simulated() as seen:
        layer = nn.Linear(32, 16, bias=False)
        values = torch.empty(8, 32, requires_grad=True)
        seen.begin()
        layer(values).sum().backward()
        left, _ = held(seen.trace)
    assert seen.dense == 3 * 2 * 8 * 32 * 16
    assert left == 4 * (32 * 16 + 8 * 32)


@pytest.mark.parametrize("groups", [1, 4])
def test_a_convolution_counts_its_own_group_only(groups):
    with simulated() as seen:
        layer = nn.Conv2d(8, 8, 3, padding=1, groups=groups, bias=False)
        values = torch.empty(2, 8, 6, 6, requires_grad=True)
        seen.begin()
        layer(values).sum().backward()
    expected = 3 * 2 * (2 * 8 * 6 * 6) * (8 // groups) * 9
    assert (seen.dense, seen.grouped) == ((expected, 0.0) if groups == 1 else (0.0, expected))


def test_a_real_module_becomes_weightless_and_keeps_shared_tensors_shared():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    with simulated():
        emptied(module)
        assert module[0].weight is module[1].weight
        assert module(torch.empty(2, 3)).shape == (2, 3)


class Method:
    """Trains one projection a stage."""

    def build(self, classroom):
        stages = classroom.stages

        class Extras(nn.Module):
            def __init__(self):
                super().__init__()
                self.project = nn.Linear(stages[0].student.width, stages[0].teachers[0].width)

            def forward(self, lesson):
                (meeting,) = lesson.meetings
                return {
                    "mse": (self.project(meeting.student) - meeting.teachers[0]).square().mean()
                }

        return Extras()


def test_what_a_method_trains_has_a_cost_too():
    shape = FeatureShape(tap="t", width=6)
    stage = Stage(student=FeatureShape(tap="s", width=4), teachers=(shape,))
    cost = extras_cost(Method().build, Classroom(stages=(stage,), batch=8))
    assert cost.parameters == cost.trained == 4 * (4 * 6 + 6)
    assert cost.forward
    assert cost.backward
    assert cost.dense == 3 * 2 * 8 * 4 * 6


def test_what_cannot_be_imagined_costs_its_weights():
    class Choosing(nn.Linear):
        def forward(self, lesson):
            values = super().forward(lesson.meetings[0].student)
            return {"loss": values[values > 0].sum() if values.sum().item() > 0 else values.sum()}

    shape = FeatureShape(tap="t", width=4)
    classroom = Classroom(stages=(Stage(student=shape, teachers=(shape,)),), batch=8)
    cost = extras_cost(lambda _: Choosing(4, 2), classroom)
    assert cost.parameters == cost.trained == 4 * (4 * 2 + 2)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_norm_costs_what_its_whole_formula_costs(monkeypatch, training, affine):
    def cost():
        with simulated() as seen:
            layer = nn.BatchNorm2d(8, affine=affine).train(training)
            values = torch.empty(2, 8, 6, 6, requires_grad=True)
            seen.begin()
            result = layer(values * 2)
            result.sum().backward()
        return list(seen.trace), seen.moved, result.shape, result.stride()

    short = cost()
    monkeypatch.setattr("zoo.training.simulating._SHORTCUTS", {})
    assert short == cost()
