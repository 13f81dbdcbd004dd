"""Running ``zoo`` in this process, and strangers' plugins made of real metadata."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import sys
import textwrap
import types
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

from zoo_cli import main
from zoo_cli.documents import DOCUMENTS
from zoo_cli.lazy import Entry

_SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
_SPEC = importlib.util.spec_from_file_location(
    "render_fixtures", Path(__file__).parents[1] / "zoo" / "render" / "conftest.py"
)
_FIXTURES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FIXTURES)
ranking = _FIXTURES.ranking
empty_ranking = _FIXTURES.empty_ranking


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _no_leaks(monkeypatch):
    """``--offline`` sets variables on purpose; they must not outlive a test."""
    before = dict(os.environ)
    for name in ("CI", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def zoo(capsys):
    """Run one command line; every failure comes back as a result."""

    def run(*arguments):
        capsys.readouterr()
        code = main.run([str(each) for each in arguments])
        captured = capsys.readouterr()
        check_document([str(each) for each in arguments], captured.out)
        return Result(int(code), captured.out, captured.err)

    return run


def check_document(arguments, text):
    """Hold every document of ``--json`` against the published schema of its command."""
    asked = "--json" in arguments or re.search(r"--format[= ]json\b", " ".join(arguments))
    words = [each for each in arguments if not each.startswith("-")]
    names = [name for name in (" ".join(words[:2]), *words[:1]) if name in DOCUMENTS]
    if not (asked and names and text.strip()):
        return
    document = json.loads(text)
    name = "error" if "error" in document else names[0]
    found = next(validator_of(name).iter_errors(document), None)
    if found is not None:
        found = jsonschema.exceptions.best_match([found])
        pytest.fail(f"the schema of {name} says otherwise: {found.json_path}: {found.message}")


@functools.cache
def validator_of(name):
    """Read a published schema; what it does not name is an error here, and allowed to readers."""
    path = _SCHEMAS / f"{name.replace(' ', '-')}.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    for definition in schema["$defs"].values():
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def command(monkeypatch):
    """Add a command to the table for one test: ``command("boom", click_command)``."""

    def add(name, made):
        module = types.ModuleType(f"zoo_test_{name}")
        module.command = made
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(main.TABLE, name, Entry(f"{module.__name__}:command", "Test.", "Test"))

    return add


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Install a distribution with one plugin module, as pip would leave it, for one test."""
    installed = []

    def install(distribution, source):
        module = distribution.replace("-", "_")
        folder = tmp_path / "site"
        (folder / module).mkdir(parents=True, exist_ok=True)
        (folder / module / "__init__.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = folder / f"{module}-0.3.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.3.0\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(f"[zoo.v1]\n{module} = {module}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setattr(main.zoo, "_plugins", None)
        installed.append(module)
        return folder

    yield install
    for name in [each for each in sys.modules if each.startswith(tuple(installed))]:
        del sys.modules[name]
