"""Recorded transfers that a person keeps in a file."""

from __future__ import annotations

import pytest

from zoo.errors import InputError
from zoo.explaining.history import read_history


@pytest.fixture
def history(tmp_path):
    """Write a file of transfers, and read it."""

    def make(content):
        path = tmp_path / "own.csv"
        path.write_text(content, encoding="utf-8")
        return read_history(path)

    return make


@pytest.mark.parametrize("source", ["source", "model"])
@pytest.mark.parametrize("target", ["target", "set", "dataset", "data_set"])
def test_the_columns_of_a_truth_table_do_as_well(history, source, target):
    (record,) = history(f"{source},{target},value\nnet,pets,0.5\n")
    assert (record.source, record.target, record.value) == ("net", "pets", 0.5)
    assert (record.metric, record.origin) == ("accuracy", "own.csv, line 2")


def test_every_other_column_is_a_number_known_before(history):
    one, two = history(
        "source,target,value,logme,size,recipe,seed,seconds,version\n"
        "a,x,0.5, ,-3e2,full,1,9,2\nb,x,1,1.25,,full,2,8,2\n"
    )
    assert (one.quantities, two.quantities) == ({"size": -300.0}, {"logme": 1.25})


def test_classes_are_told_apart_by_semicolons(history):
    (record,) = history(
        'source,target,value,source_labels,target_labels\na,x,1," cat; ;dog, hot ;",\n'
    )
    assert record.source_labels == ("cat", "dog, hot")
    assert record.target_labels == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("target,value\nx,1\n", "has no column 'source'; it has: target, value."),
        ("source,value\nx,1\n", "has no column 'target'; it has: source, value."),
        ("source,target\nx,y\n", "has no column 'value'; it has: source, target."),
        ("source,target,value\na,x,\n", "line 2, column 'value'"),
        ("source,target,value\na,x,nan\n", "line 2, column 'value'"),
        ("source,target,value,logme\na,x,1,2\nb,x,1,high\n", "line 3, column 'logme': 'high'"),
        ("", "own.csv"),
    ],
)
def test_a_bad_file_is_one_sentence_with_its_line(history, content, words):
    with pytest.raises(InputError) as error:
        history(content)
    assert words in error.value.message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv"):
        read_history(tmp_path / "gone.csv")
