"""Which broken promises of a merger are found."""

from __future__ import annotations

import pytest
import torch

from zoo.testing.amalgamators import check_amalgamator
from zoo.types import AmalgamatorSpec

SPEC = AmalgamatorSpec(name="soup", target=f"{__name__}:Soup", summary="", kind="merging")


class Soup:
    needs_base = False

    def check(self, models):
        return []

    def merge(self, name, tensors, base):
        return torch.stack(list(tensors)).mean(0)


class Changes(Soup):
    needs_base = True

    def merge(self, name, tensors, base):
        return base + sum(each - base for each in tensors)


def the_sentence(**methods):
    (sentence,) = check_amalgamator(SPEC, type("Other", (Soup,), methods)())
    assert sentence.startswith("soup: ")
    return sentence


@pytest.mark.parametrize("merger", [Soup, Changes])
def test_a_merger_that_keeps_its_promises_passes(merger):
    assert check_amalgamator(SPEC, merger()) == []


def test_a_merger_of_two_models_alone_passes():
    pair = type("Pair", (Soup,), {"check": lambda self, n: ["two."] * (n != 2)})
    assert check_amalgamator(SPEC, pair()) == []


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"needs_base": None}, "needs_base must be True or False, and is None"),
        (
            {"check": lambda *_: ["Never."]},
            "check refuses every number of models (2, 3, 4): Never.",
        ),
        ({"check": lambda *_: "no"}, "check must give a list of sentences"),
        ({"merge": lambda *_: 1 / 0}, "merge of 2 float32 tensors of () raises ZeroDivisionError"),
        ({"merge": lambda *_: 3.0}, "merge must give a tensor, and gives float"),
    ],
)
def test_what_is_wrong_with_a_merger_is_one_sentence(methods, words):
    assert words in the_sentence(**methods)


def found(merge, **more):
    merger = type("Other", (Soup,), {"merge": merge, **more})()
    return " ".join(check_amalgamator(SPEC, merger))


def test_shape_and_kind_are_kept():
    flat = found(lambda self, name, tensors, base: tensors[0].reshape(-1))
    assert "merge must keep the shape of 2 float32 tensors of ()" in flat
    half = found(lambda self, name, tensors, base: tensors[0].float())
    assert "merge must keep the kind of 2 float64 tensors" in half


def test_tensors_are_not_written_over():
    def writes(self, name, tensors, base):
        return tensors[0].add_(tensors[1]).div_(2)

    assert "merge changes the tensors that it is given" in found(writes)


def test_equal_names_give_equal_tensors():
    def draws(self, name, tensors, base):
        kept = torch.rand_like(tensors[0]) < 0.5
        return torch.where(kept, tensors[0], tensors[1])

    assert "merge must give the same for the same name" in found(draws)


def test_equal_models_give_the_model():
    def adds(self, name, tensors, base):
        return sum(tensors)

    assert "equal models must give that model, and do not" in found(adds)
    assert "models that are the base must give the base" in found(adds, needs_base=True)


def test_a_base_that_is_asked_for_is_read():
    assert "merge makes nothing of the base" in found(Soup.merge, needs_base=True)


def test_numbers_stay_finite():
    def divides(self, name, tensors, base):
        return tensors[0] / (tensors[0] - tensors[0])

    assert "merge must give finite numbers" in found(divides)


def flattens(self, name, tensors, base):
    return tensors[0].reshape(-1)


def writes_over(self, name, tensors, base):
    return tensors[0].add_(tensors[1]).div_(2)


def draws_anew(self, name, tensors, base):
    return torch.where(torch.rand_like(tensors[0]) < 0.5, tensors[0], tensors[1])


FAULTS = {
    "methods": object,
    "models": {"check": lambda *_: ["Never."]},
    "merged": {"merge": flattens},
    "untouched-input": {"merge": writes_over},
    "seeded": {"merge": draws_anew},
    "equal-models": {"merge": lambda self, name, tensors, base: sum(tensors)},
    "base": {"needs_base": True},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_under_the_name_of_its_check(checks_that_fail, name):
    fault = FAULTS[name]
    merger = object() if fault is object else type("Other", (Soup,), fault)()
    assert name in checks_that_fail("amalgamator", AmalgamatorSpec, merger, kind="merging")
