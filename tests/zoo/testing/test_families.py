"""Which broken promises of a family are found, and in which words."""

from __future__ import annotations

import dataclasses

import pytest

from zoo.errors import InputError
from zoo.testing.families import KIT, check_family
from zoo.types import FamilySpec
from zoo.types.growing import Deepen
from zoo_growth.families.resnet import ResNet
from zoo_growth.families.vit import Vit


def spec_of(*model_types, target="zoo_growth.families.vit:Vit", sizes=("depth",)):
    return FamilySpec(
        name="mine", target=target, summary="", model_types=model_types or ("vit",), sizes=sizes
    )


def the_sentence(family, **more):
    (sentence,) = check_family(spec_of(**more), family)
    assert sentence.startswith("mine: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def with_blueprint(change):
    """Give a family with another blueprint."""

    class Other(Vit):
        def blueprint(self, network, config, *, place="end"):
            return change(super().blueprint(network, config, place=place))

    return Other()


def with_grown(change):
    """Give a family with another larger configuration."""

    class Other(Vit):
        def grown(self, config, steps):
            return change(config, steps, super().grown)

    return Other()


def without(found, ending):
    kept = {name: rule for name, rule in found.rules.items() if not name.endswith(ending)}
    return dataclasses.replace(found, rules=kept)


def scaled(found, ending):
    rules = {
        name: dataclasses.replace(rule, factor=2.0) if name.endswith(ending) else rule
        for name, rule in found.rules.items()
    }
    return dataclasses.replace(found, rules=rules)


def test_a_family_that_keeps_its_promises_passes():
    assert check_family(spec_of("vit", "deit")) == []
    assert check_family(spec_of("resnet"), ResNet()) == []


def test_an_architecture_without_a_recipe_is_for_the_authors_own_tests():
    assert check_family(spec_of("brand-new"), Vit()) == []


def test_what_is_missing_or_raises():
    assert "lacks grown" in the_sentence(object())
    (sentence,) = check_family(spec_of(target="absent.module:Family"))
    assert "making it with its default options raises" in sentence
    assert "raises ZeroDivisionError" in the_sentence(with_grown(lambda *_: 1 / 0))
    assert "raises ZeroDivisionError" in the_sentence(with_blueprint(lambda _: 1 / 0))


@pytest.mark.parametrize(
    "change",
    [
        lambda found: scaled(found, "classifier.weight"),
        lambda found: dataclasses.replace(found, epsilon=()),
        lambda found: scaled(found, "intermediate.dense.weight"),
    ],
    ids=["a head", "an epsilon", "an inner layer"],
)
def test_a_rule_that_is_wrong(change):
    wrong = with_blueprint(change)
    found = check_family(spec_of(), wrong)
    # An epsilon of 1e-12 is too small to show; the family's own tests take a large one.
    assert found == [] or "the larger network differs by" in found[0]


def test_a_parameter_without_a_rule():
    sentence = the_sentence(with_blueprint(lambda found: without(found, "classifier.weight")))
    assert "growing by Widen" in sentence
    assert "classifier.weight" in sentence


def test_a_new_layer_that_is_not_silent():
    def loud(found):
        stacks = tuple(dataclasses.replace(each, silent=()) for each in found.stacks)
        return dataclasses.replace(found, stacks=stacks)

    sentence = the_sentence(with_blueprint(loud))
    assert "differs by" in sentence
    assert "no axis or layer says why" in sentence


def test_a_network_that_is_not_exact_may_be_where_the_blueprint_says_why():
    def loud(found):
        stacks = tuple(dataclasses.replace(each, silent=(), why="test") for each in found.stacks)
        return dataclasses.replace(found, stacks=stacks)

    assert check_family(spec_of(), with_blueprint(loud)) == []


def test_a_configuration_that_changes_under_ones_hands():
    def in_place(config, steps, right):
        larger = right(config, steps)
        config.hidden_size = larger.hidden_size
        return larger

    assert "grown changes the configuration that it is given" in the_sentence(with_grown(in_place))


def test_a_growth_that_changes_nothing():
    sentence = the_sentence(with_grown(lambda config, *_: config))
    assert "changes nothing" in sentence

    def wider_alone(config, steps, right):
        return right(config, [each for each in steps if not isinstance(each, Deepen)])

    assert "Deepen" in the_sentence(with_grown(wider_alone))


def test_shrinking_that_is_not_refused():
    def any_size(config, steps, right):
        try:
            return right(config, steps)
        except InputError:
            return config

    assert "a width of 0.5x is not refused" in the_sentence(with_grown(any_size))


def shrinks(config, steps, right):
    try:
        return right(config, steps)
    except InputError:
        return config


def in_place(config, steps, right):
    larger = right(config, steps)
    config.hidden_size = larger.hidden_size
    return larger


FAULTS = {
    "methods": object(),
    "grown": with_grown(lambda config, *_: config),
    "exact": with_blueprint(lambda found: scaled(found, "classifier.weight")),
    "untouched-input": with_grown(in_place),
    "refuses-shrinking": with_grown(shrinks),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, name):
    kinds = {"model_types": ("vit",), "sizes": ()}
    assert checks_that_fail("family", FamilySpec, FAULTS[name], **kinds) == [name]


def test_every_check_has_such_a_fault():
    assert {each.name for each in KIT.checks} == FAULTS.keys()
