"""``zoo.grow``."""

from __future__ import annotations

import pytest

import zoo
from zoo.errors import InputError


def test_steps_are_composed_and_told(tiny, tmp_path):
    said = []
    report = zoo.grow(
        str(tiny("resnet")),
        tmp_path / "grown",
        [zoo.Widen(width="1.5x"), zoo.Deepen(depth="+1", place="between")],
        seed=4,
        on_event=lambda event: said.append(event.message),
    )
    assert {step.what for step in report.plan.steps} > {"stem", "stage 2"}
    assert report.plan.exact
    assert all(each.passed for each in report.proof)
    assert (tmp_path / "grown" / "growth.json").exists()
    assert any(text.startswith("growing ") for text in said)


def test_a_method_and_its_options(tiny, tmp_path):
    report = zoo.grow(
        str(tiny("vit")),
        str(tmp_path / "grown"),
        [zoo.Widen(mlp=64)],
        method="net2net",
        options={"noise": 0.5},
    )
    assert report.plan.method == "net2net"


def test_nothing_is_written_where_the_input_is_wrong(tiny, tmp_path):
    with pytest.raises(InputError, match="nothing is to grow"):
        zoo.grow(str(tiny("vit")), tmp_path / "grown")
    with pytest.raises(InputError, match="is no factor"):
        zoo.grow(str(tiny("vit")), tmp_path / "grown", [zoo.Widen(width="wide")])
    assert not (tmp_path / "grown").exists()
