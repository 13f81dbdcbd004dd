"""A model goes on learning from labels: with the head that it has, or a new one."""

from __future__ import annotations

import json

import pytest
import yaml

#: Its labels are the classes of the labelled pictures, in another order; and a body without a head.
MORE = """
import json
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint

place = build_tiny_checkpoint("resnet", "knows-three")
config = json.loads((place / "config.json").read_text())
from safetensors.torch import load_file, save_file
weights = load_file(place / "model.safetensors")
cut = {n: v[:3].clone() if n.startswith("classifier") else v for n, v in weights.items()}
save_file(cut, place / "model.safetensors", metadata={"format": "pt"})
config["id2label"] = dict(enumerate("201"))
config.pop("label2id", None)
(place / "config.json").write_text(json.dumps(config))
build_tiny_checkpoint("bert", "knows-words", head=False)
"""


@pytest.fixture(scope="module")
def finetune(bench):
    """Run ``zoo finetune`` in small steps that are all kept."""
    done = bench.run(cwd=bench.folder, code=MORE)
    assert done.code == 0, done.stderr

    def run(model, place, *more, data="labelled", fault=None):
        return bench(
            *("finetune", model, "--data", data, "--config", "often.yaml", "--batch", 4),
            *("--epochs", 2, "--yes", "-o", place, *more),
            fault=fault,
        )

    return run


@pytest.fixture(scope="module")
def tuned(finetune):
    """A model with the head that it had, in the folder ``tuned``."""
    done = finetune("./knows-three", "tuned")
    assert done.code == 0, done.stderr
    return done


def metrics(bench, place):
    return json.loads((bench.folder / place / "metrics.json").read_bytes())


def test_a_kept_head_goes_on_and_is_judged_beside_its_start(bench, tuned):
    place = bench.folder / "tuned"
    assert "head          kept: its labels are the classes of the data" in tuned.stderr
    assert {"README.md", "config.json", "metrics.json", "run.yaml", "training.png"} <= {
        path.name for path in place.iterdir()
    }
    config = json.loads((place / "config.json").read_bytes())
    assert list(config["id2label"].values()) == ["2", "0", "1"]
    judged = metrics(bench, "tuned")
    assert judged["student"]["joint"]["samples"] == judged["start"]["joint"]["samples"] == 1
    assert "The training left it" in tuned.stderr
    assert set(bench.losses("tuned")[0]["losses"]) == {"student.labels"}
    card = (place / "README.md").read_text()
    for words in ("was fine-tuned on labelled inputs", "with its trained head", "fine-tuning"):
        assert words in card
    assert "zoo finetune --config run.yaml" in card


def test_the_start_is_judged_by_the_labels_in_their_own_order(bench, tuned):
    """Were the columns mixed up, the start would be another model than the checkpoint."""
    recipe = yaml.safe_load((bench.folder / "tuned" / "run.yaml").read_text())
    assert recipe["student"]["head"] == "keep"
    done = bench(
        *("finetune", "./knows-three", "--data", "labelled", "--eval", "labelled", "--json"),
        *("--epochs", 0.1, "--batch", 12, "--learning-rate", 1e-12, "--yes", "-o", "tuned-nowhere"),
    )
    assert done.code == 0, done.stderr
    said = bench("predict", "./knows-three", "labelled", "--json").json["predictions"]
    right = sum(each["guesses"][0]["label"] == each["input"].split("/")[-2] for each in said)
    share = done.json["metrics"]["start"]["joint"]
    assert (share["samples"], round(share["value"] * 12)) == (12, right)


def test_killed_and_resumed_it_becomes_the_very_same(bench, tuned):
    done = bench(
        *("finetune", "--config", "tuned/run.yaml", "--yes", "-o", "tuned-interrupted"),
        fault=("zoo.training.pupil:Pupil.forward", 3, "SIGKILL"),
    )
    assert done.code == -9, done.stderr
    done = bench("resume", "tuned-interrupted")
    assert done.code == 0, done.stderr
    assert "going on after step 2 of 4" in done.stderr
    assert bench.weights("tuned-interrupted") == bench.weights("tuned")
    assert bench.losses("tuned-interrupted") == bench.losses("tuned")
    assert metrics(bench, "tuned-interrupted") == metrics(bench, "tuned")


def test_a_new_head_with_mixed_samples_and_honest_probabilities(bench, finetune):
    done = finetune(
        *("embedded:resnet-digits-0-4", "tuned-mixed", "--head", "new", "--method", "moex"),
        *("--calibrate", "laplace", "--json"),
    )
    assert done.code == 0, done.stderr
    assert done.json["method"] == "moex"
    assert set(done.json["metrics"]) == {
        *("schema_version", "method", "student", "unlabelled", "labelled")
    }
    assert (bench.folder / "tuned-mixed" / "calibration.json").exists()


def test_a_reader_of_texts_gets_a_head_and_predicts(bench, finetune, reviews):
    done = finetune("./knows-words", "tuned-words", "--samples", 24, data=reviews)
    assert done.code == 0, done.stderr
    assert "head          new: the checkpoint has no trained one" in done.stderr
    done = bench("predict", "./tuned-words", reviews, "--text", "text", "--json")
    assert done.code == 0, done.stderr
    assert {each["guesses"][0]["label"] for each in done.json["predictions"]} <= {"good", "bad"}


def test_data_without_labels_leaves_nothing_behind(bench, finetune):
    done = finetune("./knows-three", "tuned-never", data="pictures")
    assert done.code == 2
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "tuned-never").exists()
