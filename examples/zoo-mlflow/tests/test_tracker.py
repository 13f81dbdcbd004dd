"""What Zoo tells is what MLflow holds, and what MLflow cannot do stays this plugin's trouble."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import msgspec
import pytest
from zoo import PluginHost, ZooError
from zoo.types import BuiltModel, ScoreRecord

import zoo_mlflow


@pytest.fixture
def built(tmp_path):
    """A folder as ``zoo finetune`` leaves it."""
    folder = tmp_path / "better"
    folder.mkdir()
    (folder / "README.md").write_text("# better\n")
    (folder / "metrics.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "run.yaml").write_text("command: finetune\nschedule:\n  epochs: 2.0\nkeep: []\n")
    lines = [
        {"step": 5, "epoch": 1.0, "losses": {"student.labels": 2.0}, "rates": {"body": 0.1}},
        {"step": 10, "epoch": 2.0, "losses": {"student.labels": None}, "rates": {"body": 0.0}},
    ]
    (folder / "training.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return BuiltModel(
        folder=str(folder),
        command="finetune",
        method="moex",
        teachers={"start": "hub:a/one"},
        metrics={"student": {"joint": {"value": 0.5, "samples": 9}}, "fair": True},
        parameters=100,
        steps=10,
        notes=("Its head is new.",),
    )


def test_a_ranking_is_a_run_with_a_child_for_every_model(ranking, written, files):
    zoo_mlflow.zoo_ranking_ready(ranking)
    runs = written()
    whole = runs["recommend photos a1f3"]
    assert whole.info.status == "FINISHED"
    assert whole.data.params["estimators"] == "logme"
    assert (whole.data.params["seed"], whole.data.params["data"]) == ("7", "./photos")
    assert whole.data.tags["zoo.run"] == "2026-11-22-a1f3"
    assert whole.data.tags["zoo.fingerprint"] == "f00d"
    assert whole.data.tags["version.zoo-reuse"] == "0.2.0"
    assert (whole.data.metrics["models"], whole.data.metrics["agreement"]) == (2, 0.75)
    assert whole.info.end_time - whole.info.start_time >= 12_000
    assert files(whole) == {"ranking.json"}
    first = runs["1 hub:a/one"]
    assert first.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert first.data.tags["zoo.revision"] == "c0ffee"
    assert first.data.metrics["score"] == 0.75
    assert first.data.metrics["logme"] == -0.5
    assert first.data.metrics["logme.low"] == -1.0


def test_a_model_that_failed_is_a_failed_child_with_the_reason(ranking, written):
    zoo_mlflow.zoo_ranking_ready(ranking)
    failed = written()["failed hub:c/three"]
    assert failed.info.status == "FAILED"
    assert failed.data.tags["zoo.error"] == "no such file."
    assert failed.data.tags["zoo.hint"] == "look"


def test_layers_are_steps_and_every_record_is_kept(ranking, written, files):
    for step, layer in enumerate(("stem", "pool")):
        zoo_mlflow.zoo_score_recorded(
            ScoreRecord(model="hub:a/one", layer=layer, estimator="logme", value=-1.0 - step)
        )
    zoo_mlflow.zoo_ranking_ready(ranking)
    runs = written()
    assert files(runs["recommend photos a1f3"]) == {"ranking.json", "scores.jsonl"}
    assert runs["1 hub:a/one"].data.metrics["layers.logme"] == -2.0
    assert "layers.logme" not in runs["2 hub:b/two"].data.metrics
    zoo_mlflow.zoo_ranking_ready(ranking)
    assert files(written()["recommend photos a1f3"]) == {"ranking.json"}


def test_the_same_run_of_zoo_is_written_once(ranking, written):
    zoo_mlflow.zoo_ranking_ready(ranking)
    before = {run.info.run_id for run in written().values()}
    zoo_mlflow.zoo_ranking_ready(ranking)
    after = {run.info.run_id for run in written().values()}
    assert len(before) == len(after) == 4
    assert not before & after


def test_a_built_model_is_a_run_with_recipe_curves_and_papers(built, written, files, database):
    zoo_mlflow.zoo_model_built(built)
    run = written()["finetune better"]
    assert run.data.params["schedule.epochs"] == "2.0"
    assert run.data.tags["teacher.start"] == "hub:a/one"
    assert run.data.metrics["student.joint.value"] == 0.5
    assert "fair" not in run.data.metrics
    assert files(run) == {"README.md", "metrics.json", "run.yaml", "training.jsonl"}
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{database}")
    rates = client.get_metric_history(run.info.run_id, "rates.body")
    assert [(each.step, each.value) for each in rates] == [(5, 0.1), (10, 0.0)]
    losses = client.get_metric_history(run.info.run_id, "losses.student.labels")
    assert [each.step for each in losses] == [5]


def test_weights_are_copied_when_they_are_asked_for(built, written, files, monkeypatch):
    monkeypatch.setenv("ZOO_MLFLOW_WEIGHTS", "1")
    zoo_mlflow.zoo_model_built(built)
    assert "model.safetensors" in files(written()["finetune better"])


def test_without_a_word_the_store_is_an_sqlite_file_in_zoos_home(
    ranking, home, database, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.setenv("ZOO_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    zoo_mlflow.zoo_ranking_ready(ranking)
    assert {path.name for path in home.iterdir()} == {database.name, "mlflow"}
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_and_the_process_is_left_as_it_was(ranking, experiment, capfd):
    before = dict(os.environ)
    zoo_mlflow.zoo_ranking_ready(ranking)
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == before


def test_the_hooks_alone_import_no_mlflow():
    program = "import sys, zoo_mlflow; print(sorted({'mlflow', 'sqlalchemy'} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_file_that_is_no_database_is_explained_and_left_alone(ranking, monkeypatch, tmp_path):
    (tmp_path / "notes.txt").write_text("mine" * 50)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(ZooError, match=r"nothing more was written to MLflow at .*notes\.txt"):
        zoo_mlflow.zoo_ranking_ready(ranking)
    assert (tmp_path / "notes.txt").read_text() == "mine" * 50


def test_a_server_that_is_not_there_is_reported_with_the_name_of_the_plugin(ranking, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    host = PluginHost()
    host.register(zoo_mlflow, name="zoo-mlflow:mlflow")
    assert list(host.call("zoo_ranking_ready", ranking=ranking)) == []
    (failure,) = host.failures
    assert failure.plugin == "zoo-mlflow:mlflow"
    assert failure.error.startswith(
        f"nothing more was written to MLflow at http://127.0.0.1:{port}"
    )
    assert "--no-plugin" in failure.hint


def test_offline_no_other_machine_is_asked(ranking, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ZooError, match="is another machine, and Zoo is offline"):
        zoo_mlflow.zoo_ranking_ready(ranking)


def test_a_run_that_cannot_be_finished_is_marked_as_failed(ranking, written):
    row = msgspec.structs.replace(ranking.ranking[0], layers=None)
    broken = msgspec.structs.replace(ranking, ranking=(row,))
    with pytest.raises(ZooError):
        zoo_mlflow.zoo_ranking_ready(broken)
    assert {run.info.status for run in written().values()} == {"FAILED"}
