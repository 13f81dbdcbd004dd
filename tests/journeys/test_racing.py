"""``--budget``: rounds on the embedded checkpoints, cold, warm, cut short and interrupted."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from zoo.store import Store

MODELS = ("resnet-digits-0-4", "vit-digit-parity", "mobilenet-v2-hues")
DEMO = ("recommend", "--demo", "--probe-size", "200", "--permutations", "5", "--json")
NAMED = tuple(word for name in MODELS for word in ("-m", f"embedded:{name}"))


def kept_rows(zoo) -> list[int]:
    """How many samples each file of features has."""
    store = Store(zoo.home)
    rows = []
    for path in zoo.home.glob("features/??/*.safetensors"):
        stored = store.read("features", path.stem)
        assert stored is not None
        rows.append(len(next(iter(stored.tensors.values()))))
    return rows


def samples_of(answer) -> int:
    """Count the samples that every model has to be run on, once each."""
    out = [each["reason"] for each in answer["excluded"]]
    dropped = [int(re.match(r"raced out after (\d+) of 200 samples", each)[1]) for each in out]
    return sum(dropped) + 200 * len(answer["ranking"])


def outcome(answer):
    ranked = [(row["model"], row["score"], row["interval"]) for row in answer["ranking"]]
    return ranked, answer["excluded"]


@pytest.fixture(scope="module")
def raced(tmp_path_factory, forked):
    """A race that nothing disturbed."""
    from tests.journeys.conftest import Zoo

    zoo = Zoo(tmp_path_factory.mktemp("raced") / "home", forked)
    done = zoo(*DEMO, *NAMED, "--budget", "1h")
    assert done.code == 0, done.stderr
    return zoo, done


def test_the_leaders_see_every_sample_and_the_others_are_listed(raced):
    zoo, done = raced
    answer = done.json
    assert answer["probe"]["samples"] == 200
    assert 2 <= len(answer["ranking"]) < len(MODELS)
    named = {each["model"] for each in (*answer["ranking"], *answer["excluded"])}
    assert named == {f"embedded:{name}" for name in MODELS}
    assert all(
        re.fullmatch(
            r"raced out after \d+ of 200 samples: [\d.]+ to [\d.]+ beside [\d.]+ to [\d.]+",
            each["reason"],
        )
        for each in answer["excluded"]
    )
    assert "round 1 of 3: 50 of 200 samples, 3 models" in done.stderr
    assert sum(kept_rows(zoo)) == samples_of(answer)


def test_a_second_race_computes_nothing(raced):
    zoo, first = raced
    before = kept_rows(zoo)
    again = zoo(*DEMO, *NAMED, "--budget", "1h")
    assert again.code == 0, again.stderr
    assert outcome(again.json) == outcome(first.json)
    assert kept_rows(zoo) == before
    lines = [line for line in again.stderr.splitlines() if line.startswith("embedded:")]
    assert lines
    assert all("from the store" in line for line in lines[: len(MODELS)])


def test_a_tiny_budget_lists_everybody_it_did_not_reach(zoo):
    done = zoo(*DEMO, *NAMED, "--budget", "0.001s")
    assert done.code == 4, done.stderr
    assert len(done.json["excluded"]) == len(MODELS)
    assert all("--budget" in each["reason"] for each in done.json["excluded"])


@pytest.mark.exhaustive
def test_interrupted_it_goes_on_where_it_stopped(zoo, raced):
    process = subprocess.Popen(
        zoo.command(*DEMO, *NAMED, "--budget", "1h"),
        env=zoo.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("round 2"):
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    run = json.loads(zoo("runs", "list", "--json").stdout)["runs"][0]
    resumed = zoo("recommend", "--resume", run["run"], "--json")
    assert resumed.code == 0, resumed.stderr
    assert outcome(resumed.json) == outcome(raced[1].json)
    assert sum(kept_rows(zoo)) == samples_of(resumed.json)


def test_a_dry_run_shows_the_rounds(zoo):
    done = zoo(*DEMO, *NAMED, "--budget", "10m", "--dry-run")
    assert done.code == 0, done.stderr
    assert done.json["rounds"] == [50, 100, 200]
    assert "every model on 50 samples, those not clearly behind on 100 and 200" in done.stderr
