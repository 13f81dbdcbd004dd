"""A plugin of every kind, as the command writes it: installed, tested, checked, typed, used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
#: Kind -> what a person calls it.
NAMES = {
    "estimator": "margin",
    "runtime": "zoo-hidden",
    "amalgamator": "alike",
    "distiller": "vector-hint",
    "grower": "quiet",
    "reporter": "thrift",
    "source": "my-shelf",
    "probe": "Zoo_LIBSVM",
    "command": "evenly",
}
DISTRIBUTIONS = {
    "zoo-margin", "zoo-hidden", "zoo-alike", "zoo-vector-hint", "zoo-quiet", "zoo-thrift",
    "zoo-my-shelf", "zoo-libsvm", "zoo-evenly",
}  # fmt: skip
#: Those whose modules do without torch.
LIGHT = DISTRIBUTIONS - {"zoo-hidden", "zoo-alike", "zoo-vector-hint"}
DIGITS, PARITY = "embedded:resnet-digits-0-4", "embedded:vit-digit-parity"
#: What is used twice as much as it needs is bad manners on two cores.
FRUGAL = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def written(forked, tmp_path_factory):
    """All nine, as the command writes them, and what it said."""
    folder = tmp_path_factory.mktemp("authors")
    said = {}
    for kind, name in NAMES.items():
        done = forked(
            "plugins", "new", name, "--kind", kind, "--author", "Ada", "--json", cwd=folder
        )
        assert done.code == 0, done.stderr
        said[kind] = done.json
    return folder, said


@pytest.fixture(scope="module")
def folders(written):
    return sorted(written[0].iterdir())


@pytest.fixture(scope="module")
def python(folders, tmp_path_factory):
    """A fresh environment that sees our packages through a path file, with all nine installed."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    site = next((place / "lib").glob("python*/site-packages"))
    seen = [path for path in sys.path if path.endswith("site-packages")]
    sources = [str(ROOT / each) for each in ("zoo", "cli", "plugins")]
    (site / "ours.pth").write_text("\n".join([*seen, *sources]) + "\n", encoding="utf-8")
    python = str(place / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    done = run([*install, "--no-index", "--no-build-isolation", *folders])
    assert done.returncode == 0, done.stderr
    return python


@dataclass(frozen=True)
class Theirs:
    """The command in that environment, in a folder with a little data."""

    folder: Path
    forked: object

    def __call__(self, *arguments):
        shelf = {"MY_SHELF_FOLDER": str(ROOT / "zoo" / "zoo" / "embedded")}
        done = self.forked(*arguments, cwd=self.folder, environment=shelf)
        assert done.code == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def theirs(python, forked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    server = type(forked)(folder, python)
    rng = np.random.default_rng(0)
    for number in range(24):
        kind = ("dark", "light")[number % 2]
        place = folder / "pictures" / kind
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 120, (32, 32, 3), dtype=np.uint8) + 100 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    lines = [
        f"{'ab'[row % 2]} 1:{5 * (row % 2) + draw[0]:.4f} 3:{draw[1]:.4f}"
        for row, draw in enumerate(rng.normal(size=(40, 2)))
    ]
    (folder / "data.svm").write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield Theirs(folder, server)
    server.close()


def run(command, **options):
    return subprocess.run(
        [str(each) for each in command],
        capture_output=True, text=True, check=False, env={**os.environ, **FRUGAL}, **options,
    )  # fmt: skip


def test_each_is_a_whole_distribution(written, folders):
    assert {each.name for each in folders} == DISTRIBUTIONS
    for kind, said in written[1].items():
        folder = Path(said["folder"])
        there = {
            file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
        }
        assert set(said["files"]) == there
        assert {
            "pyproject.toml",
            "README.md",
            "CHANGELOG.md",
            ".gitignore",
            ".github/workflows/ci.yml",
            "tests/test_contract.py",
            f"src/{said['module']}/__init__.py",
            f"src/{said['module']}/{kind}.py",
            f"src/{said['module']}/py.typed",
        } <= there


def test_ruff_finds_nothing_in_them(folders):
    ruff = [sys.executable, "-m", "ruff"]
    checked = run([*ruff, "check", "--no-cache", *folders])
    assert checked.returncode == 0, checked.stdout
    formatted = run([*ruff, "format", "--no-cache", "--check", *folders])
    assert formatted.returncode == 0, formatted.stdout


def test_their_own_tests_pass(folders, python):
    pytest_ = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = run([*pytest_, *folders], cwd=folders[0].parent)
    assert done.returncode == 0, done.stdout[-4000:]


def test_all_are_listed(theirs):
    listed = theirs("plugins", "list", "--json").json
    strangers = {
        each["distribution"]: each["status"]
        for each in listed["plugins"]
        if each["distribution"] != "zoo-reuse"
    }
    assert strangers == dict.fromkeys(DISTRIBUTIONS, "ok")
    assert listed["failures"] == []


@pytest.mark.parametrize(
    "names",
    [
        ["zoo-margin", "zoo-libsvm", "zoo-evenly"],
        # Their own tests ask the same.
        pytest.param(sorted(DISTRIBUTIONS), marks=pytest.mark.exhaustive),
    ],
)
def test_the_check_passes(theirs, names):
    assert theirs("plugins", "check", *names, "--json").code == 0


def test_the_command_reads_data_through_the_probe(theirs):
    shown = theirs("evenly", "data.svm", "--json").json
    assert shown == {"schema_version": 1, "classes": {"a": 20, "b": 20}, "evenness": 1.0}


def test_the_probe_is_shown_and_its_features_are_scored_by_the_estimator(theirs):
    shown = theirs("probes", "show", "data.svm", "--json").json["probe"]
    assert (shown["samples"], shown["classes"]) == (40, 2)
    theirs("probes", "sample", "data.svm", "-o", "features.npz")
    scores = theirs("score", "features.npz", "-e", "margin", "--json").json["scores"]
    assert scores["margin"]["value"] > 1


@pytest.fixture(scope="module")
def ranked(theirs):
    """A ranking of two checkpoints of the source, run by the runtime, scored by the estimator."""
    models = [f"my_shelf:{each.partition(':')[2]}" for each in (DIGITS, PARITY)]
    named = [part for each in models for part in ("-m", each)]
    question = ("recommend", "pictures", *named, "--runtime", "hidden", "-e", "margin")
    done = theirs(*question, "--offline", "--json")
    return models, done.json


def test_a_ranking_uses_source_runtime_and_estimator(ranked):
    models, ranking = ranked
    assert {row["model"] for row in ranking["ranking"]} == set(models)
    assert ranking["failures"] == []
    for row in ranking["ranking"]:
        assert row["runtime"] == "hidden"
        assert row["estimators"]["margin"]["value"] > 0
        assert row["layer"].startswith("layer.")


def test_the_reporter_explains_that_ranking(theirs, ranked):
    report = theirs("explain", "--only", "thrift", "--json").json
    (claim,) = [each for each in report["claims"] if each["reporter"] == "thrift"]
    assert "times the space of my_shelf:" in claim["text"]


def test_the_grower_makes_a_larger_model(theirs):
    done = theirs(
        "grow", PARITY, "--mlp", "2x", "--method", "quiet", "--yes", "-o", "wider", "--json"
    )
    assert all(each["largest"] <= each["tolerance"] * each["scale"] for each in done.json["proof"])
    assert done.json["plan"]["method"] == "quiet"


def test_the_amalgamator_makes_a_student(theirs):
    theirs(
        *("amalgamate", "--teacher", f"digits={DIGITS}", "--teacher", f"parity={PARITY}"),
        *("--student", DIGITS, "--data", "pictures", "--method", "alike", "--batch", 8),
        *("--epochs", 1, "--yes", "-o", "amalgamated"),
    )
    assert "likeness" in losses(theirs.folder / "amalgamated")


def test_the_distiller_makes_a_student(theirs):
    theirs(
        *("distill", "--teacher", DIGITS, "--student", DIGITS, "--data", "pictures"),
        *("--method", "kd,vector-hint", "--batch", 8, "--epochs", 1, "--yes", "-o", "distilled"),
    )
    assert "hint" in losses(theirs.folder / "distilled")


def losses(folder):
    """The journal of a training."""
    return (folder / "training.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("chosen", "skipped"),
    [
        (LIGHT, ["torch.*"]),  # to read it takes half a minute
        pytest.param(DISTRIBUTIONS, [], marks=pytest.mark.exhaustive),
    ],
    ids=["light", "all"],
)
def test_mypy_finds_nothing_in_them(folders, chosen, skipped, tmp_path):
    """As their own settings say, with nothing but the package's types."""
    lines = ["[mypy]", "strict = true"]
    for name in ("transformers.*", *skipped):
        lines += [f"[mypy-{name}]", "follow_imports = skip"]
    settings = tmp_path / "mypy.ini"
    settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", settings, "--cache-dir", tmp_path]
    done = run([*command, *(each / "src" for each in folders if each.name in chosen)])
    assert done.returncode == 0, done.stdout


@pytest.mark.exhaustive  # it reads all of torch to know what Zoo's types are made of
@pytest.mark.parametrize("chosen", [{"zoo-margin"}, DISTRIBUTIONS], ids=["light", "all"])
def test_pyright_finds_nothing_in_them(folders, python, chosen, tmp_path):
    pyright = [sys.executable, "-m", "pyright"]
    if run([*pyright, "--version"]).returncode:
        pytest.skip("pyright is not installed, or cannot start")
    for mode in ("strict", "standard"):
        places = [str(each) for each in folders if each.name in chosen and mode_of(each) == mode]
        if not places:
            continue
        settings = tmp_path / mode / "pyrightconfig.json"
        settings.parent.mkdir()
        for each in places:
            shutil.copytree(each, settings.parent / Path(each).name)
        settings.write_text(json.dumps({"typeCheckingMode": mode}), encoding="utf-8")
        done = run([*pyright, "-p", settings, "--pythonpath", python])
        assert done.returncode == 0, done.stdout
        assert "No source files" not in done.stdout


def mode_of(folder):
    """How strictly a distribution asks pyright to look."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return project["tool"]["pyright"]["typeCheckingMode"]
