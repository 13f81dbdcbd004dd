"""Plans are made once, as long as the files stay what they are."""

from __future__ import annotations

import json
import shutil

import msgspec
import pytest

from zoo.types.training import StudentRequest
from zoo_runtimes.learning.planned import plan

REQUEST = StudentRequest(labels=("a", "b", "c"))


def test_a_plan_is_made_once(tiny_checkpoint):
    checkpoint = tiny_checkpoint("resnet")
    assert plan(checkpoint, "image", REQUEST) is plan(checkpoint, "image", REQUEST)


@pytest.mark.parametrize("request_", [None, StudentRequest(labels=("a", "b"))])
def test_another_wish_is_another_plan(tiny_checkpoint, request_):
    checkpoint = tiny_checkpoint("resnet")
    assert plan(checkpoint, "image", REQUEST) != plan(checkpoint, "image", request_)


def test_a_configuration_that_changed_is_planned_again(tiny_checkpoint, tmp_path):
    folder = shutil.copytree(tiny_checkpoint("resnet").folder, tmp_path / "copy")
    checkpoint = msgspec.structs.replace(tiny_checkpoint("resnet"), folder=str(folder))
    before = plan(checkpoint, "image", REQUEST)
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    config["hidden_sizes"][-1] *= 2
    path.write_text(json.dumps(config), encoding="utf-8")
    assert plan(checkpoint, "image", REQUEST).layers[-1].width == 2 * before.layers[-1].width


def test_a_layer_of_a_plan_is_one_of_its_points(tiny_checkpoint):
    planned = plan(tiny_checkpoint("vit"), "image", None)
    names = [layer.tap for layer in planned.layers]
    assert names == [point.tap.name for point in planned.body]
    assert set(names) <= {point.tap.name for point in planned.points}
