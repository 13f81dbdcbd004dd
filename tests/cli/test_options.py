from __future__ import annotations

import logging
import os

import pytest

from zoo_cli import options
from zoo_cli.context import zoo_command
from zoo_cli.quantities import DURATION, SIZE


@pytest.fixture
def probe(command):
    """A command that takes every shared option, and what it was given."""
    seen = {}

    @zoo_command("probe")
    @options.model
    @options.estimator
    @options.assignments
    @options.limit
    @options.output_path
    @options.dry_run
    @options.device
    @options.runtime
    @options.seed
    @options.registry
    def probe(context, **parameters):
        """Look."""
        seen.update(parameters, context=context)

    command("probe", probe)
    return seen


def test_settings_come_from_the_context_with_their_origin(zoo, probe, monkeypatch):
    monkeypatch.setenv("ZOO_SEED", "7")
    monkeypatch.setenv("ZOO_DEVICE", "cuda")
    assert zoo("probe", "-d", "cpu").code == 0
    resolved = probe["context"].resolved
    assert (resolved.settings.device, resolved.origins["device"]) == ("cpu", "flag")
    assert (resolved.settings.seed, resolved.origins["seed"]) == (7, "ZOO_SEED")
    assert resolved.origins["runtime"] == "default"
    assert "device" not in probe


def test_options_that_are_no_settings_read_their_variable(zoo, probe, monkeypatch):
    monkeypatch.setenv("ZOO_LIMIT", "3")
    monkeypatch.setenv("ZOO_ESTIMATOR", "logme knn")
    zoo("probe", "-m", "a", "-m", "b")
    assert probe["limit"] == 3
    assert probe["estimators"] == ("logme", "knn")
    assert probe["models"] == ("a", "b")


def test_a_list_file_is_read_line_by_line(zoo, probe, tmp_path):
    path = tmp_path / "models.txt"
    path.write_text("# mine\norg/one\n\n  ./two \n", encoding="utf-8")
    zoo("probe", "-m", f"@{path}", "-m", "three")
    assert probe["models"] == ("org/one", "./two", "three")


def test_a_missing_list_file_is_named(zoo, probe):
    result = zoo("probe", "-m", "@nowhere.txt")
    assert result.code == 2
    assert "'@nowhere.txt'" in result.err


def test_assignments_become_numbers_booleans_and_texts(zoo, probe):
    zoo("probe", "--set", "logme.steps=20", "--set", "logme.exact=true", "--set", "knn.metric=cos")
    assert probe["assignments"] == {
        "logme": {"steps": 20, "exact": True},
        "knn": {"metric": "cos"},
    }


@pytest.mark.parametrize("text", ["logme", "logme.steps", "=3", ".x=3", "logme.=3"])
def test_a_malformed_assignment_is_shown_with_an_example(zoo, probe, text):
    result = zoo("probe", "--set", text)
    assert result.code == 2
    assert text in result.err
    assert "--set logme.refinements=30" in result.err


def test_offline_reaches_the_libraries_before_they_are_imported(zoo, probe):
    zoo("probe", "--offline")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        assert os.environ[name] == "1"
    assert probe["context"].settings.offline


def test_online_leaves_the_libraries_alone(zoo, probe, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    zoo("probe")
    assert "HF_HUB_OFFLINE" not in os.environ
    assert not probe["context"].settings.offline


def test_plugins_can_be_left_out(zoo, probe):
    zoo("probe", "--no-plugin", "runtimes")
    states = {each.name: each.status for each in probe["context"].host.installed}
    assert states["zoo-reuse:runtimes"] == "disabled"
    assert states["zoo-reuse:core"] == "ok"


def test_verbose_logs_more(zoo, probe):
    zoo("probe", "-vv")
    assert logging.getLogger("zoo").level == logging.DEBUG
    zoo("probe")
    assert logging.getLogger("zoo").level == logging.WARNING


def test_quiet_and_no_progress_silence_the_bars(zoo, probe):
    for flag in ("-q", "--no-progress"):
        zoo("probe", flag)
        assert not probe["context"].progress


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500MB", 5e8), ("1.5 GB", 1.5e9), ("2GiB", 2 * 2**30), ("12", 12.0), ("3k", 3000.0)],
)
def test_sizes_are_read_with_their_unit(text, expected):
    assert SIZE.convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("10m", 600), ("2h", 7200), ("30d", 30 * 86400)]
)
def test_durations_are_read_with_their_unit(text, expected):
    assert DURATION.convert(text, None, None) == expected


def test_an_unreadable_size_says_what_can_be_read(zoo):
    result = zoo("cache", "prune", "--max-size", "lots")
    assert result.code == 2
    assert "'lots' is no size; write it like 500MB" in result.err
