"""The end of a build: what is told, what is added, and what an interruption left to be done."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from zoo.building import journey
from zoo.building.account import consequences
from zoo.building.journey import resume
from zoo.building.manifest import Manifest
from zoo.building.place import start
from zoo.building.recipe import Recipe, TeacherChoice
from zoo.errors import CheckpointError, InputError
from zoo.settings import Settings
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

RECIPE = Recipe(teachers=(TeacherChoice(model="embedded:resnet", alias="birds"),), data="./x")


@pytest.fixture
def told():
    """Stand in for the plugins, who are told of every finished model."""
    models = []
    host = SimpleNamespace(tell=lambda name, *, result: models.append(result))
    return SimpleNamespace(host=host, models=models)


@pytest.fixture
def halfway(tmp_path):
    """A folder whose publication was interrupted."""

    def make(recipe=RECIPE):
        work = start(tmp_path / "out", "out", recipe, Manifest(teachers=(), versions={}))
        build_tiny_checkpoint("resnet", work.training / "publishing")
        (work.training / "publishing" / "metrics.json").write_text('{"student": {"joint": 1}}')
        work.mark("publishing")
        work.close()
        return tmp_path / "out"

    return make


def test_a_publication_is_completed_and_the_model_described(halfway, told):
    place = halfway()
    built = resume(place, Settings(), told)
    assert not (place / "training").exists()
    assert json.loads((place / "config.json").read_bytes())["model_type"] == "resnet"
    assert built.metrics == {"student": {"joint": 1}}
    assert built.parameters > 1000
    assert built.bytes > 4 * built.parameters
    assert told.models == [built]
    with pytest.raises(InputError, match="finished already"):
        resume(place, Settings(), told)


def test_a_model_that_cannot_be_exported_is_a_model_all_the_same(halfway, told, monkeypatch):
    def refuse(*_, **__):
        raise CheckpointError("out: no such operator")

    monkeypatch.setattr(journey, "add_onnx", refuse)
    place = halfway(Recipe(teachers=RECIPE.teachers, onnx=True))
    built = resume(place, Settings(), told)
    assert built.failures == ("onnx/ was not written: out: no such operator",)
    assert (place / "model.safetensors").exists()


def test_a_run_that_cannot_go_on_stays_as_it_is(tmp_path, told):
    work = start(tmp_path / "out", "out", RECIPE, Manifest(teachers=(), versions={}))
    work.close()
    with pytest.raises(Exception, match=r"\S"):  # nothing is there of what it is made of
        resume(tmp_path / "out", Settings(), told)
    assert (tmp_path / "out" / "training" / "state.json").exists()


def test_the_data_of_a_recipe_is_found_from_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir("/")
    recipe = Recipe(data="photos", folder=str(tmp_path))
    assert journey._from_here(recipe, recipe.data) == str(tmp_path / "photos")
    assert journey._from_here(Recipe(folder="/"), "org/data") == "org/data"
    assert journey._from_here(Recipe(folder="/"), "") == ""


@pytest.mark.parametrize(
    ("skipped", "said"),
    [
        ((), ()),
        (
            (("a.png", "it is cut"),),
            ("1 input of the data cannot be read and was left out: a.png (it is cut).",),
        ),
        (
            (("a", "it is cut"), ("b", "it is empty")),
            ("2 inputs of the data cannot be read and were left out: a (it is cut) and others.",),
        ),
    ],
    ids=["none", "one", "two"],
)
def test_what_was_left_out_is_told(skipped, said):
    assert consequences(SimpleNamespace(skipped=skipped), None, ()) == said
