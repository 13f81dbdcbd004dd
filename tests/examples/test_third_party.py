"""The example plugins as strangers' would come: wheels, a fresh environment, their own tests."""

from __future__ import annotations

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

# Whole programs, which import torch or MLflow afresh.
pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/pyproject.toml"))
PUBLIC = {"zoo", "zoo.types", "zoo.hookspecs", "zoo.graph", "zoo.growing", "zoo.testing"}
SOURCES = sorted(path for folder in EXAMPLES for path in folder.rglob("*.py"))
MODELS = ("embedded:resnet-digits-0-4", "embedded:mobilenet-v1-shapes")
READ = """
import json, os, sys
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow.tracking import MlflowClient

client = MlflowClient("sqlite:///" + sys.argv[1])
experiment = client.get_experiment_by_name("zoo").experiment_id
found = [
    {
        "name": run.info.run_name,
        "status": run.info.status,
        "id": run.info.run_id,
        "metrics": run.data.metrics,
        "params": run.data.params,
        "tags": run.data.tags,
        "files": [each.path for each in client.list_artifacts(run.info.run_id)],
    }
    for run in client.search_runs([experiment])
]
print(json.dumps(found))
"""


def name_of(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"]


def run(python, *arguments, folder, **variables):
    own = {"ZOO_HOME": f"{folder / 'home'}", "ZOO_JOBS": "1", **variables}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ZOO_", "MLFLOW_", "PYTEST_")) and name != "PYTHONPATH"
    }
    return subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**kept, **own},
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("stranger")


@pytest.fixture(scope="module")
def python(place):
    """An environment that sees our packages, with every example that pip built and installed."""
    folder = place / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    seen = [path for path in sys.path if path.endswith("site-packages")]
    sources = [str(ROOT / each) for each in ("zoo", "cli", "plugins")]
    (site / "ours.pth").write_text("\n".join([*seen, *sources]) + "\n", encoding="utf-8")
    alone = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    pip = ("-m", "pip", "--python", python, "install", *alone)
    done = run(sys.executable, *pip, *EXAMPLES, folder=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return python


@pytest.fixture(scope="module")
def ranked(python, place):
    """A ranking by the new estimator, in an environment with the tracker."""
    models = [word for model in MODELS for word in ("-m", model)]
    command = ("-m", "zoo_cli", "recommend", "--demo", "--offline", "--json", *models)
    options = ("-e", "rankme", "-e", "logme", "--probe-size", "60", "--permutations", "5")

    def recommend(**variables):
        return run(python, *command, *options, folder=place, **variables)

    return recommend


@pytest.fixture(scope="module")
def kept(ranked):
    done = ranked()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_there_is_an_estimator_and_a_tracker():
    assert {"zoo-rankme", "zoo-mlflow"} <= {name_of(each) for each in EXAMPLES}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.relative_to(ROOT)}")
def test_only_public_names_are_imported(path):
    own = path.relative_to(ROOT / "examples").parts[0].replace("-", "_")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module]
            if node.module in PUBLIC:
                public = importlib.import_module(node.module).__all__
                assert {each.name for each in node.names} <= set(public)
        ours = {each for each in names if each.partition("_")[0].partition(".")[0] == "zoo"}
        assert {each for each in ours if each.partition(".")[0] != own} <= PUBLIC


@pytest.mark.parametrize("folder", EXAMPLES, ids=name_of)
def test_its_own_tests_pass_against_what_was_installed(folder, python, place):
    alone = place / folder.name
    shutil.copytree(folder / "tests", alone / "tests")
    shutil.copy(folder / "pyproject.toml", alone)
    done = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_zoo_finds_them_well(python, place):
    names = [name_of(each) for each in EXAMPLES]
    done = run(python, "-m", "zoo_cli", "plugins", "check", *names, "--json", folder=place)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    assert {each["plugin"].partition(":")[0] for each in checks} == set(names)
    assert [each for each in checks if not each["ok"]] == []


def test_the_new_estimator_ranks_beside_ours(kept):
    assert len(kept["ranking"]) == len(MODELS)
    assert kept["failures"] == []
    for row in kept["ranking"]:
        cell = row["estimators"]["rankme"]
        assert 1 <= cell["value"] <= row["dimension"]
        assert cell["interval"][0] <= cell["value"] <= cell["interval"][1]


def test_the_tracker_has_written_the_ranking(kept, python, place):
    done = run(python, "-c", READ, place / "home" / "mlflow.db", folder=place)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    (whole,) = (each for each in runs if "mlflow.parentRunId" not in each["tags"])
    children = {each["tags"]["zoo.model"]: each for each in runs if each is not whole}
    assert whole["tags"]["zoo.run"] == kept["run"]
    assert whole["tags"]["zoo.fingerprint"] == kept["probe"]["fingerprint"]
    assert whole["params"]["seed"] == str(kept["provenance"]["seed"])
    assert sorted(whole["files"]) == ["ranking.json", "scores.jsonl"]
    assert {each["status"] for each in runs} == {"FINISHED"}
    assert set(children) == set(MODELS)
    for row in kept["ranking"]:
        metrics = children[row["model"]]["metrics"]
        assert (metrics["score"], metrics["rank"]) == (row["score"], row["rank"])
        assert metrics["rankme"] == row["estimators"]["rankme"]["value"]


def test_a_tracker_that_cannot_write_costs_its_own_word_alone(ranked, kept, place):
    (place / "notes.txt").write_text("not a database, but " * 20)
    done = ranked(MLFLOW_TRACKING_URI=f"sqlite:///{place}/notes.txt")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert [row["model"] for row in document["ranking"]] == [
        row["model"] for row in kept["ranking"]
    ]
    (failure,) = document["failures"]
    assert failure["plugin"].startswith("zoo-mlflow")
    assert "notes.txt" in failure["error"]
    assert "zoo-mlflow" in done.stderr
