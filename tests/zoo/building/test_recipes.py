"""Preset, file and flags make one recipe; what is wrong with one is said with its place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.building.presets import (
    PRESETS,
    baseline_weights,
    loss_weights,
    preset_values,
    rates_for,
)
from zoo.building.recipe import Recipe, Schedule, TeacherChoice
from zoo.building.recipes import assemble, load_recipe, parse_teacher, to_yaml
from zoo.errors import InputError


@pytest.fixture
def file(tmp_path):
    def write(text, name="run.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_flags_win_over_the_file_and_the_file_over_the_preset(file):
    config = file("preset: quick\nepochs: 3\nlearning-rate: 1e-4\ntargets: gated\n")
    recipe = assemble({"epochs": 9.0}, config).recipe
    assert recipe.preset == "quick"
    assert recipe.schedule.epochs == 9.0
    assert recipe.schedule.learning_rate == 1e-4
    assert recipe.targets.kind == "gated"
    assert (recipe.views.kind, recipe.views.count, recipe.samples) == ("fixed", 2, 2000)


def test_a_file_may_be_written_with_the_names_of_the_flags_or_of_the_recipe(file):
    short = file(
        "teacher: [birds=hub:org/birds, ./dogs]\nstudent: ./small\neval: val\nset: {width: 3}\n"
        "weight: {soft: 2}\nviews: 3\ntemperature: 2\ncache: yes\nkeep: crane\ninitial: random\n"
    )
    long = file(
        "teachers:\n- {model: hub:org/birds, alias: birds}\n- model: ./dogs\n"
        "student: {model: ./small, initial: random}\nevaluation: val\noptions: {width: 3}\n"
        "loss_weights: {soft: 2}\nviews: {kind: fixed, count: 3}\ntargets: {temperature: 2}\n"
        "cache: 'yes'\nkeep: [crane]\n",
        "long.yaml",
    )
    assert assemble({}, short).recipe == assemble({}, long).recipe


@pytest.mark.parametrize("preset", [*PRESETS])
def test_a_recipe_survives_its_file(preset, file):
    recipe = assemble({"preset": preset, "teacher": ["a=./a", "./b"], "student": "./s"}).recipe
    path = file(to_yaml(recipe))
    assert load_recipe(path) == recipe
    again = assemble({}, path)
    assert again.recipe == recipe
    assert not again.free


def test_a_file_lets_nobody_run_code(file):
    path = file("trust_remote_code: [org/x, org/y]\n")
    found = assemble({"trust_remote_code": ("org/y",)}, path)
    assert found.recipe.trust_remote_code == ("org/y",)
    assert found.notes[0].endswith("--trust-remote-code org/x")


@settings(deadline=None, max_examples=40)
@given(
    st.builds(
        Schedule,
        epochs=st.floats(0.1, 100),
        batch=st.integers(1, 512),
        learning_rate=st.floats(1e-9, 1),
        warmup=st.floats(0, 0.9),
    ),
    st.lists(st.text(min_size=1), max_size=3),
)
def test_whatever_a_recipe_holds_is_read_back(schedule, labels):
    import tempfile

    recipe = Recipe(
        schedule=schedule, keep=tuple(labels), teachers=(TeacherChoice(model="./a", alias="a"),)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.yaml"
        path.write_text(to_yaml(recipe), encoding="utf-8")
        assert load_recipe(path) == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoks: 3\n", ("'epoks'", "Did you mean 'epochs'")),
        ("schedule: {epoks: 3}\n", ("'schedule.epoks'", "Did you mean 'schedule.epochs'")),
        ("teachers: [{modell: ./a}]\n", ("'teachers.modell'", "'teachers.model'")),
        ("epochs: ten\n", ("run.yaml, schedule.epochs", "float")),
        ("epochs: 0\n", ("run.yaml, schedule.epochs", "> 0")),
        ("preset: papr\n", ("'papr'", "Did you mean 'paper'")),
        ("targets: conkat\n", ("run.yaml, targets.kind", "'conkat'", "concat, per_teacher")),
        ("cache: maybe\n", ("run.yaml, cache", "Write auto, yes or no")),
        ("weight: {soft: -1}\n", ("run.yaml, loss_weights", ">= 0")),
        ("- a\n- b\n", ("holds no keys", "list")),
        ("method: [\n", ("run.yaml, line", "not valid YAML")),
        ("teachers: [3]\n", ("run.yaml, teachers", "int")),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_file_is_one_sentence_with_its_place(file, text, words):
    with pytest.raises(InputError) as caught:
        assemble({}, file(text))
    said = f"{caught.value.message} {caught.value.hint}"
    assert all(word in said for word in words), said
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        assemble({}, tmp_path / "run.yaml")


def test_a_flag_is_named_as_it_was_typed():
    with pytest.raises(InputError, match="--learning-rate: expected"):
        assemble({"learning_rate": "fast"})
    with pytest.raises(InputError, match="--views"):
        assemble({"views": "many"})


def test_another_preset_over_a_whole_file_says_what_it_does_not_change(file):
    path = file(to_yaml(assemble({"preset": "quick"}).recipe))
    found = assemble({"preset": "paper"}, path)
    assert found.recipe.schedule.epochs == 6
    assert "schedule.epochs" in found.notes[0]
    assert not assemble({"preset": "paper"}, file("seed: 3\n", "few.yaml")).notes


def test_what_nobody_set_may_be_chosen(file):
    found = assemble({"epochs": 3.0}, file("batch: 8\n"))
    assert "schedule.learning_rate" in found.free
    assert not {"schedule.epochs", "schedule.batch"} & found.free
    assert "schedule.learning_rate" not in assemble({"preset": "paper"}).free


def test_typed_paths_do_not_start_where_a_file_from_elsewhere_does(file, tmp_path, monkeypatch):
    here = tmp_path / "here"
    (here / "photos").mkdir(parents=True)
    monkeypatch.chdir(here)
    path = file("folder: /elsewhere\ndata: old\nevaluation: val\n")
    recipe = assemble({"data": "photos"}, path).recipe
    assert recipe.folder == "/elsewhere"
    assert recipe.data == str(here / "photos")
    assert recipe.evaluation == "val"


def test_the_presets_hold_what_the_recipe_knows():
    for name in PRESETS:
        recipe = msgspec.convert(preset_values(name), Recipe)
        assert recipe.preset == name
    paper = msgspec.convert(preset_values("paper"), Recipe)
    assert (paper.targets.kind, paper.loss_factor, paper.schedule.warmup) == ("concat", 10.0, 0.0)
    assert not paper.standardise_features
    balanced = msgspec.convert(preset_values("balanced"), Recipe)
    assert (balanced.targets.kind, balanced.loss_factor) == ("standardised", 1.0)
    assert balanced.schedule.warmup == 0.1


def test_a_trained_student_learns_the_faster_the_smaller_it_is_and_never_faster_than_a_new_head():
    sizes = [None, 100_000_000, 600_000, 240_000, 60_000, 1]
    rates = [rates_for(size, trained=True) for size in sizes]
    body = [each["learning_rate"] for each in rates]
    assert body == pytest.approx([1e-4, 1e-4, 1e-4, 2.5e-4, 1e-3, 1e-3])
    for each in rates:
        assert each["learning_rate"] * each["head_rate"] == pytest.approx(1e-3)
        assert each["extras_rate"] == each["head_rate"]
    assert rates_for(100_000_000, trained=False)["learning_rate"] == 1e-3


def test_the_weight_of_every_loss():
    own = {"near": 1.0, "far": 0.5}
    assert loss_weights(own, {}, 10.0, soft=True) == {"soft": 1.0, "near": 10.0, "far": 5.0}
    assert loss_weights(own, {"far": 2, "soft": 3}, 10.0, soft=True) == {
        "soft": 3,
        "near": 10.0,
        "far": 2,
    }
    with pytest.raises(InputError, match="no loss called 'soft'"):
        loss_weights(own, {"soft": 1}, 1.0, soft=False)


def test_the_baseline_learns_soft_targets_even_where_the_student_does_not():
    assert baseline_weights({"soft": 0.9, "near": 5.0}) == {"soft": 0.9}
    assert baseline_weights({"soft": 0.0, "labels": 2.0}) == {"soft": 1.0, "labels": 2.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("birds=hub:org/name@main", {"alias": "birds", "model": "hub:org/name@main"}),
        ("hub:org/name", {"model": "hub:org/name"}),
        ("./odd=name", {"model": "./odd=name"}),
        ("/data/a=b", {"model": "/data/a=b"}),
        ("a=./odd=name", {"alias": "a", "model": "./odd=name"}),
    ],
)
def test_a_teacher_and_its_name(text, found):
    assert parse_teacher(text) == found
