"""Where a student meets its teachers: the smallest grid, or vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.building.stages import cache_bytes, make_stages, shapes_of
from zoo.errors import InputError, UnknownNameError
from zoo.types.distilling import Pair
from zoo.types.training import FeatureShape

sides = st.integers(1, 30)
maps = st.builds(
    FeatureShape, tap=st.just("end"), width=st.integers(1, 64), grid=st.tuples(sides, sides)
)
vectors = st.builds(FeatureShape, tap=st.just("end"), width=st.integers(1, 64))
CNN = [
    FeatureShape(tap="stage.1", width=8, grid=(14, 14)),
    FeatureShape(tap="stage.2", width=16, grid=(7, 7)),
]
VIT = [FeatureShape(tap="block.1", width=12, grid=(16, 16))]
TEXT = [FeatureShape(tap="block.1", width=24)]


def met(shapes):
    return make_stages(
        [[each] for each in shapes[1:]], [shapes[0]], [("end", ["end"] * (len(shapes) - 1))]
    )


@given(st.lists(maps, min_size=1, max_size=5))
def test_maps_meet_on_the_smallest_height_and_the_smallest_width(shapes):
    (stage,) = met(shapes)
    grid = (min(each.grid[0] for each in shapes), min(each.grid[1] for each in shapes))
    found = [stage.student, *stage.teachers]
    assert [each.grid for each in found] == [grid] * len(shapes)
    assert [each.width for each in found] == [each.width for each in shapes]


@given(st.lists(st.one_of(maps, vectors), max_size=4), vectors, st.randoms())
def test_one_vector_makes_vectors_of_all(shapes, vector, random):
    shapes = [*shapes, vector]
    random.shuffle(shapes)
    (stage,) = met(shapes)
    assert {each.grid for each in (stage.student, *stage.teachers)} == {None}
    assert [each.width for each in stage.teachers] == [each.width for each in shapes[1:]]


def test_every_pair_gets_a_grid_of_its_own():
    first, second = make_stages(
        [CNN, VIT], CNN, [("stage.1", ("stage.1", "block.1")), ("stage.2", ("stage.2", "block.1"))]
    )
    assert first.student.grid == (14, 14)
    assert first.teachers[1] == FeatureShape(tap="block.1", width=12, grid=(14, 14))
    assert second.teachers[1] == FeatureShape(tap="block.1", width=12, grid=(7, 7))
    assert shapes_of([first, second], 1) == (first.teachers[1], second.teachers[1])


def test_no_pair_gives_no_stage():
    assert make_stages([CNN], CNN, []) == ()


def test_a_pair_may_ask_for_vectors_and_for_everybodys_own_grid():
    taps = {"student": "stage.2", "teachers": ("stage.1",)}
    own, vector = make_stages([CNN], CNN, [Pair(**taps, form="own"), Pair(**taps, form="vector")])
    assert (own.student, own.teachers) == (CNN[-1], (CNN[-2],))
    assert (vector.student.grid, vector.teachers[0].grid) == (None, None)


@pytest.mark.parametrize(
    ("pairs", "owner"),
    [([("stage.3", ("stage.2",))], "the student"), ([("stage.2", ("stage.3",))], "teacher 1")],
)
def test_an_unknown_layer_is_named_with_its_owner_and_the_nearest_name(pairs, owner):
    with pytest.raises(UnknownNameError) as caught:
        make_stages([CNN], CNN, pairs)
    assert f"no layer of {owner} called 'stage.3'. Did you mean 'stage." in caught.value.message


def test_a_pair_names_a_layer_of_every_teacher():
    with pytest.raises(InputError, match="paired with 1 layers of teachers, but there are 2"):
        make_stages([CNN, VIT], CNN, [("stage.2", ("stage.2",))])


def test_the_size_of_a_cache_counts_every_form_of_a_layer_once():
    pairs = [("stage.1", ("stage.2", "block.1")), ("stage.2", ("stage.2", "block.1"))]
    stages = make_stages([CNN, VIT], CNN, pairs)
    first, second = 16 * 49 + 10, 12 * 49  # both stages end on 7 x 7
    assert cache_bytes(stages, [10, None], rows=100, views=3) == 4 * 300 * (first + second)
    assert cache_bytes((), [10, 0], rows=100, views=1) == 4 * 100 * 10
