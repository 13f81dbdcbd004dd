"""The growth benchmark: how networks start, when an accuracy is reached, what growing costs."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch

from zoo.testing.growth import HeldNetwork
from zoo.types.growing import Deepen, Widen

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
EMBEDDED = Path(__file__).parents[2] / "zoo" / "zoo" / "embedded"


@pytest.fixture(autouse=True)
def _scripts_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def arms():
    return importlib.import_module("growing.arms")


@pytest.fixture
def tasks():
    return importlib.import_module("growing.tasks")


@pytest.fixture
def table():
    return importlib.import_module("growing.table")


@pytest.fixture
def images(tasks):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(12, 3, 16, 16, generator=generator)
    return tasks.Samples({"pixel_values": pixels}, torch.arange(12) % 3, ("a", "b", "c"))


@pytest.fixture
def small(tasks, images):
    network = tasks.make_small(tasks.TASKS["images"], images.names, 0)
    return HeldNetwork(network, images.inputs)


def run(arm, seed, accuracy, flops=10, **others):
    at = list(range(0, 10 * len(accuracy), 10))
    found = {"task": "images", "arm": arm, "seed": seed, "at": at, "accuracy": accuracy}
    return {**found, "flops": flops, "parameters": 5, "rate": 0.1, "difference": None, **others}


def test_a_grown_network_starts_with_the_answers_of_the_small_one(arms, small, images):
    drawing = arms.plan(small, (Widen(width="2x"), Deepen(depth="+1")), 0)
    larger, difference = arms.start(arms.ARMS["grown"], small, drawing, 0, images.inputs)
    assert difference is not None
    assert difference < 1e-4
    assert larger.config.hidden_sizes == [2 * each for each in small.config.hidden_sizes]


def test_a_padded_network_has_the_small_one_in_its_corner_and_else_the_random_weights(
    arms, small, images
):
    drawing = arms.plan(small, (Widen(width="2x"),), 0)
    padded, nothing = arms.start(arms.ARMS["padded"], small, drawing, 7, images.inputs)
    scratch, _ = arms.start(arms.ARMS["scratch"], small, drawing, 7, images.inputs)
    assert nothing is None
    before, name = small.module.state_dict(), "classifier.1.weight"
    found, random = padded.state_dict()[name], scratch.state_dict()[name]
    width = before[name].shape[1]
    assert torch.equal(found[:, :width], before[name])
    assert torch.equal(found[:, width:], random[:, width:])


def test_every_arm_has_the_rate_of_one_that_chooses_its_own(arms):
    for arm in arms.ARMS.values():
        assert arms.ARMS[arm.rate_of].rate_of == arm.rate_of


def test_a_training_is_judged_at_the_start_at_the_end_and_between(small, images):
    training = importlib.import_module("growing.training")
    schedule = training.Schedule(steps=12, batch=4, rate=1e-3, seed=0)
    found = training.train(small.module, schedule, images, images)
    assert found["at"] == [0, 5, 10, 12]
    assert all(0 <= each <= 1 for each in found["accuracy"])
    assert found["flops"] > 0


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    training = importlib.import_module("growing.training")
    schedule = training.Schedule(steps=100, batch=4, rate=1e-3, seed=0)
    shares = [schedule.share(step) for step in range(101)]
    assert max(shares) == 1.0
    assert shares[0] == pytest.approx(0.2)
    assert shares[100] == pytest.approx(0.0, abs=1e-9)


def test_an_accuracy_is_reached_after_the_start_or_never(table):
    found = run("grown", 0, [0.9, 0.5, 0.7, 0.9])
    assert table.reached(found, 0.6) == 20
    assert table.reached(found, 0.9) == 30
    assert table.reached(found, 0.95) is None


def test_a_median_counts_never_as_later_than_everything(table):
    assert table.middle([10, None, 30]) == 30
    assert table.middle([None, None, 30]) is None


def test_the_table_counts_what_the_small_network_took_only_where_it_is_used(table):
    runs = [run("small", 0, [0.1, 0.6], flops=1e9), run("grown", 0, [0.6, 0.7], flops=4e9)]
    runs += [run("scratch", 0, [0.1, 0.5, 0.7], flops=4e9)]
    results = {"titles": {"images": "Images"}, "summary": table.summarise(runs)}
    text = table.tables(results)
    assert "### Images" in text
    assert (
        "| grown | 0.1 | 10 | 60.0 | 70.0 | 10 [10] | 2.0 | 40 G | 50 G | 10 [10] | 40 G | 50 G |"
        in text
    )
    assert "| 20 [20] | 1.0 | 80 G | 80 G | 20 [20] | 80 G | 80 G |" in text


def test_results_become_a_table_and_a_picture(tmp_path):
    script = importlib.import_module("growth")
    runs = [run("small", 0, [0.1, 0.6]), run("grown", 0, [0.6, 0.7]), run("scratch", 0, [0.1, 0.7])]
    script.write({"titles": {}, "runs": runs}, tmp_path / "growth.json")
    assert json.loads((tmp_path / "growth.json").read_text())["summary"]
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_growing_a_checkpoint_is_timed_beside_loading_and_saving_it(tmp_path):
    cost = importlib.import_module("growing.cost")
    folder = EMBEDDED / "vit-digit-parity"
    found = cost.times_of(folder, tmp_path, 1)
    assert set(found["seconds"]) == {"load", "save", "grow", "save larger"}
    assert min(found["times"], found["times larger"]) > 0
    memory = cost.peak_of(folder, tmp_path)
    assert memory["larger"] > memory["parameters"]
    assert memory["tensors"] >= 1


def test_a_checkpoint_that_cannot_grow_says_why(tmp_path):
    cost = importlib.import_module("growing.cost")
    (tmp_path / "config.json").write_text("{}")
    assert cost.peak_of(tmp_path, tmp_path)["why"]


def test_a_vocabulary_is_the_same_whenever_it_is_made(tasks):
    texts = ["What is sonar ?", "Who is she ?", "What is a pectin ?"]
    first, again = tasks.make_tokenizer(texts), tasks.make_tokenizer(texts)
    assert first.get_vocab() == again.get_vocab()
    spelled = first("sheep")["input_ids"]
    assert first.unk_token_id not in spelled
    assert first.tokenize("what is") == ["what", "is"]
