"""Plans: sizes, memory, and what grows in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from zoo.growing.choosing import exact_maps
from zoo.growing.depth import stacked
from zoo.growing.plan import GrowthPlan, NetworkSize, size_of, steps_of, with_memory
from zoo.growing.work import Drawing
from zoo.types.growing import (
    Axis,
    Blueprint,
    Deepen,
    Dim,
    Rule,
    Widen,
)


@dataclass
class Plain:
    """A network that may not be asked anything."""

    module: Any

    def inputs(self, count, seed):
        del count, seed
        return {}

    def outputs(self, inputs):
        raise NotImplementedError("an operator that needs numbers")


def drawing(axes, *, stacks=(), unused=()):
    axes = {axis.name: axis for axis in axes}
    rules = {
        f"{name}.weight": Rule(dims=(Dim(role="writes", layout=name),))
        for name in axes
        if name not in unused
    }
    blueprint = Blueprint(axes=axes, rules=rules, stacks=stacks)
    return Drawing(config=None, blueprint=blueprint, maps=exact_maps(axes, 0))


def told(axes, **more):
    return [
        (step.what, step.old, step.new, step.how, step.exact)
        for step in steps_of(drawing(axes, **more))
    ]


def test_a_parameter_that_layers_share_counts_once():
    module = torch.nn.ModuleDict(
        {"words": torch.nn.Embedding(10, 4), "head": torch.nn.Linear(4, 10)}
    )
    module["head"].weight = module["words"].weight
    size = size_of(Plain(module.to(torch.bfloat16)))
    assert (size.parameters, size.bytes, size.tensor) == (50, 100, 320)


def test_work_that_cannot_be_counted_is_not_known():
    assert size_of(Plain(torch.nn.Linear(2, 2))).flops == 0


@pytest.mark.parametrize("name", ["vit", "resnet", "bert", "gpt2", "llama"])
def test_the_work_of_every_kind_of_network_is_counted(prepare, tiny, name):
    step = Deepen() if name == "bert" else Widen(width="2x")
    plan = prepare(tiny(name), step).plan
    assert 0 < plan.before.flops < plan.after.flops


def test_bytes_are_in_the_numbers_of_the_files(prepare, tiny, changed):
    full = prepare(tiny("vit"), Widen(width="2x")).plan
    half = prepare(changed("vit", dtype="bfloat16"), Widen(width="2x")).plan
    assert (half.before.bytes * 2, half.after.bytes * 2) == (full.before.bytes, full.after.bytes)
    assert half.memory == full.memory


def test_layers_that_grow_alike_are_one_step():
    axes = [
        *(Axis(name=f"heads {layer}", old=2, new=4) for layer in range(12)),
        *(Axis(name=f"inner {layer}.0", old=4, new=6) for layer in range(2)),
        Axis(name="inner 2.0", old=8, new=12),
        Axis(name="same", old=3, new=3),
    ]
    assert told(axes) == [
        ("heads of 12 layers", 2, 4, "copies of some", True),
        ("inner of 2 layers", 4, 6, "copies of some", True),
        ("inner 2.0", 8, 12, "copies of some", True),
    ]


def test_axes_that_no_parameter_has_are_not_told():
    assert told([Axis(name="ghost", old=2, new=4)], unused=("ghost",)) == []


def test_how_each_kind_of_axis_is_repeated():
    axes = [
        Axis(name="a", old=4, new=8, repetition="average"),
        Axis(name="b", old=4, new=9, repetition="average"),
        Axis(name="c", old=4, new=6, repetition="zero"),
        Axis(name="d", old=4, new=6, repetition="whole", why="only multiples of 4"),
        Axis(name="kv", old=2, new=4),
        Axis(name="heads", old=4, new=8, follows="kv"),
    ]
    assert {name: (how, exact) for name, _, _, how, exact in told(axes)} == {
        "a": ("whole copies", True),
        "b": ("whole copies, and 1 channel of their mean", True),
        "c": ("whole copies, and 2 channels of zeros", True),
        "d": ("", False),
        "kv": ("copies of some", True),
        "heads": ("copies, beside the keys that they ask", True),
    }
    (last,) = steps_of(drawing([axes[3]]))
    assert last.reason == "only multiples of 4"


def test_new_layers_are_told_with_the_reason_where_they_are_not_silent():
    silent = stacked("body.layers", 3, 5, silent=("down",))
    loud = stacked("loud", 2, 3, why="norms write it")
    assert told([], stacks=(silent, loud, stacked("kept", 2, 2))) == [
        ("layers of body.layers", 3, 5, "new ones add nothing yet", True),
        ("layers of loud", 2, 3, "", False),
    ]


@pytest.mark.parametrize(
    ("free", "memory", "proof", "notes"),
    [
        (None, 840, ("fp64", "fp32"), 0),
        (840, 840, ("fp64", "fp32"), 0),
        (839, 440, ("fp32",), 1),
        (10, 440, ("fp32",), 1),
    ],
)
def test_without_room_the_proof_is_made_in_float32_alone(free, memory, proof, notes):
    before = NetworkSize(parameters=40, bytes=160, tensor=8)
    after = NetworkSize(parameters=60, bytes=240, tensor=16)
    plan = GrowthPlan(
        model="m", family="f", method="g", steps=(), exact=True, before=before, after=after
    )
    found = with_memory(plan, free)
    assert (found.memory, found.proof, found.free) == (memory, proof, free)
    assert len(found.notes) == notes
    assert all("float32 alone" in note for note in found.notes)
