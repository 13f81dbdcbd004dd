"""Inputs out of larger files lie within reach: the same ones, any of them at once, copied once."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.building.copies import Chosen, within_reach
from zoo.errors import ZooError
from zoo.types.probe import ImageInput


def encoded(number):
    return ImageInput(name=f"x.parquet row {number}", data=bytes([number % 256]) * (number + 1))


class Counted(list):
    """Inputs that know how often they are read."""

    reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)


@given(
    whole=st.lists(st.integers(), max_size=30),
    data=st.data(),
)
def test_some_of_a_sequence_are_those_that_were_chosen(whole, data):
    rows = data.draw(st.lists(st.integers(0, len(whole) - 1), unique=True)) if whole else []
    rows.sort()
    chosen, expected = Chosen(whole, rows), [whole[row] for row in rows]
    assert [chosen[number] for number in range(len(chosen))] == expected
    assert chosen[:] == expected
    assert chosen[1::2] == expected[1::2]


def test_encoded_images_are_the_same_from_the_copy_also_in_another_process(tmp_path):
    inputs = [encoded(number) for number in range(1100)]
    inputs[7] = None
    events = []
    copy = within_reach(inputs, tmp_path / "inputs.bin", on_event=events.append)
    assert [copy[number] for number in range(len(copy))] == inputs
    assert copy[3:9] == inputs[3:9]
    assert copy[-1] == inputs[-1]
    assert pickle.loads(pickle.dumps(copy))[500] == inputs[500]
    assert (events[-1].done, events[-1].total) == (1100, 1100)


def test_a_whole_copy_is_not_made_again(tmp_path):
    inputs = Counted(encoded(number) for number in range(20))
    path = tmp_path / "inputs.bin"
    within_reach(inputs, path)
    before = inputs.reads
    assert within_reach(inputs, path)[11] == encoded(11)
    assert inputs.reads == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.with_suffix(".json").unlink(),
        lambda path: path.with_suffix(".json").write_text("{"),
        lambda path: path.unlink(),
    ],
    ids=["cut", "no index", "damaged index", "no copy"],
)
def test_half_a_copy_is_made_again(tmp_path, spoil):
    inputs = [encoded(number) for number in range(20)]
    path = tmp_path / "inputs.bin"
    within_reach(inputs, path)
    spoil(path)
    assert within_reach(inputs, path)[:] == inputs


def test_texts_and_files_stay_in_memory_and_nothing_is_written(tmp_path):
    inputs = ["a text", ("a", "pair"), ImageInput(name="a.png", path="/a.png"), None]
    assert within_reach(inputs, tmp_path / "inputs.bin")[:] == inputs
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(ZooError, match="cannot be copied"):
        within_reach([encoded(1)], tmp_path / "nowhere" / "inputs.bin")
