from __future__ import annotations

import pytest

from zoo.errors import InputError, ZooError
from zoo.runs import Request, find_run, list_runs, start_run


def test_a_run_remembers_the_question(tmp_path):
    request = Request(data="photos", models=("org/name",), options={"knn": {"k": 3}})
    run = start_run(tmp_path, request)
    assert find_run(tmp_path, run.name).request == request
    assert run.info.state == "running"
    assert run.ranking is None


def test_a_run_is_found_by_the_last_letters_of_its_name(tmp_path):
    run = start_run(tmp_path, Request(data="photos"))
    assert find_run(tmp_path, run.name[-4:]).name == run.name


def test_an_unknown_run_gets_the_list(tmp_path):
    run = start_run(tmp_path, Request(data="photos"))
    with pytest.raises(InputError, match=run.name):
        find_run(tmp_path, "nothing")


def test_runs_are_listed_newest_first_and_removed(tmp_path):
    runs = [start_run(tmp_path, Request(data=str(number))) for number in range(3)]
    assert {run.name for run in list_runs(tmp_path)} == {run.name for run in runs}
    runs[0].remove()
    assert len(list_runs(tmp_path)) == 2


def test_a_run_that_was_killed_while_it_was_made_is_not_listed(tmp_path):
    start_run(tmp_path, Request(data="photos"))
    (tmp_path / "runs" / ".new-dead").mkdir()
    (tmp_path / "runs" / "2026-01-01-dead").mkdir()
    assert len(list_runs(tmp_path)) == 1


def test_a_damaged_run_is_listed_told_and_can_be_removed(tmp_path):
    run = start_run(tmp_path, Request(data="photos"))
    for name in ("state.json", "request.json", "ranking.json"):
        (run.folder / name).write_text("{")
    assert [each.info.state for each in list_runs(tmp_path)] == ["damaged"]
    with pytest.raises(InputError, match=r"request\.json of run .* cannot be read") as caught:
        _ = run.request
    assert caught.value.hint == f"zoo runs remove {run.name}"
    with pytest.raises(InputError, match=r"ranking\.json of run"):
        _ = run.ranking
    find_run(tmp_path, run.name).remove()
    assert list_runs(tmp_path) == []


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "home").touch()
    with pytest.raises(ZooError, match="runs cannot be kept in") as caught:
        start_run(tmp_path / "home", Request(data="photos"))
    assert "ZOO_HOME" in caught.value.hint
