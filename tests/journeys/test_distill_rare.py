"""Distillations that few ask for: every one of them ends in a model, or in one clear sentence."""

from __future__ import annotations

import json

import pytest
import yaml

pytestmark = pytest.mark.exhaustive

TEACHER, STUDENT = "embedded:resnet-digits-0-4", "embedded:regnet-textures"
MORE = """
import json
from pathlib import Path
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

def changed(folder, **more):
    place = build_tiny_checkpoint("resnet", folder)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | more))

changed("several-at-once", problem_type="multi_label_classification")
changed("numbers", problem_type="regression")
changed("others", id2label=dict(enumerate("01abc")))
for name in ("bert", "distilbert", "resnet", "vit"):
    build_tiny_checkpoint(name, name + "-body", head=False)
words = [f"the {word} film is {word} and the plot was {n}" for n in range(20) for word in "ab"]
Path("plots.txt").write_text("\\n".join(words))
"""


@pytest.fixture(scope="module")
def distill(bench):
    """Run ``zoo distill`` for one short epoch, in a folder of its own."""
    done = bench.run(cwd=bench.folder, code=MORE)
    assert done.code == 0, done.stderr

    def run(place, *more, teachers=(TEACHER,), student=STUDENT, data="pictures", fault=None):
        return bench(
            *("distill", *(word for each in teachers for word in ("--teacher", each))),
            *("--student", student, "--data", data, "--config", "often.yaml"),
            *("--batch", 12, "--epochs", 1, "--yes", "-o", f"rare-{place}", *more),
            fault=fault,
        )

    return run


def config_of(bench, place):
    return json.loads((bench.folder / f"rare-{place}" / "config.json").read_bytes())


def recipe_of(bench, place):
    return yaml.safe_load((bench.folder / f"rare-{place}" / "run.yaml").read_text())


@pytest.mark.parametrize(
    ("place", "method", "more"),
    [
        ("parts", "kd,demi", {}),
        ("parts-kept", "kd,demi,fitnet,at", {"flags": ("--views", 2, "--cache")}),
        ("graph-of-tokens", "kd,gnnsd", {"student": "./vit-body"}),
        ("warm", "kd,rkd,exemplar:0.5", {}),
        ("paper", "kd,crd", {"flags": ("--preset", "paper")}),
        ("maps", "kd,vid,nst,reviewkd", {"student": "./resnet-body"}),
        ("vectors", "dkd,sp,pkt,cc", {}),
    ],
)
def test_methods_end_in_a_model(bench, distill, place, method, more):
    flags = more.pop("flags", ())
    done = distill(place, "--method", method, *flags, **more)
    assert done.code == 0, done.stderr
    assert list(config_of(bench, place)["id2label"].values()) == ["0", "1", "2", "3", "4"]
    assert recipe_of(bench, place)["method"] == method
    assert "NaN" not in (bench.folder / f"rare-{place}" / "training.jsonl").read_text()


def test_several_teachers_are_compared_with_one_another(bench, distill):
    teachers = [f"a={TEACHER}", f"b={TEACHER}"]
    done = distill("crowd", "--method", "graph", teachers=teachers)
    assert done.code == 0, done.stderr
    assert len(config_of(bench, "crowd")["id2label"]) == 5


def test_a_warm_start_that_is_killed_goes_on_to_the_very_same(bench, distill):
    more = ("--method", "kd,rkd,exemplar:0.9")
    whole = distill("warm-whole", *more)
    assert whole.code == 0, whole.stderr
    done = distill("warm-killed", *more, fault=("zoo.training.pupil:Pupil.forward", 2, "SIGKILL"))
    assert done.code == -9, done.stderr
    done = bench("resume", "rare-warm-killed")
    assert done.code == 0, done.stderr
    assert bench.weights("rare-warm-killed") == bench.weights("rare-warm-whole")


def test_kd_of_no_weight_makes_an_extractor(bench, distill):
    done = distill("silent", "--method", "kd:0,rkd")
    assert done.code == 0, done.stderr
    assert "zoo_label_spaces" not in config_of(bench, "silent")
    assert not (bench.folder / "rare-silent" / "label_map.yaml").exists()
    assert recipe_of(bench, "silent")["method"] == "kd:0,rkd"


def test_some_labels_are_kept_and_judged(bench, distill):
    done = distill("kept", "--keep", "0", "--keep", "2", "--eval", "labelled", "--method", "kd,rkd")
    assert done.code == 0, done.stderr
    assert list(config_of(bench, "kept")["id2label"].values()) == ["0", "2"]
    found = json.loads((bench.folder / "rare-kept" / "metrics.json").read_bytes())
    assert found["student"]["joint"]["samples"] == 8
    assert found["kd"]["joint"]["samples"] == 8


def test_labels_alone_make_a_classifier_of_an_extractors_student(bench, distill):
    done = distill(
        *("labels", "--labels", "--method", "rkd,herocon", "--batch", 8),
        teachers=["./resnet-body"],
        data="labelled",
    )
    assert done.code == 0, done.stderr
    assert list(config_of(bench, "labels")["id2label"].values()) == ["0", "1", "2"]
    assert "labels        3 of the data" in done.stderr
    found = json.loads((bench.folder / "rare-labels" / "metrics.json").read_bytes())
    assert found["student"]["joint"]["samples"]
    assert not found["student"].get("inside")


@pytest.mark.parametrize("teacher", ["./several-at-once", "./numbers"])
def test_a_head_that_tells_no_classes_apart(bench, distill, teacher):
    done = distill("odd", "--method", "kd,rkd", teachers=[teacher])
    assert done.code == 2
    assert "tells no classes apart" in done.stderr
    place = f"odd-{teacher[2:]}"
    done = distill(place, "--views", 2, "--cache", teachers=[teacher])
    assert done.code == 0, done.stderr
    assert "method        rkd: not every teacher has a head that tells classes apart" in done.stderr
    assert recipe_of(bench, place)["method"] == "rkd"


def test_texts_in_part_and_as_pairs_of_encoders(distill):
    done = distill(
        *("texts", "--method", "rkd,crd,demi,pkt"),
        teachers=["./bert-body"],
        student="./distilbert-body",
        data="plots.txt",
    )
    assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    ("method", "words", "more"),
    [
        ("moex", "gives the student no loss to learn from", {"teachers": ["./resnet-body"]}),
        ("kd:0", "kd gives the student no loss to learn from", {}),
        ("gnnsd,kd", "gnnsd needs a graph", {}),
        ("herocon", "herocon needs the labels of the data", {}),
        ("kd,rkd:much", "'much' is no weight", {}),
        ("kd,moex:2", "moex gives no loss", {}),
        ("kd,exemplar:3", "exemplar:3 is no share", {}),
        ("graph", "graph compares several teachers with one another, and one is named", {}),
        ("dkd", "dkd compares logits of one label set", {"teachers": [TEACHER, "./others"]}),
        ("at", "at compares maps", {"teachers": ["./bert-body"], "student": "./distilbert-body"}),
    ],
)
def test_what_cannot_be_is_one_sentence(bench, distill, method, words, more):
    if more.get("student"):
        more = {**more, "data": "plots.txt"}
    done = distill("never", "--method", method, **more)
    assert done.code == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "rare-never").exists()
