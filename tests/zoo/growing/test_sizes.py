from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.growing.sizes import check_size, deepened, factor_of, sized


@pytest.mark.parametrize(
    ("said", "old", "new"),
    [
        ("1.5x", 24, 36),
        ("1.5x", 25, 38),
        ("2x", 7, 14),
        (1.5, 24, 36),
        ("+64", 64, 128),
        ("+25%", 64, 80),
        ("+1%", 10, 11),
        ("100", 64, 100),
        (100, 64, 100),
        (" 1x ", 9, 9),
        ("+0", 9, 9),
    ],
)
def test_a_size_is_a_factor_a_difference_or_the_number_itself(said, old, new):
    assert sized("hidden size", said, old) == new


def test_a_relative_size_is_rounded_to_a_multiple():
    assert sized("channels", "1.5x", 40, multiple=16) == 64
    assert sized("channels", "+15%", 40, multiple=8) == 48


@given(old=st.integers(1, 500), factor=st.floats(1, 4), multiple=st.integers(1, 16))
def test_a_factor_of_a_multiple_never_shrinks(old, factor, multiple):
    new = sized("width", factor, old * multiple, multiple=multiple)
    assert new >= old * multiple
    assert new % multiple == 0
    assert abs(new - old * multiple * factor) <= multiple


@pytest.mark.parametrize("said", ["", "wide", "-3", "1.5", "+", "x", "1e3"])
def test_what_is_no_size_is_said(said):
    with pytest.raises(InputError, match="is no size"):
        sized("hidden size", said, 8)


@pytest.mark.parametrize(("said", "factor"), [("1.5x", 1.5), (" +50% ", 1.5), (2, 2.0), (1.5, 1.5)])
def test_a_factor_is_times_or_percent(said, factor):
    assert factor_of(said) == factor


@pytest.mark.parametrize(
    "said", ["wide", "widex", "x", "+%", "50%", "4/3x", "+64", "infx", float("nan")]
)
def test_what_is_no_factor_is_refused(said):
    with pytest.raises(InputError, match="is no factor"):
        factor_of(said)


@pytest.mark.parametrize("said", ["0.5x", "7", "0", 0.5])
def test_growing_never_shrinks(said):
    with pytest.raises(InputError, match="the hidden size would shrink from 8 to") as caught:
        sized("hidden size", said, 8)
    assert "zoo distill" in (caught.value.hint or "")


@pytest.mark.parametrize(("new", "hint"), [(30, "The nearest: 28 or 32"), (25, "The nearest: 28")])
def test_a_size_that_is_no_multiple_names_the_nearest(new, hint):
    with pytest.raises(InputError, match="is no multiple of 4") as caught:
        check_size("hidden size", new, 25 if new == 25 else 26, multiple=4)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("said", "old", "new"),
    [
        ("+1", [3, 4, 6, 3], [4, 5, 7, 4]),
        (12, [6], [12]),
        ("+50%", [2, 4], [3, 6]),
        ("3,4,9,3", [3, 4, 6, 3], [3, 4, 9, 3]),
        ("3, +2", [3, 4], [3, 6]),
    ],
)
def test_a_depth_is_one_size_or_one_a_stage(said, old, new):
    assert deepened("depth", said, old) == new


def test_a_depth_of_other_stages_is_refused():
    with pytest.raises(InputError, match="names 3 stages, and there are 4") as caught:
        deepened("depth", "1,2,3", [3, 4, 6, 3])
    assert "one number a stage" in (caught.value.hint or "")
