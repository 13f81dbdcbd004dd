from __future__ import annotations

import pytest

from zoo.errors import CheckpointError
from zoo.growing.tables import (
    KEEPS,
    batch_norm,
    depthwise,
    linear,
    norm,
    parameter,
    reads,
    resolve,
    writes,
)
from zoo.types.growing import Axis, Dim

AXES = {name: Axis(name=name, old=2, new=3) for name in ("hidden", "mlp 0", "mlp 11", "head 0")}


def test_numbers_of_the_name_go_into_the_layout():
    table = {"layers.{}.fc1": linear("mlp {0}", "hidden")}
    names = ["body.layers.0.fc1.weight", "layers.11.fc1.bias", "layers.0.fc10.weight"]
    found = resolve(table, names, AXES)
    assert set(found) == set(names[:2])
    assert found[names[0]].dims == (writes("mlp 0"), reads("hidden"))
    assert found[names[1]].dims == (writes("mlp 11"),)


def test_a_pattern_matches_whole_names_of_modules():
    found = resolve({"norm": norm("hidden")}, ["norm.weight", "a.norm.bias", "q_norm.weight"], AXES)
    assert set(found) == {"norm.weight", "a.norm.bias"}


def test_the_first_rule_that_fits_counts():
    table = {"a.norm": norm("hidden", tied=True), "norm": norm("hidden")}
    found = resolve(table, ["a.norm.weight", "b.norm.weight"], AXES)
    assert found["a.norm.weight"].tied
    assert not found["b.norm.weight"].tied


def test_a_parameter_is_named_by_itself():
    table = {"cls_token": parameter(KEEPS, KEEPS, writes("hidden"))}
    found = resolve(table, ["body.cls_token", "cls_token.weight"], AXES)
    assert list(found) == ["body.cls_token"]


def test_an_axis_that_is_none_is_refused():
    with pytest.raises(CheckpointError, match=r"fc1\.weight names an axis 'mlp 5'"):
        resolve({"{}.fc1": linear("4*mlp {0}+hidden", "hidden")}, ["5.fc1.weight"], AXES)


def test_a_linear_map_may_be_stored_with_its_inputs_first():
    rules = linear("mlp 0", "hidden", transposed=True)
    assert rules["weight"].dims == (reads("hidden"), writes("mlp 0"))
    assert rules["bias"].dims == (writes("mlp 0"),)


def test_what_does_not_grow_is_kept():
    assert linear("", "hidden")["weight"].dims == (KEEPS, reads("hidden"))
    assert linear("", "hidden")["bias"].dims == (KEEPS,)
    assert depthwise("hidden")["weight"].dims == (writes("hidden"), KEEPS)


def test_a_map_before_any_norm_reads_raw():
    assert linear("", "hidden", raw=True)["weight"].dims[1] == Dim(
        role="reads_raw", layout="hidden"
    )


def test_shares_and_parts_are_named_by_number_too():
    rules = linear("head {0}+head {0}", "hidden", shared="head {0}", factor=2.0, part=1)
    found = resolve({"h.{}.qkv": rules}, ["h.0.qkv.weight"], AXES)["h.0.qkv.weight"]
    assert (found.shared, found.part, found.factor) == ("head 0", 1, 2.0)


def test_norms_grow_with_their_statistics():
    assert set(batch_norm("hidden")) == {"weight", "bias", "running_mean", "running_var"}
    scaled = norm("hidden", centre=1.0, factor=3.0)
    assert (scaled["weight"].centre, scaled["weight"].factor) == (1.0, 3.0)
    assert (scaled["bias"].centre, scaled["bias"].factor) == (0.0, 3.0)
