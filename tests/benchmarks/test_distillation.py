"""The distillation benchmark: who is compared with whom, what a step costs, and the table."""

from __future__ import annotations

import argparse
import importlib
import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.types import ImageInput

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
EMBEDDED = Path(__file__).parents[2] / "zoo" / "zoo" / "embedded"
LABELS = tuple("01234")


@pytest.fixture(autouse=True)
def _scripts_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def lessons():
    return importlib.import_module("distilling.lessons")


@pytest.fixture
def table():
    return importlib.import_module("distilling.table")


@pytest.fixture
def timing():
    return importlib.import_module("distilling.timing")


@pytest.fixture
def images():
    networks = importlib.import_module("distilling.networks")
    draw = np.random.default_rng(0)
    found = []
    for number in range(8):
        buffer = io.BytesIO()
        pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG")
        found.append(ImageInput(name=str(number), data=buffer.getvalue()))
    return networks.Images(found, torch.arange(8) % 5, LABELS)


@pytest.fixture
def make_course(lessons, images, tmp_path):
    """Give a group that learns from a packaged teacher."""
    networks = importlib.import_module("distilling.networks")
    (tmp_path / "teacher").symlink_to(EMBEDDED / "resnet-digits-0-4")
    for name in networks.STUDENTS:
        networks.write_student(name, tmp_path / name)

    def make(methods, student="resnet", **others):
        return lessons.Course(
            group=lessons.Group(methods=methods, **others),
            teachers=(networks.open_teacher(tmp_path, "teacher"),),
            open_student=partial(networks.open_student, tmp_path, student, LABELS, 0),
            samples=8,
            batch=4,
            seed=0,
            labels=images.labels,
        )

    return make


def run(answers, *, student="resnet", seed=0):
    return {"student": student, "group": "one teacher", "seed": seed, "right": answers}


def test_every_method_that_is_installed_has_a_row(lessons):
    methods = [each for group in lessons.GROUPS.values() for each in group.methods.values()]
    asked = {each.partition(":")[0] for each in methods if each}
    kinds = ("distiller", "objective", "regulariser", "augmenter", "pretext")
    installed = {name for kind in kinds for name in lessons.catalogue().specs(kind)}
    assert asked | {"kd"} == installed


def test_students_start_equal_and_only_those_that_may_see_labels(make_course, lessons):
    course = make_course(
        {"kd": "", "rkd": "rkd", "herocon": "herocon"}, labelled=("herocon",), alone=""
    )
    learners, several = course.learners(["kd", "rkd", "herocon"])
    first, *others = (each.network.module.state_dict() for each in learners.values())
    for other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)
    assert isinstance(learners["rkd"].extras, lessons.Blind)
    assert not isinstance(learners["herocon"].extras, lessons.Blind)
    assert "labels" not in learners["rkd"].weights
    assert {"soft", "labels"} < set(learners["herocon"].weights)
    assert learners["rkd"].stages == several.stages


def test_a_method_that_networks_rule_out_is_left_out_with_its_reason(make_course):
    fit, unfit = make_course({"kd": "", "gnnsd": "gnnsd"}).fitting()
    assert fit == ["kd"]
    assert "needs a graph" in unfit["gnnsd"]
    assert make_course({"gnnsd": "gnnsd"}, "vit").fitting() == (["gnnsd"], {})


def test_a_group_is_trained_and_judged(make_course, images, tmp_path):
    training = importlib.import_module("distilling.training")
    course = make_course(
        {"kd": "", "sp": "sp", "gnnsd": "gnnsd", "alone": ""}, labelled=("alone",), alone="alone"
    )
    found = training.train_group(course, images, images, tmp_path / "run", 1)
    assert set(found["right"]) == {"kd", "sp", "alone"}
    assert all(len(each) == 8 and set(each) <= set("01") for each in found["right"].values())
    assert set(found["unfit"]) == {"gnnsd"}
    assert found["steps"] == 2


def test_what_is_finished_is_not_trained_again(images, tmp_path, monkeypatch):
    script = importlib.import_module("distillation")
    trained = []

    def train_group(course, *_):
        trained.append((course.group, course.seed))
        return {"right": {"kd": "10"}, "seconds": 1.0}

    def course_of(_work, _student, group, seed, _images):
        return argparse.Namespace(group=group, seed=seed)

    monkeypatch.setattr(script, "train_group", train_group)
    monkeypatch.setattr(script, "course_of", course_of)
    options = argparse.Namespace(work=tmp_path, epochs=6)
    for seed in (0, 1, 0):
        (tmp_path / "runs" / f"vit-two-teachers-6-{seed}").mkdir(parents=True, exist_ok=True)
        found = script.carry_out(options, "vit", "two teachers", seed, (images, images))
        assert (found["seed"], found["right"]) == (seed, {"kd": "10"})
    assert trained == [("two teachers", 0), ("two teachers", 1)]


def test_a_step_counts_passes_and_what_is_kept(make_course, images, timing):
    course = make_course({"kd": "", "demi": "demi"})
    found = timing.measure(course, ["kd", "demi"], images, rounds=1, steps=2)
    assert found["kd"]["passes"] == [1, 1]
    assert found["demi"]["passes"] == [1, 2]
    assert found["kd"]["kept"] == 0 < found["demi"]["kept"]
    assert found["demi"]["peak"] > found["kd"]["peak"] > 0


def test_memory_counts_what_lives_at_the_same_time(timing):
    before = torch.zeros(1000)
    with timing.Live([before]) as live:
        before.add_(1)
        first = before + 1
        del first
        second = before + 2
        view = second.view(10, 100)
    assert (live.now, live.peak) == (4000, 4000)
    del second, view
    assert live.now == 0


def test_a_difference_is_paired_by_image(table):
    found = table.difference("1100", "1000")
    assert found["value"] == 0.25
    assert found["high"] - 0.25 == pytest.approx(1.96 * (3 / 16) ** 0.5 / 2, rel=1e-3)
    assert table.difference("10", "10") == {"value": 0, "low": 0, "high": 0}


def test_the_table_says_what_helps_what_harms_and_what_cannot_be(table, tmp_path):
    answers = {"kd": "10" * 200, "rkd": "1110" * 100, "sp": "10" * 200, "at": "1000" * 100}
    runs = [run(answers, seed=seed) for seed in range(3)]
    cost = {"times": 1.5, "overhead": 0.25, "passes": [1, 1.4], "kept": 1e6, "peak": 2e6}
    results = {
        "teachers": {"teacher": 0.7},
        "costs": {"resnet": {"rkd": {**cost, "milliseconds": 3.0}}},
        "summary": table.summarise(runs),
    }
    table.write({**results, "runs": runs}, tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["runs"][0]["right"] == {"kd": 200, "rkd": 300, "sp": 200, "at": 100}
    text = (tmp_path / "found.md").read_text()
    assert "| *teacher* | 70.0 |" in text
    assert "| rkd | 75.0 ± 0.0 | **+25.0 (+20.8 to +29.2)** | 1.50 | +25 % | 1, 1.4 |" in text
    assert "| sp | 50.0 ± 0.0 | +0.0 (+0.0 to +0.0) | - |" in text
    assert "| at | 25.0 ± 0.0 | **-25.0 (-29.2 to -20.8)** |" in text
    assert "| gnnsd | - | - |" in text
