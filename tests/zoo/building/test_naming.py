"""What ``--method kd,rkd,hkd:3`` means, and what is said about what means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.building.methods import Part
from zoo.building.naming import find, forget_others, join, own_weight, parts_of, split
from zoo.errors import InputError, UnknownNameError
from zoo.types import DistillerSpec


@pytest.fixture
def catalogue(methods_catalogue):
    return methods_catalogue


def part(name, weight):
    return Part(
        kind="distiller",
        spec=DistillerSpec(name=name, target="a:B", summary="", weight=2.0),
        method=None,
        weight=weight,
    )


def test_names_are_taken_apart_with_their_weights():
    assert split("kd") == [("kd", None)]
    assert split("kd, rkd , hkd : 3,sp:1e3,x:0") == [
        ("kd", None),
        ("rkd", None),
        ("hkd", 3.0),
        ("sp", 1000.0),
        ("x", 0.0),
    ]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("kd,,rkd", "names no method at one place"),
        ("kd,", "names no method at one place"),
        (":3", "names no method at one place"),
        ("kd,rkd,kd:2", "names kd twice"),
        ("kd:much", "'much' is no weight"),
        ("kd:", "'' is no weight"),
        ("kd:-1", "'-1' is no weight"),
        ("kd:nan", "'nan' is no weight"),
        ("kd:inf", "'inf' is no weight"),
        ("kd:1:2", "'1:2' is no weight"),
    ],
)
def test_what_cannot_be_taken_apart_is_quoted(method, words):
    with pytest.raises(InputError) as caught:
        split(method)
    assert words in caught.value.message
    assert caught.value.hint


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=4))
def test_joined_and_taken_apart_again_every_weight_is_the_very_same(weights):
    parts = [part(f"m{number}", weight) for number, weight in enumerate(weights)]
    again = split(join(parts))
    found = [2.0 if weight is None else weight for _, weight in again]
    assert found == weights
    assert [name for name, _ in again] == [each.name for each in parts]


def test_a_weight_that_is_the_methods_own_is_left_out():
    assert join([part("a", 2.0), part("b", 3.0), part("c", 0.5)]) == "a,b:3,c:0.5"


def test_methods_of_every_kind_are_found_and_made(catalogue):
    found = parts_of("ends:3,aim,calm,mixer,puzzle:0.5", {}, catalogue, published=False)
    assert [each.kind for each in found] == [
        "distiller",
        "objective",
        "regulariser",
        "augmenter",
        "pretext",
    ]
    assert [each.weight for each in found] == [3.0, 1.0, 0.5, 1.0, 0.5]
    assert [own_weight(each.spec) for each in found] == [2.0, 1.0, 0.5, 1.0, 0.2]
    assert found[0].method.width == 8


def test_options_reach_their_method_and_win_over_published_ones(catalogue):
    def made(published, **options):
        (found,) = parts_of("ends", options, catalogue, published=published)
        assert found.method.width == found.options.get("width", 8)
        return found.method.width

    assert made(False) == 8
    assert made(True) == 64
    assert made(True, ends={"width": 16}) == 16
    assert made(False, ends={"width": 16}) == 16


def test_a_name_that_there_is_not_is_guessed(catalogue):
    with pytest.raises(UnknownNameError, match="sofd") as caught:
        parts_of("ends,sofd", {}, catalogue, published=False)
    assert "soft" in caught.value.message
    assert find("calm", catalogue)[0] == "regulariser"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"soft": {"width": 3}}, "options of soft are given, and the methods are ends"),
        ({"ends": {"depth": 3}}, "'ends' has no option 'depth'. Options: width."),
        ({"ends": {"width": "wide"}}, "wide"),
        ({"ends": {"width": 0}}, "ends.width must be 1 or more, not 0."),
    ],
)
def test_an_option_that_is_wrong_is_named(catalogue, options, words):
    with pytest.raises(InputError) as caught:
        parts_of("ends", options, catalogue, published=False)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("ends,mixer:0.5", "mixer gives no loss that 0.5 could be the weight of"),
        ("mixer:0", "mixer gives no loss that 0 could be the weight of"),
    ],
)
def test_a_number_that_means_nothing_for_a_method_is_refused(catalogue, method, words):
    with pytest.raises(InputError) as caught:
        parts_of(method, {}, catalogue, published=False)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("command", "calibrate", "left"),
    [("distill", "", {}), ("distill", "kept", {"kept"}), ("amalgamate", "", {"kept", "gone"})],
)
def test_options_of_methods_that_are_named_no_more_are_left_out(command, calibrate, left):
    filed = {"calibrate": calibrate, "options": {"kept": {"size": 3}, "gone": {"size": 1}}}
    said = forget_others(filed, {"command": command, "method": "kd"})
    assert filed["options"].keys() == set(left)
    assert bool(said) == (command == "distill")
