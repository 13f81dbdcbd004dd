"""Which broken promises of a grower are found, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zoo.errors import InputError
from zoo.growing.choosing import exact_maps
from zoo.growing.filling import fill
from zoo.testing.growers import KIT, check_grower
from zoo.types import GrowerSpec


def spec_of(**promises):
    return GrowerSpec(name="plain", target=f"{__name__}:Plain", summary="", **promises)


class Plain:
    """A good one; the others break one promise each."""

    def choose(self, blueprint, seed):
        return exact_maps(blueprint.axes, seed)

    def fill(self, growth):
        state = growth.old.module.state_dict()
        fill(growth.new.module, state, growth.blueprint, growth.maps, seed=growth.seed)
        return ()


class Learner(Plain):
    """One that trains what it has filled."""

    def fill(self, growth):
        growth.learn(growth.new.module, steps=3)
        return super().fill(growth)


def the_sentence(method, **promises):
    (sentence,) = check_grower(spec_of(**promises), method)
    assert sentence.startswith("plain: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    assert "\n" not in sentence
    return sentence


def with_maps(change):
    """Give a grower that chooses something else."""

    def choose(self, blueprint, seed):
        maps = Plain.choose(self, blueprint, seed)
        change(maps, blueprint)
        return maps

    return type("Other", (Plain,), {"choose": choose})()


def after_filling(change):
    """Give a grower that does one thing more."""

    def grower_fill(self, growth):
        Plain.fill(self, growth)
        with torch.no_grad():
            change(growth)
        return ()

    return type("Other", (Plain,), {"fill": grower_fill})()


def replaced(name, **fields):
    def change(maps, blueprint):
        del blueprint
        maps[name] = replace(maps[name], **fields)

    return with_maps(change)


def test_one_that_keeps_its_promises_passes():
    assert check_grower(spec_of()) == []
    assert check_grower(spec_of(), Plain()) == []


@pytest.mark.parametrize("needs", ["samples", "labels"])
def test_one_that_learns_is_given_something_to_learn_with(needs):
    assert check_grower(spec_of(needs=needs), Learner()) == []
    assert "fill raises" in the_sentence(Learner())


def test_what_is_missing_or_raises():
    assert "lacks choose" in the_sentence(object())
    broken = GrowerSpec(name="plain", target="absent.module:Plain", summary="")
    (sentence,) = check_grower(broken)
    assert "making it with its default options raises" in sentence

    def refuse(*_):
        raise InputError("no.")

    assert "choose raises InputError: no" in the_sentence(
        type("Other", (Plain,), {"choose": refuse})()
    )
    assert "fill raises InputError" in the_sentence(type("Other", (Plain,), {"fill": refuse})())


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (with_maps(lambda maps, _: maps.pop("hidden 0")), "says nothing of the axis 'hidden 0'"),
        (replaced("hidden 0", index=torch.zeros(3).long()), "has 3 channels instead of 17"),
        (replaced("hidden 0", share=torch.ones(4)), "has 4 shares instead of 17"),
        (replaced("hidden 0", index=torch.full((17,), 10)), "a channel that there is not"),
        (replaced("hidden 0", index=torch.full((17,), -2)), "a channel that there is not"),
        (replaced("hidden 0", share=torch.ones(17).double()), "and it is preserving"),
    ],
)
def test_maps_that_cannot_be(method, words):
    assert words in the_sentence(method)


def test_a_map_that_says_why_it_is_not_exact_may_lose_channels():
    """The function is not asked for then."""
    lost = replaced(
        "width", index=torch.zeros(6).long(), share=torch.ones(6).double(), reason="it is a test"
    )
    sentences = check_grower(spec_of(), lost)
    assert sentences == [] or "twice as wide" in sentences[0]


def test_a_weight_that_nobody_sets():
    class Forgets(Plain):
        def fill(self, growth):
            return ()

    assert "embedding.weight is not set" in the_sentence(Forgets())


def test_a_smaller_network_that_changes():
    method = after_filling(lambda growth: growth.old.module.head.bias.add_(1))
    assert "it changes the smaller network" in the_sentence(method)


def test_random_numbers_of_the_process():
    method = after_filling(lambda _: torch.rand(1))
    assert "it draws from the process's own random numbers" in the_sentence(method)


def test_two_networks_of_one_seed():
    drawn = torch.Generator().manual_seed(0)

    def noise(growth):
        weight = growth.new.module.head.weight
        weight.add_(1e-14 * torch.randn(weight.shape, generator=drawn))

    assert "one seed gives two networks" in the_sentence(after_filling(noise))


def test_another_function_is_a_broken_promise_of_a_preserving_grower_alone():
    method = after_filling(lambda growth: growth.new.module.head.bias.add_(0.5))
    sentence = the_sentence(method)
    assert "with more hidden units, the larger network differs by 5.0e-01" in sentence
    assert check_grower(spec_of(preserving=False), method) == []


FAULTS = {
    "methods": object(),
    "maps": with_maps(lambda maps, _: maps.pop("hidden 0")),
    "complete": type("Forgets", (Plain,), {"fill": lambda *_: ()})(),
    "untouched-input": after_filling(lambda growth: growth.old.module.head.bias.add_(1)),
    "seeded": after_filling(lambda _: torch.rand(1)),
    "exact": after_filling(lambda growth: growth.new.module.head.bias.add_(0.5)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, name):
    assert checks_that_fail("grower", GrowerSpec, FAULTS[name]) == [name]


def test_every_check_has_such_a_fault():
    assert {each.name for each in KIT.checks} == FAULTS.keys()
