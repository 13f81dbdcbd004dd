"""Differences between two networks, and what counts as none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from zoo.errors import CheckpointError
from zoo.growing.axes import tiled
from zoo.growing.proof import compare, prove
from zoo.growing.work import Drawing
from zoo.types.growing import Axis, Blueprint

INPUTS = {"values": torch.zeros(3, 2)}


@dataclass
class Says:
    """A network that answers what it is told to."""

    answers: dict[str, torch.Tensor]
    module: Any = field(default_factory=lambda: torch.nn.Linear(2, 2))

    def outputs(self, inputs):
        del inputs
        return self.answers


class Linear:
    """One layer, whose weight may be slightly wrong."""

    def __init__(self, wrong=0.0, outputs=4, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.module = torch.nn.Linear(8, outputs).double()
        with torch.no_grad():
            self.module.weight.copy_(torch.randn(outputs, 8, generator=generator) + wrong)
            self.module.bias.zero_()

    @torch.no_grad()
    def outputs(self, inputs):
        values = inputs["values"].to(self.module.weight.dtype)
        return {"logits": self.module(values)}


def drawing(**more):
    axes = {"hidden": Axis(name="hidden", old=2, new=4)}
    blueprint = Blueprint(axes=axes, rules={}, **more)
    return Drawing(config=None, blueprint=blueprint, maps={"hidden": tiled(2, 4, "zero")})


def compared(before, after, numbers="fp64", **more):
    return compare(Says(before), Says(after), drawing(**more), INPUTS, numbers)


def batch(seed=1, count=16):
    return {"values": torch.randn(count, 8, generator=torch.Generator().manual_seed(seed))}


def test_equal_answers_pass_and_the_scale_is_that_of_the_answers():
    logits = torch.tensor([[3.0, -20.0], [1.0, 2.0], [0.0, 9.0]]).double()
    found = compared({"logits": logits}, {"logits": logits + 1e-8})
    assert found.passed
    assert found.scale == 20
    assert found.largest == pytest.approx(1e-8)
    assert (found.agreement, found.samples) == (1.0, 3)


def test_small_answers_are_not_held_against_a_network():
    logits = torch.full((3, 2), 1e-6).double()
    assert compared({"logits": logits}, {"logits": logits}).scale == 1


@pytest.mark.parametrize(
    "after",
    [
        {},
        {"logits": torch.zeros(3, 3)},
        {"logits": torch.full((3, 2), math.nan)},
        {"logits": torch.full((3, 2), 1e-4)},
    ],
    ids=["nothing", "another shape", "no number", "too far"],
)
def test_what_does_not_pass(after):
    assert not compared({"logits": torch.zeros(3, 2)}, after).passed


def test_every_answer_counts():
    same, off = torch.zeros(3, 2), torch.ones(3, 2)
    found = compared({"logits": same, "hidden": same}, {"logits": same, "hidden": off})
    assert (found.largest, found.passed) == (1.0, False)


def test_a_first_label_that_turns_fails_only_where_it_was_sure():
    before = torch.tensor([[1.0, 0.0], [1e-12, 0.0]]).double()
    turned = torch.tensor([[1.0, 0.0], [0.0, 1e-12]]).double()
    assert compared({"logits": before}, {"logits": turned}).agreement == 1
    sure = compared({"logits": before}, {"logits": before.flip(-1)})
    assert (sure.agreement, sure.passed) == (0.5, False)


def test_one_logit_has_no_first_label():
    logits = torch.zeros(3, 1)
    assert compared({"logits": logits}, {"logits": logits}).agreement == 1


def test_features_of_the_larger_network_are_those_of_the_smaller_one_repeated():
    features = torch.tensor([[[1.0, 2.0]]])
    repeated = torch.tensor([[[1.0, 2.0, 1.0, 2.0]]])
    grows = {"outputs": {"features": (-1, "hidden")}}
    assert compared({"features": features}, {"features": repeated}, **grows).passed
    assert not compared({"features": features}, {"features": repeated.flip(-1)}, **grows).passed
    assert not compared({"features": features}, {"features": repeated}).passed


def test_a_proof_that_compares_nothing_is_an_error():
    with pytest.raises(CheckpointError, match="answers no tensor") as caught:
        compared({}, {"logits": torch.zeros(3, 2)})
    assert caught.value.hint


def test_a_network_that_computes_in_float32_inside_is_not_asked_for_more():
    before, after = {"logits": torch.zeros(3, 2)}, {"logits": torch.full((3, 2), 5e-6)}
    assert not compared(before, after).passed
    assert compared(before, after, casts=True).passed
    assert compared(before, after, casts=True, numbers="bf16").tolerance == 1.0


def test_networks_are_compared_in_every_kind_of_numbers_and_end_in_their_own():
    old, new = Linear(), Linear()
    found = prove(old, new, drawing(), [batch()], torch.float16)
    assert [each.numbers for each in found] == ["fp64", "fp32", "fp16"]
    assert all(each.passed for each in found)
    assert {old.module.weight.dtype, new.module.weight.dtype} == {torch.float16}
    old, new = Linear(), Linear()
    old.module.float()
    assert [each.numbers for each in prove(old, new, drawing(), [batch()], torch.float32)] == [
        "fp32"
    ]


@pytest.mark.parametrize("numbers", [torch.float16, torch.bfloat16])
def test_half_precision_is_judged_by_what_it_does_to_the_smaller_network(numbers):
    """A difference that float32 sees need not show, and one that rounding never makes does."""
    *_, own = prove(Linear(), Linear(1e-7), drawing(), [batch()], numbers)
    assert own.passed
    assert own.tolerance > 0
    *_, own = prove(Linear(), Linear(1.0), drawing(), [batch()], numbers)
    assert not own.passed


def test_several_batches_are_judged_by_the_worst():
    (first, _), (both, _) = (
        prove(Linear(), Linear(0.1), drawing(), batches, torch.float32)
        for batches in ([batch(1)], [batch(1), batch(2, count=4)])
    )
    assert both.largest >= first.largest
    assert (first.samples, both.samples) == (16, 20)
