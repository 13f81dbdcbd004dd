from __future__ import annotations

import io

import pytest

from zoo.events import Event
from zoo_cli.context import Context
from zoo_cli.invocation import Invocation
from zoo_cli.output import Output
from zoo_cli.progress import Bars, _bars, listening

EVENTS = (
    Event(kind="plan", total=2, message="2 models, 1.2 MB to fetch"),
    Event(kind="fetch", model="org/a", done=10, total=100),
    Event(kind="fetched", model="org/a", message="org/a fetched"),
    Event(kind="prepare", done=5, total=10),
    Event(kind="prepare", done=10, total=10),
    Event(kind="batch", model="org/a", done=5, total=10),
    Event(kind="model", model="org/a", seconds=1.25, message="org/a: 10 samples"),
    Event(kind="failure", model="org/b", message="tokenizer is broken"),
)


def in_training(step):
    said = "soft 0.12, 5 min left"
    return Event(kind="batch", model="training", done=step, total=600, message=said)


def make(*, progress=True):
    return Context(resolved=None, output=Output(), invocation=Invocation(), progress=progress)


def test_without_a_terminal_each_milestone_is_one_line(capsys):
    with listening(make()) as listen:
        for event in EVENTS:
            listen(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "2 models, 1.2 MB to fetch",
        "org/a fetched",
        "org/a: 10 samples (1.2 s)",
        "failed: org/b: tokenizer is broken",
    ]


def test_a_log_hears_about_once_a_minute_that_it_goes_on(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("zoo_cli.progress.time.monotonic", lambda: now[0])
    with listening(make()) as listen:
        listen(Event(kind="note", message="training student: 600 steps"))
        for step in range(1, 301):
            now[0] += 0.5
            listen(in_training(step))
    assert capsys.readouterr().err.splitlines() == [
        "training student: 600 steps",
        "training: 120/600, soft 0.12, 5 min left",
        "training: 240/600, soft 0.12, 5 min left",
    ]


def test_without_progress_nothing_is_said(capsys):
    with listening(make(progress=False)) as listen:
        for event in EVENTS:
            listen(event)
    assert capsys.readouterr().err == ""


@pytest.fixture
def progress():
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    with Progress(console=console, disable=True) as made:
        yield made


def test_bars_follow_models_and_batches(progress):
    bars = Bars(progress, 0)
    seen = []
    for event in EVENTS:
        bars(event)
        seen.append([task.description for task in progress.tasks])
    assert seen[1] == ["models", "org/a (fetch)"]
    assert progress.tasks[0].fields["amount"] == "2/2"
    assert seen[5] == ["models", "org/a (batch)"]
    assert seen[-1] == ["models"]
    assert (progress.tasks[0].completed, progress.tasks[0].total) == (2, 2)


def test_downloads_are_counted_in_bytes(progress):
    Bars(progress, 1)(Event(kind="fetch", model="org/a", done=10_000_000, total=440_000_000))
    assert progress.tasks[1].fields["amount"] == "10 MB of 440 MB"


def test_finished_models_stay_in_the_scroll_back(progress):
    bars = Bars(progress, 2)
    for event in EVENTS:
        bars(event)
    text = progress.console.file.getvalue()
    assert "org/a: 10 samples (1.2 s)" in text
    assert "failed: org/b: tokenizer is broken" in text


def test_losses_and_the_time_that_is_left_stand_below_the_bars(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    from rich.console import Console

    with _bars(0, color=False) as bars:
        bars(in_training(7))
        screen = Console(file=io.StringIO(), width=80)
        screen.print(*bars._progress.get_renderables())
        text = screen.file.getvalue()
        assert "models" not in text  # nobody knows of any
        assert "7/600" in text
        assert "soft 0.12, 5 min left" in text
        bars(in_training(600))
        assert [task.description for task in bars._progress.tasks] == ["models"]
