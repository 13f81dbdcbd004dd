from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.growing.depth import Deepened, deepened_names, stacked


def state(layers):
    """Names as those of a network are, and values that say where they come from."""
    found = {"embed.weight": torch.tensor([-1.0])}
    for layer in range(layers):
        for name in ("fc1.weight", "fc2.weight", "fc2.bias", "bn.running_var", "gamma"):
            found[f"body.layers.{layer}.{name}"] = torch.tensor([layer + 2.0])
        for name in ("norm.weight", "norm.bias", "last.weight", "last.bias"):
            found[f"body.layers.{layer}.{name}"] = torch.tensor([layer + 20.0])
    return found


def value(deepened, layer, name):
    return float(deepened[f"body.layers.{layer}.{name}"])


@pytest.mark.parametrize(
    ("place", "source", "inserted"),
    [
        ("end", (0, 1, 1, 1), (False, False, True, True)),
        ("between", (0, 0, 1, 1), (False, True, False, True)),
    ],
)
def test_new_layers_come_last_or_between(place, source, inserted):
    found = stacked("layers", 2, 4, place=place)
    assert (found.source, found.inserted, found.added) == (source, inserted, 2)


@given(old=st.integers(1, 12), more=st.integers(0, 12), place=st.sampled_from(["end", "between"]))
def test_every_old_layer_is_there_once_and_in_order(old, more, place):
    found = stacked("layers", old, old + more, place=place)
    kept = [
        source
        for source, inserted in zip(found.source, found.inserted, strict=True)
        if not inserted
    ]
    assert kept == list(range(old))
    assert list(found.source) == sorted(found.source)
    assert found.added == more


def test_the_names_of_a_deeper_network_are_those_of_the_copied_layers():
    names = deepened_names(["embed.w", "a.0.w", "a.1.w", "b.0.w"], [stacked("a", 2, 3)])
    assert set(names) == {"embed.w", "a.0.w", "a.1.w", "a.2.w", "b.0.w"}


def test_layers_that_differ_keep_the_names_of_their_own():
    names = deepened_names(["a.0.w", "a.1.w", "a.1.extra"], [stacked("a", 2, 3)])
    assert set(names) == {"a.0.w", "a.1.w", "a.1.extra", "a.2.w", "a.2.extra"}


def test_a_new_layer_is_a_silent_copy():
    found = Deepened(state(2), [stacked("body.layers", 2, 3, silent=("fc2", "bn", "gamma"))])
    assert float(found["embed.weight"]) == -1
    assert value(found, 1, "fc2.weight") == 3
    assert value(found, 2, "fc1.weight") == 3
    assert value(found, 2, "fc2.weight") == value(found, 2, "fc2.bias") == 0
    assert value(found, 2, "gamma") == 0
    assert value(found, 2, "bn.running_var") == 3, "statistics stay what they are"


@pytest.mark.parametrize("place", ["end", "between"])
def test_the_last_norm_of_a_run_of_new_layers_takes_over_the_gain(place):
    stack = stacked(
        "body.layers", 2, 5, place=place, silent=("fc2",), norms=("norm",), last_norm="last"
    )
    found = Deepened(state(2), [stack])
    for layer, (source, inserted) in enumerate(zip(stack.source, stack.inserted, strict=True)):
        followed = layer + 1 < 5 and stack.inserted[layer + 1]
        expected = (1.0, 0.0) if followed else (20.0 + source, 20.0 + source)
        assert (value(found, layer, "last.weight"), value(found, layer, "last.bias")) == expected
        inner = (1.0, 0.0) if inserted else (20.0 + source, 20.0 + source)
        assert (value(found, layer, "norm.weight"), value(found, layer, "norm.bias")) == inner


def test_a_list_whose_name_begins_alike_is_another():
    found = Deepened({"a.layers2.0.w": torch.tensor([1.0])}, [stacked("a.layers", 1, 2)])
    assert float(found["a.layers2.0.w"]) == 1
