"""The main job, whole: images and texts, cold and warm, offline, as JSON, as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROW = {"model", "rank", "score", "interval", "tied", "layer", "estimators", "parameters", "bytes"}
CELL = {"value", "z", "seconds", "saturated"}
DEFAULT = {"logme", "reg_hscore", "knn", "ridge_loo"}
ALWAYS = {"prior", "combined"}


def recommend(zoo, data, registry, *more):
    return zoo("recommend", data, "--registry", registry, "--offline", "--json", *more)


def test_images_cold_warm_and_all_layers(ranked, warm):
    cold = ranked.cold
    answer = cold.json
    assert set(answer) >= {
        "schema_version", "run", "probe", "ranking", "prior", "excluded", "failures", "provenance",
    }  # fmt: skip
    assert answer["probe"]["task"] == "classification"
    assert (answer["probe"]["samples"], answer["probe"]["classes"]) == (60, 3)
    assert [row["rank"] for row in answer["ranking"]] == [1, 2, 3]
    for row in answer["ranking"]:
        assert set(row) >= ROW
        assert set(row["estimators"]) == DEFAULT | ALWAYS
        assert all(set(cell) >= CELL for cell in row["estimators"].values())
        low, high = row["interval"]
        assert 0 <= low <= row["score"] <= high <= 1
        assert not Path(row["model"]).is_absolute()
    reasons = {each["model"]: each["reason"] for each in answer["excluded"]}
    assert len(reasons) == 2
    assert set(reasons.values()) == {"reads text, the data is image"}
    assert {row["model"] for row in answer["prior"]} == {row["model"] for row in answer["ranking"]}
    text = ranked.page.read_text()
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert answer["ranking"][0]["model"] in text

    again = warm(*ranked.arguments)
    assert again.code == 0
    assert stable(again.json) == stable(answer)
    assert "from the store" in again.stderr

    assert all(len(row["layers"]) > 2 for row in ranked.every_layer.json["ranking"])
    assert warm("runs", "list", "-q").stdout.count("\n") == 3


def test_texts(zoo, reviews, registry):
    done = recommend(zoo, reviews, registry, "-e", "knn", "-e", "logme", "--set", "knn.k=3")
    assert done.code == 0, done.stderr
    answer = done.json
    assert answer["probe"]["classes"] == 2
    assert len(answer["ranking"]) == 2
    assert all(set(row["estimators"]) == {"knn", "logme"} | ALWAYS for row in answer["ranking"])


def test_a_model_by_folder_from_any_working_directory(zoo, photos, checkpoints):
    folder = checkpoints["resnet"]
    arguments = ("recommend", photos, "-m", f"./{folder.name}", "--json", "--offline")
    done = zoo(*arguments, cwd=folder.parent)
    assert done.code == 0, done.stderr
    assert [row["model"] for row in done.json["ranking"]] == [f"./{folder.name}"]


def test_a_dry_run_says_what_it_would_do_and_leaves_nothing(zoo, photos, registry):
    done = zoo("recommend", photos, "--registry", registry, "--dry-run", "--json")
    assert done.code == 0, done.stderr
    plan = done.json
    assert len(plan["models"]) == 3
    assert plan["download"] == 0
    assert all(each["bytes"] > 0 and each["parameters"] > 0 for each in plan["models"])
    assert "Nothing was run" in done.stderr
    assert zoo("runs", "list", "-q").stdout == ""


def test_no_model_is_started_after_the_budget(zoo, photos, registry):
    done = recommend(zoo, photos, registry, "--budget", "0.001s")
    assert done.code == 4, done.stderr
    answer = done.json
    assert answer["ranking"] == []
    late = [each for each in answer["excluded"] if "--budget" in each["reason"]]
    assert len(late) == 3
    name = answer["run"]
    assert zoo("recommend", "--resume", name, "--json").code == 4


def test_a_plugin_that_breaks_at_the_very_end_is_listed(warm, photos, checkpoints, tmp_path):
    (tmp_path / "late.py").write_text(
        "from zoo import hookimpl\n"
        "@hookimpl\n"
        "def zoo_ranking_ready(ranking):\n"
        "    raise RuntimeError('too late')\n"
    )
    metadata = tmp_path / "late-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[zoo.v1]\nlate = late\n")
    arguments = ("recommend", photos, "-m", checkpoints["resnet"], "--json")
    done = warm.afresh(*arguments, PYTHONPATH=str(tmp_path))
    assert done.code == 3, done.stderr
    assert [each["stage"] for each in done.json["failures"]] == ["zoo_ranking_ready"]
    assert done.stderr.count("too late") == 1


def test_the_python_api_gives_the_same(zoo, photos, checkpoints, monkeypatch):
    import zoo as package

    monkeypatch.setenv("ZOO_HOME", str(zoo.home))
    models = [str(checkpoints["vit"]), str(checkpoints["resnet"])]
    ranking = package.recommend(photos, models=models)
    assert [row.rank for row in ranking.ranking] == [1, 2]
    done = zoo("recommend", photos, "-m", models[0], "-m", models[1], "--json")
    assert (
        stable(done.json)["ranking"]
        == stable(json.loads(__import__("msgspec").json.encode(ranking)))["ranking"]
    )


def test_runs_are_shown_compared_and_removed(warm, photos, checkpoints, tmp_path):
    models = ("-m", checkpoints["vit"], "-m", checkpoints["resnet"])
    earlier = warm("runs", "list", "-q").stdout.split()
    assert warm("recommend", photos, *models, "-q").code == 0
    (name,) = set(warm("runs", "list", "-q").stdout.split()).difference(earlier)
    shown = warm("runs", "show", name[-4:], "--json")
    assert shown.json["run"] == name
    again = warm("runs", "rerun", name, "--json")
    assert again.code == 0
    assert stable(again.json) == stable(shown.json)
    beside = warm("runs", "compare", name, again.json["run"], "--json").json
    assert all(row["rank"] == row["other"] for row in beside["models"])
    truth = tmp_path / "truth.csv"
    rows = [f"{row['model']},{-row['rank']}" for row in shown.json["ranking"]]
    truth.write_text("\n".join(["model,accuracy", *rows]) + "\n")
    quality = warm("runs", "compare", name, truth, "--json").json["quality"]
    assert quality[0]["by"] == "score"
    assert quality[0]["weighted_tau"] == pytest.approx(1)
    told = warm("recommend", photos, *models, "--truth", truth, "--format", "table")
    assert told.code == 0
    assert "TAU_W" in told.stdout + told.stderr
    assert warm("runs", "remove", told.stderr.split("Run ")[1].split()[0], "-y").code == 0
    assert warm("runs", "remove", name, "-y").code == 0
    assert name not in warm("runs", "list", "-q").stdout


def stable(answer):
    """Leave out what may differ between two runs that give the same answer."""
    kept = {"ranking", "prior", "excluded", "warnings", "agreement"}
    kept = {name: answer[name] for name in kept}
    text = json.dumps(kept, sort_keys=True)
    return json.loads(text, object_hook=_without_seconds)


def _without_seconds(table):
    return {name: value for name, value in table.items() if name != "seconds"}
