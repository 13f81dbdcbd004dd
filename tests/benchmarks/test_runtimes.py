"""The pieces of the side-by-side benchmark, and one short run of it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def runtimes(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("runtimes")


def test_the_ratio_is_of_calls_that_follow_each_other(runtimes):
    pairs = [[(2.0, 4.0), (1.0, 2.0)], [(4.0, 8.0), (3.0, 6.0)], [(1.0, 2.0), (0.9, 1.8)]]
    turns = [[extract, plain, (0.5, 1.0)] for extract, plain in pairs]
    figures = runtimes.summarise(turns, 32)
    expected = {"rate": 16.0, "wall": 8.0, "plain": 32.0, "bare": 64.0, "ratio": 0.75}
    assert figures == {**expected, "ready": 0.25}


def test_an_engine_that_only_runs_bare_has_no_ratio(runtimes):
    assert runtimes.summarise([[(0.5, 1.0)], [(0.5, 1.0)]], 1) == {"wall": 1.0, "bare": 2.0}


def test_engines_take_turns_and_their_calls_change_who_is_first(runtimes):
    called = []

    def call(name):
        return lambda: (called.append(name), time.sleep(0.001))

    engines = {"a": [call("a0"), call("a1")], "b": [call("b0")]}
    turns = runtimes.take_turns(engines, repeats=2, seconds=0.0, gpu=True)
    assert called[-6:] == ["a1", "a0", "b0", "a0", "a1", "b0"]
    assert [len(each) for each in turns.values()] == [2, 2]
    assert all(seconds >= 0.001 for turn in turns["a"] for seconds, _ in turn)


def test_the_table_stands_side_by_side_with_a_dash_for_what_is_not_there(runtimes):
    def measured(engine, **more):
        return runtimes.Measured(model="/a/net", engine=engine, batch=1, **more)

    found = [
        measured("torch fp32", rate=1234.0, bare=1300.0, ratio=0.95, ready=0.91),
        runtimes.Measured(model="/a/net", engine="torch bf16", failure="cannot"),
        measured("torch.compile", bare=50.0),
    ]
    lines = runtimes.table(found).splitlines()
    assert lines[0] == "| checkpoint | batch | torch fp32 | torch bf16 | torch.compile |"
    assert lines[2] == "| net, images/s | 1 | 1,234 (0.95; 0.91) | - | 50.0 |"


def test_what_takes_too_long_is_ended_and_said(runtimes, tmp_path):
    job = runtimes.Job(
        model="embedded:resnet-digits-0-4",
        engines=("torch fp32",),
        batches=(1,),
        device="cpu",
        repeats=1,
        seconds=0.1,
        cache=str(tmp_path),
    )
    (found,) = runtimes.in_process(job, limit=0.2)
    assert found.failure == "not done after 0.2 s"
    assert "not done" in runtimes.line_of(found)


@pytest.mark.exhaustive
def test_a_short_run_prints_every_engine_beside_its_bare_self(tmp_path):
    figures = tmp_path / "figures.jsonl"
    command = [sys.executable, str(SCRIPTS / "runtimes.py"), "--models", "embedded:regnet-textures"]
    command += ["--engines", "torch fp32", "--batch", "1", "2", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--seconds", "0.01", "--json", str(figures)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    found = [json.loads(line) for line in figures.read_text().splitlines()]
    assert [each["batch"] for each in found] == [1, 2]
    assert all(each["rate"] > 0 and each["bare"] > 0 and each["taps"] > 3 for each in found)
    assert "| embedded:regnet-textures, images/s | 1 |" in done.stdout


def test_a_gpu_that_is_not_there_is_said_and_skipped():
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    command = [sys.executable, str(SCRIPTS / "runtimes.py"), "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("skipped: this machine has no cuda")
