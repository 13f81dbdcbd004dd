"""Growing, killed and resumed, and what is grown wherever a model is named."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

DIGITS, PARITY = "embedded:resnet-digits-0-4", "embedded:vit-digit-parity"
#: The classes that transformers has; what it answers, on one line of stdout.
LOAD = """
import json, sys, torch
from transformers import AutoModelForImageClassification
torch.manual_seed(0)
pixels = torch.randn(4, 3, 32, 32)
network = AutoModelForImageClassification.from_pretrained({folder!r}).eval()
with torch.no_grad():
    print(json.dumps(network(pixel_values=pixels).logits.tolist()))
"""
#: As a disk that is full after so many bytes.
FULL = """
import resource
from zoo_cli.main import run
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(int(run(["grow", {model!r}, "--width", "2x", "--yes", "-o", "full"])))
"""


@pytest.fixture(scope="module")
def grow(bench):
    """Run ``zoo grow`` in the folder of the bench."""

    def run(place, *more, model=PARITY, fault=None):
        return bench(
            "grow", model, *(more or ("--width", "1.5x")), "--yes", "-o", place, fault=fault
        )

    return run


@pytest.fixture(scope="module")
def grown(grow):
    """The usual growth, without any interruption, in the folder ``grown``."""
    done = grow("grown", "--width", "1.5x", "--depth", "+1", "--json")
    assert done.code == 0, done.stderr
    return done


def left_in(bench, place):
    """What is there of a folder, hidden or not."""
    return [each.name for each in bench.folder.iterdir() if place in each.name]


def test_plain_transformers_answers_as_before(bench, grown):
    assert all(each["largest"] <= each["tolerance"] * each["scale"] for each in grown.json["proof"])
    small = bench("models", "show", PARITY, "--json").json
    assert grown.json["plan"]["before"]["parameters"] == small["parameters"]
    done = bench.run(cwd=bench.folder, code=LOAD.format(folder="grown"))
    assert done.code == 0, done.stderr
    again = bench("grow", "./grown", "--mlp", "+8", "--yes", "-o", "grown-again", "--json")
    assert again.code == 0, again.stderr
    larger = bench.run(cwd=bench.folder, code=LOAD.format(folder="grown-again"))
    for before, after in zip(json.loads(done.stdout), json.loads(larger.stdout), strict=True):
        assert before == pytest.approx(after, abs=1e-4)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (("zoo.growing.proof:compare", 1, "SIGKILL"), -9),
        (("zoo.growing.proof:compare", 2, "SIGINT"), 130),
        (("zoo.growing.card:write_card", 1, "SIGINT"), 130),
    ],
    ids=lambda each: each if isinstance(each, int) else "-".join(map(str, each[1:])),
)
def test_ended_while_it_works_it_leaves_nothing(bench, grow, fault, code):
    done = grow("ended", fault=fault)
    assert done.code == code, done.stderr
    assert left_in(bench, "ended") == []


def test_killed_while_it_writes_no_half_folder_is_there_and_the_command_goes_again(
    bench, grow, grown
):
    asked = ("--width", "1.5x", "--depth", "+1")
    done = grow("killed", *asked, fault=("zoo.growing.card:write_card", 1, "SIGKILL"))
    assert done.code == -9, done.stderr
    assert not (bench.folder / "killed").exists()
    done = grow("killed", *asked)
    assert done.code == 0, done.stderr
    assert bench.weights("killed") == bench.weights("grown")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(bench):
    done = bench.run(cwd=bench.folder, code=FULL.format(model=PARITY))
    assert done.stdout.strip() == "1", done.stderr
    assert "Traceback" not in done.stderr
    assert "this is a bug" not in done.stderr
    assert "Error: " in done.stderr
    assert left_in(bench, "full") == []


def test_a_grown_model_predicts_as_its_ancestor(bench, grown):
    said = [
        bench("predict", model, "pictures", "--json").json["predictions"]
        for model in (PARITY, "./grown", f"grow:{PARITY}:width=2x")
    ]
    for each in said[1:]:
        for before, after in zip(said[0], each, strict=True):
            if "guesses" in before:
                guess, other = before["guesses"][0], after["guesses"][0]
                assert guess["label"] == other["label"]
                assert guess["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_what_grows_is_ranked_and_what_cannot_is_a_failure_of_a_registry(bench):
    grows, cannot = (f"grow:{PARITY}:width={size}" for size in ("1.5x", "1.3x"))
    added = bench("registry", "add", PARITY, grows, "--registry", "grown.json")
    assert added.code == 0, added.stderr
    path = bench.folder / "grown.json"
    document = json.loads(path.read_bytes())
    document["models"].append({"ref": cannot, "modality": "image", "library": "transformers"})
    path.write_text(json.dumps(document))
    few = ("-e", "logme", "--permutations", 2, "--folds", 2, "--json", "--offline")
    done = bench("recommend", "labelled", "--registry", "grown.json", *few)
    assert done.code == 3, done.stderr
    assert {row["model"] for row in done.json["ranking"]} == {PARITY, grows}
    (failure,) = done.json["failures"]
    assert failure["model"] == cannot
    assert "no whole number" in failure["error"]
    typed = bench("recommend", "labelled", "-m", PARITY, "-m", cannot, *few)
    assert typed.code == 2, typed.stderr
    assert "no whole number" in typed.stderr
    assert "Traceback" not in done.stderr + typed.stderr


@pytest.fixture(scope="module")
def distill(bench):
    """Distil from a grown teacher into a student that grows."""

    def run(place, *more, fault=None):
        return bench(
            *("distill", "--teacher", f"grow:{DIGITS}:width=1.5x"),
            *("--student", f"grow:{PARITY}:width=1.5x,depth=+1,seed=2"),
            *("--data", "pictures", "--config", "often.yaml", "--method", "kd"),
            *("--batch", 12, "--epochs", 1, "--yes", "-o", place, *more),
            fault=fault,
        )

    return run


@pytest.mark.exhaustive
def test_a_student_that_grows_is_distilled_killed_and_resumed(bench, distill):
    done = distill("taught")
    assert done.code == 0, done.stderr
    config = json.loads((bench.folder / "taught" / "config.json").read_bytes())
    assert (config["hidden_size"], config["num_hidden_layers"]) == (72, 5)
    done = distill("taught-killed", fault=("zoo.training.pupil:Pupil.forward", 2, "SIGKILL"))
    assert done.code == -9, done.stderr
    done = bench("resume", "taught-killed")
    assert done.code == 0, done.stderr
    assert bench.weights("taught-killed") == bench.weights("taught")
    assert bench.losses("taught-killed") == bench.losses("taught")


@pytest.mark.exhaustive
def test_a_student_that_must_hold_more_than_its_ancestor_is_amalgamated(bench):
    done = bench(
        *("amalgamate", "--teacher", f"digits=grow:{DIGITS}:width=1.5x"),
        *("--teacher", f"parity={PARITY}", "--student", "grow:embedded:regnet-textures:width=2x"),
        *("--data", "pictures", "--batch", 16, "--epochs", 1, "--yes", "-o", "joint", "--json"),
    )
    assert done.code == 0, done.stderr
    config = json.loads((bench.folder / "joint" / "config.json").read_bytes())
    assert len(config["id2label"]) == 7
    assert (
        "grow:embedded:regnet-textures:width=2x"
        in (bench.folder / "joint" / "README.md").read_text()
    )


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxscript") is None, reason="the extra [onnx] is not installed")
def test_the_graph_of_a_grown_model_equals_it(bench, grown):
    done = bench("export", "./grown", "-o", "graph", "--json")
    assert done.code == 0, done.stderr
    assert done.json["agreement"] == 1
    assert max(each["relative"] for each in done.json["taps"]) <= done.json["tolerance"]
    done = bench("grow", "./graph", "--width", "2x", "-o", "never")
    assert done.code == 2
    assert "Name the checkpoint that it was exported from." in done.stderr
    assert not (bench.folder / "never").exists()
