"""What the pages tell people to run does run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from zoo_cli.main import zoo as command

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]


def test_the_tutorial_shows_how_many_images_it_makes(page, blocks, python, tmp_path):
    (program,) = blocks(page("docs/tutorial.md"), "python run")
    python("-c", program)
    for kind in ("loop", "open"):
        number = len(list((tmp_path / "photos" / kind).glob("*.png")))
        assert f"\n{kind}       {number}\n" in page("docs/tutorial.md")


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_every_python_block_is_python(path, blocks):
    for info in ("python", "python run"):
        for program in blocks(path.read_text(encoding="utf-8"), info):
            compile(program, path.name, "exec")


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_every_command_line_is_one_that_zoo_understands(path, blocks):
    """Parsed, not run: commands and options exist, and their values are of the right kind."""
    for block in blocks(path.read_text(encoding="utf-8"), "console"):
        for line in block.splitlines():
            if line.startswith("$ zoo ") and "[OPTIONS]" not in line:
                typed = re.sub(r"\$\(.*?\)", "X", line.removeprefix("$ zoo "))
                understands(shlex.split(typed, comments=True))


def understands(words):
    """Walk down to the command, and let click parse the rest."""
    context, found = click.Context(command, info_name="zoo"), command
    while isinstance(found, click.Group):
        name, *words = words
        found = found.get_command(context, name)
        assert found is not None, name
        context = click.Context(found, info_name=name, parent=context)
    found.make_parser(context).parse_args(args=words)


def test_the_plugin_of_the_readme_works_as_it_stands(page, blocks, python, tmp_path):
    (module,) = (text for text in blocks(page("README.md"), "python") if "hookimpl" in text)
    assert module in page("docs/plugins.md").replace("# zoo_margin.py\n", "")
    (tmp_path / "zoo_margin.py").write_text(module, encoding="utf-8")
    record = tmp_path / "zoo_margin-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-margin\nVersion: 0.1.0\n")
    (record / "entry_points.txt").write_text("[zoo.v1]\nmargin = zoo_margin\n")
    (features,) = blocks(page("docs/how-to/score-features.md"), "python run")[:1]
    python("-c", features)

    scored = python(
        "-m", "zoo_cli", "score", "features.npz", "-e", "margin", "--json", path=tmp_path
    )
    cell = json.loads(scored)["scores"]["margin"]
    assert cell["value"] > 0
    assert cell["z"] > 3
    checked = python("-m", "zoo_cli", "plugins", "check", "zoo-margin", "--json", path=tmp_path)
    assert all(check["ok"] for check in json.loads(checked)["checks"])
