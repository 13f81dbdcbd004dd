"""The tutorial's plugin works as printed, in a fresh environment with only wheel and page."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "executing"))

from page_blocks import ROOT, blocks_of
from page_shell import Session, environment

PAGE = "docs/tutorial-plugin.md"
#: What the environment has beside Zoo comes from the one of the tests; nothing is downloaded.
PIP = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the wrong way round
    "PIP_NO_COMPILE": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """An environment with pip, the dependencies of Zoo, its wheel to be found, and no Zoo."""
    folder = tmp_path_factory.mktemp("author")
    fresh, wheels = folder / "env", folder / "wheels"
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "-o", wheels, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    command = [sys.executable, "-m", "venv", "--without-pip", fresh]
    subprocess.run(command, check=True)
    home = Path(sysconfig.get_path("purelib", vars={"base": str(fresh)}))
    others = folder / "others"
    others.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if each.name != "zoo" and not each.name.startswith(("zoo_", "_zoo_")):
            (others / each.name).symlink_to(each)
    (home / "others.pth").write_text(f"{others}\n", encoding="utf-8")
    for program in ("pip", "pytest"):
        script = fresh / "bin" / program
        script.write_text(f'#!/bin/sh\nexec "{fresh}/bin/python" -m {program} "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def surroundings(room):
    (room / "work").mkdir()
    found = environment(
        room / "work",
        ZOO_PERMUTATIONS="5",
        ZOO_FOLDS="4",
        ZOO_PROBE_SIZE="60",
        ZOO_MODEL="embedded:regnet-textures embedded:resnet-digits-0-4",
    )
    found["PATH"] = f"{room}/env/bin{os.pathsep}{os.defpath}"
    return found | PIP | {"PIP_FIND_LINKS": str(room / "wheels"), "PYTHONPATH": ""}


@pytest.mark.slow
def test_the_plugin_works_as_printed(room, surroundings, page):
    session = Session(room / "work", surroundings)
    for block in blocks_of(page(PAGE)):
        session.play(block)
    print("\n".join(f"{seconds:6.1f} s  {typed}" for typed, seconds in session.log))
    assert list((room / "work/zoo-centroid/dist").glob("zoo_centroid-*.whl"))


def test_it_takes_fewer_than_ten_commands_and_thirty_lines(page):
    blocks = blocks_of(page(PAGE))
    commands = [
        typed for each in blocks if each.language == "console" for typed, _ in each.commands()
    ]
    assert len(commands) < 10
    (method,) = (each for each in blocks if each.file.endswith("estimator.py"))
    assert len(method.text.splitlines()) <= 30
