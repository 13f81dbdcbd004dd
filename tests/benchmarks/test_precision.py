"""The table of what short numbers change."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("precision")


def values(benchmark, numbers):
    cells = {("a", "late"): numbers[0], ("b", "late"): numbers[1], ("b", "early"): numbers[2]}
    return benchmark.Values({"knn": cells}, {"a": "late", "b": "late"}, 1.0)


def test_equal_values_change_nothing(benchmark):
    same = values(benchmark, (1.0, 2.0, 3.0))
    assert benchmark.table(same, same)[2] == "| knn | 3 | 0.0e+00 | 0.0e+00 | 1.000 | 1.000 |"


def test_a_swap_of_two_checkpoints_is_seen_at_the_usual_layer(benchmark):
    row = benchmark.table(values(benchmark, (1.0, 2.0, 3.0)), values(benchmark, (2.0, 1.0, 3.0)))[2]
    assert row == "| knn | 3 | 1.0e+00 | 1.2e+00 | 0.333 | -1.000 |"


def test_cells_that_are_lost_are_counted(benchmark):
    exact, other = values(benchmark, (1.0, 2.0, 3.0)), values(benchmark, (1.0, 2.0, 3.0))
    del other.cells["knn"]["b", "early"]
    assert benchmark.table(exact, other)[2].endswith("1 cells lost")
