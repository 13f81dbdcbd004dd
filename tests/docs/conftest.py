"""The pages, and the module that prints their generated parts."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def page():
    """Read a page by its path from the root."""
    return lambda name: (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def blocks():
    """Give the fenced blocks of a text whose info string matches."""

    def find(text, info):
        return re.findall(rf"^```{info}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)

    return find


@pytest.fixture
def python(tmp_path):
    """Run a program in an empty folder; extra folders are put on the path."""

    def run(*arguments, path=""):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(path), "HF_HUB_OFFLINE": "1", "COLUMNS": "110"},
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
