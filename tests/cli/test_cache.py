from __future__ import annotations

import os
import time

import pytest

DAY = 86400


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home"
    for name, size, days in (
        ("features/ab/abc.safetensors", 3000, 40),
        ("features/cd/cde.safetensors", 2000, 10),
        ("inputs/ef/efg.safetensors", 1000, 1),
        ("runs/2026-11-20-a1f3/ranking.json", 500, 90),
        ("scores.sqlite", 400, 90),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        used = time.time() - days * DAY
        os.utime(path, (used, used))
    (folder / "features/ab/abc.lock").touch()
    return folder


def left(home):
    return sorted(path.name for path in home.rglob("*.safetensors"))


def test_everything_kept_is_shown_with_its_size(zoo, home):
    result = zoo("cache", "show", "--json")
    assert result.code == 0
    kinds = {each["kind"]: each for each in result.document["kinds"]}
    assert (kinds["features"]["files"], kinds["features"]["bytes"]) == (2, 5000)
    assert (kinds["runs"]["bytes"], kinds["scores"]["bytes"]) == (500, 400)
    assert result.document["bytes"] == 6900


def test_a_home_that_does_not_exist_yet_is_empty(zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "nowhere"))
    assert zoo("cache", "show", "--json").document["bytes"] == 0
    assert zoo("cache", "prune", "--yes").code == 0
    assert not (tmp_path / "nowhere").exists()


def test_old_features_go_and_runs_and_scores_stay(zoo, home):
    result = zoo("cache", "prune", "--older-than", "30d", "-y")
    assert result.code == 0
    assert left(home) == ["cde.safetensors", "efg.safetensors"]
    assert (home / "scores.sqlite").exists()
    assert (home / "runs/2026-11-20-a1f3/ranking.json").exists()


def test_exported_graphs_are_shown_and_go_a_folder_at_a_time(zoo, home):
    for name, days in (("a1b2c3", 40), ("d4e5f6", 1)):
        for part in ("model.onnx", "zoo_export.json"):
            path = home / "graphs" / name / part
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 100)
            os.utime(path, (time.time() - days * DAY,) * 2)
    making = home / "graphs" / ".d4e5f6-01.tmp"
    making.mkdir()
    os.utime(making, (0, 0))
    kinds = {each["kind"]: each for each in zoo("cache", "show", "--json").document["kinds"]}
    assert (kinds["graphs"]["files"], kinds["graphs"]["bytes"]) == (4, 400)
    assert zoo("cache", "prune", "--older-than", "30d", "-y").code == 0
    assert sorted(path.name for path in (home / "graphs").iterdir()) == [making.name, "d4e5f6"]
    assert sorted(path.name for path in (home / "graphs/d4e5f6").iterdir()) == [
        "model.onnx",
        "zoo_export.json",
    ]


def test_the_longest_unused_go_until_the_rest_fits(zoo, home):
    zoo("cache", "prune", "--max-size", "1500", "--yes")
    assert left(home) == ["efg.safetensors"]


def test_a_dry_run_removes_nothing_and_says_what_it_would(zoo, home):
    result = zoo("cache", "prune", "--max-size", "0", "--dry-run", "--json")
    assert result.document["dry_run"] is True
    assert len(result.document["removed"]) == 3
    assert len(left(home)) == 3


def test_without_a_yes_and_a_terminal_nothing_is_removed(zoo, home):
    result = zoo("cache", "prune", "--max-size", "0")
    assert result.code == 2
    assert "Add --yes" in result.err
    assert len(left(home)) == 3


def test_what_cannot_be_removed_is_named(zoo, home, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    result = zoo("cache", "prune", "--max-size", "0", "--yes")
    assert result.code == 3
    assert "could not be removed: Permission denied" in result.err
