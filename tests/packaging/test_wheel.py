"""The wheel as a stranger gets it: what is in it, and that it works without this checkout."""

from __future__ import annotations

import configparser
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = {
    "zoo",
    "zoo_cli",
    "zoo_transferability",
    "zoo_runtimes",
    "zoo_amalgamation",
    "zoo_distillation",
    "zoo_growth",
    "zoo_explanation",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "-o", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel):
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel, unpacked as pip would."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def in_wheel(installed, program, *arguments):
    """Run Python with the unpacked wheel and without the editable install."""
    start = (
        "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)];"
        f"sys.path[:] = [{str(installed)!r}] + [p for p in sys.path if {str(ROOT)!r} not in p"
        " or 'site-packages' in p];"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", start + program, *arguments],
        capture_output=True, text=True, check=False, cwd=installed, env=environment,
    )  # fmt: skip


def test_only_our_names_reach_other_peoples_environments(names):
    tops = {name.partition("/")[0] for name in names}
    assert tops - TOP == {"zoo_reuse-0.2.0.dist-info"}


def test_what_is_read_at_run_time_is_in_the_wheel(names):
    for wanted in (
        "zoo/registry.json",
        "zoo/py.typed",
        "zoo_cli/py.typed",
        "zoo_transferability/py.typed",
        "zoo_runtimes/py.typed",
        "zoo/render/templates/report.html.j2",
        "zoo/template/common/pyproject.toml.j2",
        "zoo/template/estimator/__init__.py.j2",
        "zoo/schemas/registry.schema.json",
        "zoo_reuse-0.2.0.dist-info/licenses/LICENSE",
    ):
        assert wanted in names, wanted


def test_embedded_checkpoints_are_in_the_wheel_and_small(wheel):
    inside = zipfile.ZipFile(wheel).infolist()
    embedded = [each for each in inside if each.filename.startswith("zoo/embedded/")]
    folders = {
        each.filename.rpartition("/")[0]
        for each in embedded
        if each.filename.endswith(".safetensors")
    }
    assert len(folders) >= 6
    for folder in folders:
        assert f"{folder}/config.json" in {each.filename for each in embedded}
    assert sum(each.file_size for each in embedded) <= 4_200_000


def test_nothing_that_is_not_the_product_is_in_the_wheel(names):
    assert not [name for name in names if re.search(r"(__pycache__|\.pyc$|tests?/|\.venv)", name)]


def test_every_entry_point_loads(wheel):
    archive = zipfile.ZipFile(wheel)
    points = configparser.ConfigParser()
    points.read_string(archive.read("zoo_reuse-0.2.0.dist-info/entry_points.txt").decode())
    assert set(points["zoo.v1"]) == {
        "core",
        "transferability",
        "runtimes",
        "amalgamation",
        "distillation",
        "growth",
        "explanation",
    }
    for section in points.sections():
        for target in points[section].values():
            module, _, attribute = target.partition(":")
            loaded = importlib.import_module(module)
            assert not attribute or callable(getattr(loaded, attribute))


def test_the_wheel_works_without_this_checkout(installed):
    program = (
        "import zoo, zoo_cli.main as m;"
        f"assert zoo.__file__.startswith({str(installed)!r}), zoo.__file__;"
        "sys.exit(m.run(sys.argv[1:]))"
    )
    done = in_wheel(installed, program, "plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    listed = {each["name"] for each in json.loads(done.stdout)["plugins"]}
    assert {"zoo-reuse:core", "zoo-reuse:transferability", "zoo-reuse:runtimes"} <= listed


def test_the_packaged_registry_is_found_from_anywhere(installed):
    program = (
        "from zoo.registry import find_registry, load_registry; p = find_registry(); print(p);"
    )
    done = in_wheel(installed, program + "load_registry(p)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(installed / "zoo" / "registry.json")


def test_constraints_pin_every_dependency_exactly():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    names = {pin.partition("==")[0] for pin in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = list(project["dependencies"])
    for extra in ("test", "docs", "graph", "onnx"):
        wanted += extras[extra]
    for name in (re.match(r"[A-Za-z0-9-]+", each)[0] for each in wanted):
        if name == "zoo-reuse":  # its own extras
            continue
        assert name.lower() in names, name
    assert "torch==2.13.0" in pins
    assert not names & {"torchvision", "timm"}
