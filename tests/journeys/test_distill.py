"""From one teacher, or several with the same labels, to a student; methods add up."""

from __future__ import annotations

import json

import pytest
import yaml

TEACHER, STUDENT = "embedded:resnet-digits-0-4", "embedded:regnet-textures"
METHODS = "kd,rkd,hkd:2,crd"
LABELS = ["0", "1", "2", "3", "4"]
#: A teacher whose labels stand in another order, one with other labels, and texts with encoders.
MORE = """
import json
from pathlib import Path
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

def named(folder, source, labels):
    place = build_tiny_checkpoint(source, folder)
    config = json.loads((place / "config.json").read_text())
    config["id2label"] = dict(enumerate(labels))
    (place / "config.json").write_text(json.dumps(config))

named("forwards", "resnet", "01234")
named("backwards", "resnet", "43210")
named("letters", "resnet", "01abc")
build_tiny_checkpoint("bert", "reader", head=False)
build_tiny_checkpoint("distilbert", "small-reader", head=False)
words = [f"the {word} film is {word} and the plot was {n}" for n in range(20) for word in "ab"]
Path("plots.txt").write_text("\\n".join(words))
"""
LOAD = """
from transformers import AutoModel, AutoModelForImageClassification, AutoTokenizer
print(AutoModelForImageClassification.from_pretrained("distilled").config.num_labels)
words = AutoTokenizer.from_pretrained("encoder")(["the film", "a plot"], return_tensors="pt")
print(AutoModel.from_pretrained("encoder")(**words).last_hidden_state.shape[-1])
"""


@pytest.fixture(scope="module")
def distill(bench):
    """Run ``zoo distill`` for one short epoch."""
    done = bench.run(cwd=bench.folder, code=MORE)
    assert done.code == 0, done.stderr

    def run(place, *more, teachers=(TEACHER,), student=STUDENT, data="pictures", fault=None):
        return bench(
            *("distill", *(word for each in teachers for word in ("--teacher", each))),
            *("--student", student, "--data", data, "--config", "often.yaml"),
            *("--batch", 12, "--epochs", 1, "--yes", "-o", place, *more),
            fault=fault,
        )

    return run


@pytest.fixture(scope="module")
def distilled(distill):
    """A student of one teacher by four methods, in the folder ``distilled``."""
    done = distill("distilled", "--method", METHODS)
    assert done.code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def encoder(distill):
    """A student of an encoder of texts, in the folder ``encoder``."""
    done = distill("encoder", teachers=["./reader"], student="./small-reader", data="plots.txt")
    assert done.code == 0, done.stderr
    return done


def recipe(bench, place):
    return yaml.safe_load((bench.folder / place / "run.yaml").read_text())


def metrics(bench, place):
    return json.loads((bench.folder / place / "metrics.json").read_bytes())


def test_methods_add_up_to_a_student_and_its_whole_story(bench, distilled):
    place = bench.folder / "distilled"
    assert {"README.md", "config.json", "metrics.json", "run.yaml", "training.png"} <= {
        path.name for path in place.iterdir()
    }
    config = json.loads((place / "config.json").read_bytes())
    assert list(config["id2label"].values()) == LABELS
    assert set(bench.losses("distilled")[0]["losses"]) == {
        "student.soft",
        "student.rkd.distance",
        "student.rkd.angle",
        "student.hkd.individual",
        "student.hkd.holistic",
        "student.crd.contrast",
        "kd.soft",
    }
    assert recipe(bench, "distilled")["method"] == METHODS
    assert metrics(bench, "distilled")["student"]["agreement"]["samples"] == 4
    assert "zoo distill --config run.yaml" in (place / "README.md").read_text()


def test_a_person_is_told_who_compares_what(distilled):
    said = distilled.stderr
    for words in (
        "method        kd,rkd,hkd:2,crd: as asked for; temperature 2",
        "stages        METHOD  STUDENT",
        "crd     stage.3 64  stage.3 64",
        "losses        soft 1, rkd.distance 25, rkd.angle 50, hkd.individual 2, hkd.holistic 2",
        "baseline      soft targets alone",
        "Wrote distilled",
    ):
        assert words in said, said
    assert "this is distillation" not in said


@pytest.mark.exhaustive
def test_killed_and_resumed_from_its_recipe_it_becomes_the_very_same(bench, distilled):
    """Memories of samples, and draws from them, go on where they were."""
    done = bench(
        *("distill", "--config", "distilled/run.yaml", "--yes", "-o", "interrupted"),
        fault=("zoo.training.pupil:Pupil.forward", 3, "SIGKILL"),
    )
    assert done.code == -9, done.stderr
    done = bench("resume", "interrupted")
    assert done.code == 0, done.stderr
    assert "going on after step 2 of 3" in done.stderr
    assert bench.weights("interrupted") == bench.weights("distilled")
    assert bench.losses("interrupted") == bench.losses("distilled")
    assert recipe(bench, "interrupted")["method"] == METHODS


@pytest.mark.exhaustive
def test_teachers_whose_labels_stand_in_another_order_and_labels_of_the_data(bench, distill):
    done = distill(
        *("ordered", "--method", "kd,hkd", "--labels", "--batch", 8, "--set", "hkd.count=4"),
        teachers=["./forwards", "./backwards"],
        data="labelled",
    )
    assert done.code == 0, done.stderr
    assert recipe(bench, "ordered")["method"] == "kd,hkd"
    assert recipe(bench, "ordered")["options"] == {"hkd": {"count": 4}}
    (line,) = bench.losses("ordered")
    assert {"student.labels", "kd.labels"} <= set(line["losses"])
    config = json.loads((bench.folder / "ordered" / "config.json").read_bytes())
    assert [*config["id2label"].values()][:3] == ["0", "1", "2"]
    judged = metrics(bench, "ordered")
    assert judged["student"]["joint"]["samples"] > 0  # of what was held out; nobody named --eval


def test_an_encoder_teaches_an_encoder(bench, encoder):
    assert "method        rkd: no teacher has a trained head" in encoder.stderr
    assert encoder.stdout == ""
    names = {path.name for path in (bench.folder / "encoder").iterdir()}
    assert "tokenizer.json" in names
    assert "label_map.yaml" not in names
    assert "zoo predict" not in encoder.stderr  # it has nothing to say


def test_transformers_alone_loads_what_was_made(bench, distilled, encoder):
    done = bench.run(cwd=bench.folder, code=LOAD)
    assert done.code == 0, done.stderr
    assert done.stdout.split() == ["5", "32"]


def test_what_a_search_found_is_in_the_recipe(bench, distill):
    done = distill("searched", "--method", "kd,dfa,moex", "--views", 2, "--cache", "--no-compare")
    assert done.code == 0, done.stderr
    assert "what it says about" in done.stderr
    assert "across architectures" in done.stderr
    found = recipe(bench, "searched")
    assert found["method"] == "kd,dfa,moex"
    assert set(found["options"]) == {"dfa"}
    assert found["options"]["dfa"]


def test_a_dry_run_says_everything_and_writes_nothing(bench, distill):
    done = distill("nowhere", "--method", METHODS, "--dry-run", "--json")
    assert done.code == 0, done.stderr
    plan = done.json
    assert plan["dry_run"] is True
    assert [each["method"] for each in plan["pairing"]] == ["rkd", "hkd", "crd"]
    assert plan["weights"]["hkd.holistic"] == 2.0
    assert not (bench.folder / "nowhere").exists()


def test_everything_that_is_wrong_is_said_at_once(bench, distill):
    done = distill("nowhere", "--method", "hkd,reviewkd", teachers=["./forwards", "./letters"])
    assert done.code == 2
    assert "hkd compares logits of one label set" in done.stderr
    assert "zoo amalgamate makes one student of teachers with different labels" in done.stderr
    assert "reviewkd learns from one teacher, and 2 are named" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "nowhere").exists()
